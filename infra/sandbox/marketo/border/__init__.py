"""What a client meets first: identity, limits, permissions, scripted faults, one call and its answer."""
