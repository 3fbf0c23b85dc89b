"""What `devloop doctor` looks at."""
