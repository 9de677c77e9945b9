"""From the text of a query to the query as a value, with nothing known yet of the org that it asks."""
