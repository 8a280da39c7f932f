"""Packages on the newest Windows CPython that the tests can have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aotwin import build_model
from windows_on_wine import WindowsPython
from windows_on_wine.newest_python import PINS, newest_python
from windows_on_wine.pins import load_pins
from wrappers.matrix import WRAPPERS

NAMES = ("tour", "counter")


def called_there(python: WindowsPython, folder: Path, runtime: str, torch: str) -> dict[str, str]:
    """Ready wrappers of the newest torch, built and called; of each "" or what was wrong."""
    arguments: list[str | Path] = []
    for name in NAMES:
        wrapper = WRAPPERS / "2.15.0" / name
        built = build_model(wrapper, folder / runtime, name=name, runtime=runtime, torch="2.15.0")
        arguments += [built.directory, wrapper / "samples.npz"]
    done = python.python([WRAPPERS / "run_packages.py", torch, *arguments])
    said: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_models_run_there_without_torch(windows: WindowsPython, tmp_path: Path) -> None:
    python = newest_python(windows)
    version = python.python(["-c", "import sys; print(sys.platform, sys.version.split()[0])"])
    assert version.stdout.split() == ["win32", load_pins(PINS).python.version]
    said = called_there(python, tmp_path, "own", "without")
    assert len(said) == len(NAMES) and set(said.values()) == {""}
    model = tmp_path / "own" / "counter"
    checked = python.python(["-m", "counter", "--check"], pythonpath=[model.parent])
    assert "counter" in checked.stdout


@pytest.mark.long
@pytest.mark.parametrize("runtime", ["own", "torch"])
def test_models_run_there_beside_torch(
    windows: WindowsPython, tmp_path: Path, runtime: str
) -> None:
    said = called_there(newest_python(windows, has_torch=True), tmp_path, runtime, "with")
    assert len(said) == len(NAMES) and set(said.values()) == {""}
