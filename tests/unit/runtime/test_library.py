"""What our run time is compiled from, and what it exports."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aotwin.adapters.tools.zig import Zig
from aotwin.stages.check.rules.policy import load_sdk_policies
from aotwin.stages.runtime.library import (
    exported_functions,
    library_sources,
    run_time_functions,
    sources_to_compile,
)
from aotwin.target.toolchain import load_toolchain, toolchain_path


def test_every_source_is_there_and_for_windows() -> None:
    sources = library_sources()
    assert all(toolchain_path(source.path).is_file() for source in sources)
    assert not any("_linux" in source.path for source in sources)
    assert any(source.path.endswith("sdk/src/aotwin.cpp") for source in sources)


def test_kernels_are_compiled_for_each_level_and_all_else_for_the_lowest() -> None:
    levels: dict[str, list[str]] = {}
    for source in library_sources():
        level = next(flag for flag in source.flags if flag.startswith("-mcpu="))
        levels.setdefault(source.path, []).append(level)
    for path, found in levels.items():
        kernels = re.search(r"_kernels\.cpp$", path)
        assert found == (["-mcpu=x86_64_v3", "-mcpu=x86_64_v4"] if kernels else ["-mcpu=x86_64_v3"])


def test_no_source_is_compiled_for_the_build_host() -> None:
    assert not any("native" in flag for source in library_sources() for flag in source.flags)


def test_models_find_torch_s_and_openmp_s_functions() -> None:
    functions = run_time_functions()
    assert {"aoti_torch_empty_strided", "__kmpc_fork_call", "omp_get_thread_num"} <= functions
    assert "aoti_torch_proxy_executor_call_function" not in functions


def test_the_library_exports_what_its_policy_asks_for_and_allows() -> None:
    exports = load_sdk_policies()["aotwin.dll"].exports
    assert exports.required <= exported_functions()
    assert all(exports.allows(name) for name in exported_functions())


def test_what_only_some_torches_have_is_there_or_known() -> None:
    """Of operators that came since torch 2.10; docs/reference/compatibility.md names them."""
    toolchain = load_toolchain("windows")
    pins = [toolchain.sysroot(version).shims for version in toolchain.torch_versions]
    in_all = frozenset.intersection(*map(frozenset, pins))
    of_some = frozenset().union(*pins) - in_all - run_time_functions()
    assert {name for name in of_some if name.startswith("aoti_torch_")} == {
        "aoti_torch_cpu__grouped_mm",
        "aoti_torch_cpu_grid_sampler_3d_backward",
    }


def test_what_is_to_be_compiled_is_known_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(tmp_path))
    toolchain, zig = load_toolchain("windows"), Zig(tmp_path, "0.17.1", tmp_path, tmp_path)
    assert sources_to_compile(toolchain, zig) == len(library_sources())
