"""Two models with the same weights have one blob in the wheel, and both use it on Windows."""

from __future__ import annotations

import json
import runpy
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from aotwin import checking
from project_build import build_wheel
from windows_on_wine import WindowsPython

REPO = Path(__file__).resolve().parents[2]
PROJECT = REPO / "tests" / "packages" / "one-model-two-lengths"
BLOB = "demo/prefill/prefill_weights.blob"

CALLS = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
import export_model
result = {}
for name, steps in (("prefill", 12), ("steps.decode", 1), ("prefill.plain", 1)):
    try:
        model = importlib.import_module("demo." + name).load()
        result[name] = model(export_model.inputs(steps)).tolist()
    except Exception as error:
        result[name] = f"{type(error).__name__}: {error}"
print(json.dumps(result))
"""


@pytest.fixture(scope="module", params=["own", "torch"])
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """The wheel, and what the build said."""
    project = tmp_path_factory.mktemp("project") / "demo"
    shutil.copytree(PROJECT, project)
    return build_wheel(project, "check=wine", f"runtime={request.param}")


@pytest.fixture(scope="module")
def site(
    built: tuple[Path, str], windows: WindowsPython, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("windows") / "Ünïcode 模型" / "site"
    windows.install([built[0]], folder)
    return folder


def called(windows: WindowsPython, site: Path) -> dict[str, Any]:
    done = windows.python(["-c", CALLS, windows.path(PROJECT)], pythonpath=[site])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def eager() -> dict[str, Any]:
    project = runpy.run_path(str(PROJECT / "export_model.py"))
    network, inputs = project["network"](), project["inputs"]
    return {"prefill": network(inputs(12)).tolist(), "steps.decode": network(inputs(1)).tolist()}


def test_the_wheel_has_the_weights_once(built: tuple[Path, str]) -> None:
    wheel, said = built
    assert "demo.steps.decode has the same weights as demo.prefill" in said
    archive = zipfile.ZipFile(wheel)
    blobs = [name for name in archive.namelist() if name.endswith(".blob")]
    # Models without weights keep their 128 bytes to themselves.
    assert sorted(blobs) == [
        "demo/prefill/plain/plain_weights.blob",
        BLOB,
        "demo/steps/bare/bare_weights.blob",
    ]
    manifest = json.loads(archive.read("demo/steps/decode/aotwin.json"))
    assert manifest["blob"]["file"] == "../../prefill/prefill_weights.blob"
    report = checking.check(wheel, full=True)
    assert report, report.to_text()
    bill = json.loads(archive.read("demo-1.0.dist-info/sboms/aotwin.cdx.json"))
    assert [each["name"] for each in bill["components"]].count(BLOB) == 1
    needs = {each["ref"]: each["dependsOn"] for each in bill["dependencies"]}
    assert f"file:{BLOB}" in needs["file:demo/steps/decode/decode.dll"]


def test_both_models_compute_with_it(windows: WindowsPython, site: Path) -> None:
    results = called(windows, site)
    for name, expected in eager().items():
        rows = [pytest.approx(row, rel=1e-4, abs=1e-5) for row in expected]
        assert results[name] == rows, name
    assert all(value >= 0 for value in results["prefill.plain"][0])
    assert checking.check(site, full=True)
    done = windows.python(["-m", "demo.steps.decode", "--check", "--full"], pythonpath=[site])
    assert "are the ones that were built" in done.stdout


def test_a_missing_blob_is_missed_by_both_and_named(
    windows: WindowsPython, site: Path, tmp_path: Path
) -> None:
    site = shutil.copytree(site, tmp_path / "sïte")
    (site / BLOB).unlink()
    results = called(windows, site)
    for name in ("prefill", "steps.decode"):
        assert results[name].startswith(f"ModelError: demo.{name} cannot be opened"), results
        assert r"\demo\prefill\prefill_weights.blob are missing" in results[name]
    report = checking.check(site)
    assert [finding.id for finding in report.findings] == ["MODEL-FILES", "MODEL-FILES"]
