"""What users write: every key, where else it can be said, and how it is checked."""
