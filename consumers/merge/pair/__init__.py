"""What is kept of a pair, as values and as stored bytes, and what is told of it as a decision. Pure."""
