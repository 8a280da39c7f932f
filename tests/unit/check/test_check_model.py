"""A built model passes, and whatever was done to its files afterwards is named."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from model_folder import (
    CONSTANTS,
    DIGEST,
    build_dll,
    build_files,
    manifest_of,
    sha256,
    write_model,
    write_sharing_model,
)
from signed_image import VALUE, sign

import aotwin.formats.findings
from aotwin.adapters.pe import pefile_reader as pe_pefile
from aotwin.adapters.pe.image import PeFacts, Unreadable, facts_of
from aotwin.formats.findings import Report
from aotwin.stages.check import paths
from aotwin.stages.check.paths import check_path
from aotwin.stages.check.rules import BLOB_RULES, MODEL_RULES
from aotwin.stages.weights import trailer

SCHEMA = json.loads(
    Path(aotwin.formats.findings.__file__)
    .with_name("findings.schema.json")
    .read_text(encoding="utf-8")
)
BLOB = "classifier_weights.blob"


def read_in_process(data: bytes) -> dict[str, PeFacts | Unreadable]:
    try:
        return {"pefile": facts_of(pe_pefile.read(data))}
    except Exception as error:
        return {"pefile": Unreadable(str(error))}


@pytest.fixture(autouse=True)
def quick_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    # The readers' own processes have tests of their own.
    monkeypatch.setattr(paths, "read_with_all", read_in_process)


def found(report: Report) -> set[str]:
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(report.to_json()))
    return {finding.id for finding in report.findings}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path / "site-packages/demo/classifier", build_files())


@pytest.mark.parametrize("full", [False, True], ids=["default", "full"])
def test_a_model_as_it_was_built_passes(folder: Path, full: bool) -> None:
    report = check_path(folder, None, full=full)
    assert report.findings == ()
    assert ("MODEL-BLOB-DIGEST" in {rule.id for rule in report.skipped}) is not full


def test_a_report_says_what_was_looked_at(folder: Path) -> None:
    dll, blob = (str(file) for file in check_path(folder, None).examined)
    nbytes = (folder / "classifier.dll").stat().st_size
    assert dll.startswith(f"classifier.dll: {nbytes:,} bytes, x86-64-v3, ")
    assert dll.endswith("imports, those of torch not compared, sealed, not signed")
    assert blob.endswith("paired with classifier.dll, its trailer compared")


def test_a_report_does_not_call_sound_what_is_not(folder: Path) -> None:
    with (folder / "classifier.dll").open("ab") as file:
        file.write(b"more")
    (folder / BLOB).write_bytes(b"\0" * 200)
    dll, blob = (str(file) for file in check_path(folder, None).examined)
    assert "changed since it was sealed" in dll
    assert "paired" not in blob
    assert "not as it must be" in blob


def test_models_at_any_depth_of_a_folder_are_checked(folder: Path, tmp_path: Path) -> None:
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/__init__.cpython-311.pyc").write_bytes(b"byte code")
    assert check_path(tmp_path, None)
    (folder / BLOB).unlink()
    (finding,) = check_path(tmp_path, None).findings
    assert finding.where == f"site-packages/demo/classifier: {BLOB}"


def edited(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda manifest: manifest.update(changes)


def blob_of(digest: bytes) -> dict[str, bytes]:
    return {**build_files(), BLOB: CONSTANTS + trailer(len(CONSTANTS), digest)}


def constants(**change: Any) -> Callable[[dict[str, Any]], None]:
    return lambda manifest: manifest["constants"][0].update(change)


def dll(**change: Any) -> Callable[[dict[str, Any]], None]:
    return lambda manifest: manifest["dlls"][0].update(change)


def files_with(**change: bytes) -> dict[str, bytes]:
    return {**build_files(), **change}


def other_dll(**change: Any) -> dict[str, bytes]:
    return {**build_files(), "classifier.dll": build_dll(**change)}


Change = Callable[[dict[str, Any]], None]


def as_it_is(manifest: dict[str, Any]) -> None:
    """The manifest that fits the files."""


#: rule, case, files, change of the manifest that fits them
BROKEN: list[tuple[str, str, Callable[[], dict[str, bytes]], Change]] = [
    ("MODEL-MANIFEST", "newer", build_files, edited(version=2)),
    ("MODEL-MANIFEST", "other-target", build_files, edited(target="windows-arm64")),
    ("MODEL-MANIFEST", "no-dlls", build_files, edited(dlls=[])),
    ("MODEL-MANIFEST", "many-dlls", build_files, lambda manifest: manifest["dlls"].extend(
        {**manifest["dlls"][0], "file": f"{index}.dll"} for index in range(99)
    )),
    ("MODEL-MANIFEST", "climbing", build_files, dll(file="../classifier.dll")),
    *(
        ("MODEL-MANIFEST", case, build_files, lambda manifest, name=name: manifest["blob"].update(
            file=name
        ))
        for case, name in {
            "absolute-blob": "/etc/x.blob",
            "drive-blob": "C:/x.blob",
            "unc-blob": "//server/share/x.blob",
            "backslash-blob": "..\\x.blob",
            "late-climb-blob": "a/../../x.blob",
            "folder-blob": "..",
        }.items()
    ),
    ("MODEL-MANIFEST", "no-digest", build_files, dll(sha256="none")),
    ("MODEL-MANIFEST", "negative", build_files, dll(nbytes=-1)),
    ("MODEL-MANIFEST", "huge", build_files, dll(nbytes=10**40)),
    ("MODEL-MANIFEST", "list-for-object", build_files, edited(blob=[])),
    ("MODEL-FILES", "not-there", build_files, lambda manifest: manifest["files"].update(
        {"other.py": "0" * 64}
    )),
    ("MODEL-STRANGER", "torch", lambda: files_with(**{"torch_cpu.dll": b"MZ"}), as_it_is),
    ("MODEL-STRANGER", "nodes", lambda: files_with(**{"classifier.json": b"{}"}), as_it_is),
    ("MODEL-DIGEST", "loader", build_files, edited(files={
        "__init__.py": "0" * 64, "classifier_metadata.json": sha256(b"{}"),
    })),
    ("MODEL-DLL-SIZE", "grew", build_files, dll(nbytes=10)),
    ("MODEL-CONSTANTS", "behind-the-end", build_files, constants(offset=128)),
    ("MODEL-CONSTANTS", "not-aligned", build_files, constants(offset=8, nbytes=8)),
    ("MODEL-BLOB-SIZE", "longer", lambda: files_with(**{
        BLOB: build_files()[BLOB] + b"more",
    }), as_it_is),
    ("MODEL-BLOB-SIZE", "cut-off", lambda: files_with(**{
        BLOB: build_files()[BLOB][:-1],
    }), as_it_is),
    ("MODEL-BLOB-SIZE", "empty", lambda: files_with(**{BLOB: b""}), as_it_is),
    ("MODEL-BLOB-TRAILER", "other-build", lambda: blob_of(bytes(32)), as_it_is),
    ("MODEL-BLOB-TRAILER", "no-trailer", lambda: files_with(**{
        BLOB: CONSTANTS + bytes(8) + trailer(len(CONSTANTS), DIGEST)[8:],
    }), as_it_is),
    ("MODEL-PAIRING", "other-build", lambda: other_dll(digest=bytes(32)), as_it_is),
    ("MODEL-PAIRING", "other-name", lambda: other_dll(blob_name="other_weights.blob"), as_it_is),
    ("MODEL-PAIRING", "other-buffers", lambda: other_dll(mutable=b"\1\0"), as_it_is),
    ("MODEL-PAIRING", "fewer-constants", lambda: other_dll(mutable=b"\0"), as_it_is),
    ("MODEL-PAIRING", "two", lambda: other_dll(pairings=2), as_it_is),
    ("MODEL-PAIRING", "none", lambda: other_dll(pairings=0), as_it_is),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "files", "change"),
    [
        pytest.param(rule, files, change, id=f"{rule}-{case}")
        for rule, case, files, change in BROKEN
    ],
)
def test_a_model_breaks_the_one_rule_that_it_was_made_to_break(
    tmp_path: Path, rule: str, files: Callable[[], dict[str, bytes]], change: Change
) -> None:
    parts = files()
    manifest = manifest_of(parts)
    change(manifest)
    assert found(check_path(write_model(tmp_path, parts, manifest), None)) == {rule}


def test_a_changed_weight_is_found_by_the_full_check_only(folder: Path) -> None:
    blob = bytearray((folder / BLOB).read_bytes())
    blob[5] ^= 1
    (folder / BLOB).write_bytes(blob)
    assert check_path(folder, None)
    assert found(check_path(folder, None, full=True)) == {"MODEL-BLOB-DIGEST"}


def test_every_rule_on_models_is_broken_by_some_test() -> None:
    # Those on the SDK have a module of their own.
    rules = {rule.id for rule in (*MODEL_RULES, *BLOB_RULES)}
    assert {rule for rule, *_ in BROKEN} | {"MODEL-BLOB-DIGEST"} == rules


def appended(data: bytes) -> bytes:
    return data + b"weights" * 100


def flipped(data: bytes) -> bytes:
    return data[:0x500] + bytes([data[0x500] ^ 1]) + data[0x501:]


TAMPERED: dict[str, tuple[Callable[[bytes], bytes], set[str], str]] = {
    "weights-appended": (
        appended, {"PE-SEAL", "PE-CHECKSUM", "PE-OVERLAY", "MODEL-DLL-SIZE"}, "appended in the old",
    ),
    "quarantine-stub": (
        lambda data: b"", {"PE-SEAL", "PE-READ", "MODEL-DLL-SIZE"}, "stub, as antivirus",
    ),
    "cut-off": (
        lambda data: data[:-512],
        {"PE-SEAL", "PE-CHECKSUM", "PE-SECTION-BOUNDS", "MODEL-DLL-SIZE", "PE-DIRECTORY-BOUNDS"},
        "stripped or cut off",
    ),
    "one-byte": (flipped, {"PE-SEAL", "PE-CHECKSUM"}, "sealed after the link"),
}  # fmt: skip


@pytest.mark.parametrize("case", TAMPERED)
def test_what_was_done_to_a_dll_after_the_link_is_named(folder: Path, case: str) -> None:
    tamper, rules, message = TAMPERED[case]
    path = folder / "classifier.dll"
    path.write_bytes(tamper(path.read_bytes()))
    report = check_path(folder, None)
    assert found(report) == rules
    assert any(message in finding.message for finding in report.findings)
    assert found(check_path(path, None)) == rules - {"MODEL-DLL-SIZE"}


def test_any_changed_byte_of_any_file_but_the_manifest_is_found(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        if path.name == "aotwin.json":
            continue
        for place in range(0, len(data), max(1, len(data) // 20)):
            path.write_bytes(data[:place] + bytes([data[place] ^ 0x20]) + data[place + 1 :])
            assert not check_path(folder, None, full=True), (path.name, place)
        path.write_bytes(data)
    assert check_path(folder, None, full=True)


def test_a_dll_that_was_taken_away_is_named_as_an_antivirus_case(folder: Path) -> None:
    (folder / "classifier.dll").unlink()
    (finding,) = check_path(folder, None).findings
    assert (finding.id, finding.where) == ("MODEL-FILES", "classifier.dll")
    assert "antivirus" in finding.found


def test_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes((folder / BLOB).read_bytes())
    (folder / BLOB).unlink()
    (folder / BLOB).symlink_to(secret)
    (finding,) = check_path(folder, None).findings
    assert (finding.id, finding.found) == ("MODEL-FILES", "a symbolic link")


def test_a_blob_that_two_models_share_is_checked_for_both(folder: Path, tmp_path: Path) -> None:
    write_sharing_model(folder.with_name("decoder"))
    assert check_path(tmp_path, None, full=True)
    blob = folder / BLOB
    data = blob.read_bytes()
    blob.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    where = {finding.where for finding in check_path(tmp_path, None, full=True).findings}
    assert where == {
        f"site-packages/demo/classifier: {BLOB}",
        f"site-packages/demo/decoder: ../classifier/{BLOB}",
    }
    blob.unlink()
    assert found(check_path(tmp_path, None)) == {"MODEL-FILES"}
    assert len(check_path(tmp_path, None).findings) == 2


def test_a_model_whose_blob_lies_outside_of_the_checked_folder_is_checked_as_far_as_it_goes(
    folder: Path,
) -> None:
    decoder = write_sharing_model(folder.with_name("decoder"))
    report = check_path(decoder, None)
    assert report.findings == ()
    assert "MODEL-BLOB-TRAILER" in {rule.id for rule in report.skipped}
    # A copy beside the DLL comes first, as the DLL itself looks there first.
    (decoder / BLOB).write_bytes((folder / BLOB).read_bytes())
    report = check_path(decoder, None)
    assert report.findings == ()
    assert "MODEL-BLOB-TRAILER" not in {rule.id for rule in report.skipped}
    (decoder / BLOB).write_bytes(blob_of(bytes(32))[BLOB])
    assert found(check_path(decoder, None)) == {"MODEL-BLOB-TRAILER"}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="no-utf8"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"version": true}', id="true-is-not-1"),
        pytest.param(b'{"version": ' + b"9" * 5000 + b"}", id="long-number"),
        pytest.param(b" " * (9 << 20), id="too-large"),
    ],
)
def test_a_manifest_of_any_bytes_is_a_finding(folder: Path, content: bytes) -> None:
    (folder / "aotwin.json").write_bytes(content)
    report = check_path(folder, None)
    assert found(report) == {"MODEL-MANIFEST"}
    assert "PE-SEAL" in {rule.id for rule in report.skipped}


def test_a_dll_alone_is_checked_with_its_seal_and_blob_where_they_lie_beside_it(
    folder: Path, tmp_path: Path
) -> None:
    report = check_path(folder / "classifier.dll", None)
    assert report
    assert "PE-SEAL" not in {rule.id for rule in report.skipped}
    alone = tmp_path / "classifier.dll"
    alone.write_bytes((folder / "classifier.dll").read_bytes())
    report = check_path(alone, None)
    assert report
    assert {"PE-SEAL", "MODEL-BLOB-TRAILER"} <= {rule.id for rule in report.skipped}
    (tmp_path / BLOB).write_bytes(blob_of(bytes(32))[BLOB])
    assert found(check_path(alone, None)) == {"MODEL-BLOB-TRAILER"}


def test_a_path_that_leads_nowhere_is_a_finding(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.whl")
    (tmp_path / "text.txt").write_text("text", encoding="utf-8")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("missing", "pipe.whl", "text.txt", "loop", "nul\0", "x" * 5000):
        assert found(check_path(tmp_path / name, None)) == {"INPUT-KIND"}, name
    assert check_path(tmp_path / "missing", None).subject == str(tmp_path / "missing")


def test_a_folder_without_a_model_does_not_pass(tmp_path: Path) -> None:
    (tmp_path / "classifier.dll").write_bytes(build_dll())
    assert found(check_path(tmp_path, None)) == {"INPUT-MODEL"}


def test_more_models_than_anybody_has_are_not_looked_at(tmp_path: Path) -> None:
    for index in range(1001):
        (tmp_path / str(index)).mkdir()
        (tmp_path / str(index) / "aotwin.json").touch()
    (finding,) = check_path(tmp_path, None).findings
    assert finding.found == "1,001 built models; 1,000 are looked at"


def test_a_decoy_does_not_hide_or_replace_the_pairing(tmp_path: Path) -> None:
    parts = other_dll(pairings=2)
    (finding,) = check_path(write_model(tmp_path, parts), None).findings
    assert finding.found == "2 of them"


def signed_files() -> dict[str, bytes]:
    files = build_files()
    return {**files, "classifier.dll": sign(files["classifier.dll"])}


def test_a_signature_does_not_count_as_growth_nor_as_a_change(tmp_path: Path) -> None:
    manifest = manifest_of(build_files())
    folder = write_model(tmp_path, signed_files(), manifest)
    # One finding: that nobody asked for it.
    assert found(check_path(folder, None)) == {"PE-SIGNATURE-ASKED"}
    assert found(check_path(folder / "classifier.dll", None)) == {"PE-SIGNATURE-ASKED"}


def test_a_signed_dll_without_its_manifest_has_nobody_to_vouch_for_the_signature(
    tmp_path: Path,
) -> None:
    path = tmp_path / "classifier.dll"
    path.write_bytes(signed_files()["classifier.dll"])
    (finding,) = check_path(path, None).findings
    assert (finding.id, "there is no manifest to ask" in finding.found) == (
        "PE-SIGNATURE-ASKED", True,
    )  # fmt: skip


def test_a_signature_that_was_asked_for_is_looked_at(tmp_path: Path) -> None:
    files = signed_files()
    manifest = manifest_of(build_files())
    manifest["dlls"][0]["signature"] = {
        "sha256": sha256(files["classifier.dll"]),
        "nbytes": len(files["classifier.dll"]),
        "value_sha256": sha256(VALUE),
    }
    # Made up, and read by no reader that knows signatures.
    report = check_path(write_model(tmp_path / "signed", files, manifest), None)
    assert found(report) == {"PE-SIGNATURE-CRYPTO"}
    report = check_path(write_model(tmp_path / "unsigned", build_files(), manifest), None)
    assert found(report) == {"PE-SIGNATURE-ASKED"}
    manifest["dlls"][0]["signature"]["sha256"] = "none"
    report = check_path(write_model(tmp_path / "odd", files, manifest), None)
    assert "MODEL-MANIFEST" in found(report)
