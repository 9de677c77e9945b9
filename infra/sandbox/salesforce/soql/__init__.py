"""SOQL: text to tokens, tokens to a query, a query bound to what a user may see, and its run over the rows of the org."""
