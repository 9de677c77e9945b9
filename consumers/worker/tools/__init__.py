"""What roles work with: connections, sessions, budgets, the terms of the configuration; opened once, closed in order."""
