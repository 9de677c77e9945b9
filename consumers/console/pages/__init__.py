"""The pages: each asks one or two answers and shows them."""
