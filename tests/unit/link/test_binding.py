"""What a compiled wrapper calls of its run time, and the table through which it does."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from pathlib import Path

import pytest

from aotwin.adapters.pe.coff import undefined_symbols
from aotwin.errors import ToolError
from aotwin.stages.link.binding import (
    NUMBERS,
    binding_source,
    called_functions,
    torch_numbers,
)
from aotwin.target.toolchain import toolchain_path

SOURCE = """
extern int aoti_torch_get_dim(void*);
extern int aoti_record_function_start(void);
extern int aoti_torch_dtype_float32(void);
extern void __kmpc_fork_call(void);
extern int omp_get_thread_num(void);
extern int puts(const char*);
int common;
static int unused(void) { return 0; }
int defined_here(void) { return 1; }
int a_name_that_is_longer_than_eight_bytes(void* x) {
  __kmpc_fork_call();
  return aoti_torch_get_dim(x) + aoti_torch_dtype_float32() + omp_get_thread_num() +
      aoti_record_function_start() + defined_here() + puts("") + common;
}
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("object")
    (folder / "m.c").write_text(SOURCE)
    subprocess.run(
        [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-windows-gnu", "-w", "-c", "m.c",
         "-o", "m.obj"],
        cwd=folder,
        check=True,
    )  # fmt: skip
    return (folder / "m.obj").read_bytes()


def test_undefined_symbols_are_those_that_the_linker_must_find_elsewhere(compiled: bytes) -> None:
    names = undefined_symbols(compiled)
    assert {"aoti_torch_get_dim", "omp_get_thread_num", "puts"} <= names
    assert not {"defined_here", "unused", "common"} & names


def test_of_the_run_time_are_torch_s_and_openmp_s_functions_without_torch_s_numbers(
    compiled: bytes,
) -> None:
    assert called_functions((compiled, compiled)) == (
        "__kmpc_fork_call",
        "aoti_record_function_start",
        "aoti_torch_get_dim",
        "omp_get_thread_num",
    )


@pytest.mark.parametrize("data", [b"", b"MZ", b"\x64\x86" + b"\xff" * 18, bytes(20)])
def test_what_is_no_object_is_refused_or_has_no_symbols(data: bytes) -> None:
    try:
        assert undefined_symbols(data) == frozenset()
    except ToolError as error:
        assert "is no COFF object" in str(error)


def test_the_table_has_a_slot_and_a_stub_for_each_name_and_the_library_s_path() -> None:
    text = binding_source(["aoti_torch_a", "__kmpc_b"], "../demo.libs/aotwin-00.dll")
    names = re.findall(r'^    "(\w+)",$', text, re.MULTILINE)
    assert names[:2] == ["aoti_torch_a", "__kmpc_b"]
    stubs = re.findall(r"^AOTWIN_STUB\((\w+), (\d+)\)$", text, re.MULTILINE)
    assert stubs == [(name, str(index)) for index, name in enumerate(names)]
    assert f".count = {len(names)}," in text
    assert text.count("AOTWIN_UNBOUND") == 2
    assert text.count("AOTWIN_NOTHING") == len(names) - 2
    units = ", ".join(str(ord(letter)) for letter in "..\\demo.libs\\aotwin-00.dll")
    assert f"library[] = {{{units}, 0}};" in text


def test_torch_s_numbers_are_torch_s() -> None:
    torch = pytest.importorskip("torch")
    library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
    text = toolchain_path(NUMBERS).read_text(encoding="utf-8")
    numbers = dict(re.findall(r"^int32_t (\w+)\(void\) \{\n  return (\d+);", text, re.MULTILINE))
    assert numbers.keys() == torch_numbers()
    assert len(numbers) > 30
    for name, number in numbers.items():
        assert getattr(library, name)() == int(number), name
