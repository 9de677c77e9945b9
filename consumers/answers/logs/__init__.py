"""What is done with the logs: replayed, tried under other rules, told to subscribers."""
