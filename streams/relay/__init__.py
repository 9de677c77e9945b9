"""Out of a source, onto a topic: acknowledged, then remembered; one of a kind in the fleet; gaps read back."""
