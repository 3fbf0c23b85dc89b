"""From selection and configuration to a plan; the on-busy state machine (pure)."""
