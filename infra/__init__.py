"""What Tandem runs on and against: the broker, the database, the sandbox systems, the stack."""
