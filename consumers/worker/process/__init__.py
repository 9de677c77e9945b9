"""What runs roles: supervised tasks, health pages, what they share."""
