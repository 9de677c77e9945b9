"""A batch of events against the pairs that it touches: who is whom, who waits for whom, what is set aside."""
