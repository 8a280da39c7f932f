"""`check_dll` on files that are there, are not there, or are no files."""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from pe_image import build_image

from aotwin.stages.check.dll import check_dll, check_dll_bytes
from aotwin.stages.check.rules.policy import load_policy

POLICY = load_policy("windows-x86_64")
SOUND = build_image(sorted(POLICY.exports.required)).finish()
SYSROOT = {"TORCH_CPU.dll": frozenset({"aoti_torch_delete_tensor_object", "aoti_torch_get_dim"})}


def test_a_sound_and_sealed_dll_passes_every_rule(tmp_path: Path) -> None:
    path = tmp_path / "model.dll"
    path.write_bytes(SOUND)
    digest = hashlib.sha256(SOUND).hexdigest()
    report = check_dll(path, policy=POLICY, sysroot_exports=SYSROOT, sealed_sha256=digest)
    assert report
    assert (report.subject, report.findings, report.skipped) == ("model.dll", (), ())


def test_a_report_says_which_rules_could_not_be_applied() -> None:
    report = check_dll_bytes("model.dll", SOUND, policy=POLICY)
    assert report
    assert [rule.id for rule in report.skipped] == ["PE-SEAL", "PE-IMPORT-SYSROOT"]


def test_another_digest_than_the_sealed_one_is_a_finding() -> None:
    digest = hashlib.sha256(b"another build").hexdigest()
    report = check_dll_bytes("model.dll", SOUND, policy=POLICY, sealed_sha256=digest)
    assert not report
    assert [finding.id for finding in report.findings] == ["PE-SEAL"]


def test_a_file_that_neither_reader_understands_gives_a_finding_each() -> None:
    report = check_dll_bytes("model.dll", b"quarantined", policy=POLICY)
    assert [(each.id, each.where) for each in report.findings] == [
        ("PE-READ", "pefile"),
        ("PE-READ", "lief"),
    ]


def test_a_path_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.dll")
    (tmp_path / "folder.dll").mkdir()
    for name in ("missing.dll", "pipe.dll", "folder.dll", "with\0nul.dll"):
        report = check_dll(tmp_path / name, policy=POLICY)
        assert [finding.id for finding in report.findings] == ["PE-FILE"], name


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model.dll"
    with path.open("wb") as file:
        file.truncate(POLICY.max_size + 1)
    report = check_dll(path, policy=POLICY)
    assert [finding.id for finding in report.findings] == ["PE-FILE"]
    assert f"{POLICY.max_size:,}" in report.findings[0].found


def test_the_size_limit_is_the_policys(tmp_path: Path) -> None:
    path = tmp_path / "model.dll"
    path.write_bytes(SOUND)
    assert check_dll(path, policy=replace(POLICY, max_size=len(SOUND)))
    assert not check_dll(path, policy=replace(POLICY, max_size=len(SOUND) - 1))


@pytest.mark.parametrize("length", range(0, len(SOUND), 512))
def test_a_dll_that_was_cut_off_anywhere_is_found(length: int) -> None:
    assert not check_dll_bytes("model.dll", SOUND[:length], policy=POLICY)


@pytest.mark.parametrize("step", [0, 8], ids=["the-same-table", "overlapping-tables"])
def test_tables_that_would_keep_readers_busy_for_hours_end_in_findings(step: int) -> None:
    # 5,000 import descriptors with some 8,000 symbols each: 40 million in a file of 500 kB
    image = build_image(
        sorted(POLICY.exports.required), imports={"KERNEL32.dll": ("CreateFileW",) * 8000}
    )
    lookup, _, _, name, bound = struct.unpack_from("<5I", image.data, image.at["imports"])
    rows = [(lookup + step * row, 0, 0, name, bound + step * row) for row in range(5000)]
    table = b"".join(struct.pack("<5I", *row) for row in rows) + bytes(20)
    section = image.section(".reloc")
    padding = bytes(-len(table) % 512)
    image.data[image.peek(section, "I", offset=20) :] = table + padding
    image.poke(section, "I", len(table), offset=8)
    image.poke(section, "I", len(table + padding), offset=16)
    image.poke("directory 1", "II", image.rva[".reloc"], len(table))
    image.poke("SizeOfImage", "I", image.rva[".reloc"] + len(table) + -len(table) % 4096)
    report = check_dll_bytes("model.dll", image.finish(), policy=POLICY)
    assert "PE-READ" in {finding.id for finding in report.findings}
