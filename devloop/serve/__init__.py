"""The loop seen from outside."""
