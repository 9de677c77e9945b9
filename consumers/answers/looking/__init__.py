"""What is so, and what was: nothing is changed by asking."""
