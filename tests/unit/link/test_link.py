"""The sources and commands of a link."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from generated_wrapper import BUFFER, WEIGHT, archive, files, source

from aotwin.stages.check.rules.policy import load_policy
from aotwin.stages.link.linker import (
    OWN_EXPORTS,
    SUPPLIED_EXPORTS,
    definition_file,
    exported_names,
    link_command,
    pairing_source,
    runtime_flags,
)
from aotwin.stages.link.sysroot import Sysroot
from aotwin.stages.wrapper.reader import read_wrapper
from aotwin.target.toolchain import load_toolchain
from aotwin.values import BlobInfo, Wrapper

TOOLCHAIN = load_toolchain("windows")
ENTRY_POINTS = """
AOTIRuntimeError AOTInductorModelContainerRun(
    AOTInductorModelContainerHandle handle) {
}
AOTIRuntimeError  AOTInductorModelCreate (int a) {}
  AOTIRuntimeError AOTInductorNotAtTheStartOfALine(int a) {}
// AOTIRuntimeError AOTInductorInAComment(int a)
"""


@pytest.fixture
def wrapper(tmp_path: Path) -> Wrapper:
    text = source((WEIGHT, BUFFER), kernels=ENTRY_POINTS)
    return read_wrapper(archive(tmp_path / "m.pt2", files(text, bytes(128))))[0]


def test_a_pairing_names_blob_digest_and_what_may_be_written(wrapper: Wrapper) -> None:
    blob = BlobInfo(Path("/x/ä\N{GRINNING FACE}.blob"), 128, bytes(range(32)), "")
    text = pairing_source(blob, wrapper.constants)
    # UTF-16 code units, a surrogate pair among them, and the terminator
    units = "228, 55357, 56832, 46, 98, 108, 111, 98, 0"
    assert f"blob_name[256] = {{{units}}};" in text
    assert "may_be_written[] = {0, 1, 0};" in text
    assert ".num_constants = 2," in text
    assert ".constants_size = UINT64_C(128)," in text
    assert f".sha256 = {{{', '.join(map(str, range(32)))}}}," in text
    assert text.endswith("AOTWIN_DEFINE_CONSTANTS_BIN(128)\n")


def test_a_pairing_with_another_model_s_blob_has_a_path_as_windows_writes_it() -> None:
    blob = BlobInfo(Path("/x/b.blob"), 64, bytes(32), "", shared_from="../a/b.blob")
    units = ", ".join(str(ord(letter)) for letter in "..\\a\\b.blob")
    assert f"blob_name[256] = {{{units}, 0}};" in pairing_source(blob, ())


def test_a_pairing_without_constants_is_c_all_the_same(wrapper: Wrapper) -> None:
    text = pairing_source(BlobInfo(Path("m.blob"), 64, bytes(32), ""), ())
    assert "may_be_written[] = {0};" in text
    assert ".num_constants = 0," in text


def test_exports_are_the_wrapper_s_c_api_and_our_own(wrapper: Wrapper) -> None:
    assert exported_names(wrapper) == tuple(
        sorted(
            {"AOTInductorModelContainerRun", "AOTInductorModelCreate"}
            | {*SUPPLIED_EXPORTS, *OWN_EXPORTS}
        )
    )
    without = dataclasses.replace(wrapper, source="")
    assert exported_names(without) == tuple(sorted({*SUPPLIED_EXPORTS, *OWN_EXPORTS}))


def test_every_torch_s_dll_exports_what_the_policy_asks_for() -> None:
    """By what the generated wrappers define, and what the run-time part supplies."""
    for folder in sorted((Path(__file__).parents[2] / "wrappers").glob("*.*.*")):
        source = (folder / "counter" / "counter.wrapper.cpp").read_text(encoding="utf-8")
        names = exported_names(Wrapper(source, (), (), {}, None, (), ()))
        policy = load_policy().for_torch(folder.name).exports
        assert policy.required <= set(names), folder.name
        assert [name for name in names if not policy.allows(name)] == [], folder.name


def test_a_definition_file_names_the_dll_and_every_export() -> None:
    text = definition_file("m.dll", ("A", "B"))
    assert text == "LIBRARY m.dll\nEXPORTS\n    A\n    B\n"


def test_a_link_takes_the_sysroot_s_libraries_and_names_the_dll(tmp_path: Path) -> None:
    sysroot = Sysroot(tmp_path, "2.13.0", "")
    command = link_command("m.dll", ("a.obj", "b.obj"), TOOLCHAIN, sysroot)
    assert command[: len(runtime_flags(TOOLCHAIN))] == runtime_flags(TOOLCHAIN)
    assert command[-2:] == ["-o", "m.dll"]
    assert {"a.obj", "b.obj"} < set(command)
    for library in ("import/libtorch_cpu.a", "import/liblibiomp5md.a", "lib/sleef.lib"):
        assert str(tmp_path / library) in command


def test_a_bound_dll_is_linked_with_nothing_of_torch(tmp_path: Path) -> None:
    sysroot = Sysroot(tmp_path, "2.13.0", "")
    command = link_command("m.dll", ("model.obj",), TOOLCHAIN, sysroot, own=True)
    assert "aotwin_binding.c" in command
    assert not any("torch_cpu" in word or "iomp" in word for word in command)


def test_the_warm_up_has_the_flags_of_the_link_that_choose_a_run_time() -> None:
    flags = runtime_flags(TOOLCHAIN)
    assert flags[:3] == ["c++", "-target", TOOLCHAIN.triple]
    # without -s a .pdb appears, and its path ends up in the DLL
    assert "-s" in flags
    assert "-shared" in flags
