"""Commands that tell: a record, topics, the audit log, the budget, cycles, coverage, drift, what is seen and what is well."""
