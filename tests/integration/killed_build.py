"""A whole build that is killed, with its process group, at a moment of its own.

python killed_build.py DIST [EVENT PATTERN NUMBER]

A moment is the NUMBERth of Python's audit events of a name (`open`, `os.rename`,
`subprocess.Popen`, ...) whose arguments fit PATTERN, a regular expression: the kill comes before
what the event announces. Run it as the leader of a group of its own. Without a moment, the build
goes on to its end, and `EVENT ARGUMENTS` of all its storing goes to stdout, a line each, and then
the wheel's name.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from typing import Any

#: what changes a disk, or starts what does
EVENTS = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "subprocess.Popen")


def watch(event: str, pattern: str, number: int) -> None:
    """Kill this process and its group when the moment has come."""
    left = number

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if name == event and re.search(pattern, text_of(arguments)):
            left -= 1
            if left == 0:
                os.killpg(os.getpgrp(), signal.SIGKILL)

    sys.addaudithook(hook)


def tell() -> None:
    """Print what could be a moment."""

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        if name in EVENTS:
            print(name, text_of(arguments), flush=True)

    sys.addaudithook(hook)


def text_of(arguments: tuple[Any, ...]) -> str:
    return " ".join(str(each) for each in arguments).replace("\n", " ")


def main(dist: str, *moment: str) -> None:
    from aotwin import build_meta

    if moment:
        event, pattern, number = moment
        watch(event, pattern, int(number))
    else:
        tell()
    print(build_meta.build_wheel(dist, {"target": "windows"}))


if __name__ == "__main__":
    main(*sys.argv[1:])
