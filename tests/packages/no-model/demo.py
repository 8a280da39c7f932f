"""A module and no model."""
