"""Rules on a wheel as a wheel: PyPA's "Binary distribution format" and what aotwin promises."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from functools import cached_property
from pathlib import PurePosixPath

from aotwin.adapters.archives.untrusted_files import DamagedFileError, file_digest, read_file
from aotwin.adapters.archives.untrusted_zip import ZipFiles
from aotwin.formats.manifest_reader import Manifest
from aotwin.stages.check.rules.rule import Rule, Violation
from aotwin.stages.pack import SBOM_PATH, billed_programs

#: bytes of RECORD, WHEEL, METADATA and the SBOM
_MAX_TEXT = 8 << 20
#: members up to this size are hashed without --full
SMALL_NBYTES = 16 << 20
#: files of dist-info that RECORD does not give a digest of
_UNSIGNED = ("RECORD", "RECORD.jws", "RECORD.p7s")
_STORED_SUFFIXES = frozenset({".dll", ".blob"})


@dataclass(frozen=True)
class Wheel:
    """A wheel whose members can be read."""

    filename: str
    files: ZipFiles
    #: "py3-none-win_amd64"
    tag: str
    #: folder of each built model, with a slash at its end -> its manifest
    models: dict[str, Manifest]
    #: whether to hash large members
    full: bool

    @cached_property
    def dist_info(self) -> str:
        """The only `.dist-info` folder; "" where there are none or several."""
        folders = {name.partition("/")[0] for name in self.files.names() if "/" in name}
        found = [folder for folder in folders if folder.endswith(".dist-info")]
        return found[0] if len(found) == 1 else ""

    @cached_property
    def members(self) -> frozenset[str]:
        """Every regular member."""
        return frozenset(self.files.names())

    def text(self, name: str) -> str:
        """A text file of dist-info.

        Raises:
            DamagedFileError: it is missing, too large, or no UTF-8.
        """
        path = f"{self.dist_info}/{name}"
        if path not in self.members:
            raise DamagedFileError("no such member")
        try:
            return read_file(self.files, path, _MAX_TEXT).decode("utf-8")
        except UnicodeDecodeError as error:
            raise DamagedFileError(str(error)) from error

    def is_read(self, name: str) -> bool:
        """The member's digest is compared: it is small, a DLL, or everything is."""
        dlls = {home + dll.file for home, each in self.models.items() for dll in each.dlls}
        return self.full or name in dlls or self.files.nbytes(name) <= SMALL_NBYTES


def check_name(wheel: Wheel) -> Iterator[Violation]:
    """File name, dist-info folder and METADATA name one distribution."""
    parts = wheel.filename.removesuffix(".whl").split("-")
    if len(parts) not in (5, 6):
        expected = "<name>-<version>[-<build>]-<python>-<abi>-<platform>.whl"
        yield Violation("the file is not named as a wheel", expected, wheel.filename, "the file")
        return
    expected = _normal(f"{parts[0]}-{parts[1]}")
    folder = wheel.dist_info.removesuffix(".dist-info")
    if _normal(folder) != expected:
        found = wheel.dist_info or "none, or several"
        yield Violation(
            "the dist-info folder does not fit", f"{expected}.dist-info", found, "the archive"
        )
        return
    try:
        fields = HeaderParser().parsestr(wheel.text("METADATA"))
    except DamagedFileError as error:
        yield Violation("METADATA cannot be read", "a text member", str(error), "METADATA")
        return
    found = _normal(f"{fields['Name']}-{fields['Version']}")
    if found != expected:
        yield Violation("METADATA names another distribution", expected, found, "METADATA")


def check_tag(wheel: Wheel) -> Iterator[Violation]:
    """File name and WHEEL say what the wheel is for: the target, and not every platform."""
    named = "-".join(wheel.filename.removesuffix(".whl").split("-")[-3:])
    if named != wheel.tag:
        yield Violation("the file name has another tag", wheel.tag, named, "the file name")
    try:
        fields = HeaderParser().parsestr(wheel.text("WHEEL"))
    except DamagedFileError as error:
        yield Violation("WHEEL cannot be read", "a text member", str(error), "WHEEL")
        return
    rows = (
        ("Tag", [wheel.tag], fields.get_all("Tag", [])),
        ("Root-Is-Purelib", ["false"], fields.get_all("Root-Is-Purelib", [])),
        ("Wheel-Version", ["1.0"], fields.get_all("Wheel-Version", [])),
    )
    for field, expected, found in rows:
        if [str(value).strip().lower() for value in found] != expected:
            yield Violation(
                f"WHEEL has another {field}", expected[0], ", ".join(map(str, found)) or "none",
                "WHEEL",
            )  # fmt: skip


def check_record(wheel: Wheel) -> Iterator[Violation]:
    """RECORD lists every member once, with its size and digest."""
    try:
        rows = list(csv.reader(io.StringIO(wheel.text("RECORD"), newline="")))
    except (DamagedFileError, csv.Error) as error:
        yield Violation("RECORD cannot be read", "a csv member", str(error), "RECORD")
        return
    unsigned = {f"{wheel.dist_info}/{name}" for name in _UNSIGNED}
    listed: set[str] = set()
    for row in rows:
        if len(row) != 3 or row[0] in listed:
            expected = "path, digest, size, each path once"
            yield Violation("RECORD has a bad row", expected, str(row)[:300], "RECORD")
            continue
        listed.add(row[0])
        if row[0] not in unsigned:
            yield from _check_row(wheel, row[0], row[1], row[2])
    for name in sorted(wheel.members - listed - unsigned):
        yield Violation("a member is not in RECORD", "a row for it", "none", f"member {name!r}")


def _check_row(wheel: Wheel, name: str, digest: str, size: str) -> Iterator[Violation]:
    where = f"member {name[:200]!r}"
    if name not in wheel.members:
        yield Violation("a member of RECORD is missing", "a regular file", "no such member", where)
        return
    if size != str(wheel.files.nbytes(name)):
        found = f"{wheel.files.nbytes(name)} bytes"
        yield Violation("a member has another size", f"{size[:40]} bytes", found, where)
        return
    if not wheel.is_read(name):
        return
    try:
        found = _record_digest(file_digest(wheel.files, name))
    except DamagedFileError as error:
        yield Violation("a member cannot be read", "a whole member", str(error), where)
        return
    if found != digest:
        yield Violation("a member was changed after the wheel was made", digest[:100], found, where)


def _record_digest(digest: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def check_stored(wheel: Wheel) -> Iterator[Violation]:
    """DLLs and blobs lie in the wheel as they are."""
    for name in wheel.files.names():
        home = name[: name.rfind("/") + 1]
        if home not in wheel.models or PurePosixPath(name).suffix not in _STORED_SUFFIXES:
            continue
        entry = wheel.files.entry(name)
        if not entry.stored:
            yield Violation(
                "a model's file is compressed", "a stored member",
                f"packed to {entry.packed_nbytes:,} of {entry.nbytes:,} bytes", f"member {name!r}",
            )  # fmt: skip


def check_sbom(wheel: Wheel) -> Iterator[Violation]:
    """The bill of materials lists the DLLs and blobs that are in the wheel."""
    where = f"{wheel.dist_info}/{SBOM_PATH}"
    try:
        tree = json.loads(wheel.text(SBOM_PATH))
        found = set(_sha256s(tree["components"]))
    except (DamagedFileError, ValueError, RecursionError, KeyError, TypeError) as error:
        reason = str(error)[:200]
        yield Violation("the bill of materials cannot be read", "CycloneDX JSON", reason, where)
        return
    for home, manifest in wheel.models.items():
        files = [(dll.file, dll.shipped_sha256) for dll in manifest.dlls]
        files += billed_programs(manifest.sdk)
        files += manifest.libs.files.items() if manifest.libs is not None else ()
        for name, digest in [*files, (manifest.blob.file, manifest.blob.sha256)]:
            if digest not in found:
                yield Violation(
                    "the bill of materials does not list a file", f"sha256 {digest}",
                    "no such digest", f"{where}, for {home}{name}",
                )  # fmt: skip


def _sha256s(components: Sequence[dict[str, list[dict[str, str]]]]) -> Iterator[str]:
    for component in components:
        for digest in component.get("hashes", []):
            yield str(digest["content"])


def _normal(name: str) -> str:
    """A name and version as they compare: PyPA's "Names and normalization"."""
    return re.sub(r"[-_.]+", "-", name).lower()


_BUILD = "Build the wheel again with aotwin, and let no tool change it afterwards."

WHEEL_RULES = (
    Rule[Wheel](
        "WHEEL-NAME",
        "File name, dist-info folder and METADATA name one distribution and version",
        "pip refuses a wheel whose names differ.",
        _BUILD,
        check_name,
    ),
    Rule[Wheel](
        "WHEEL-TAG",
        "The file name and WHEEL have the target's tag, and Root-Is-Purelib is false",
        "With another tag, pip installs the DLL where it cannot run, or refuses it where it can.",
        _BUILD,
        check_tag,
    ),
    Rule[Wheel](
        "WHEEL-RECORD",
        "RECORD lists every member once, with its size and sha256",
        "A member that is not what RECORD says was changed or added after the wheel was made.",
        _BUILD,
        check_record,
    ),
    Rule[Wheel](
        "WHEEL-STORED",
        "DLLs and blobs are stored, not compressed",
        "Weights hardly shrink, and unpacking gigabytes takes pip minutes.",
        _BUILD,
        check_stored,
    ),
    Rule[Wheel](
        "WHEEL-SBOM",
        "The bill of materials is there and lists every DLL, blob and program by its sha256",
        "Whoever has to know what is in a DLL looks there.",
        _BUILD,
        check_sbom,
    ),
)
