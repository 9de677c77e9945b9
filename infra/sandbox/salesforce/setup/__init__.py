"""What an administrator changes, each a verb with arguments that is journaled and carried out again at start."""
