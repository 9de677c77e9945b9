"""Bulk extract and bulk import: jobs, files, and the worker that runs them."""
