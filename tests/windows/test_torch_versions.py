"""Ready wrappers of every pinned torch: over our own run time, and over each Windows torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest

from aotwin import build_model
from aotwin.target.toolchain import load_toolchain
from windows_on_wine import WindowsPython
from windows_on_wine.torches import windows_torch

WRAPPERS = Path(__file__).parents[1] / "wrappers"
VERSIONS = load_toolchain("windows").torch_versions
NAMES = ("tour", "counter", "folded")
#: what the Windows environment itself has
INSTALLED = "2.13.0"

Built = Mapping[tuple[str, str], Path]


def build(version: str, name: str, runtime: str, folder: Path) -> Path:
    return build_model(
        WRAPPERS / version / name, folder, name=name, runtime=runtime, torch=version
    ).directory


@pytest.fixture(scope="session")
def over_torch(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("over-torch")
    pairs = list(product(VERSIONS, NAMES))
    return {pair: build(*pair, "torch", folder / pair[0]) for pair in pairs}


def problems(
    windows: WindowsPython, models: Mapping[tuple[str, str], Path], torch: str | None
) -> dict[tuple[str, str], str]:
    """Each model called with its samples in a Windows Python: "", or what was wrong."""
    arguments = [
        each
        for (version, name), folder in models.items()
        for each in (folder, WRAPPERS / version / name / "samples.npz")
    ]
    script = WRAPPERS / "run_packages.py"
    done = windows.python(
        [script, "without" if torch is None else "with", *arguments],
        pythonpath=[] if torch in (None, INSTALLED) else [windows_torch(torch)],
        timeout=1800,
    )
    said = json.loads(done.stdout.splitlines()[-1])
    return {pair: said[windows.path(folder)] for pair, folder in models.items()}


@pytest.mark.parametrize(
    "name", [NAMES[0], *(pytest.param(n, marks=pytest.mark.long) for n in NAMES[1:])]
)
def test_models_of_every_torch_run_over_our_own_run_time(
    windows: WindowsPython, tmp_path: Path, name: str
) -> None:
    models = {
        (version, name): build(version, name, "own", tmp_path / version) for version in VERSIONS
    }
    assert {pair: text for pair, text in problems(windows, models, None).items() if text} == {}


@pytest.mark.long
@pytest.mark.parametrize("torch", VERSIONS)
def test_models_run_in_the_torches_that_their_manifests_name(
    windows: WindowsPython, over_torch: Built, torch: str
) -> None:
    """And nowhere else; this is the matrix of docs/reference/compatibility.md."""
    named = {
        pair
        for pair, folder in over_torch.items()
        if torch in json.loads((folder / "aotwin.json").read_bytes())["torch"]["runs_with"]
    }
    found = problems(windows, over_torch, torch)
    assert {pair: text for pair, text in found.items() if text and pair in named} == {}
    assert {pair for pair, text in found.items() if not text} == named
