"""One edit of one field: values, rules, the table of verdicts, and the judge. Pure."""
