"""Which tests are selected after an edit of real projects; see `__main__`."""
