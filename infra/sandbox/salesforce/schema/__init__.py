"""What objects and fields there are, as data: the types of an org, the standard ones, and what their values are made of."""
