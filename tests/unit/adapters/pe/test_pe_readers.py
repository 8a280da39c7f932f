"""Two readers, each in a process that its input may take down."""

from __future__ import annotations

import signal
import sys
from contextlib import closing
from pathlib import Path

import pytest
from pe_image import build_image

from aotwin.adapters.pe import readers as pe_readers
from aotwin.adapters.pe.image import Export, PeFacts, Unreadable
from aotwin.adapters.pe.readers import READERS, Readers, read_with, read_with_all
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


def fake_library(folder: Path, body: str, *, at_import: str = "") -> Path:
    """A folder with a module in pefile's place, of which the reader needs no more than this."""
    (folder / "pefile.py").write_text(
        f"import os, signal, time\n{at_import}\nDIRECTORY_ENTRY = {{}}\n"
        f"class PEFormatError(Exception): pass\nclass PE:\n"
        f"    def __init__(self, data, **_):\n        {body}\n",
        encoding="utf-8",
    )
    return folder


#: what a library does with a file -> what the reading says
MISDEEDS = {
    "os.kill(os.getpid(), signal.SIGSEGV)": "crashed (SIGSEGV)",
    "os.abort()": "crashed (SIGABRT)",
    "os.kill(os.getpid(), signal.SIGXCPU)": "used up its processor time",
    "sum(iter(int, 1))": "used up its processor time",
    "raise OSError('no such thing')": "failed: OSError: no such thing",
    "os._exit(7)": "failed: exit code 7",
    "os._exit(0)": "gave an answer that makes no sense: Expecting value",
}


@pytest.mark.parametrize(("body", "reason"), MISDEEDS.items(), ids=MISDEEDS)
def test_a_file_that_ends_its_reader_is_an_answer_and_the_next_file_is_read(
    body: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = f"if data == b'bad': {body}\n        raise PEFormatError('read: ' + data.decode())"
    library = fake_library(tmp_path, body)
    monkeypatch.setattr(pe_readers, "_library_folder", lambda _: library)
    with closing(Readers(("pefile",))) as readers:
        for _ in range(2):
            bad, good = (readers.read(data)["pefile"] for data in (b"bad", b"good"))
            assert isinstance(bad, Unreadable)
            assert bad.reason.startswith(f"pefile {reason}")
            assert good == Unreadable("pefile: read: good")


def test_what_a_library_prints_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "os.write(1, b'0123456789' * 10); print('x', flush=True); raise PEFormatError('read')"
    monkeypatch.setattr(pe_readers, "_library_folder", lambda _: fake_library(tmp_path, body))
    with closing(Readers(("pefile",))) as readers:
        assert readers.read(b"")["pefile"] == Unreadable("pefile: read")
        assert readers.read(b"")["pefile"] == Unreadable("pefile: read")


@pytest.mark.parametrize(
    ("at_import", "reason"),
    [
        ("raise ImportError('too old')", "failed: ImportError: too old"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "crashed (SIGKILL)"),
        ("raise SystemExit('gone')", "failed: gone"),
    ],
    ids=["an error", "a signal", "an exit"],
)
def test_a_library_that_cannot_be_imported_is_an_answer(
    at_import: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = fake_library(tmp_path, "pass", at_import=at_import)
    monkeypatch.setattr(pe_readers, "_library_folder", lambda _: library)
    with closing(Readers(("pefile",))) as readers:
        for _ in range(2):
            assert readers.read(SOUND)["pefile"] == Unreadable(f"pefile {reason}")


def test_a_reader_that_hangs_is_stopped_and_the_next_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It waits for a pipe that nobody writes to, so only the limit can end it.
    body = "if data == b'bad': os.read(os.pipe()[0], 1)\n        raise PEFormatError('read')"
    monkeypatch.setattr(pe_readers, "_library_folder", lambda _: fake_library(tmp_path, body))
    with closing(Readers(("pefile",))) as readers:
        assert readers.read(b"good")["pefile"] == Unreadable("pefile: read")
        with monkeypatch.context() as patch:
            patch.setattr(pe_readers, "_TIMEOUT", 0.2)
            assert readers.read(b"bad")["pefile"] == Unreadable("pefile was stopped after 0 s")
        assert readers.read(b"good")["pefile"] == Unreadable("pefile: read")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("", "failed: exit code 0"),
        (
            "import sys; sys.stdout.buffer.write(bytes(1 << 22)); sys.stdout.flush()\n"
            "sys.stdin.buffer.read()",
            "gave an answer of more than 1,0",
        ),
        (
            "import struct, sys; sys.stdout.buffer.write(struct.pack('<iQ', 0, 2) + b'{}')\n"
            "sys.stdout.flush(); sys.stdin.buffer.read()",
            "gave an answer that makes no sense: 'os_version'",
        ),
    ],
    ids=["nothing", "too much", "nonsense"],
)
def test_a_worker_that_does_not_do_its_work_is_an_answer(
    script: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-I", "-S", "-c", script]
    monkeypatch.setattr(pe_readers, "worker_command", lambda *_: command)
    reading = read_with("lief", SOUND)
    assert isinstance(reading, Unreadable)
    assert reading.reason.startswith(f"lief {reason}")


def test_a_reader_does_not_know_the_password_of_the_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AOTWIN_SIGN_PASSWORD", "secret")
    body = "raise PEFormatError(os.environ.get('AOTWIN_SIGN_PASSWORD', 'unknown'))"
    monkeypatch.setattr(pe_readers, "_library_folder", lambda _: fake_library(tmp_path, body))
    assert read_with("pefile", b"") == Unreadable("pefile: unknown")


def test_readers_leave_no_process_behind() -> None:
    with closing(Readers()) as readers:
        assert all(isinstance(each, PeFacts) for each in readers.read(SOUND).values())
        processes = [worker.process for worker in readers.workers.values()]
        assert [process.poll() for process in processes] == [None, None]
    assert [process.poll() for process in processes] == [-signal.SIGKILL] * 2


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
