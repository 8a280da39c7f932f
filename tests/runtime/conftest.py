"""The library under test: built once for the session, or a ready one: AOTWIN_RUNTIME_LIBRARY."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import native_library


@pytest.fixture(scope="session")
def library_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    ready = os.environ.get("AOTWIN_RUNTIME_LIBRARY")
    if ready:
        return Path(ready)
    pytest.importorskip("ziglang")
    path = tmp_path_factory.mktemp("runtime") / "libaotwin_runtime.so"
    native_library.build(path)
    return path


@pytest.fixture(scope="session")
def runtime(library_path: Path):  # type: ignore[no-untyped-def]
    pytest.importorskip("torch")
    from .handles import Runtime

    return Runtime(library_path)


@pytest.fixture(scope="session")
def openmp_program(library_path: Path, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    pytest.importorskip("ziglang")
    path = tmp_path_factory.mktemp("openmp") / "openmp_program.so"
    native_library.build_openmp_program(path, library_path)
    # torch has put the OpenMP run time that it uses where all libraries would find it first.
    return ctypes.CDLL(str(path), mode=os.RTLD_DEEPBIND)


@pytest.fixture(params=[1, 2, 5], ids="{} threads".format)
def threads(request: pytest.FixtureRequest, runtime) -> Iterator[int]:  # type: ignore[no-untyped-def]
    before = runtime.library.aotwin_set_num_threads(request.param)
    yield request.param
    runtime.library.aotwin_set_num_threads(before)
