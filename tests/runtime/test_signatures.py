"""The C functions that the run time exports have the very types that torch's headers give them.

Generated code is compiled against torch's headers and linked to our functions: a type that differs
would be found by nobody but the user. Here the prototypes of ours, read from the sources, are
compiled in one file with torch's, where a difference is an error of the compiler.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
RUNTIME = REPO / "toolchains" / "windows" / "runtime"

pytestmark = [pytest.mark.zig, pytest.mark.torch]

HEADERS = (
    "torch/csrc/inductor/aoti_torch/c/shim.h",
    "torch/csrc/inductor/aoti_torch/c/shim_cpu.h",
    "torch/csrc/inductor/aoti_torch/generated/c_shim_cpu.h",
    "torch/csrc/inductor/aoti_torch/generated/c_shim_aten.h",
    "torch/csrc/stable/c/shim.h",
)
#: a type of ours -> the type of torch's that is laid out and passed alike
SAME = {
    "aotwin::runtime::half": "c10::Half",
    "aotwin::runtime::bfloat16": "c10::BFloat16",
    "AotwinComplex64": "c10::complex<float>",
    "AotwinComplex128": "c10::complex<double>",
}
#: exported names that are no part of torch's interface, by how they begin
OTHERS = ("aotwin_", "__kmpc_", "omp_", "kmp_", "__kmp")


@dataclass(frozen=True)
class Prototype:
    """A C function that the run time exports."""

    name: str
    result: str
    parameters: str
    place: str


def prototypes() -> list[Prototype]:
    """The exported functions, read from the sources."""
    found = []
    for source in sorted(RUNTIME.rglob("*.cpp")):
        text = re.sub(r"//[^\n]*", "", source.read_text("utf-8"))
        for match in re.finditer(r"([\w:*& ]+?)\bAOTWIN_SHIM\((\w+)\)\s*\(([^()]*)\)\s*{", text):
            result = match[1].replace('extern "C"', "").strip()
            line = text[: match.start()].count("\n") + 1
            found.append(Prototype(match[2], result, match[3], f"{source.name}:{line}"))
    return found


def torch_include() -> Path:
    import torch

    return Path(torch.__file__).parent / "include"


@pytest.fixture(scope="module")
def torchs() -> list[Prototype]:
    return [one for one in prototypes() if not one.name.startswith(OTHERS)]


def test_every_exported_function_is_declared_by_torch(torchs: list[Prototype]) -> None:
    declared = {
        name
        for header in HEADERS
        for name in re.findall(r"\b(\w+)\s*\(", (torch_include() / header).read_text("utf-8"))
    }
    deprecated = torch_include() / "torch/csrc/inductor/aoti_torch/c/shim_deprecated.h"
    declared |= set(re.findall(r"\b(\w+)\s*\(", deprecated.read_text("utf-8")))
    unknown = [f"{one.name} ({one.place})" for one in torchs if one.name not in declared]
    assert torchs
    assert unknown == []


def test_no_function_is_written_twice(torchs: list[Prototype]) -> None:
    places: dict[str, list[str]] = {}
    for one in torchs:
        places.setdefault(one.name, []).append(one.place)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_types_are_those_of_torch(torchs: list[Prototype], tmp_path: Path) -> None:
    lines = [f"#include <{header}>" for header in HEADERS]
    lines += ['extern "C" {', *(declaration(one) for one in torchs), "}", ""]
    source = tmp_path / "prototypes.cpp"
    source.write_text("\n".join(lines), encoding="utf-8")
    include = torch_include()
    command = [
        *(sys.executable, "-m", "ziglang", "c++", "-target", "x86_64-linux-gnu"),
        *("-std=c++20", "-Wno-deprecated-declarations", "-ferror-limit=200", "-c"),
        *(f"-I{include}", str(source), "-o", str(tmp_path / "prototypes.o")),
    ]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def declaration(one: Prototype) -> str:
    """A prototype in torch's types."""
    text = f"{one.result} {one.name}({one.parameters});"
    for ours, theirs in SAME.items():
        text = re.sub(rf"\b{ours}\b", theirs, text)
    return f'#line 1 "{one.place}"\n{" ".join(text.split())}'
