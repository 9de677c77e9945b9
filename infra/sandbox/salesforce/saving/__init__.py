"""What happens when a record is saved, deleted, merged or converted, in the order of execution, as one transaction."""
