"""The org's HTTP face: the server, the way from an address to its resource, tokens, SOAP."""
