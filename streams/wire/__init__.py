"""The words on the wire: events, their bytes, topics, the two systems, the ways in which work fails."""
