"""The wheel writer and what it stands on: names, files that are whole or not there."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from installer.sources import WheelFile

from aotwin.adapters.archives.draft import Draft
from aotwin.adapters.archives.members import Member
from aotwin.adapters.archives.wheel_zip import check_names, write_wheel
from aotwin.adapters.storage.files import replacing
from aotwin.errors import AotwinError, CheckError, StorageError
from aotwin.portable_names import MAX_PATH_UNITS, first_clash, name_problem, path_problem
from aotwin.progress import Step
from aotwin.reproducible import DEFAULT_EPOCH

INFO = "demo-1.0.dist-info"
DESCRIPTION = [
    Member.from_bytes(f"{INFO}/METADATA", b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"),
    Member.from_bytes(f"{INFO}/WHEEL", b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\n"),
]


def write(path: Path, *members: Member, epoch: int = DEFAULT_EPOCH) -> bytes:
    write_wheel(path, [*members, *DESCRIPTION], dist_info=INFO, epoch=epoch)
    return path.read_bytes()


def wheel(folder: Path) -> Path:
    return folder / "demo-1.0-py3-none-win_amd64.whl"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


PART = st.text(st.sampled_from("abcXYZ019_-é漢 ."), min_size=1, max_size=8)
PATHS = st.lists(PART, min_size=1, max_size=3).map("/".join)
FILES = st.dictionaries(
    PATHS, st.tuples(st.binary(max_size=3000), st.booleans(), st.booleans()), max_size=6
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(files=FILES)
@example(files={"a,b": (b"", True, True), "a b": (b"x", False, False)})
def test_what_is_written_is_read_back_by_another_reader(
    tmp_path: Path, files: dict[str, tuple[bytes, bool, bool]]
) -> None:
    members = [
        replace(
            Member.from_bytes(name, data, stored=stored, sha256=sha256(data)), executable=executable
        )
        for name, (data, stored, executable) in files.items()
    ]
    names = [member.name for member in members]
    if any(map(path_problem, names)) or first_clash(names):
        with pytest.raises(CheckError):
            write(wheel(tmp_path), *members)
        return
    content = write(wheel(tmp_path), *members)
    with WheelFile.open(wheel(tmp_path)) as source:
        source.validate_record(validate_contents=True)
        found = {row[0]: stream.read() for row, stream, _ in source.get_contents()}
    assert {name: data for name, data in found.items() if not name.startswith(INFO)} == {
        name: data for name, (data, _, _) in files.items()
    }
    assert write(wheel(tmp_path), *reversed(members)) == content


def test_members_are_sorted_and_record_is_last(tmp_path: Path) -> None:
    write(wheel(tmp_path), *(Member.from_bytes(name, b"") for name in ("z.py", "a/b.py", "A.py")))
    names = zipfile.ZipFile(wheel(tmp_path)).namelist()
    assert names == [
        "A.py",
        "a/b.py",
        "z.py",
        f"{INFO}/METADATA",
        f"{INFO}/WHEEL",
        f"{INFO}/RECORD",
    ]


def test_modes_times_and_methods_are_what_was_asked_for(tmp_path: Path) -> None:
    run = Member("run", lambda: io.BytesIO(b"#!"), 2, executable=True)
    blob = Member.from_bytes("w.blob", bytes(1000), stored=True)
    write(wheel(tmp_path), run, blob, Member.from_bytes("m.py", b"1"), epoch=1_700_000_001)
    infos = {info.filename: info for info in zipfile.ZipFile(wheel(tmp_path)).infolist()}
    assert {oct(info.external_attr >> 16) for name, info in infos.items() if name != "run"} == {
        "0o100644"
    }
    assert oct(infos["run"].external_attr >> 16) == "0o100755"
    assert {info.create_system for info in infos.values()} == {3}
    assert {info.date_time for info in infos.values()} == {(2023, 11, 14, 22, 13, 20)}
    assert infos["w.blob"].compress_type == zipfile.ZIP_STORED
    assert infos["w.blob"].compress_size == 1000
    assert infos["m.py"].compress_type == zipfile.ZIP_DEFLATED


class Zeros(io.RawIOBase):
    """A stream of zeros that counts the largest piece it was asked for."""

    largest = 0

    def __init__(self, nbytes: int) -> None:
        self.left = nbytes

    def read(self, size: int = -1) -> bytes:
        Zeros.largest = max(Zeros.largest, size if size >= 0 else self.left)
        size = min(size if size >= 0 else self.left, self.left)
        self.left -= size
        return bytes(size)


def test_a_large_member_is_streamed(tmp_path: Path) -> None:
    def opened() -> IO[bytes]:
        return Zeros(9 << 20)  # type: ignore[return-value]

    write(wheel(tmp_path), Member("w.blob", opened, 9 << 20, stored=True))
    assert Zeros.largest <= 4 << 20
    assert zipfile.ZipFile(wheel(tmp_path)).getinfo("w.blob").file_size == 9 << 20


def test_a_member_past_the_limit_gets_zip64(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The limit is lowered to what a test can write; the header must have been chosen beforehand.
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1 << 16)
    content = write(wheel(tmp_path), Member.from_bytes("w.blob", bytes(1 << 17), stored=True))
    (extra_length,) = struct.unpack_from("<H", content, 28)
    extra = content[30 + len("w.blob") :][:extra_length]
    assert struct.unpack("<HHQQ", extra) == (1, 16, 1 << 17, 1 << 17)
    assert zipfile.ZipFile(wheel(tmp_path)).testzip() is None


def test_a_stage_hears_how_much_is_packed_and_read_again(tmp_path: Path) -> None:
    step, content = Step("pack"), b"x" * 1000
    members = [
        Member.from_bytes("a", b"12345"),
        Member.from_bytes("sealed", content, sha256=sha256(content)),
    ]
    write_wheel(
        tmp_path / "w.whl", members, dist_info="d-1.dist-info", epoch=DEFAULT_EPOCH, step=step
    )
    assert (step.done, step.total, step.unit) == (2005, 2005, "bytes")


@contextmanager
def drafted(folder: Path) -> Iterator[Draft]:
    """A wheel that is begun in a file beside the later one."""
    path = folder / "draft"
    draft = Draft(path.open("x+b"), path, DEFAULT_EPOCH)
    try:
        yield draft
    finally:
        draft.close()


def test_a_wheel_may_be_begun_with_what_is_large(tmp_path: Path) -> None:
    weights = {"m/a.blob": bytes(range(256)) * 9000, "z.blob": b"little"}
    rest = [Member.from_bytes("m/m.dll", b"dll", stored=True, sha256=sha256(b"dll"))]
    with drafted(tmp_path) as draft:
        for name, content in weights.items():
            with draft.member(name, len(content)) as take:
                take(content[:5])
                take(memoryview(content)[5:])
            draft.list(name, sha256(content), len(content))
        write_wheel(
            wheel(tmp_path),
            [*DESCRIPTION, *rest],
            dist_info=INFO,
            epoch=DEFAULT_EPOCH,
            draft=draft,
        )
        assert draft.sha256() == sha256(wheel(tmp_path).read_bytes())
    assert list(tmp_path.iterdir()) == [wheel(tmp_path)]
    archive = zipfile.ZipFile(wheel(tmp_path))
    names = ["m/a.blob", "z.blob", "m/m.dll", *(f"{INFO}/{x}" for x in ("METADATA", "WHEEL"))]
    assert archive.namelist() == [*names, f"{INFO}/RECORD"]
    assert {name: archive.read(name) for name in weights} == weights
    assert archive.getinfo("m/a.blob").compress_type == zipfile.ZIP_STORED
    with WheelFile.open(wheel(tmp_path)) as source:
        source.validate_record()
    rows = [line.partition(",")[0] for line in archive.read(f"{INFO}/RECORD").decode().split()]
    assert rows == ["m/a.blob", "m/m.dll", "z.blob", *names[3:], f"{INFO}/RECORD"]


def test_what_a_wheel_was_begun_with_clashes_with_the_rest_by_name(tmp_path: Path) -> None:
    with drafted(tmp_path) as draft, pytest.raises(CheckError, match="only one"):
        with draft.member("m/A.blob", 1) as take:
            take(b"x")
        draft.list("m/A.blob", sha256(b"x"), 1)
        write_wheel(
            wheel(tmp_path),
            [Member.from_bytes("m/a.blob", b"y"), *DESCRIPTION],
            dist_info=INFO,
            epoch=DEFAULT_EPOCH,
            draft=draft,
        )
    assert not wheel(tmp_path).exists()


def test_a_wheel_that_was_begun_and_never_finished_is_let_go_of(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="no weights"),
        drafted(tmp_path) as draft,
        draft.member("m/a.blob", 100) as take,
    ):
        take(b"x")
        raise RuntimeError("no weights")
    assert draft.file.closed


@pytest.mark.parametrize("declared", [9, 11], ids=["grew", "shrank"])
def test_a_source_that_changed_meanwhile_stops_the_wheel(tmp_path: Path, declared: int) -> None:
    with pytest.raises(StorageError, match=r"m\.py changed while it was packed"):
        write(wheel(tmp_path), Member("m.py", lambda: io.BytesIO(bytes(10)), declared))
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_are_not_the_sealed_ones_stop_the_wheel(tmp_path: Path) -> None:
    sealed = sha256(b"checked")
    with pytest.raises(CheckError, match=sealed):
        write(wheel(tmp_path), Member.from_bytes("m.dll", b"changed", stored=True, sha256=sealed))
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_wheel_that_was_there(tmp_path: Path) -> None:
    before = write(wheel(tmp_path), Member.from_bytes("m.py", b"1"))
    with pytest.raises(CheckError):
        write(wheel(tmp_path), Member.from_bytes("m.py", b"2", sha256=sha256(b"3")))
    assert list(tmp_path.iterdir()) == [wheel(tmp_path)]
    assert wheel(tmp_path).read_bytes() == before


@pytest.mark.parametrize(
    ("names", "cause"),
    [
        pytest.param(["a.py", "a.py"], "both have one path", id="twice the same"),
        pytest.param(["a.py", "A.py"], "differ by case", id="the same but for case"),
        pytest.param(["é.py", "É.py"], "differ by case", id="case beyond ASCII"),
        pytest.param(["Demo/a.py", "demo/b.py"], "differ by case", id="folders but for case"),
        pytest.param(["demo", "demo/a.py"], "clash", id="a file that is a folder"),
        pytest.param(["demo/a.py", "demo"], "clash", id="a folder that is a file"),
        pytest.param(["DEMO", "demo/a.py"], "clash", id="a file that is a folder but for case"),
        pytest.param([f"{INFO}/RECORD"], "both have one path", id="a second RECORD"),
        pytest.param(["NUL"], "device", id="NUL"),
        pytest.param(["a/aux.py"], "device", id="aux.py"),
        pytest.param(["Com1.tar.gz"], "device", id="Com1.tar.gz"),
        pytest.param(["lpt¹"], "device", id="a superscript port"),
        pytest.param(["con .txt"], "device", id="a device before a blank"),
        pytest.param(["CONOUT$"], "device", id="the console"),
        pytest.param(["a."], "dot or a blank", id="a dot at the end"),
        pytest.param(["a /b"], "dot or a blank", id="a blank at the end"),
        pytest.param(["/a"], "absolute", id="absolute"),
        pytest.param(["../a"], "no name", id="climbs out"),
        pytest.param(["a/./b"], "no name", id="a dot"),
        pytest.param(["a//b"], "no name", id="nothing between slashes"),
        pytest.param(["a/"], "no name", id="a folder"),
        pytest.param(["C:/a"], "':'", id="a drive"),
        pytest.param(["a\\b"], "does not allow", id="a backslash"),
        pytest.param(["a\nb"], "does not allow", id="a control character"),
        pytest.param(["a\ud800"], "does not allow", id="half a character"),
        pytest.param(["x" * (MAX_PATH_UNITS + 1)], "180 characters", id="too long"),
        pytest.param(["𝔘" * 90], "180 characters", id="too long in UTF-16"),
        pytest.param(["y" * 256], "longer than 255", id="a part too long"),
    ],
)
def test_names_that_windows_cannot_have_stop_the_wheel(
    tmp_path: Path, names: list[str], cause: str
) -> None:
    with pytest.raises(CheckError) as caught:
        write(wheel(tmp_path), *(Member.from_bytes(name, b"") for name in names))
    assert cause in caught.value.cause
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["strasse.py", "straße.py"], id="a letter without a capital"),
        pytest.param(["console.py", "auxiliary.py", "com10.py", "nul_.py"], id="nearly a device"),
        pytest.param(["a/b", "a/c", "ab", "b/a"], id="folders shared"),
        pytest.param([".hidden", "a..b"], id="dots elsewhere"),
        pytest.param(["x" * MAX_PATH_UNITS], id="as long as can be"),
    ],
)
def test_names_that_windows_can_have_pass(names: list[str]) -> None:
    check_names(names)
    assert not any(name_problem(part) for name in names for part in name.split("/"))


def test_replacing_gives_the_name_at_the_end_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    with replacing(path) as file:
        file.write(b"1")
        assert not path.exists()
    assert path.read_bytes() == b"1"
    assert list(path.parent.iterdir()) == [path]


def test_replacing_obeys_the_umask_as_any_new_file_does(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "file"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("raised", "expected", "message"),
    [
        pytest.param(KeyboardInterrupt(), KeyboardInterrupt, None, id="Ctrl-C"),
        pytest.param(AotwinError("mine"), AotwinError, "mine", id="an error of ours"),
        pytest.param(
            OSError(errno.ENOSPC, "No space left on device"),
            StorageError,
            "the disk is full",
            id="a full disk",
        ),
        pytest.param(
            OSError(errno.EDQUOT, "Disk quota exceeded"),
            StorageError,
            "the disk is full",
            id="a full quota",
        ),
        pytest.param(
            PermissionError(errno.EACCES, "Permission denied"),
            StorageError,
            "cannot be written",
            id="a file that may not be written",
        ),
    ],
)
def test_replacing_cleans_up_after(
    tmp_path: Path, raised: BaseException, expected: type[BaseException], message: str | None
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with pytest.raises(expected, match=message), replacing(path) as file:
        file.write(b"half")
        raise raised
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"before"


def test_a_really_full_disk_is_called_so(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match="the disk is full"),
        replacing(tmp_path / "file"),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_error_of_the_family(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"), replacing(tmp_path / "file" / "x"):
        pass
