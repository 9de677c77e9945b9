"""What yields change events of Salesforce: the CDC stream, the polls, and how rows become typed values."""
