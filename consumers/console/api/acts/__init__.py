"""What programs can do: each act of the command line, looked at first and done on request, written into the audit log before it is done."""
