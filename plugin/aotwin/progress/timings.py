"""The stages of a build as JSON: what `--timings` writes and a report reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from aotwin.version import __version__

#: raised whenever a reader of the old form would be misled
TIMINGS_VERSION = 1
_MAX_SECONDS = 1e9


@dataclass(frozen=True)
class Stage:
    """A stage that has ended well. Stages overlap: compiles run beside other stages."""

    title: str
    #: seconds from the beginning of the build to its own
    start: float
    #: wall seconds that it took
    seconds: float


def render_timings(stages: Sequence[Stage], total: float) -> bytes:
    """Stages in the order in which they ended, and the seconds of the whole build, as JSON."""
    rows = [
        {**asdict(stage), "start": round(stage.start, 3), "seconds": round(stage.seconds, 3)}
        for stage in stages
    ]
    data = {
        "version": TIMINGS_VERSION,
        "generator": f"aotwin {__version__}",
        "seconds": round(total, 3),
        "stages": rows,
    }
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()


def parse_timings(data: bytes) -> tuple[tuple[Stage, ...], float]:
    """What `render_timings` wrote: the stages, and the seconds of the whole build.

    Raises:
        ValueError: it is something else; the text says what.
    """
    try:
        tree = json.loads(data.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(tree, dict) or tree.get("version") != TIMINGS_VERSION:
        raise ValueError(f"it is no JSON object of version {TIMINGS_VERSION}")
    rows = tree.get("stages")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("it has no list of stages")
    stages = tuple(Stage(_title(row), _seconds(row, "start"), _seconds(row)) for row in rows)
    return stages, _seconds(tree)


def _title(row: dict[str, object]) -> str:
    title = row.get("title")
    if not isinstance(title, str):
        raise ValueError("a stage has no title")
    return title


def _seconds(row: dict[str, object], key: str = "seconds") -> float:
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"a stage has no number of {key}")
    if not 0 <= value <= _MAX_SECONDS:
        raise ValueError(f"{key} is {value!r}, which is no time that a build takes"[:200])
    return float(value)
