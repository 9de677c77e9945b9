"""The life of a pair: whether its records are there, who they are now, how they are named, linked and joined. Pure."""
