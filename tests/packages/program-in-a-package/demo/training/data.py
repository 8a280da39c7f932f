"""Reached by a relative import."""

from pathlib import Path


def load(name):
    """The text of a file beside this one."""
    return Path(__file__).with_name(name).read_text()
