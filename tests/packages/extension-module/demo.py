"""A module beside one in C."""
