"""A Marketo Engage instance for the sandbox: the part of its REST API that a two-way sync of people needs."""
