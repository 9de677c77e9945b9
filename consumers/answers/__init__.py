"""What people ask, each question one function: put together from the ledger and, where it is asked for, from both systems as they are now.
The command line prints what they return, the console shows it, its HTTP API sends it."""
