"""Who belongs to whom: children that wait for parents, parents that are gone."""
