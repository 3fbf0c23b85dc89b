"""From graph, records and change set to a selection with reasons (pure)."""
