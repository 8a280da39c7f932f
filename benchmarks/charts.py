"""How the benchmarks draw: SVG files of which the same figures give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: ours, and what ours stands beside
GREEN, GREY = "#0b6e4f", "#8a8d91"


@contextmanager
def svg(path: Path, inches: tuple[float, float]) -> Iterator[Any]:
    """A figure of matplotlib's, written when the block ends well.

    Args:
        inches: width and height.
    """
    # Not a requirement of the benchmarks that only measure.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings = {"svg.fonttype": "none", "svg.hashsalt": "aotwin", "font.size": 9}
    with mpl.rc_context(settings):
        figure = Figure(figsize=inches, layout="constrained")
        yield figure
        figure.savefig(path, metadata={"Date": None, "Creator": None})
