"""Exports the model."""

from demo.paths import WEIGHTS

from . import data


def classifier():
    """Stands for an ExportedProgram: an sdist does not run it."""
    return data.load(WEIGHTS)
