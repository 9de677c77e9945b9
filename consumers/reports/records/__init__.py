"""One record and its fields: what it is called, how it stands, what it is related to, what has happened to it."""
