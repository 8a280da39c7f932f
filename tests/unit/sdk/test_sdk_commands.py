"""What the SDK is made with: commands, descriptions, scripts, and the documents' signatures."""

from __future__ import annotations

import ctypes
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aotwin.adapters.tools.compilers import compiler_scripts
from aotwin.adapters.tools.wine import linux_path, program_environment, windows_path
from aotwin.adapters.tools.zig import Zig
from aotwin.errors import LoadError, ToolError
from aotwin.stages.link.description import c_string, description_source
from aotwin.stages.run import RunOptions, is_over_own_run_time, run_arguments
from aotwin.stages.sdk import default_dll, run_program_command
from aotwin.target.toolchain import load_toolchain, toolchain_path, vc_runtime
from aotwin.values import TensorSpec, Wrapper

REPO = Path(__file__).resolve().parents[3]
HEADER = toolchain_path("windows/sdk/include/aotwin.h").read_text(encoding="utf-8")
ZIG = Zig(Path("/opt/my zig/zig"), "0.17.1", Path("/cache/lib"), Path("/cache/it's here"))
WRAPPER = Wrapper(
    source="",
    definitions=(),
    constants=(),
    metadata={},
    extern_nodes=None,
    inputs=(
        TensorSpec("x", "float32", ("batch", None, 3)),
        TensorSpec('a"b\\', "", None, (0, 2, 1)),
        TensorSpec("scalar", "int64", ()),
    ),
    outputs=(TensorSpec("y"), TensorSpec("n"), TensorSpec("c")),
    fixed_outputs={2: None},
    number_outputs=(1,),
)


# --- the table in the DLL ---------------------------------------------------------------------


def test_a_description_has_a_row_for_each_input_and_output() -> None:
    source = description_source(WRAPPER, cpu="x86-64-v3", torch_version="2.13.0", run_time="torch")
    assert "input_0_sizes[] = {-1, -1, INT64_C(3)};" in source
    assert 'input_0_symbols[] = {"batch", "", NULL};' in source
    assert (
        '{"x", "float32", AOTWIN_KIND_TENSOR, 3, input_0_sizes, input_0_symbols, NULL},' in source
    )
    assert '{"a\\042b\\134", "", AOTWIN_KIND_TENSOR, -1, NULL, NULL, input_1_order},' in source
    assert '{"scalar", "int64", AOTWIN_KIND_TENSOR, 0, NULL, NULL, NULL},' in source
    kinds = re.findall(r"AOTWIN_KIND_(\w+)", source.partition("outputs[]")[2])
    assert kinds == ["TENSOR", "NUMBER", "CONSTANT"]
    assert ".num_inputs = 3," in source and ".num_outputs = 3," in source


def test_a_dll_checks_the_cpu_for_the_level_that_it_was_compiled_for() -> None:
    source = description_source(WRAPPER, cpu="x86-64-v4", torch_version="2.13.0", run_time="own")
    assert "return aotwin_cpu_level() >= 4;" in source
    assert '.cpu = "x86-64-v4",' in source
    assert '.run_time = "own",' in source


def test_fallback_operators_are_named_once_and_sorted() -> None:
    nodes = b'{"nodes": [{"node": {"target": "aten::svd"}}, {"node": {"target": "aten::det"}}]}'
    source = description_source(
        replace(WRAPPER, extern_nodes=nodes),
        cpu="x86-64-v3",
        torch_version="2.13.0",
        run_time="torch",
    )
    assert '.fallback_operators = "aten::det, aten::svd",' in source


@given(st.text())
def test_any_text_is_a_c_string_of_its_utf8_bytes(text: str) -> None:
    literal = c_string(text)
    assert re.fullmatch(r'"(?:[ -~]|\\[0-7]{3})*"', literal)
    assert "??" not in literal
    plain = re.sub(
        rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), literal[1:-1].encode("ascii")
    )
    assert plain == text.encode("utf-8", "replace")


# --- commands ---------------------------------------------------------------------------------


def test_the_program_is_no_dll() -> None:
    program = run_program_command(load_toolchain("windows"), Path("/sdk/lib/aotwin.lib"))
    assert "-shared" not in program
    assert "-Werror" in program
    assert program[-3:] == ["/sdk/lib/aotwin.lib", "-o", "aotwin-run.exe"]
    assert "-mcpu=x86_64" in program


def test_what_is_asked_for_is_what_aotwin_run_is_told() -> None:
    options = RunOptions(repeat=3, threads=2, describe=True, json=True)
    assert run_arguments("M", ["a", "b"], "O", "T", options) == [
        "M", "--input", "a", "--input", "b", "--output", "O", "--torch", "T",
        "--repeat", "3", "--threads", "2", "--describe", "--json",
    ]  # fmt: skip
    assert run_arguments("M", [], None, "T", RunOptions()) == [
        "M", "--torch", "T", "--repeat", "1", "--threads", "1",
    ]  # fmt: skip


def test_a_model_without_torch_is_told_of_no_folder_of_torch() -> None:
    assert run_arguments("M", [], None, None, RunOptions()) == [
        "M", "--repeat", "1", "--threads", "1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("manifest", "own"),
    [('{"runtime": "own"}', True), ('{"runtime": "torch"}', False), ("{}", False), ("[", False),
     ("[]", False), (None, False)],
)  # fmt: skip
def test_a_model_s_manifest_says_whether_torch_is_needed(
    manifest: str | None, own: bool, tmp_path: Path
) -> None:
    if manifest is not None:
        (tmp_path / "aotwin.json").write_text(manifest)
    assert is_over_own_run_time(tmp_path) is own
    (tmp_path / "m.dll").touch()
    assert is_over_own_run_time(tmp_path / "m.dll") is own


@pytest.mark.parametrize("name", ["cc", "c++", "ar", "ranlib", "rc"])
def test_the_compilers_are_shell_scripts_that_call_zig(name: str, tmp_path: Path) -> None:
    fake = tmp_path / "my zig"
    fake.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$ZIG_LIB_DIR" "$ZIG_GLOBAL_CACHE_DIR" "$@"\n', encoding="utf-8"
    )
    fake.chmod(0o755)
    script = tmp_path / name
    scripts = compiler_scripts(load_toolchain("windows"), replace(ZIG, executable=fake))
    script.write_text(scripts[name], encoding="utf-8")
    script.chmod(0o755)

    def said(*words: str) -> list[str]:
        done = subprocess.run([script, *words], capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    lib, cache, command, *rest = said("a b", "-o", "c")
    assert (lib, cache, command) == ("/cache/lib", "/cache/it's here", name)
    assert rest[-3:] == ["a b", "-o", "c"]
    if name in ("cc", "c++"):
        assert rest[:3] == ["-target", "x86_64-windows-gnu", "-mcpu=x86_64"]
        assert "-s" in rest
        assert "-s" not in said("a", "-g")


# --- Wine -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/a/b c", "/ä/本", "/"])
def test_a_path_comes_back_from_its_windows_spelling(path: str) -> None:
    spelled = windows_path(Path(path))
    assert spelled.startswith("Z:\\") and "/" not in spelled
    assert linux_path(spelled) == path


def test_a_path_that_windows_cannot_have_is_an_error() -> None:
    with pytest.raises(ToolError, match="has no name on Windows"):
        windows_path(Path('/a/b"c'))


def test_a_windows_program_gets_no_python_and_no_locale_of_the_host() -> None:
    host = {"PATH": "/bin", "PYTHONPATH": "/x", "LC_CTYPE": "C", "LANG": "C", "WINEDEBUG": "+all"}
    host["AOTWIN_SIGN_PASSWORD"] = "secret"
    environment = program_environment(host, Path("/prefix"), {"A": "1"})
    assert environment["PATH"] == "/bin"
    assert environment["WINEDEBUG"] == "-all"
    assert environment["WINEPREFIX"] == "/prefix"
    assert environment["KMP_TOPOLOGY_METHOD"] == "flat"
    assert environment["A"] == "1"
    assert not {"PYTHONPATH", "LC_CTYPE", "LANG", "AOTWIN_SIGN_PASSWORD"} & environment.keys()


def test_the_vc_runtime_is_pinned_whole() -> None:
    runtime = vc_runtime()
    assert re.fullmatch(r"[0-9a-f]{64}", runtime.wheel.sha256)
    assert {"msvcp140.dll", "vcruntime140.dll", "vcruntime140_1.dll"} <= set(runtime.names)


@pytest.mark.parametrize("content", [None, "", "[]", '{"version": 1}'])
def test_a_folder_without_a_manifest_is_no_model(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "aotwin.json").write_text(content)
    with pytest.raises(LoadError, match="holds no built model"):
        default_dll(tmp_path)


# --- the how-to for C# ------------------------------------------------------------------------

CSHARP = (REPO / "docs/how-to/use-from-csharp.md").read_text(encoding="utf-8")
#: C type in the header -> C# types that are passed like it
PASSED = {
    "const char*": {"IntPtr"},
    "const wchar_t*": {"string"},
    "const aotwin_open_options*": {"in OpenOptions"},
    "aotwin_model**": {"out IntPtr"},
    "aotwin_model*": {"IntPtr"},
    "const aotwin_model*": {"IntPtr"},
    "const aotwin_tensor*": {"Tensor[]"},
    "uint32_t": {"uint"},
    "int32_t": {"int"},
    "void": {"void"},
}
SIZES = {
    "IntPtr": 8, "ulong": 8, "uint": 4, "int": 4, "string": 8,
    "void*": 8, "uint64_t": 8, "int32_t": 4, "uint32_t": 4, "const int64_t*": 8,
    "const char*": 8, "const wchar_t*": 8,
}  # fmt: skip


def declared(name: str) -> tuple[str, list[str]]:
    """A function of the header: type of its result, types of its arguments."""
    found = re.search(rf"^AOTWIN_API ([^;]*?)\s*\b{name}\(([^)]*)\);", HEADER, re.MULTILINE)
    assert found, name
    arguments = [] if found[2] == "void" else found[2].split(",")
    types = [re.sub(r"\s*\w+$", "", word.strip()) for word in arguments]
    return found[1].strip(), types


@pytest.mark.parametrize(
    "signature", re.findall(r"extern (\w+ \w+\([^)]*\));", CSHARP), ids=lambda text: text.split()[1]
)
def test_the_signatures_for_csharp_are_those_of_the_header(signature: str) -> None:
    found = re.fullmatch(r"(\w+) (\w+)\(([^)]*)\)", signature)
    assert found
    result, arguments = declared(found[2])
    ours = [re.sub(r"\s+\w+$", "", word.strip()) for word in found[3].split(",") if word.strip()]
    assert found[1] in PASSED[result]
    assert len(ours) == len(arguments)
    for mine, theirs in zip(ours, arguments, strict=True):
        assert mine in PASSED[theirs]


@pytest.mark.parametrize(
    ("name", "c_name"), [("Tensor", "tensor"), ("OpenOptions", "open_options")]
)
def test_the_structs_for_csharp_are_laid_out_as_those_of_the_header(name: str, c_name: str) -> None:
    body = re.search(rf"struct {name} .*?\{{(.*?)\n    \}}", CSHARP, re.DOTALL)
    c_body = re.search(rf"typedef struct aotwin_{c_name} \{{(.*?)\n\}}", HEADER, re.DOTALL)
    assert body and c_body
    fields = re.findall(r"public (\S+) (\w+);", body[1])
    c_fields = re.findall(r"^  ((?:const )?\w+\*?) (\w+);", c_body[1], re.MULTILINE)
    assert [field.lower() for _, field in fields] == [
        field.replace("_", "") for _, field in c_fields
    ]
    assert [SIZES[kind] for kind, _ in fields] == [SIZES[kind] for kind, _ in c_fields]
    assert ctypes.sizeof(ctypes.c_void_p) == 8
