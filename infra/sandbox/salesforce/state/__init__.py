"""What an org holds at one moment, and its questions; nothing here writes the journal."""
