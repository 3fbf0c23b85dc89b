"""The one loop, and the only place where the parts are wired."""
