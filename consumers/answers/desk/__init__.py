"""What a person does with what waits, differs or is to stop, and what would come of it: dry first."""
