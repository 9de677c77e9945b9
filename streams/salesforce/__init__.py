"""Salesforce as a source and a target: session, REST, the change stream, the reconciliation poll."""
