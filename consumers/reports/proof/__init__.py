"""What can be proved of the ledger: that its decisions come to what is agreed, and that nobody has changed them."""
