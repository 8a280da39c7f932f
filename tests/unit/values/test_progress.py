"""Talk goes to one stream, a line a stage; colour only where it is wanted."""

from __future__ import annotations

import io
import re

import pytest

from aotwin.progress import Progress, wants_color


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_stage_is_one_line_with_its_seconds() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    with progress.stage("link m.dll"):
        pass
    assert re.fullmatch(r"✓ link m\.dll +\d+\.\d s\n", stream.getvalue())
    assert [title for title, _ in progress.seconds] == ["link m.dll"]


def test_a_stage_that_fails_prints_nothing() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    with pytest.raises(RuntimeError), progress.stage("link"):
        raise RuntimeError
    assert stream.getvalue() == ""
    assert progress.seconds == []


def test_quiet_is_quiet_but_for_warnings() -> None:
    stream = io.StringIO()
    progress = Progress(stream, quiet=True)
    with progress.stage("link"):
        progress.remark("a wait")
    progress.warn("mind this")
    assert stream.getvalue() == "aotwin: warning: mind this\n"


def test_a_stream_that_knows_no_check_mark_gets_something_else() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Progress(stream).remark("wait")
    assert raw.getvalue() == b"? wait\n"


COLOURS = {
    "a terminal": (Terminal(), {}, True),
    "a file": (io.StringIO(), {}, False),
    "NO_COLOR on a terminal": (Terminal(), {"NO_COLOR": "1"}, False),
    "FORCE_COLOR on a file": (io.StringIO(), {"FORCE_COLOR": "1"}, True),
    "NO_COLOR over FORCE_COLOR": (Terminal(), {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    "an empty NO_COLOR": (Terminal(), {"NO_COLOR": ""}, True),
}


@pytest.mark.parametrize(("stream", "environ", "expected"), COLOURS.values(), ids=COLOURS)
def test_colour_is_decided_by(
    stream: io.StringIO, environ: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environ.items():
        monkeypatch.setenv(variable, value)
    assert wants_color(stream) is expected
