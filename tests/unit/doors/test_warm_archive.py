"""Archives of `aotwin toolchain export`: what is in them, and which are refused."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aotwin import cli
from aotwin.errors import AotwinError
from aotwin.toolchain_archive import unpack, write_archive

HERE = {"aotwin": "1", "target": "windows-x86_64", "zig": "0.17.1", "cache": "/home/me/.cache"}
ZIG = f"zig/o/{'0' * 32}/c++.lib"
LIST = f"zig/h/{'1' * 32}"
OURS = f"runtime/aotwin-{'2' * 24}/aotwin.dll"
SHARED = f"objects/{'3' * 32}/model.obj"
MEMBERS = (ZIG, LIST, OURS, SHARED)
Rows = list[tuple[tarfile.TarInfo, bytes]]


def made(folder: Path, made_for: dict[str, str] = HERE) -> Path:
    """A sound archive."""
    folder.mkdir(exist_ok=True)
    source = folder / "source"
    source.write_bytes(b"content")
    with (folder / "a.tar.xz").open("wb") as file:
        write_archive(file, dict.fromkeys(MEMBERS, source), made_for)
    return folder / "a.tar.xz"


def again(path: Path, change: Callable[[Rows], Rows]) -> Path:
    """The archive with other members."""
    with tarfile.open(path) as archive:
        rows = [
            (info, content.read() if (content := archive.extractfile(info)) else b"")
            for info in archive
        ]
    with tarfile.open(path, "w:xz") as archive:
        for info, content in change(rows):
            archive.addfile(info, io.BytesIO(content))
    return path


def with_list(change: Callable[[dict[str, Any]], object]) -> Callable[[Rows], Rows]:
    def changed(rows: Rows) -> Rows:
        tree = json.loads(rows[0][1])
        change(tree)
        text = json.dumps(tree).encode()
        rows[0][0].size = len(text)
        return [(rows[0][0], text), *rows[1:]]

    return changed


def renamed(rows: Rows) -> Rows:
    rows[1][0].name = "../../evil"
    return rows


def linked(rows: Rows) -> Rows:
    link = tarfile.TarInfo(rows[1][0].name)
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return [rows[0], (link, b""), *rows[2:]]


def test_what_is_exported_is_laid_out_and_is_the_same_file_each_time(tmp_path: Path) -> None:
    first, second = made(tmp_path / "1"), made(tmp_path / "2")
    assert first.read_bytes() == second.read_bytes()
    (tmp_path / "out").mkdir()
    assert unpack(first, tmp_path / "out", HERE) == sorted(MEMBERS)
    for name in MEMBERS:
        assert (tmp_path / "out" / name).read_bytes() == b"content"


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: [],
        lambda rows: rows[1:],
        lambda rows: rows[:-1],
        lambda rows: [*rows, rows[1]],
        lambda rows: [rows[0], (rows[1][0], b"changed"), *rows[2:]],
        renamed,
        linked,
        with_list(lambda tree: tree.update(version=9)),
        with_list(lambda tree: tree["files"].update({"../x": tree["files"][ZIG]})),
        with_list(lambda tree: tree["files"].update({"zig/h/../../x": tree["files"][ZIG]})),
        with_list(lambda tree: tree["files"].update({"objects/../model.obj": tree["files"][ZIG]})),
        with_list(lambda tree: tree["files"][SHARED].update(sha256="0" * 64)),
        with_list(lambda tree: tree["files"][ZIG].update(nbytes=1 << 40)),
        with_list(lambda tree: tree["files"][ZIG].update(nbytes=-5)),
        with_list(lambda tree: tree["files"][ZIG].update(sha256="0" * 64)),
        with_list(lambda tree: tree.update(files=[])),
        with_list(lambda tree: tree.pop("made_for")),
    ],
)
def test_an_archive_that_is_not_as_its_list_says_is_refused(
    tmp_path: Path, change: Callable[[Rows], Rows]
) -> None:
    path = again(made(tmp_path / "made"), change)
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(AotwinError, match="is no sound archive"):
        unpack(path, out, HERE)
    assert not (tmp_path / "evil").exists() and not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:200], lambda data: b"P" + data]
)
def test_a_damaged_file_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = made(tmp_path / "made")
    path.write_bytes(damage(path.read_bytes()))
    (tmp_path / "out").mkdir()
    with pytest.raises(AotwinError, match="is no sound archive"):
        unpack(path, tmp_path / "out", HERE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import", "missing.tar.xz"], "is no sound archive"),
        (["import", "a.tar.xz", "--sha256", "0" * 64], "its sha256 is"),
        (["export", "missing/a.tar.xz"], "there is no folder"),
    ],
)
def test_what_is_typed_wrong_is_said_at_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    made(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["toolchain", *arguments]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("zig", "another zig"),
        ("cache", "Set AOTWIN_CACHE_DIR=/elsewhere"),
        ("aotwin", "another aotwin"),
    ],
)
def test_an_archive_for_another_machine_says_what_differs(
    tmp_path: Path, key: str, said: str
) -> None:
    path = made(tmp_path / "made", HERE | {key: "/elsewhere"})
    (tmp_path / "out").mkdir()
    with pytest.raises(AotwinError, match=said):
        unpack(path, tmp_path / "out", HERE)
