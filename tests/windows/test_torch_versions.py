"""Ready wrappers of every pinned torch: over our own run time, and over each Windows torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest

from windows_on_wine import WindowsPython
from wrappers import matrix


@pytest.fixture(scope="session")
def over_torch(tmp_path_factory: pytest.TempPathFactory) -> matrix.Models:
    return matrix.build_all("torch", tmp_path_factory.mktemp("over-torch"))


def problems_over_our_own_run_time(
    windows: WindowsPython, folder: Path, versions: Sequence[str], names: Sequence[str]
) -> dict[tuple[str, str], str]:
    models = matrix.build_all("own", folder, names, versions)
    found = matrix.problems(windows, models, None)
    assert found.keys() == set(product(versions, names))
    return {pair: text for pair, text in found.items() if text}


def test_models_of_the_oldest_and_the_newest_torch_run_over_our_own_run_time(
    windows: WindowsPython, tmp_path: Path
) -> None:
    versions = (matrix.VERSIONS[0], matrix.VERSIONS[-1])
    assert problems_over_our_own_run_time(windows, tmp_path, versions, ("tour",)) == {}


@pytest.mark.long
@pytest.mark.parametrize("name", matrix.NAMES)
def test_models_of_every_torch_run_over_our_own_run_time(
    windows: WindowsPython, tmp_path: Path, name: str
) -> None:
    assert problems_over_our_own_run_time(windows, tmp_path, matrix.VERSIONS, (name,)) == {}


@pytest.mark.long
@pytest.mark.parametrize("torch", matrix.VERSIONS)
def test_models_run_in_the_torches_that_their_manifests_name(
    windows: WindowsPython, over_torch: matrix.Models, torch: str
) -> None:
    found = matrix.problems(windows, over_torch, torch)
    runs = {pair for pair, text in found.items() if not text}
    assert runs == {
        pair for pair, folder in over_torch.items() if torch in matrix.runs_with(folder)
    }
    written = json.loads(matrix.MATRIX.read_bytes())
    assert {version for version, row in written.items() if not row[torch]} == {
        version
        for version in matrix.VERSIONS
        if all((version, name) in runs for name in matrix.NAMES)
    }
