"""Colour only where it is wanted."""

from __future__ import annotations

import io

import pytest

from aotwin.progress.colors import is_terminal, wants_color


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


COLOURS = {
    "a terminal": (Terminal, {}, True),
    "a file": (io.StringIO, {}, False),
    "a dumb terminal": (Terminal, {"TERM": "dumb"}, False),
    "NO_COLOR on a terminal": (Terminal, {"NO_COLOR": "1"}, False),
    "FORCE_COLOR on a file": (io.StringIO, {"FORCE_COLOR": "1"}, True),
    "NO_COLOR over FORCE_COLOR": (Terminal, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    "an empty NO_COLOR": (Terminal, {"NO_COLOR": ""}, True),
    "CLICOLOR_FORCE on a file": (io.StringIO, {"CLICOLOR_FORCE": "1"}, True),
    "CLICOLOR_FORCE=0 on a file": (io.StringIO, {"CLICOLOR_FORCE": "0"}, False),
    "CLICOLOR=0 on a terminal": (Terminal, {"CLICOLOR": "0"}, False),
    "CLICOLOR=1 on a file": (io.StringIO, {"CLICOLOR": "1"}, False),
    "FORCE_COLOR over CLICOLOR=0": (io.StringIO, {"FORCE_COLOR": "1", "CLICOLOR": "0"}, True),
}


@pytest.mark.parametrize(("stream", "environ", "expected"), COLOURS.values(), ids=COLOURS)
def test_colour_is_decided_by(
    stream: type[io.StringIO], environ: dict[str, str], expected: bool
) -> None:
    assert wants_color(stream(), environ) is expected


def test_a_dumb_terminal_cannot_take_anything_back() -> None:
    assert is_terminal(Terminal(), {"TERM": "xterm"})
    assert not is_terminal(Terminal(), {"TERM": "dumb"})
