"""Pages for a browser: each one file, with all that it needs in it."""
