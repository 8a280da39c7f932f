"""A package with two models."""
