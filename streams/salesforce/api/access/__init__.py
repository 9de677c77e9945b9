"""The way in: host and credentials, log-in, session, what Salesforce refuses and why."""
