"""Each network of the table, built for Windows, gives there what eager torch gives on Linux.

The quick half is over our own run time, in a Windows Python without torch: all its networks in one
process. The long one has every network in every dtype, over both run times.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import exchange
import pytest
from comparison import compared
from networks import NETWORKS

from project_build import REPO
from windows_on_wine import ensure

pytestmark = [pytest.mark.wine, pytest.mark.zig, pytest.mark.torch]

HERE = Path(__file__).parent

#: network and dtype -> operators that our own run time lacks, so that it is built over torch only.
#: Once they are there, the test of the network says so: take it out here.
NOT_YET: Mapping[str, str] = {}

QUICK = [f"{row.name}-{row.dtypes[0]}" for row in NETWORKS.values() if row.quick]
EVERY = [f"{row.name}-{dtype}" for row in NETWORKS.values() for dtype in row.dtypes]


@dataclass(frozen=True)
class Ran:
    """Networks that were built over one run time, and what became of them."""

    folder: Path
    #: network -> why it was not built, "" where it was
    not_built: Mapping[str, str]
    #: network -> how it failed on Windows
    failed: Mapping[str, str]
    #: whether the process on Windows had imported torch
    imported_torch: bool


def stem_of(network: str) -> str:
    name, _, dtype = network.rpartition("-")
    return f"{name}_{dtype}"


def build_and_run(folder: Path, runtime: str, networks: list[str]) -> Ran:
    built = subprocess.run(
        [sys.executable, "-W", "ignore", HERE / "build_networks.py", folder, runtime, *networks],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(REPO / "plugin"), *sys.path])},
    )  # fmt: skip
    not_built = json.loads(built.stdout.splitlines()[-1])
    windows = ensure() if runtime == "torch" else ensure().without_torch
    ready = {stem_of(each): each for each in networks if not not_built[each]}
    done = windows.python(
        [HERE / "run_on_windows.py", folder, runtime, *ready],
        pythonpath=[windows.ml_dtypes],
        timeout=3600,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    failed = {ready[stem]: problem for stem, problem in told["problems"].items()}
    return Ran(folder, not_built, failed, told["torch"])


Runs = Callable[[str, list[str]], Ran]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Builds and runs networks over a run time, once for each set of them."""
    made: dict[tuple[str, ...], Ran] = {}

    def run(runtime: str, networks: list[str]) -> Ran:
        key = (runtime, *networks)
        if key not in made:
            made[key] = build_and_run(tmp_path_factory.mktemp(runtime), runtime, networks)
        return made[key]

    return run


def require_right(ran: Ran, network: str) -> None:
    """The results of a network are as near to eager torch's as rounding allows."""
    assert ran.failed[network] == ""
    stem, dtype = stem_of(network), network.rpartition("-")[2]

    def read(kind: str) -> object:
        path = ran.folder / f"{stem}.{kind}.npz"
        return exchange.load(path, exchange.widened) if path.exists() else None

    comparisons = compared(read("results"), read("eager"), read("exact"))
    assert comparisons
    wrong = [str(each) for each in comparisons if not each.passes(dtype)]
    assert wrong == []


@pytest.mark.parametrize("network", QUICK)
def test_a_network_needs_no_torch_and_gives_what_eager_torch_gives(
    network: str, runs: Runs
) -> None:
    require_right_without_torch(runs("own", QUICK), network)


@pytest.mark.long
@pytest.mark.parametrize("network", EVERY)
def test_every_network_needs_no_torch_and_gives_what_eager_torch_gives(
    network: str, runs: Runs
) -> None:
    require_right_without_torch(runs("own", EVERY), network)


def require_right_without_torch(ran: Ran, network: str) -> None:
    if network in NOT_YET:
        assert f"aotwin's own run time has no {NOT_YET[network]}" in ran.not_built[network]
        return
    assert ran.not_built[network] == ""
    assert not ran.imported_torch
    require_right(ran, network)


@pytest.mark.long
@pytest.mark.parametrize("network", EVERY)
def test_over_torch_every_network_gives_what_eager_torch_gives(network: str, runs: Runs) -> None:
    ran = runs("torch", EVERY)
    assert ran.not_built[network] == ""
    require_right(ran, network)
