"""Python code of the project, beside its models."""
