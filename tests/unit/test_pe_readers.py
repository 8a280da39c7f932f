"""Two readers, each in a process that its input may take down."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pe_image import build_image

from aotwin.adapters import pe_readers
from aotwin.adapters.pe import Export, PeFacts, Unreadable
from aotwin.adapters.pe_readers import READERS, read_with, read_with_all
from aotwin.errors import ToolError

SOUND = build_image(["AOTInductorModelRun", "AotwinWeightsInfo"]).finish()


def test_both_readers_see_the_same() -> None:
    readings = read_with_all(SOUND)
    assert list(readings) == ["pefile", "lief"]
    assert readings["pefile"] == readings["lief"]


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_reports_what_the_file_holds(reader: str) -> None:
    facts = read_with(reader, SOUND)
    assert isinstance(facts, PeFacts)
    assert [export.name for export in facts.exports] == ["AOTInductorModelRun", "AotwinWeightsInfo"]
    assert [str(symbol) for symbol in facts.imports] == [
        "torch_cpu.dll!aoti_torch_delete_tensor_object",
        "torch_cpu.dll!aoti_torch_get_dim",
        "KERNEL32.dll!CreateFileW",
        "KERNEL32.dll!MapViewOfFile",
    ]
    assert facts.sections[0].name == ".text"
    assert facts.dll_characteristics == 0x160


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_sees_more_exports_than_pefile_lists_by_default(reader: str) -> None:
    names = [f"export_{index:05}" for index in range(9000)]
    facts = read_with(reader, build_image(names).finish())
    assert isinstance(facts, PeFacts)
    assert [export.name for export in facts.exports] == names


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_sees_the_whole_of_a_long_decorated_name(reader: str) -> None:
    name = "?" + "long_" * 500 + "@@YAXXZ"
    facts = read_with(reader, build_image([name]).finish())
    assert isinstance(facts, PeFacts)
    assert facts.exports[0].name == name


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_sees_ordinals_and_forwarders(reader: str) -> None:
    image = build_image(["a", "b"], imports={"KERNEL32.dll": (7,)}, forwarder="ntdll.NtClose")
    facts = read_with(reader, image.finish())
    assert isinstance(facts, PeFacts)
    assert facts.exports[0] == Export("a", 1, 0, "ntdll.NtClose")
    assert [str(symbol) for symbol in facts.imports] == ["KERNEL32.dll!#7"]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "data",
    [b"", b"MZ", b"hello", SOUND[:0x90], bytes(4096)],
    ids=["empty", "MZ", "text", "cut", "0"],
)
def test_what_is_no_pe_file_is_unreadable(reader: str, data: bytes) -> None:
    assert isinstance(read_with(reader, data), Unreadable)


SCRIPTS = {
    "lief crashed (SIGSEGV)": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "lief used up its processor time": "import os, signal; os.kill(os.getpid(), signal.SIGXCPU)",
    "lief failed: MemoryError": "raise MemoryError",
    "lief gave an answer that makes no sense: 'os_version'": "print({})",
}


@pytest.mark.parametrize("reason", SCRIPTS)
def test_a_reader_that_does_not_end_well_is_an_answer(
    monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    command = [sys.executable, "-I", "-S", "-c", SCRIPTS[reason]]
    monkeypatch.setattr(pe_readers, "worker_command", lambda *_: command)
    assert read_with("lief", SOUND) == Unreadable(reason)


def test_a_reader_that_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    # It waits for a pipe that nobody writes to, so only the limit can end it.
    script = "import os; os.read(os.pipe()[0], 1)"
    monkeypatch.setattr(
        pe_readers, "worker_command", lambda *_: [sys.executable, "-I", "-S", "-c", script]
    )
    monkeypatch.setattr(pe_readers, "_TIMEOUT", 0.2)
    assert read_with("pefile", SOUND) == Unreadable("pefile was stopped after 0 s")


@pytest.mark.parametrize("reader", READERS)
def test_nothing_in_the_working_directory_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    for name in ("lief", "pefile", "json", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("open('was-run', 'w').close()", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert isinstance(read_with(reader, SOUND), PeFacts)
    assert not (tmp_path / "was-run").exists()


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pe_readers, "find_spec", lambda _: None)
    with pytest.raises(ToolError, match="the Python package lief is not installed"):
        read_with("lief", SOUND)
