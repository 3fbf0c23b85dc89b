"""Everything that starts a process: apps, steps, test runs, parse workers."""
