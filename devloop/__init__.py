"""devloop: a file-watching, hot-reloading dev runner for Python."""

__version__ = "0.1.0"
