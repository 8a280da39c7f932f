"""`prebuilt`: models that `aotwin build` made elsewhere, packed into one wheel, and run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from aotwin import build_model, checking
from aotwin.adapters.pe.authenticode import unsigned_bytes
from aotwin.adapters.storage.cache import cache_dir
from project_build import PYPROJECT, REPO
from signing import make_certificate
from windows_on_wine import WindowsPython
from wrappers.matrix import WRAPPERS

NAMES = ("tour", "counter")
TORCH = "2.13.0"
WHEEL = "demo-1.0-py3-none-win_amd64.whl"
IN_SRC = f"""{PYPROJECT}
[tool.setuptools.packages.find]
where = ["src"]
"""


def build(project: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """`python -m build`: an sdist, and the wheel from it."""
    return subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--skip-dependency-check",
         "--config-setting", "target=windows"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(REPO / "plugin")} | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, as two machines would build them."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for name in NAMES:
        build_model(WRAPPERS / TORCH / name, folder, name=f"demo.{name}", torch=TORCH)
    return folder


@pytest.fixture
def project(elsewhere: Path, tmp_path: Path) -> Path:
    """A project that names them, with copies of its own."""
    project = tmp_path / "project"
    (project / "src" / "demo").mkdir(parents=True)
    (project / "src" / "demo" / "__init__.py").touch()
    shutil.copytree(elsewhere, project / "models")
    tables = [
        f'[tool.aotwin.models."demo.{name}"]\nprebuilt = "models/demo/{name}"' for name in NAMES
    ]
    (project / "pyproject.toml").write_text("\n".join([IN_SRC, *tables, ""]))
    return project


def test_they_share_one_run_time_in_the_wheel_and_run(
    windows: WindowsPython, project: Path, tmp_path: Path
) -> None:
    # a machine that has no toolchain of the target but the sysroot, whose licences a wheel has
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "sysroots").symlink_to(cache_dir().resolve() / "sysroots")
    done = build(project, AOTWIN_CACHE_DIR=str(cache))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "once for this machine" not in done.stderr and not (cache / "runtime").exists()
    wheel = project / "dist" / WHEEL
    report = checking.check(wheel, full=True)
    assert report, report.to_text()
    names = zipfile.ZipFile(wheel).namelist()
    assert len([name for name in names if name.endswith(".dll") and "/aotwin-" in name]) == 1
    assert sum(name.startswith("demo.libs/aotwin-") for name in names) == 1
    site = tmp_path / "site"
    python = windows.without_torch
    python.install([wheel], site)
    arguments: list[str | Path] = []
    for name in NAMES:
        arguments += [site / "demo" / name, WRAPPERS / TORCH / name / "samples.npz"]
    called = python.python([WRAPPERS / "run_packages.py", "without", *arguments])
    assert set(json.loads(called.stdout.splitlines()[-1]).values()) == {""}
    for name in NAMES:
        python.python(["-m", f"demo.{name}", "--check", "--full"], pythonpath=[site])


@pytest.mark.parametrize("here", [False, True], ids=["built elsewhere", "built here"])
def test_those_with_the_same_weights_share_one_file_and_run(
    here: bool, windows: WindowsPython, elsewhere: Path, tmp_path: Path
) -> None:
    wrapper = WRAPPERS / TORCH / "tour"
    project = tmp_path / "project"
    (project / "src" / "demo").mkdir(parents=True)
    (project / "src" / "demo" / "__init__.py").touch()
    shutil.copytree(wrapper, project / "wrapper")
    build_model(wrapper, project / "models", name="demo.parts.second", torch=TORCH)
    shutil.copytree(elsewhere / "demo" / "tour", project / "models" / "demo" / "tour")
    source = "wrapper" if here else "prebuilt"
    place = "wrapper" if here else "models/demo/tour"
    text = f"""{IN_SRC}
[tool.aotwin.models."demo.tour"]
{source} = "{place}"

[tool.aotwin.models."demo.parts.second"]
prebuilt = "models/demo/parts/second"
"""
    (project / "pyproject.toml").write_text(text)
    done = build(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "demo.parts.second has the same weights as demo.tour" in done.stderr
    wheel = project / "dist" / WHEEL
    report = checking.check(wheel, full=True)
    assert report, report.to_text()
    archive = zipfile.ZipFile(wheel)
    blobs = [name for name in archive.namelist() if name.endswith(".blob")]
    assert blobs == ["demo/tour/tour_weights.blob"]
    manifest = json.loads(archive.read("demo/parts/second/aotwin.json"))
    assert manifest["blob"]["file"] == "../../tour/tour_weights.blob"
    dll = archive.read("demo/parts/second/second.dll")
    assert manifest["dlls"][0]["sha256"] == hashlib.sha256(dll).hexdigest()
    site = tmp_path / "site"
    python = windows.without_torch
    python.install([wheel], site)
    samples = wrapper / "samples.npz"
    arguments: list[str | Path] = []
    for name in ("tour", "parts/second"):
        arguments += [site / "demo" / name, samples]
    called = python.python([WRAPPERS / "run_packages.py", "without", *arguments])
    assert set(json.loads(called.stdout.splitlines()[-1]).values()) == {""}
    for name in ("tour", "parts.second"):
        python.python(["-m", f"demo.{name}", "--check", "--full"], pythonpath=[site])


def test_they_are_signed_where_the_wheel_is_made(project: Path, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    pyproject = project / "pyproject.toml"
    pyproject.write_text(pyproject.read_text() + "sign = {}\n")
    built = (project / "models" / "demo" / "counter" / "counter.dll").read_bytes()
    done = build(project, **certificate.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    wheel = project / "dist" / WHEEL
    report = checking.check(wheel, full=True)
    assert report, report.to_text()
    archive = zipfile.ZipFile(wheel)
    signed = archive.read("demo/counter/counter.dll")
    manifest = json.loads(archive.read("demo/counter/aotwin.json"))
    assert unsigned_bytes(signed) == built and signed != built
    assert manifest["dlls"][0]["signature"]["sha256"] == hashlib.sha256(signed).hexdigest()
    untouched = project / "models" / "demo" / "counter" / "counter.dll"
    assert untouched.read_bytes() == built


def test_a_model_that_was_changed_on_its_way_is_not_packed(project: Path) -> None:
    blob = project / "models" / "demo" / "tour" / "tour_weights.blob"
    data = bytearray(blob.read_bytes())
    data[3] ^= 1
    blob.write_bytes(data)
    done = build(project)
    assert done.returncode == 1
    assert "demo.tour, built elsewhere, fails the check: MODEL-BLOB-DIGEST" in done.stderr
    assert not list((project / "dist").glob("*.whl"))
