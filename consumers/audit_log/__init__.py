"""The audit log: who asked for what by hand, or looked at what is masked, when and why."""
