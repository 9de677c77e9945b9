"""A Salesforce org and a Marketo Engage instance to run against: two processes, one control API (see README.md beside this file)."""
