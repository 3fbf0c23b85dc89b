"""The types and the loading of devloop.toml."""
