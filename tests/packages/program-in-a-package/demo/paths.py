"""Reached from another package of the project."""

WEIGHTS = "weights.txt"
