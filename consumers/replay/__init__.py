"""What people do with the logs: the ledger built again from them, other rules tried on them, their messages sent anew."""
