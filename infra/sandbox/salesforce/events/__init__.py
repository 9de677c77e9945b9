"""Change events: made of a transaction's changes, kept in the order of commit, and given to whom on which channel."""
