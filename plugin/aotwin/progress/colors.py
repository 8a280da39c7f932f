"""Whether talk is coloured, by the variables that terminals and CI services agree on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO


def wants_color(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """NO_COLOR (no-color.org) decides, then FORCE_COLOR and CLICOLOR_FORCE, then CLICOLOR=0.

    Where none is set, a terminal has colours. An empty variable is as good as none, and so is
    CLICOLOR_FORCE=0 (bixense.com/clicolors).
    """
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR") or environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return environ.get("CLICOLOR") != "0" and is_terminal(stream, environ)


def is_terminal(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """A terminal on which what was printed can be changed again."""
    return stream.isatty() and environ.get("TERM") != "dumb"
