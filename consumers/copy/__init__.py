"""The first copy: what it will cost, who runs it, how far it is. What is read goes onto the same topics as whatever a poll reads."""
