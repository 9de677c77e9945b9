"""The HTTP API: the same answers as the command line's `--json`, for programs that have a token."""
