"""The file of cases, and what a library made of them: once a session.

The library is the DLL that goes into wheels, run by the Windows Python under Wine.
AOTWIN_OPERATORS_LIBRARY names another one, where a `.so` is run by this Python.
AOTWIN_OPERATORS_REPORT names a report that is there already.
"""

from __future__ import annotations

import collections
import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from windows_on_wine.environment import cache_folder, locked

HERE = Path(__file__).parent
#: what the cases depend on, besides torch
SOURCES = (
    "case_file.py",
    "generate.py",
    "hand_written.py",
    "own_samples.py",
    "recording.py",
    "replay.py",
    "shims.py",
    "sources.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("torch")
            item.add_marker("wine")
            # Some minutes, most of them for the cases, which are kept for the next run.
            item.add_marker("long")


@pytest.fixture(scope="session")
def cases() -> Path:
    """The file of cases, generated where the cache has it not."""
    import torch

    digest = hashlib.sha256(torch.__version__.encode())
    for name in SOURCES:
        digest.update((HERE / name).read_bytes())
    file = cache_folder().absolute() / f"operators-{digest.hexdigest()[:16]}.npz"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        with locked(file.with_suffix(".lock")):
            if not file.is_file():
                command = [sys.executable, str(HERE / "generate.py"), str(file)]
                subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
    return file


@pytest.fixture(scope="session")
def library() -> Path:
    """The library that is tested."""
    named = os.environ.get("AOTWIN_OPERATORS_LIBRARY")
    if named is not None:
        return Path(named)
    from aotwin.adapters.tools.zig import find_zig
    from aotwin.stages.runtime import build_library
    from aotwin.target.toolchain import load_toolchain

    return build_library(load_toolchain("windows"), find_zig(), jobs=os.cpu_count() or 1)


@pytest.fixture(scope="session")
def report(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Sequence[object]]:
    """What came of each case, by C function."""
    from oracle import Line, lines, run_all, start_here

    named = os.environ.get("AOTWIN_OPERATORS_REPORT")
    file = Path(named) if named else tmp_path_factory.mktemp("operators") / "report.jsonl"
    if not named:
        library: Path = request.getfixturevalue("library")
        cases: Path = request.getfixturevalue("cases")
        if library.suffix == ".dll":
            from oracle_on_windows import run_on_windows

            run_on_windows(library, cases, file)
        else:
            run_all(start_here, str(library), str(cases), file)
    by_shim: dict[str, list[Line]] = collections.defaultdict(list)
    for line in lines(file):
        by_shim[line.shim].append(line)
    return by_shim
