"""The rows in memory, and what is worked out of them wherever they change: formulas, counts, values as they are stored."""
