"""What is compiled, with which flags, and when an object of the cache is the same one."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from generated_wrapper import archive, files, source

from aotwin.adapters.tools.zig import Zig
from aotwin.errors import ToolError
from aotwin.stages.link import compiler
from aotwin.stages.link.compiler import (
    SharedUnit,
    compile_command,
    compile_flags,
    compile_wrapper,
    definitions_for,
    expected_unit,
)
from aotwin.stages.link.sysroot import Sysroot
from aotwin.stages.link.units import translation_units
from aotwin.stages.wrapper.reader import read_wrapper
from aotwin.target.toolchain import load_toolchain, toolchain_path
from aotwin.values import Wrapper

WRAPPERS = Path(__file__).parents[2] / "wrappers"
TOOLCHAIN = load_toolchain("windows")
V3, V4 = TOOLCHAIN.cpus["x86-64-v3"], TOOLCHAIN.cpus["x86-64-v4"]


@pytest.fixture
def wrapper(tmp_path: Path) -> Wrapper:
    text = source(run="    int64_t n = 5L; // 5L stays")
    return read_wrapper(archive(tmp_path / "m.pt2", files(text)))[0]


@pytest.fixture
def sysroot(tmp_path: Path) -> Sysroot:
    return Sysroot(tmp_path / "sysroots" / "torch", "2.13.0", "0" * 64)


@pytest.fixture
def zig(tmp_path: Path) -> Zig:
    """A compiler that notes its calls beside itself, and refuses a source with `nonsense`."""
    executable = tmp_path / "zig"
    executable.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, sys\n"
        "arguments = sys.argv[1:]\n"
        "with pathlib.Path(sys.argv[0]).with_name('calls').open('a') as log:\n"
        "    log.write(' '.join(arguments) + '\\n')\n"
        "source = arguments[arguments.index('-c') + 1]\n"
        "if 'nonsense' in pathlib.Path(source).read_text():\n"
        "    sys.exit('model.cpp:7:1: error: nonsense')\n"
        "pathlib.Path(arguments[arguments.index('-o') + 1]).write_bytes(b'object')\n"
    )
    executable.chmod(0o755)
    (tmp_path / "lib").mkdir()
    return Zig(executable, "0.17.1", tmp_path / "lib", tmp_path / "cache")


def test_the_wrapper_lies_between_our_parts_and_is_llp64(wrapper: Wrapper) -> None:
    text = translation_units(wrapper).model
    assert text.startswith('#include "aotwin_before.h"\n')
    assert text.endswith('#include "aotwin_after.h"\n')
    assert "int64_t n = 5LL; // 5L stays" in text


#: in front of a model, as AOTInductor puts them there
ENTRY_POINTS = 'extern "C" {\nlong entry_point() { return 1L; }\n} // extern "C"\n'


def with_entry_points(wrapper: Wrapper, points: str = ENTRY_POINTS) -> Wrapper:
    header, rest = wrapper.source.split("\n", 1)
    return dataclasses.replace(wrapper, source=f"{header}\n{points}{rest}")


def test_entry_points_are_a_unit_of_their_own_with_our_parts(wrapper: Wrapper) -> None:
    units = translation_units(with_entry_points(wrapper))
    header = "#include <torch/csrc/inductor/aoti_include/cpu.h>\n"
    assert units.interface.startswith(f'#include "aotwin_before.h"\n{header}')
    assert units.interface.endswith('#include "aotwin_after.h"\n')
    assert "int64_t entry_point() { return 1LL; }" in units.interface
    assert "AOTInductorModel::" not in units.interface
    assert units.model.startswith(f'#include "aotwin_before.h"\n{header}namespace torch')
    assert "entry_point" not in units.model
    assert "aotwin_after" not in units.model


@pytest.mark.parametrize(("lines", "optimised"), [(10, True), (1000, False)])
def test_a_long_run_is_not_optimised_and_its_kernels_are(
    wrapper: Wrapper, lines: int, optimised: bool
) -> None:
    run = "void AOTInductorModel::run_impl(\n    AtenTensorHandle* input_handles) {"
    assert run in wrapper.source
    long = wrapper.source.replace(run, run + "\n    call();" * lines)
    model = translation_units(with_entry_points(dataclasses.replace(wrapper, source=long))).model
    assert ("__attribute__((optnone, noinline)) void AOTInductorModel::run_impl(" in model) is (
        not optimised
    )
    assert model.count("optnone") == (0 if optimised else 1)


def test_what_ends_like_entry_points_behind_the_model_s_constructor_stays(wrapper: Wrapper) -> None:
    behind = dataclasses.replace(wrapper, source=wrapper.source + ENTRY_POINTS)
    assert translation_units(behind).interface == ""
    assert translation_units(behind).model.endswith('#include "aotwin_after.h"\n')


@pytest.mark.parametrize("version", sorted(path.name for path in WRAPPERS.glob("2.*")))
def test_the_wrappers_of_every_torch_come_apart(version: str) -> None:
    for path in (WRAPPERS / version).glob("*/*.wrapper.cpp"):
        units = translation_units(Wrapper(path.read_text("utf-8"), (), (), {}, None, (), ()))
        assert "AOTInductorModelContainerRun(" in units.interface
        assert "AOTInductorModelContainerRun(" not in units.model
        assert "AOTInductorModel::run_impl(" in units.model
        assert "AOTInductorModel::run_impl(" not in units.interface


@pytest.mark.parametrize("version", sorted(path.name for path in WRAPPERS.glob("2.*")))
def test_what_models_of_a_torch_share_is_known_before_there_is_one(
    version: str, zig: Zig, tmp_path: Path
) -> None:
    sysroot = Sysroot(tmp_path / "torch", version, "0" * 64)
    assert expected_unit(TOOLCHAIN, V3, sysroot, zig) is None
    for path in sorted((WRAPPERS / version).iterdir()):
        wrapper = read_wrapper(path)[0]
        # what stands in the wheel, and AOTInductor puts behind the header
        start = wrapper.source.index("// Definition of AOTI runtime interface")
        end = wrapper.source.index('} // extern "C"\n') + len('} // extern "C"\n')
        sysroot = Sysroot(tmp_path / path.name, version, "0" * 64)
        sysroot.directory.mkdir()
        (sysroot.directory / "interface.cpp").write_text(wrapper.source[start:end])
        flags = compile_flags(TOOLCHAIN, V3, definitions_for(wrapper.definitions, TOOLCHAIN, V3))
        shared = SharedUnit(translation_units(wrapper).interface, tuple(flags), sysroot, zig)
        assert expected_unit(TOOLCHAIN, V3, sysroot, zig) == shared


def test_definitions_are_the_target_s_in_place_of_the_build_host_s(wrapper: Wrapper) -> None:
    host = dataclasses.replace(
        wrapper,
        definitions=(
            *("CPU_CAPABILITY_AVX2", "TORCH_INDUCTOR_PRECOMPILE_HEADERS"),
            *(TOOLCHAIN.definitions[0], "OWN=1"),
        ),
    )
    found = definitions_for(host.definitions, TOOLCHAIN, V4)
    assert found == ("OWN=1", "CPU_CAPABILITY_AVX512", *TOOLCHAIN.definitions)


def test_flags_name_the_target_and_no_folder_of_this_machine() -> None:
    flags = compile_flags(TOOLCHAIN, V3, ["A", "B=1"])
    assert flags[:3] == ["-target", "x86_64-windows-gnu", "-mcpu=x86_64_v3"]
    assert flags[-2:] == ["-DA", "-DB=1"]
    assert not any("/" in flag or "march" in flag for flag in flags)


def test_folders_of_this_machine_are_mapped_to_fixed_names(sysroot: Sysroot, zig: Zig) -> None:
    command = compile_command(["-O3"], sysroot, zig)
    assert command[:6] == ["c++", "-c", "model.cpp", "-o", "model.obj", "-O3"]
    assert f"-isystem{sysroot.directory}/include" in command
    assert f"-ffile-prefix-map={sysroot.directory}=sysroot" in command
    assert f"-ffile-prefix-map={zig.lib_dir}=zig" in command


def calls(zig: Zig) -> int:
    return len(zig.executable.with_name("calls").read_text().splitlines())


def test_an_object_is_compiled_once_for_all_that_goes_into_it(
    wrapper: Wrapper,
    sysroot: Sysroot,
    zig: Zig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(tmp_path / "user"))
    same: dict[str, Any] = {"toolchain": TOOLCHAIN, "cpu": V3, "sysroot": sysroot, "zig": zig}
    own = tmp_path / "dll"
    shutil.copytree(toolchain_path("windows/dll"), own)
    place = {"windows/dll": own}
    monkeypatch.setattr(compiler, "toolchain_path", lambda name: place.get(name, own / name))
    moved = Sysroot(tmp_path / "elsewhere" / "torch", "2.13.0", "0" * 64)
    for arguments in (same, same, {**same, "sysroot": moved}):
        assert compile_wrapper(wrapper, **arguments) == (b"object",)
    assert calls(zig) == 1
    other_lib = dataclasses.replace(zig, lib_dir=tmp_path / "another zig" / "lib")
    others: list[tuple[Wrapper, dict[str, Any]]] = [
        (dataclasses.replace(wrapper, source=wrapper.source + "\n"), same),
        (dataclasses.replace(wrapper, definitions=("X",)), same),
        (wrapper, {**same, "cpu": V4}),
        (wrapper, {**same, "zig": dataclasses.replace(zig, version="0.17.2")}),
        (wrapper, {**same, "zig": other_lib}),
        (wrapper, {**same, "sysroot": Sysroot(tmp_path / "torch-2.14.1", "2.14.1", "1" * 64)}),
        *(
            (wrapper, {**same, "toolchain": dataclasses.replace(TOOLCHAIN, **change)})
            for change in (
                {"triple": "aarch64-windows-gnu"},
                {"compile_flags": (*TOOLCHAIN.compile_flags, "-O1")},
                {"definitions": (*TOOLCHAIN.definitions, "Y")},
            )
        ),
    ]
    for count, (other, arguments) in enumerate(others, start=2):
        for _ in range(2):
            compile_wrapper(other, **arguments)
            assert calls(zig) == count
    for name in ("aotwin_after.h", "standard/new_header.h"):
        count = calls(zig)
        with (own / name).open("a") as header:
            header.write("// changed\n")
        for _ in range(2):
            compile_wrapper(wrapper, **same)
            assert calls(zig) == count + 1


def test_entry_points_are_compiled_once_for_all_models_and_results_do_not_matter(
    wrapper: Wrapper, sysroot: Sysroot, zig: Zig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(tmp_path / "user"))
    monkeypatch.setenv("AOTWIN_NO_CACHE", "1")
    arguments: dict[str, Any] = {"toolchain": TOOLCHAIN, "cpu": V3, "sysroot": sysroot, "zig": zig}
    first = with_entry_points(wrapper)
    assert compile_wrapper(first, **arguments) == (b"object", b"object")
    assert calls(zig) == 2
    other = dataclasses.replace(first, source=first.source + "\n")
    compile_wrapper(other, **arguments)
    assert calls(zig) == 3
    compile_wrapper(with_entry_points(wrapper, "// later\n" + ENTRY_POINTS), **arguments)
    compile_wrapper(first, **{**arguments, "cpu": V4})
    assert calls(zig) == 7


@pytest.mark.parametrize("text", ["", "nonsense"], ids=["compiles", "does not compile"])
def test_the_source_is_kept_where_the_user_asks_for_it_and_it(
    text: str,
    wrapper: Wrapper,
    sysroot: Sysroot,
    zig: Zig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(tmp_path / "user"))
    monkeypatch.setenv("AOTWIN_KEEP_SOURCES", str(tmp_path / "kept"))
    changed = dataclasses.replace(wrapper, source=wrapper.source + text)
    arguments: dict[str, Any] = {"toolchain": TOOLCHAIN, "cpu": V3, "sysroot": sysroot, "zig": zig}
    if text:
        with pytest.raises(ToolError, match="zig failed while compiling the wrapper") as error:
            compile_wrapper(changed, **arguments)
        assert error.value.cause == "model.cpp:7:1: error: nonsense"
        assert not (tmp_path / "user" / "results" / "objects").exists()
    else:
        compile_wrapper(changed, **arguments)
    (kept,) = (tmp_path / "kept").iterdir()
    assert kept.read_text() == translation_units(changed).model
