"""What is owed: the plan, when it is due, parents before children, the life of a write and of a refusal. Pure."""
