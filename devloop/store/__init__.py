"""The records on disk."""
