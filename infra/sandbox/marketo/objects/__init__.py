"""Companies, sales people, opportunities, roles, named accounts and custom objects, behind their common interface."""
