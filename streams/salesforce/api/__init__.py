"""Calls to one Salesforce org: the session, REST, SOAP, queries, and what answers and refusals mean."""
