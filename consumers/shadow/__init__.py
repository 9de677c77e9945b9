"""A second ledger beside the live one, from what the topics tell, under these rules or others; it writes to no system."""
