"""The check policy fits the torch that models are built for."""

from __future__ import annotations

import re

import pefile
import pytest

from aotwin.adapters.tools.zig import find_zig
from aotwin.stages.check.rules.policy import load_policy
from aotwin.stages.link.sysroot import Sysroot, prepare_sysroot
from aotwin.target.toolchain import load_toolchain

pytestmark = pytest.mark.zig

POLICY = load_policy("windows-x86_64")


@pytest.fixture(scope="module")
def sysroot() -> Sysroot:
    toolchain = load_toolchain("windows-x86_64")
    return prepare_sysroot(
        toolchain, toolchain.sysroot("2.13.0"), find_zig(), remark=lambda _: None
    )


def test_the_required_exports_are_the_c_api_that_torch_declares(sysroot: Sysroot) -> None:
    header = "torch/csrc/inductor/aoti_runtime/interface.h"
    text = (sysroot.include_dirs[0] / header).read_text(encoding="utf-8")
    declared = set(re.findall(r"\b(AOTInductor\w+)\(", text))
    exports = POLICY.for_torch("2.13.0").exports
    # What later runners look for is supplied where the generated code does not have it.
    assert declared <= exports.required | exports.optional
    assert exports.required - declared == {
        "AOTInductorModelContainerCreateWithExternalConstants",
        "AOTInductorModelContainerDidCallLoadConstants",
    }


def test_the_dlls_that_models_may_import_from_are_in_the_sysroot(sysroot: Sysroot) -> None:
    assert {dll.lower() for dll in sysroot.exports} >= POLICY.imports.sysroot


@pytest.mark.parametrize("dll", ["c10.dll", "libiomp5md.dll", "uv.dll", "shm.dll"])
def test_what_torch_imports_from_windows_is_listed_as_what_windows_exports(
    sysroot: Sysroot, dll: str
) -> None:
    image = pefile.PE(str(sysroot.lib_dir / dll), fast_load=True)
    image.parse_data_directories([pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_IMPORT"]])
    wanted = {
        (table.dll.decode().lower(), symbol.name.decode())
        for table in image.DIRECTORY_ENTRY_IMPORT
        for symbol in table.imports
        if symbol.name and table.dll.decode().lower() in POLICY.imports.system
    }
    image.close()
    assert wanted
    assert {row for row in wanted if row[1] not in POLICY.imports.system[row[0]]} == set()
