"""What the instance knows, a fold of its journal: people, rows, the activity log, and what may be stored in each field."""
