"""From facts about files to an immutable import graph (pure)."""
