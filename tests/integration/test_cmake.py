"""CMake on Linux builds programs for Windows with the toolchain file and the SDK."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from programs import Adds
from torch import randn
from torch.export import export

import aotwin
from aotwin.adapters.pe.image import PeFacts
from aotwin.adapters.pe.readers import read_with
from aotwin.adapters.tools.zig import find_zig
from aotwin.stages.sdk import write_sdk
from aotwin.target.toolchain import load_toolchain, toolchain_path

TOOLCHAIN = toolchain_path("cmake/aotwin-windows-x86_64.cmake")
LIBRARY_PROJECT = """\
cmake_minimum_required(VERSION 3.16)
project(parts LANGUAGES C CXX)
find_package(aotwin {version} REQUIRED)
add_library(parts STATIC part.c)
add_executable(program program.cpp program.rc)
target_link_libraries(program PRIVATE parts aotwin::aotwin aotwin::adds)
add_library(plugin SHARED part.c)
"""


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdk")
    program = export(Adds(), (randn(2, 3), randn(2, 3)))
    model = aotwin.build_model(program, folder, name="demo.adds").directory
    return write_sdk(model, folder / "sdk", toolchain=load_toolchain("windows"), zig=find_zig())


def cmake(*words: str | Path, expect: int = 0) -> str:
    done = subprocess.run(
        ["cmake", *map(str, words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def configure(source: Path, build: Path, sdk: Path, expect: int = 0) -> str:
    return cmake(
        *("-S", source, "-B", build, "-G", "Ninja"),
        f"-DCMAKE_TOOLCHAIN_FILE={TOOLCHAIN}",
        f"-DCMAKE_PREFIX_PATH={sdk}",
        f"-DAOTWIN_PYTHON={sys.executable}",
        "-DCMAKE_BUILD_TYPE=Release",
        expect=expect,
    )


def facts(path: Path) -> PeFacts:
    found = read_with("lief", path.read_bytes())
    assert isinstance(found, PeFacts)
    return found


def imported(path: Path) -> set[str]:
    return {each.dll.lower() for each in facts(path).imports}


def test_the_examples_are_built_for_windows(sdk: Path, tmp_path: Path) -> None:
    configure(sdk / "share/aotwin/examples", tmp_path, sdk)
    cmake("--build", tmp_path)
    for name in ("example_c.exe", "example_cpp.exe"):
        assert facts(tmp_path / name).machine == 0x8664
        assert "aotwin.dll" in imported(tmp_path / name)
        assert not [dll for dll in imported(tmp_path / name) if "c++" in dll or "gcc" in dll]
    shipped = (sdk / "bin" / "aotwin.dll").read_bytes()
    assert (tmp_path / "aotwin.dll").read_bytes() == shipped


def write_project(folder: Path, version: str = "") -> Path:
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(LIBRARY_PROJECT.format(version=version))
    (folder / "part.c").write_text("__declspec(dllexport) int part(void) { return 7; }\n")
    (folder / "program.rc").write_text('1 RCDATA { "text" }\n')
    (folder / "program.cpp").write_text(
        '#include <iostream>\n#include "aotwin.hpp"\n'
        'extern "C" int part(void);\nextern "C" int AotwinDescribe(void);\n'
        "int main() { std::cout << part() << AotwinDescribe() << aotwin_api_version(); }\n"
    )
    return folder


def test_static_and_shared_libraries_resources_and_models_are_linked(
    sdk: Path, tmp_path: Path
) -> None:
    configure(write_project(tmp_path / "project"), tmp_path / "build", sdk)
    cmake("--build", tmp_path / "build")
    assert {"aotwin.dll", "adds.dll"} <= imported(tmp_path / "build" / "program.exe")
    assert facts(tmp_path / "build" / "program.exe").directory("resource").size
    (plugin,) = (tmp_path / "build").glob("*plugin.dll")
    assert [export.name for export in facts(plugin).exports] == ["part"]


def test_another_major_version_is_not_found(sdk: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", version="99.0")
    said = configure(project, tmp_path / "build", sdk, expect=1)
    assert 'compatible with requested version "99.0"' in " ".join(said.split())


def test_a_python_without_aotwin_is_named(sdk: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no module named aotwin >&2\nexit 1\n")
    python.chmod(0o755)
    said = cmake(
        *("-S", sdk / "share/aotwin/examples", "-B", tmp_path / "build", "-G", "Ninja"),
        f"-DCMAKE_TOOLCHAIN_FILE={TOOLCHAIN}",
        f"-DAOTWIN_PYTHON={python}",
        expect=1,
    )
    words = " ".join(said.split())
    assert "no module named aotwin" in words
    assert "Set AOTWIN_PYTHON to a Python that aotwin is installed in" in words


def test_pkg_config_names_folders_that_exist(sdk: Path) -> None:
    file = sdk / "lib/pkgconfig/aotwin.pc"
    variables = {"pcfiledir": str(file.parent)}
    fields = {}

    def expanded(text: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda found: variables[found[1]], text)

    for line in file.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"(\w+)=(.*)", line):
            variables[found[1]] = expanded(found[2])
        elif found := re.match(r"(\w+): (.*)", line):
            fields[found[1]] = expanded(found[2])
    assert fields["Version"] == aotwin.__version__
    assert (Path(fields["Cflags"].removeprefix("-I")) / "aotwin.h").is_file()
    folder, library = fields["Libs"].split()
    assert library == "-laotwin"
    assert (Path(folder.removeprefix("-L")) / "libaotwin.dll.a").is_file()


def test_the_sdk_is_the_same_wherever_it_is_written(sdk: Path, tmp_path: Path) -> None:
    toolchain, zig = load_toolchain("windows"), find_zig()
    model = Path(shutil.copytree(sdk.parent / "demo" / "adds", tmp_path / "adds"))
    again = write_sdk(model, tmp_path / "other place", toolchain=toolchain, zig=zig)
    names = sorted(str(path.relative_to(sdk)) for path in sdk.rglob("*") if path.is_file())
    assert names == sorted(
        str(path.relative_to(again)) for path in again.rglob("*") if path.is_file()
    )
    assert {"lib/adds.lib", "lib/adds.dll.a", "lib/aotwin.lib", "bin/aotwin-run.exe"} <= set(names)
    for name in names:
        assert (sdk / name).read_bytes() == (again / name).read_bytes(), name


def test_a_changed_dll_gets_no_import_library(sdk: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(sdk.parent / "demo" / "adds", tmp_path / "adds"))
    with (model / "adds.dll").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(aotwin.errors.LoadError, match="is not the DLL that was built"):
        write_sdk(model, tmp_path / "sdk", toolchain=load_toolchain("windows"), zig=find_zig())
    assert not (tmp_path / "sdk").exists()
