"""The audit log: who changed the state of Tandem by hand, or looked at what is masked, when and why."""
