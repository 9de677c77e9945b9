"""Commands that use the logs again: replay, rebuild, plan."""
