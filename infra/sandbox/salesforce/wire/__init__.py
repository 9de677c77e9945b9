"""The words that everything here is written in: record ids, times, and what the API answers when it refuses."""
