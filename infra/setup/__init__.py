"""Prerequisites: what is on this machine and how what is missing gets here. Standard library only, since it runs before .venv is made."""
