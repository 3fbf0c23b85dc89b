"""What `init` writes for each editor."""
