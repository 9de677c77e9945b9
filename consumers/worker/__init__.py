"""A worker: its roles put together from the configuration, their supervision, health pages, logs and metrics."""
