"""A Salesforce org to run against: REST, SOQL, OAuth and change data capture over CometD, with durable state."""
