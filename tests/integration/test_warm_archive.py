"""A machine that is made warm by another's archive, and one whose cache a CI service restored."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aotwin.adapters.storage.cache import cache_dir
from aotwin.pipeline.toolchain import fetch_toolchain
from aotwin.progress import Progress

REPO = Path(__file__).resolve().parents[2]
#: what a build says where zig's run time has to be compiled
COLD = "zig builds the target's C++ run time"
#: and where what all models of a torch share has to be
SHARED = "compile what models of torch"

pytestmark = [pytest.mark.zig, pytest.mark.long, pytest.mark.timeout(3600)]


def aotwin(cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "aotwin", *arguments],
        env=os.environ | {"AOTWIN_CACHE_DIR": str(cache), "PYTHONPATH": str(REPO / "plugin")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def libraries(cache: Path) -> dict[str, int]:
    """Every libc++ that zig has built in a cache, and when."""
    return {
        path.parent.name: path.stat().st_mtime_ns
        for path in (cache / "zig" / "cache").glob("o/*/c++.lib")
    }


def shared_objects(cache: Path) -> set[Path]:
    """What is compiled of what models share."""
    return set((cache / "objects").glob("*/model.obj"))


def as_on_a_new_machine(cache: Path) -> None:
    """Leave zig's own files alone, under other inodes and times, and the sysroots."""
    old = cache.with_name("old")
    cache.rename(old)
    cache.mkdir()
    (cache / "sysroots").symlink_to(cache_dir().resolve() / "sysroots")
    (lib,) = [path for path in (old / "zig").glob("0.*") if path.is_dir()]
    shutil.copytree(lib, cache / "zig" / lib.name, copy_function=shutil.copyfile)
    for marker in (cache / "zig" / lib.name).glob("warm-*"):
        marker.unlink()
    shutil.rmtree(old)


def test_an_archive_makes_a_new_machine_warm_and_so_does_a_cache_that_was_copied(
    ready_wrapper: Path, warm_cache: Path, tmp_path: Path
) -> None:
    cache, archive = tmp_path / "cache", tmp_path / "warm.tar.xz"
    cache.mkdir()
    # aotwin's own run time, and what models of this torch share, from objects that are there: the
    # test is about zig's
    fetch_toolchain("windows", torch="2.13.0", progress=Progress())
    for kind in ("objects", "sysroots"):
        (cache / kind).symlink_to(warm_cache / kind)
    digest = aotwin(cache, "toolchain", "export", str(archive)).stdout.split()[0]
    as_on_a_new_machine(cache)
    said = aotwin(cache, "toolchain", "import", str(archive), "--sha256", digest).stderr
    assert "has built its C++ run time anew" not in said
    taken = libraries(cache)
    assert len(taken) == 1
    shared = shared_objects(cache)
    levels = {"x86-64-v3", "x86-64-v4"}
    assert len(shared) >= len(levels)
    built = aotwin(cache, "build", str(ready_wrapper), "-o", str(tmp_path / "out"))
    assert COLD not in built.stderr and libraries(cache) == taken
    assert SHARED not in built.stderr and shared_objects(cache) == shared
    # what a CI service does: the same path, other inodes and times
    other = cache.with_name("other")
    shutil.copytree(cache, other, symlinks=True, copy_function=shutil.copyfile)
    shutil.rmtree(cache)
    other.rename(cache)
    times = libraries(cache)
    built = aotwin(cache, "build", str(ready_wrapper), "-o", str(tmp_path / "out"))
    assert COLD not in built.stderr and libraries(cache) == times
