"""Its models are made by the build."""
