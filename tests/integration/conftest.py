"""What the tests with zig share: a warm cache, a ready wrapper, a wheel of this checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aotwin.adapters.storage.cache import cache_dir
from aotwin.pipeline.toolchain import fetch_toolchain
from aotwin.progress import Progress
from stub_compiler import COMPILER

REPO = Path(__file__).resolve().parents[2]
PACKAGES = REPO / "tests" / "packages"
LinkedCache = Callable[..., Path]


@pytest.fixture(scope="session")
def warm_cache() -> Path:
    """The user cache, with the sysroot and the target's C++ run time in it."""
    fetch_toolchain("windows", progress=Progress())
    return cache_dir().resolve()


@pytest.fixture
def linked_cache(warm_cache: Path, tmp_path: Path) -> LinkedCache:
    """Makes a cache of its own that shares what is costly with the user's, objects left out."""

    def make(name: str, kinds: tuple[str, ...] = ("sysroots", "zig", "runtime")) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for kind in kinds:
            (folder / kind).symlink_to(warm_cache / kind, target_is_directory=True)
        return folder

    return make


def _ready_wrapper(folder: Path, *modes: str) -> Path:
    compiler = folder / "c++"
    compiler.write_text(COMPILER)
    compiler.chmod(0o755)
    archive = folder / "classifier.pt2"
    script = Path(__file__).with_name("generate_ready_wrapper.py")
    subprocess.run(
        [sys.executable, str(script), str(archive), str(compiler), *modes],
        check=True,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor")},
    )
    return archive


@pytest.fixture(scope="session")
def ready_wrapper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What AOTInductor itself writes for a small model with 4 MiB of weights."""
    return _ready_wrapper(tmp_path_factory.mktemp("ready"))


@pytest.fixture(scope="session")
def frozen_wrapper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model with its constants packed by oneDNN for this machine's CPU."""
    return _ready_wrapper(tmp_path_factory.mktemp("frozen"), "freezing")


@pytest.fixture
def ready_project(ready_wrapper: Path, tmp_path: Path) -> Path:
    """A copy of tests/packages/ready-classifier with its wrapper."""
    project = tmp_path / "project"
    shutil.copytree(PACKAGES / "ready-classifier", project)
    shutil.copyfile(ready_wrapper, project / "classifier.pt2")
    return project


@pytest.fixture(scope="session")
def checkout_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of aotwin, built from a copy of the checkout with byte code lying around."""
    folder = tmp_path_factory.mktemp("checkout")
    source = folder / "aotwin"
    source.mkdir()
    for name in ("plugin", "toolchains"):
        shutil.copytree(
            REPO / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(REPO / name, source / name)
    for place in ("", "windows/dll", "targets/sysroots"):
        (source / "toolchains" / place / "__pycache__").mkdir()
        (source / "toolchains" / place / "__pycache__" / "old.cpython-311.pyc").write_bytes(b"")
    result = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--verbose", "--no-deps", "--no-build-isolation",
         "--disable-pip-version-check", "--wheel-dir", str(folder), str(source)],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
    (folder / "log.txt").write_text(result.stdout)
    (wheel,) = folder.glob("aotwin-*.whl")
    return wheel
