"""What the commands of the desk print."""
