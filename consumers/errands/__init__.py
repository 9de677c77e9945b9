"""Errands: what somebody asks to be done once, in Salesforce, for a person of Marketo's (a flow step, a command), and how it gets done."""
