"""A sysroot is made of pinned wheels: how they are asked for, what is taken, what is refused."""

from __future__ import annotations

import dataclasses
import hashlib
import zipfile
from pathlib import Path

import pytest

from aotwin.adapters.tools import index
from aotwin.adapters.tools.index import download_command, fetch, offline_folder, verify
from aotwin.adapters.tools.zig import Zig
from aotwin.errors import SysrootError
from aotwin.stages.link.sysroot import (
    import_library_command,
    installed_sysroots,
    prepare_sysroot,
    without_directives,
)
from aotwin.target.toolchain import PinnedFile, load_toolchain

TOOLCHAIN = load_toolchain("windows")
PIN = TOOLCHAIN.sysroot(TOOLCHAIN.newest_torch)


def test_pip_is_asked_for_one_wheel_of_the_target() -> None:
    command = download_command("/python", PIN.torch, Path("/to"))
    assert command[:4] == ["/python", "-m", "pip", "download"]
    assert command[-3:] == ["--dest", "/to", PIN.torch.requirement]
    assert "--no-deps" in command
    assert command[command.index("--platform") + 1] == "win_amd64"


@pytest.mark.parametrize(
    ("triple", "machine"),
    [("x86_64-windows-gnu", "i386:x86-64"), ("aarch64-windows-gnu", "arm64")],
)
def test_import_libraries_are_made_for(triple: str, machine: str) -> None:
    command = import_library_command("a.def", "liba.a", triple)
    assert command == ["dlltool", "-m", machine, "-d", "a.def", "-l", "liba.a"]


def test_directives_are_blanked_and_no_offset_changes() -> None:
    library = (
        b'head/EXPORT:Sleef_sin,DATA /DEFAULTLIB:"MSVCRT" /alternatename:a=b\0/export:x\0'
        b"/DEFAULTLIB:unquoted tail"
    )
    found = without_directives(library)
    assert len(found) == len(library)
    assert b"Sleef_sin" not in found
    assert b"MSVCRT" not in found
    assert found.startswith(b"head ")
    assert found.endswith(b"/alternatename:a=b\0         \0/DEFAULTLIB:unquoted tail")
    assert without_directives(found) == found


def pinned(path: Path) -> PinnedFile:
    """The pin of torch, but for what another file is and hashes to."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return dataclasses.replace(PIN.torch, filename=path.name, sha256=digest)


def test_a_local_wheel_is_taken_where_it_is(tmp_path: Path) -> None:
    wheel = tmp_path / "torch.whl"
    wheel.write_bytes(b"a wheel")
    assert fetch(pinned(wheel), tmp_path / "unused", local=tmp_path) == wheel


def test_another_file_of_the_same_name_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "torch.whl"
    wheel.write_bytes(b"a wheel")
    expected = pinned(wheel)
    wheel.write_bytes(b"another")
    with pytest.raises(SysrootError, match=r"torch\.whl is not the pinned file") as error:
        verify(wheel, expected)
    assert expected.sha256 in error.value.cause


def test_a_local_folder_may_be_named_by_a_file_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.whl").touch()
    for chosen in (tmp_path, tmp_path / "torch.whl"):
        monkeypatch.setenv("AOTWIN_SYSROOT", str(chosen))
        assert offline_folder() == tmp_path
    monkeypatch.setenv("AOTWIN_SYSROOT", "")
    assert offline_folder() is None


def test_what_pip_says_is_the_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        index,
        "download_command",
        lambda *_: ["sh", "-c", "echo WARNING: slow >&2; echo 'ERROR: no such wheel' >&2; exit 1"],
    )
    with pytest.raises(SysrootError, match="cannot be fetched") as error:
        fetch(PIN.torch, tmp_path)
    assert error.value.cause == "ERROR: no such wheel"


def test_a_wheel_of_another_layout_leaves_no_sysroot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Members that climb out are never written, whatever the pin says."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in ("torch.whl", "openmp.whl"):
        with zipfile.ZipFile(wheels / name, "w") as archive:
            archive.writestr("torch/include/../../../escaped.h", b"")
            archive.writestr("elsewhere/file.h", b"")
    pin = dataclasses.replace(
        PIN, torch=pinned(wheels / "torch.whl"), openmp=pinned(wheels / "openmp.whl")
    )
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("AOTWIN_SYSROOT", str(wheels))
    zig = Zig(tmp_path / "zig", "0.17.1", tmp_path, tmp_path)
    said: list[str] = []
    with pytest.raises(SysrootError, match="holds none of the expected headers"):
        prepare_sysroot(TOOLCHAIN, pin, zig, remark=said.append)
    assert len(said) == 1
    assert "once for this machine" in said[0]
    assert not list(tmp_path.rglob("escaped.h"))
    left = [path for path in (tmp_path / "cache" / "sysroots").iterdir() if path.suffix != ".lock"]
    assert left == []
    assert installed_sysroots(TOOLCHAIN) == {}
