"""Whatever a user can get wrong is one message, and leaves nothing behind.

Each case goes through the real hook or the real command line, with the real stages behind it.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aotwin import assembly, build_meta, cli
from aotwin.stages.link.linker import link_model
from aotwin.target.toolchain import load_toolchain
from aotwin.values import SealedDll
from project_build import PYPROJECT, REPO

HOME = "m/data/aotinductor/model/"
WINDOWS = {"target": "windows"}
TOOLCHAIN = load_toolchain("windows")
PINNED = TOOLCHAIN.sysroot("2.13.0")

LinkedCache = Callable[..., Path]

pytestmark = [pytest.mark.zig, pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

PROJECT = f"""\
{PYPROJECT}
[tool.setuptools]
packages = ["demo"]

{{aotwin}}
"""
MODEL = '[tool.aotwin.models."demo.classifier"]\n{key} = "{value}"\n'

EXPORTS = """\
import torch

class Branches(torch.nn.Module):
    def forward(self, x):
        return x * 2 if x.sum() > 0 else x

class Cosine(torch.nn.Module):
    def forward(self, x):
        return x.cos()

module = Cosine()
program = torch.export.export(module, (torch.zeros(3),))

def fails():
    return torch.export.export(Branches(), (torch.zeros(3),))
"""


@dataclass(frozen=True)
class Message:
    """What the user reads."""

    fact: str
    cause: str
    next_step: str

    @classmethod
    def parse(cls, stderr: str) -> Message:
        assert stderr.count("aotwin: error: ") == 1, stderr
        assert "Traceback" not in stderr
        lines = stderr.partition("aotwin: error: ")[2].rstrip("\n").split("\n")
        assert len(lines) >= 3, f"fact, cause and next step are not all there: {lines}"
        message = cls(lines[0], "\n".join(lines[1:-1]), lines[-1])
        assert all(part.strip() for part in dataclasses.astuple(message))
        return message


@dataclass(frozen=True)
class Desk:
    """A user's project, and every folder that a failed build might leave something in."""

    project: Path
    dist: Path
    temporary: Path

    def configure(self, aotwin: str) -> None:
        (self.project / "pyproject.toml").write_text(PROJECT.format(aotwin=aotwin))

    def use(self, key: str, value: str) -> None:
        self.configure(MODEL.format(key=key, value=value))

    def left_behind(self) -> list[Path]:
        """What is in dist/ and in the temporary folder, hidden files included."""
        return [*self.dist.iterdir(), *self.temporary.iterdir()]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for variable in list(os.environ):
        if variable.startswith("AOTWIN_") and variable != "AOTWIN_CACHE_DIR":
            monkeypatch.delenv(variable)
    made = Desk(tmp_path / "project", tmp_path / "dist", tmp_path / "temporary")
    for folder in (made.project / "demo", made.dist, made.temporary):
        folder.mkdir(parents=True)
    (made.project / "demo" / "__init__.py").touch()
    (made.project / "exports.py").write_text(EXPORTS)
    monkeypatch.chdir(made.project)
    monkeypatch.setenv("TMPDIR", str(made.temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    # torch keeps a folder of its own in the temporary folder, and the stderr of an earlier test
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    monkeypatch.setattr(logging, "raiseExceptions", False)
    return made


def rewritten(
    archive: Path,
    target: Path,
    change: Callable[[str, bytes], bytes | None] = lambda _, data: data,
    added: Mapping[str, bytes] | None = None,
) -> Path:
    """A copy of an archive: members changed, left out (None), added."""
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(target, "w") as sink:
        for info in source.infolist():
            data = change(info.filename, source.read(info))
            if data is not None:
                sink.writestr(info.filename, data)
        for name, data in (added or {}).items():
            sink.writestr(name, data)
    return target


Prepare = Callable[[Desk, pytest.MonkeyPatch, Path], None]


@dataclass(frozen=True)
class Case:
    """A defect, and what its message must say."""

    prepare: Prepare
    fact: str
    cause: str
    next_step: str
    settings: Mapping[str, str] = dataclasses.field(default_factory=lambda: WINDOWS)


def model(key: str, value: str) -> Prepare:
    return lambda desk, patch, archive: desk.use(key, value)


def table(text: str) -> Prepare:
    return lambda desk, patch, archive: desk.configure(text)


def wrapper(
    change: Callable[[str, bytes], bytes | None] = lambda _, data: data,
    added: Mapping[str, bytes] | None = None,
) -> Prepare:
    """The real archive with something done to it."""

    def prepare(desk: Desk, patch: pytest.MonkeyPatch, archive: Path) -> None:
        rewritten(archive, desk.project / "classifier.pt2", change, added)
        desk.use("wrapper", "classifier.pt2")

    return prepare


def no_zip(desk: Desk, patch: pytest.MonkeyPatch, archive: Path) -> None:
    (desk.project / "classifier.pt2").write_bytes(b"no zip at all")
    desk.use("wrapper", "classifier.pt2")


def without(ending: str) -> Callable[[str, bytes], bytes | None]:
    return lambda name, data: None if name.endswith(ending) else data


def shorter_blob(name: str, data: bytes) -> bytes:
    return data[:-64] if name.endswith("_weights.blob") else data


def broken_source(name: str, data: bytes) -> bytes:
    return data + b"\nint broken = nonsense;\n" if name.endswith("wrapper.cpp") else data


def other_torch(desk: Desk, patch: pytest.MonkeyPatch, archive: Path) -> None:
    info = desk.temporary.parent / "other" / "torch-2.12.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.12.0\n")
    patch.syspath_prepend(str(info.parent))
    desk.use("program", "exports:program")


def zig_missing(desk: Desk, patch: pytest.MonkeyPatch, archive: Path) -> None:
    wrapper()(desk, patch, archive)
    patch.setitem(sys.modules, "ziglang", None)


def zig_of_another_machine(desk: Desk, patch: pytest.MonkeyPatch, archive: Path) -> None:
    wrapper()(desk, patch, archive)
    package = desk.temporary.parent / "other" / "ziglang"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    patch.delitem(sys.modules, "ziglang", raising=False)
    patch.syspath_prepend(str(package.parent))


def damaged_after_the_link(desk: Desk, patch: pytest.MonkeyPatch, archive: Path) -> None:
    wrapper()(desk, patch, archive)

    def damage(*args: Any, **kwargs: Any) -> SealedDll:
        dll = link_model(*args, **kwargs)
        with dll.path.open("ab") as file:
            file.write(b"a signature, perhaps")
        return dll

    patch.setattr(assembly, "link_model", damage)


HOSTILE = "a member that is not safe to read"
CASES = {
    "no model": Case(table(""), "no model is configured", "tool.aotwin.models", "Add [tool."),
    "unknown key": Case(
        model("progam", "exports:program"),
        'unknown key tool.aotwin.models."demo.classifier".progam',
        "program",
        "Did you mean program?",
    ),
    "unknown config setting": Case(
        model("program", "exports:program"),
        "unknown config setting 'job'",
        "jobs",
        "Did you mean jobs?",
        {**WINDOWS, "job": "2"},
    ),
    "unknown target": Case(
        model("program", "exports:program"),
        "unknown target 'windows-arm64'",
        "windows-x86_64",
        "Did you mean windows",
        {"target": "windows-arm64"},
    ),
    "program that does not import": Case(
        model("program", "nowhere:program"),
        "'nowhere:program' does not import",
        "No module named 'nowhere'",
        "Correct the module",
    ),
    "program that is not there": Case(
        model("program", "exports:programm"),
        "exports has no attribute 'programm'",
        "'program'",
        "Correct `program`",
    ),
    "program that is not exported": Case(
        model("program", "exports:module"),
        "'exports:module' is a Cosine, no ExportedProgram",
        "torch.export.export",
        "Export the module",
    ),
    "program that fails to export": Case(
        model("program", "exports:fails"),
        "'exports:fails' fails to export",
        "exports.py:5",
        "Correct the function",
    ),
    "wrapper that is no zip": Case(no_zip, "is no zip archive", "zip", "Give the .pt2"),
    "archive without a wrapper": Case(
        wrapper(without("wrapper.cpp")), "holds no wrapper", "wrapper.cpp", "package_cpp_only"
    ),
    "wrapper without a blob": Case(
        wrapper(without("_weights.blob")),
        "not generated with a binary blob",
        "no classifier.wrapper_weights.blob",
        "package_constants_on_disk_format",
    ),
    "blob of the wrong size": Case(
        wrapper(shorter_blob), "has the wrong size", "4227392 bytes", "Generate both again"
    ),
    "member that climbs out": Case(
        wrapper(added={"../../evil.txt": b""}), HOSTILE, "climbs out", "generate the archive again"
    ),
    "member with an absolute name": Case(
        wrapper(added={"/evil.txt": b""}), HOSTILE, "absolute", "generate the archive again"
    ),
    "member with a drive letter": Case(
        wrapper(added={"C:/evil.txt": b""}), HOSTILE, "drive letter", "generate the archive again"
    ),
    "torch of another version": Case(
        other_torch,
        "torch 2.12.0 in the build environment has no sysroot",
        TOOLCHAIN.newest_torch,
        f"torch=={TOOLCHAIN.newest_torch}",
    ),
    "zig that is not installed": Case(
        zig_missing, "zig is missing", "ziglang is not installed", "pip install"
    ),
    "zig for another machine": Case(
        zig_of_another_machine, "zig is missing", "no program for this machine", "Reinstall ziglang"
    ),
    "code that does not compile": Case(
        wrapper(broken_source),
        "zig failed while compiling the wrapper",
        "error: use of undeclared identifier 'nonsense'",
        "AOTWIN_KEEP_SOURCES",
    ),
    "DLL that was touched after the link": Case(
        damaged_after_the_link, "classifier.dll fails the check: ", "PE-OVERLAY", "Nothing was"
    ),
}


def message_of_hook(
    desk: Desk, settings: Mapping[str, str], capfd: pytest.CaptureFixture[str]
) -> Message:
    """Call the hook as a frontend does."""
    capfd.readouterr()
    with pytest.raises(SystemExit) as left:
        build_meta.build_wheel(str(desk.dist), dict(settings))
    assert left.value.code == 1
    return Message.parse(capfd.readouterr().err)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.usefixtures("warm_cache")
def test_the_hook_refuses_a(
    case: Case,
    desk: Desk,
    ready_wrapper: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    case.prepare(desk, monkeypatch, ready_wrapper)
    message = message_of_hook(desk, case.settings, capfd)
    assert case.fact in message.fact
    assert case.cause in message.cause
    assert case.next_step in message.next_step
    assert desk.left_behind() == []


def test_constants_packed_for_the_build_host_are_refused(
    desk: Desk, frozen_wrapper: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copyfile(frozen_wrapper, desk.project / "classifier.pt2")
    desk.use("wrapper", "classifier.pt2")
    message = message_of_hook(desk, WINDOWS, capfd)
    assert "constants are packed for the build host's CPU" in message.fact
    assert "oneDNN" in message.cause
    assert "freezing=False" in message.next_step
    assert desk.left_behind() == []


def offline(desk: Desk, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv("PIP_FIND_LINKS", "")
    patch.setenv("PIP_CONFIG_FILE", os.devnull)


def changed_wheel(desk: Desk, patch: pytest.MonkeyPatch) -> None:
    folder = desk.project.parent / "wheels"
    folder.mkdir()
    (folder / PINNED.torch.filename).write_bytes(b"another file")
    patch.setenv("AOTWIN_SYSROOT", str(folder))


def empty_folder(desk: Desk, patch: pytest.MonkeyPatch) -> None:
    folder = desk.project.parent / "wheels"
    folder.mkdir()
    patch.setenv("AOTWIN_SYSROOT", str(folder))


UNREACHABLE = {
    "cannot be reached": (
        offline,
        f"{PINNED.torch.requirement} for win_amd64 cannot be fetched",
        "ERROR",
        "AOTWIN_SYSROOT",
    ),
    "is not the pinned one": (
        changed_wheel,
        f"{PINNED.torch.filename} is not the pinned file",
        PINNED.torch.sha256,
        "fetch it again",
    ),
    "is not in the folder": (
        empty_folder,
        f"{PINNED.torch.filename} is not in",
        "AOTWIN_SYSROOT",
        "unset AOTWIN_SYSROOT",
    ),
}


@pytest.mark.parametrize(
    ("prepare", "fact", "cause", "next_step"), UNREACHABLE.values(), ids=UNREACHABLE
)
def test_a_build_stops_where_the_sysroot(
    prepare: Callable[[Desk, pytest.MonkeyPatch], None],
    fact: str,
    cause: str,
    next_step: str,
    desk: Desk,
    ready_wrapper: Path,
    linked_cache: LinkedCache,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    wrapper()(desk, monkeypatch, ready_wrapper)
    cache = linked_cache("cache", ("zig",))
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(cache))
    prepare(desk, monkeypatch)
    message = message_of_hook(desk, WINDOWS, capfd)
    assert fact in message.fact
    assert cause in message.cause
    assert next_step in message.next_step
    assert desk.left_behind() == []
    assert [path for path in (cache / "sysroots").iterdir() if path.suffix != ".lock"] == []


COMMANDS = {
    "archive that is no wrapper": (["build", "no.pt2", "-o", "out"], "'no.pt2' is no archive", 1),
    "program that is not there": (["build", "exports:programm", "-o", "out"], "'programm'", 1),
    "program that fails to export": (["build", "exports:fails", "-o", "out"], "fails to export", 1),
    "target that is unknown": (
        ["build", "exports:program", "-o", "out", "--target", "beos"],
        "unknown target 'beos'",
        1,
    ),
    "cpu that is unknown": (
        ["build", "exports:program", "-o", "out", "--cpu", "x86-64-v9"],
        "x86-64-v9",
        1,
    ),
    "source without a name": (["build", "1.pt2", "-o", "out"], "no package name", 2),
}


@pytest.mark.parametrize(("arguments", "fact", "code"), COMMANDS.values(), ids=COMMANDS)
@pytest.mark.usefixtures("warm_cache")
def test_the_command_line_refuses_a(
    arguments: list[str], fact: str, code: int, desk: Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    (desk.project / "no.pt2").write_bytes(b"no zip")
    assert cli.main(arguments) == code
    said = capfd.readouterr()
    assert said.out == ""
    assert fact in Message.parse(said.err).fact
    assert not (desk.project / "out").exists()
    assert desk.left_behind() == []


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="no command"),
        pytest.param(["build"], id="no source"),
        pytest.param(["biuld", "x"], id="unknown command"),
        pytest.param(["build", "x", "-o", "o", "--check", "some"], id="unknown choice"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert "usage: aotwin" in said.err


HOOK = """\
import resource, sys
from aotwin import build_meta
limit = int(sys.argv[2])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
build_meta.build_wheel(sys.argv[1], {"target": "windows"})
"""


def hook_command(desk: Desk, limit: int = 0) -> tuple[list[str], dict[str, str]]:
    """The hook in a process of its own, whose files may not become larger than a limit."""
    command = [sys.executable, "-W", "error", "-c", HOOK, str(desk.dist), str(limit)]
    folders = [str(REPO / "plugin"), os.environ.get("PYTHONPATH", "")]
    return command, os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, folders))}


@pytest.mark.parametrize(
    "room",
    # The weights go straight into the wheel.
    [pytest.param(-(1 << 20), id="blob"), pytest.param(4096, id="wheel")],
)
@pytest.mark.usefixtures("warm_cache")
def test_without_room_for_the(
    room: int,
    desk: Desk,
    ready_wrapper: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A limit on the size of files stands in for a full disk: every user may set one."""
    wrapper()(desk, monkeypatch, ready_wrapper)
    with zipfile.ZipFile(ready_wrapper) as archive:
        (nbytes,) = [
            info.file_size for info in archive.infolist() if info.filename.endswith(".blob")
        ]
    command, environ = hook_command(desk, nbytes + room)
    result = subprocess.run(
        command, env=environ, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert result.returncode == 1, result.stderr
    message = Message.parse(result.stderr)
    wheel = desk.dist / "demo-1.0-py3-none-win_amd64.whl"
    assert f"{wheel} becomes larger than the disk or a limit allows" in message.fact
    assert "disk" in message.next_step
    assert desk.left_behind() == []
