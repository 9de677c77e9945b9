"""What the commands that tell print."""
