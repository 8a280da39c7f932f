"""The SDK that came out of an installed wheel: C programs are built against it and run."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from aotwin import checking
from aotwin.stages.run import torch_folder
from aotwin.target.toolchain import load_toolchain
from project_build import build_wheel
from windows_on_wine import WindowsPython

if TYPE_CHECKING:
    from sdk_build import Sdk

pytestmark = [pytest.mark.torch, pytest.mark.zig]

REPO = Path(__file__).resolve().parents[2]
PROJECT = REPO / "tests" / "packages" / "one-program"


@pytest.fixture(scope="module", params=["own", "torch"])
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def python(windows: WindowsPython, runtime: str) -> WindowsPython:
    """The Windows Python that users of such a model have."""
    return windows if runtime == "torch" else windows.without_torch


@pytest.fixture(scope="module")
def site(python: WindowsPython, runtime: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Windows' pip installed the wheel."""
    project = tmp_path_factory.mktemp("project") / "one-program"
    shutil.copytree(PROJECT, project)
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("sdk = true\n")
    wheel, _ = build_wheel(project, f"runtime={runtime}")
    folder = tmp_path_factory.mktemp("site") / "Prögram Files"
    python.install([wheel], folder)
    return folder


@pytest.fixture(scope="module")
def installed(site: Path, windows: WindowsPython, runtime: str) -> Sdk:
    from sdk_build import Sdk

    model = site / "demo" / "classifier"
    torch_dlls = torch_folder(load_toolchain("windows"), "2.13.0")
    return Sdk(windows, model / "sdk", runtime, model, model, model, torch_dlls)


def expected() -> torch.Tensor:
    """The model's answer to ones, by eager torch."""
    torch.manual_seed(0)
    with torch.no_grad():
        answer: torch.Tensor = torch.nn.Linear(4, 2)(torch.ones(2, 4))
    return answer


def test_what_was_installed_passes_both_checks(site: Path, python: WindowsPython) -> None:
    report = checking.check(site, full=True)
    assert report, report.to_text()
    done = python.python(["-m", "demo.classifier", "--check", "--full"], pythonpath=[site])
    assert "the files are the ones that were built" in done.stdout


def test_the_example_is_compiled_against_it_and_gives_the_models_answer(
    installed: Sdk, tmp_path: Path
) -> None:
    example = installed.directory / "share" / "aotwin" / "examples" / "example.c"
    program = installed.compile(example, tmp_path, libraries="libaotwin.dll.a")
    done = installed.run(program, installed.classifier, *installed.torch_words)
    assert done.returncode == 0, done.stderr
    found = re.search(r"result 0: float32, 16 bytes, the first element is (\S+)", done.stdout)
    assert found and float(found[1]) == pytest.approx(expected()[0, 0].item(), abs=1e-5)


def test_aotwin_run_on_windows_takes_the_one_in_the_package(
    installed: Sdk, python: WindowsPython, tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", np.ones((2, 4), dtype=np.float32))
    done = python.python(
        ["-m", "aotwin", "run", installed.classifier / "classifier.dll", "--json",
         "-i", tmp_path / "x.npy", "-o", tmp_path / "results"],
        pythonpath=[REPO / "plugin"],
    )  # fmt: skip
    assert json.loads(done.stdout)["torch"]["version"] == "2.13.0"
    (result,) = (tmp_path / "results").iterdir()
    np.testing.assert_allclose(np.load(result), expected().numpy(), atol=1e-5)
