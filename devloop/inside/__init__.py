"""What runs inside the project's interpreter: standard library only."""
