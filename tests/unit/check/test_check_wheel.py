"""A wheel passes as it was packed; hostile and damaged archives are findings, never crashes."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_folder import (
    HOME,
    INFO,
    WHEEL,
    build_files,
    record_of,
    wheel_members,
    write_wheel,
    zip_info,
)
from test_check_model import found, quick_reader

from aotwin.adapters.archives.untrusted_files import DamagedFileError, file_digest
from aotwin.adapters.archives.untrusted_zip import ZipFiles
from aotwin.stages.check.paths import check_path
from aotwin.stages.check.rules import ARCHIVE_RULES, INPUT_RULES, WHEEL_RULES
from aotwin.stages.pack.sbom import SBOM_PATH

__all__ = ["quick_reader"]

DLL = f"{HOME}classifier.dll"
BLOB = f"{HOME}classifier_weights.blob"


@pytest.mark.parametrize("full", [False, True], ids=["default", "full"])
def test_a_wheel_as_it_was_packed_passes(tmp_path: Path, full: bool) -> None:
    assert check_path(write_wheel(tmp_path, wheel_members()), None, full=full).findings == ()


def without(name: str) -> dict[str, bytes]:
    return {key: value for key, value in wheel_members().items() if key != name}


def replaced(name: str, old: bytes, new: bytes) -> dict[str, bytes]:
    members = wheel_members()
    assert old in members[name]
    return {**members, name: members[name].replace(old, new)}


def record_with(change: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    members = wheel_members()
    return lambda folder: write_wheel(folder, members, record=change(record_of(members)))


def wheel_of(members: Callable[[], dict[str, bytes]], **options: str) -> Callable[[Path], Path]:
    return lambda folder: write_wheel(folder, members(), **options)  # type: ignore[arg-type]


def added(*infos: zipfile.ZipInfo, content: bytes = b"x") -> Callable[[Path], Path]:
    """A sound wheel with members added behind RECORD."""

    def make(folder: Path) -> Path:
        path = write_wheel(folder, wheel_members())
        with zipfile.ZipFile(path, "a") as archive:
            for info in infos:
                archive.writestr(info, content)
        return path

    return make


def with_bytes(change: Callable[[bytearray], None]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = write_wheel(folder, wheel_members())
        data = bytearray(path.read_bytes())
        change(data)
        path.write_bytes(data)
        return path

    return make


def local_name(data: bytearray) -> None:
    """Another name in the first local header than in the directory."""
    place = data.index(b"demo/classifier/__init__.py")
    data[place] = ord("e")


def in_front(data: bytearray) -> None:
    """A program in front of the archive, its offsets moved along, as in self-extracting files."""
    stub = b"MZ" * 8
    end = data.rindex(b"PK\5\6")
    (start,) = struct.unpack_from("<I", data, end + 16)
    struct.pack_into("<I", data, end + 16, start + len(stub))
    position = start
    while data[position : position + 4] == b"PK\1\2":
        (offset,) = struct.unpack_from("<I", data, position + 42)
        struct.pack_into("<I", data, position + 42, offset + len(stub))
        name, extra, comment = struct.unpack_from("<HHH", data, position + 28)
        position += 46 + name + extra + comment
    data[:0] = stub


def bomb(folder: Path) -> Path:
    members = {**wheel_members(), "demo/zeros.bin": bytes(8 << 20)}
    path = folder / WHEEL
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**members, f"{INFO}/RECORD": record_of(members)}.items():
            method = zipfile.ZIP_DEFLATED if name.endswith("bin") else zipfile.ZIP_STORED
            archive.writestr(zip_info(name, method), content)
    return path


#: rules that must be broken, case, the wheel
BROKEN: list[tuple[set[str], str, Callable[[Path], Path]]] = [
    ({"ZIP-READ"}, "cut-off", with_bytes(lambda data: data.__delitem__(slice(-30, None)))),
    ({"ZIP-READ"}, "appended", with_bytes(lambda data: data.extend(b"more"))),
    ({"ZIP-READ"}, "empty", with_bytes(lambda data: data.clear())),
    ({"ZIP-LAYOUT"}, "two-names", with_bytes(local_name)),
    ({"ZIP-LAYOUT"}, "stub-in-front", with_bytes(in_front)),
    ({"ZIP-NAME", "WHEEL-RECORD"}, "climbing", added(zip_info("../../evil.py"))),
    ({"ZIP-NAME", "WHEEL-RECORD"}, "absolute", added(zip_info("/etc/evil"))),
    ({"ZIP-NAME", "WHEEL-RECORD"}, "drive", added(zip_info("C:evil.py"))),
    ({"ZIP-NAME", "WHEEL-RECORD"}, "device", added(zip_info("demo/NUL.py"))),
    ({"ZIP-NAME", "WHEEL-RECORD"}, "case", added(zip_info("Demo/other.py"))),
    ({"ZIP-KIND"}, "symlink", added(zip_info("demo/link", mode=0o120777))),
    ({"ZIP-BOMB", "WHEEL-RECORD"}, "bomb", bomb),
    ({"WHEEL-NAME"}, "other-project", wheel_of(
        wheel_members, name="another-1.0-py3-none-win_amd64.whl"
    )),
    ({"WHEEL-NAME"}, "other-metadata", wheel_of(
        lambda: replaced(f"{INFO}/METADATA", b"1.0\n", b"1.1\n")
    )),
    ({"WHEEL-NAME"}, "no-metadata", wheel_of(lambda: without(f"{INFO}/METADATA"))),
    ({"WHEEL-TAG"}, "pure", wheel_of(lambda: replaced(f"{INFO}/WHEEL", b"false", b"true"))),
    ({"WHEEL-TAG"}, "any", wheel_of(lambda: replaced(f"{INFO}/WHEEL", b"win_amd64", b"any"))),
    ({"WHEEL-TAG"}, "file-name", wheel_of(
        wheel_members, name="demo_project-1.0-py3-none-any.whl"
    )),
    ({"WHEEL-RECORD"}, "missing-row", record_with(
        lambda record: record[record.index(b"\n") + 1 :]
    )),
    ({"WHEEL-RECORD"}, "twice", record_with(
        lambda record: record + record[: record.index(b"\n") + 1]
    )),
    ({"WHEEL-RECORD"}, "no-member", record_with(lambda record: record + b"demo/gone.py,,\n")),
    ({"WHEEL-RECORD"}, "wrong-digest", record_with(
        lambda record: record.replace(b"sha256=", b"sha256=A", 1)
    )),
    ({"WHEEL-RECORD"}, "no-csv", record_with(lambda record: b"\0\xff")),
    ({"WHEEL-STORED"}, "deflated", lambda folder: write_wheel(
        folder, wheel_members(), deflated=True
    )),
    ({"WHEEL-SBOM"}, "none", wheel_of(lambda: without(f"{INFO}/{SBOM_PATH}"))),
    ({"WHEEL-SBOM"}, "no-json", wheel_of(
        lambda: {**wheel_members(), f"{INFO}/{SBOM_PATH}": b"[" * 100_000}
    )),
    ({"WHEEL-SBOM"}, "other-build", wheel_of(lambda: replaced(
        f"{INFO}/{SBOM_PATH}", b'"content": "', b'"content": "0'
    ))),
    ({"INPUT-MODEL", "WHEEL-SBOM"}, "no-model", wheel_of(lambda: {
        name: content for name, content in wheel_members().items()
        if name.startswith(INFO) and not name.endswith("cdx.json")
    })),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "make"),
    [
        pytest.param(rules, make, id=f"{min(rules)}-{case}" if len(rules) == 1 else case)
        for rules, case, make in BROKEN
    ],
)
def test_a_wheel_breaks_the_rules_that_it_was_made_to_break(
    tmp_path: Path, rules: set[str], make: Callable[[Path], Path]
) -> None:
    assert found(check_path(make(tmp_path), None)) == rules


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_found(tmp_path: Path) -> None:
    path = added(zip_info(f"{HOME}__init__.py"))(tmp_path)
    report = check_path(path, None)
    assert found(report) == {"ZIP-NAME"}
    assert report.findings[0].message == "a member is there twice"


def test_every_rule_on_archives_and_wheels_is_broken_by_some_test() -> None:
    rules = {*ARCHIVE_RULES, *WHEEL_RULES, INPUT_RULES[1]}
    assert set().union(*(rules for rules, _, _ in BROKEN)) == {rule.id for rule in rules}


def test_a_dll_in_a_wheel_is_checked_like_one_on_disk(tmp_path: Path) -> None:
    files = build_files()
    members = wheel_members(files)
    members[DLL] = files["classifier.dll"][:-1] + b"\1"
    report = check_path(write_wheel(tmp_path, members), None)
    assert found(report) == {"PE-SEAL", "PE-CHECKSUM"}
    assert {finding.where.partition(":")[0] for finding in report.findings} == {DLL}


def test_the_full_check_hashes_the_blob_in_a_wheel(tmp_path: Path) -> None:
    members = wheel_members()
    blob = bytearray(members[BLOB])
    blob[0] ^= 1
    path = write_wheel(tmp_path, {**members, BLOB: bytes(blob)})
    assert check_path(path, None)
    assert found(check_path(path, None, full=True)) == {"MODEL-BLOB-DIGEST"}


def test_a_pt2_is_checked_with_and_without_a_manifest(tmp_path: Path) -> None:
    files = build_files()
    home = "model/data/aotinductor/model/"
    members = {
        "classifier.wrapper.pyd": files["classifier.dll"],
        "classifier.wrapper_metadata.json": b"{}",
        "classifier_weights.blob": files["classifier_weights.blob"],
    }

    def write(parts: dict[str, bytes]) -> Path:
        path = tmp_path / "model.pt2"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in parts.items():
                archive.writestr(zip_info(home + name), content)
        return path

    assert check_path(write(members), None, full=True)
    blob = bytearray(members["classifier_weights.blob"])
    blob[-1] ^= 1
    wrong = {**members, "classifier_weights.blob": bytes(blob)}
    assert found(check_path(write(wrong), None)) == {"MODEL-BLOB-TRAILER"}
    assert found(check_path(write({"version": b"3"}), None)) == {"INPUT-MODEL"}


def test_the_directory_is_read_as_zipfile_reads_it(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, wheel_members(), deflated=True)
    files = ZipFiles(path)
    with zipfile.ZipFile(path) as archive:
        assert [entry.name for entry in files.entries] == archive.namelist()
        for name in files.names():
            assert b"".join(files.chunks(name)) == archive.read(name)
            assert b"".join(files.chunks(name, 7)) == archive.read(name)[7:]
    assert files.ambiguities == ()


def test_an_archive_with_zip64_sizes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "wide.zip"
    with (
        zipfile.ZipFile(path, "w") as archive,
        archive.open(zip_info("a"), "w", force_zip64=True) as sink,
    ):
        sink.write(b"content")
    data = path.read_bytes()
    end = data.rindex(b"PK\5\6")
    count, nbytes, start = (struct.unpack_from(f, data, end + at)[0] for f, at in (
        ("<H", 10), ("<I", 12), ("<I", 16),
    ))  # fmt: skip
    wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, nbytes, start)
    wide += struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    last = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(data[:end] + wide + last)
    files = ZipFiles(path)
    assert (files.ambiguities, b"".join(files.chunks("a"))) == ((), b"content")


def sound_bytes() -> bytes:
    buffer = io.BytesIO()
    members = {"a.py": b"a" * 300, "d/b.txt": bytes(range(256)), "c": b""}
    with zipfile.ZipFile(buffer, "w") as archive:
        for index, (name, content) in enumerate(members.items()):
            archive.writestr(zip_info(name, zipfile.ZIP_DEFLATED if index else 0), content)
    return buffer.getvalue()


SOUND = sound_bytes()


@settings(
    max_examples=400, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(SOUND) - 1), st.binary(min_size=1, max_size=4)),
        min_size=1, max_size=3,
    ),
    length=st.one_of(st.just(len(SOUND)), st.integers(0, len(SOUND))),
)  # fmt: skip
def test_an_archive_of_any_bytes_is_read_or_refused(
    tmp_path: Path, changes: list[tuple[int, bytes]], length: int
) -> None:
    data = bytearray(SOUND)
    for place, piece in changes:
        data[place : place + len(piece)] = piece[: len(data) - place]
    path = tmp_path / WHEEL
    path.write_bytes(data[:length])
    try:
        files = ZipFiles(path)
        for name in files.names():
            file_digest(files, name)
    except DamagedFileError:
        pass
    assert not check_path(path, None)
