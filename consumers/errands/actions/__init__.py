"""What is done in Salesforce for people who are there: members, owners, tasks, conversions; many in a call, each once."""
