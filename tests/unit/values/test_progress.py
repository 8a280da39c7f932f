"""Talk goes to one stream, a line a stage; what takes long says how far it is."""

from __future__ import annotations

import io
import logging
import re
import sys
import threading
from pathlib import Path

import pytest

from aotwin.adapters.tools.process import run
from aotwin.progress import (
    Progress,
    Stage,
    Step,
    commands_shown,
    note,
    parse_timings,
    render_timings,
)
from aotwin.progress.displays import SAY_EVERY, Bars, Lines, describe


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


def test_a_stage_says_in_its_line_what_was_noted_while_it_lasted() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    note("heard by nobody")
    with progress.stage("check"), progress.stage("link"):
        note("remembered")
    with progress.stage("pack"):
        pass
    lines = [line.partition("  ")[0] for line in stream.getvalue().splitlines()]
    assert lines == ["✓ link (remembered)", "✓ check", "✓ pack"]
    assert [title for title, _ in progress.seconds] == ["link", "check", "pack"]


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
    progress.result(["m, 1 MB"])
    progress.warn("mind this")
    assert stream.getvalue() == "aotwin: warning: mind this\n"


def test_a_stream_that_knows_no_check_mark_gets_something_else() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Progress(stream).remark("wait")
    assert raw.getvalue() == b"? wait\n"


def test_the_last_words_are_a_headline_and_lines_below_it() -> None:
    stream = io.StringIO()
    Progress(stream).result(["m, 1 MB", "not proven", "next: aotwin run m"])
    assert stream.getvalue() == "m, 1 MB\n  not proven\n  next: aotwin run m\n"


STEPS = {
    "nothing counted": ({}, "sysroot, 3 s"),
    "bytes": ({"unit": "bytes", "done": 45_200_000, "total": 139e6}, "sysroot, 45 of 139 MB, 3 s"),
    "bytes of unknown number": ({"unit": "bytes", "done": 2_000_000}, "sysroot, 2 MB, 3 s"),
    "units": ({"unit": "sources", "done": 4, "total": 95}, "sysroot, 4 of 95 sources, 3 s"),
    "units of unknown number": ({"unit": "objects", "done": 1234}, "sysroot, 1,234 objects, 3 s"),
}


@pytest.mark.parametrize(("told", "said"), STEPS.values(), ids=STEPS)
def test_a_stage_under_way_says_how_far_it_is(told: dict[str, object], said: str) -> None:
    assert describe(Step("sysroot", began=7.0, **told), now=10.0) == said  # type: ignore[arg-type]


def test_where_lines_stay_one_is_printed_whenever_nothing_was_said_for_a_while() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    lines.print("✓ toolchain")
    start = lines._last
    steps = [Step("weights", began=start), Step("compile", began=start)]
    lines.show(steps, start + SAY_EVERY - 0.1)
    assert stream.getvalue() == "✓ toolchain\n"
    lines.show(steps, start + SAY_EVERY)
    assert stream.getvalue() == "✓ toolchain\n· still at weights, 15 s; compile, 15 s\n"


def test_on_a_terminal_a_bar_comes_and_goes_and_lines_stay_above_it() -> None:
    stream = Terminal()
    bars = Bars(stream)
    step = Step("fetch [red] torch", began=0.0, unit="bytes", done=30_000_000, total=60_000_000)
    bars.show([step], now=0.1)
    assert stream.getvalue() == ""  # nothing flickers
    bars.show([step], now=9.0)
    assert "fetch [red] torch, 30 of 60 MB, 9 s" in stream.getvalue()
    bars.print("\x1b[32m✓\x1b[0m toolchain")
    bars.clear()
    assert "toolchain" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[2K")  # the bar's line is empty again
    bars.print("after")
    assert stream.getvalue().endswith("after\n")


def test_a_terminal_without_rich_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    stream = Terminal()
    bars = Bars(stream)
    bars.show([Step("weights", began=0.0)], now=1e9)
    assert re.fullmatch(r"· still at weights, \d+ s\n", stream.getvalue())


class Recorder:
    """A display that notes what it is shown."""

    interval = 0.001

    def __init__(self) -> None:
        self.shown: set[int] = set()
        self.cleared = 0
        self.seen = threading.Event()

    def show(self, steps: list[Step], now: float) -> None:
        self.shown |= {step.done for step in steps}
        if 7 in self.shown:
            self.seen.set()

    def print(self, line: str) -> None: ...

    def clear(self) -> None:
        self.cleared += 1


def test_what_a_stage_measures_is_shown_while_it_lasts() -> None:
    display = Recorder()
    progress = Progress(io.StringIO(), display=display)  # type: ignore[arg-type]
    with progress.stage("zig") as step:
        step.expect(None, "objects")
        step.follow(lambda: 7)
        assert display.seen.wait(60)
    assert display.cleared == 1


def test_what_threads_have_done_is_added_up() -> None:
    step = Step("compile")
    step.expect(8000, "sources")

    def work() -> None:
        for _ in range(1000):
            step.advance()

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert step.done == 8000


def test_commands_are_printed_before_they_run_where_that_is_wanted(tmp_path: Path) -> None:
    stream = io.StringIO()
    command = [sys.executable, "-c", "print('a b')"]
    with commands_shown(Progress(stream)):
        run(command, tool="Python", cwd=tmp_path)
    assert stream.getvalue() == f"$ {sys.executable} -c 'print('\"'\"'a b'\"'\"')'\n"
    run(command, tool="Python", cwd=tmp_path)
    with commands_shown(Progress(stream), wanted=False):
        run(command, tool="Python", cwd=tmp_path)
    assert stream.getvalue().count("\n") == 1


def test_no_command_is_printed_unasked_where_the_root_logger_prints_everything(
    tmp_path: Path,
) -> None:
    stream = io.StringIO()
    root, handler = logging.getLogger(), logging.StreamHandler(stream)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        run([sys.executable, "-c", ""], tool="Python", cwd=tmp_path)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert stream.getvalue() == ""


def test_timings_are_read_as_they_were_written() -> None:
    stages = (Stage("toolchain", 0.0, 0.25), Stage("compile <m>", 0.25, 12.5))
    assert parse_timings(render_timings(stages, 13.0)) == (stages, 13.0)


WRONG = {
    "no JSON": b"{",
    "no object": b"[]",
    "another version": b'{"version": 2, "seconds": 1, "stages": []}',
    "no stages": b'{"version": 1, "seconds": 1}',
    "a stage without a title": b'{"version": 1, "seconds": 1, "stages": [{"seconds": 1}]}',
    "no time": b'{"version": 1, "seconds": NaN, "stages": []}',
    "a time that is true": b'{"version": 1, "seconds": true, "stages": []}',
    "nested": b"[" * 100_000,
    "no text": b"\xff",
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_what_are_no_timings_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_timings(data)
