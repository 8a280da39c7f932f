"""What we write and read: the manifest in a model, the findings of a check."""
