"""The commands that have subcommands or belong together: each turns what was typed into a question, and prints the answer."""
