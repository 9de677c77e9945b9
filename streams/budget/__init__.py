"""Leave to call a system: the limits are the system's, shared by all workers."""
