"""The REST and Tooling APIs: each resource from the call to its answer."""
