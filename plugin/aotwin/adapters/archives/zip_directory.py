"""Read a zip archive's directory strictly: only what has one meaning for every reader passes.

The format is PKWARE's APPNOTE.TXT (6.3.x). Programs differ in what they make of archives whose
local headers and central directory disagree, whose members overlap, or which hold bytes that
neither knows about. Here each of these is a problem that is named.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from aotwin.adapters.archives.untrusted_files import DamagedFileError

#: more members, or a larger directory, than any wheel has
MAX_MEMBERS = 100_000
_MAX_DIRECTORY = 32 << 20
#: end of central directory; its zip64 form, and the locator of that
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
#: a row of the central directory, a local header
_ROW = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MAX16, _MAX32 = 0xFFFF, 0xFFFF_FFFF
_ENCRYPTED, _DESCRIPTOR, _UTF8 = 0x1, 0x8, 0x800
#: extra fields: zip64 sizes; Info-ZIP's Unicode path, which some readers take as the name
_ZIP64, _UNICODE_PATH = 0x0001, 0x7075
_STORED, _DEFLATED = 0, 8
#: bytes of a data descriptor behind a member: with or without a signature, 4- or 8-byte sizes
_DESCRIPTOR_SIZES = frozenset({12, 16, 20, 24})


@dataclass(frozen=True)
class Entry:
    """One member."""

    name: str
    method: int
    packed_nbytes: int
    nbytes: int
    crc: int
    #: st_mode where the archive was made on Unix, else 0
    mode: int
    encrypted: bool
    has_descriptor: bool
    header_offset: int
    data_offset: int

    @property
    def end(self) -> int:
        """First offset behind the member's bytes."""
        return self.data_offset + self.packed_nbytes

    @property
    def is_folder(self) -> bool:
        """A folder's own row."""
        return self.name.endswith("/")

    @property
    def stored(self) -> bool:
        """Its bytes lie in the archive as they are."""
        return self.method == _STORED

    @property
    def known_method(self) -> bool:
        """Stored or deflated: what every program reads."""
        return self.method in (_STORED, _DEFLATED)


@dataclass(frozen=True)
class Ambiguity:
    """A place of which programs can make different things."""

    message: str
    expected: str
    found: str
    where: str


@dataclass(frozen=True)
class ZipDirectory:
    """All members in the directory's order, and where the archive is ambiguous."""

    entries: tuple[Entry, ...]
    ambiguities: tuple[Ambiguity, ...]


def read_directory(file: BinaryIO) -> ZipDirectory:
    """Read the directory at the end of an archive, and each member's local header.

    Raises:
        DamagedFileError: there is no directory, or it is cut off.
    """
    try:
        size = file.seek(0, 2)
        count, start, end = _find(file, size)
        data = _read(file, start, end - start)
        entries, ambiguities = [], []
        for row in _rows(data, count):
            entry, problems = _entry(file, row, start)
            entries.append(entry)
            ambiguities += problems
        ambiguities += _layout(entries, start)
    except (OSError, struct.error, UnicodeDecodeError) as error:
        raise DamagedFileError(f"its directory cannot be read: {error}") from error
    return ZipDirectory(tuple(entries), tuple(ambiguities))


def _find(file: BinaryIO, size: int) -> tuple[int, int, int]:
    """Number of members, first offset of the directory, first offset behind it."""
    position = size - _END.size
    if position < 0:
        raise DamagedFileError(f"{size} bytes are too few for a zip archive")
    fields = _END.unpack(_read(file, position, _END.size))
    signature, disk, first_disk, count_here, count, nbytes, start, comment = fields
    if signature != b"PK\5\6" or comment:
        raise DamagedFileError("it does not end with the end of a zip directory")
    end = position
    wide = position >= _LOCATOR.size and _read(file, position - _LOCATOR.size, 4) == b"PK\6\7"
    if wide:
        end = position - _LOCATOR.size - _END64.size
        locator = _LOCATOR.unpack(_read(file, position - _LOCATOR.size, _LOCATOR.size))
        if end < 0 or locator[1:] != (0, end, 1):
            raise DamagedFileError("its zip64 locator does not point at the record before it")
        record = _END64.unpack(_read(file, end, _END64.size))
        wide_fields = record[4], record[5], *record[6:]
        if record[:2] != (b"PK\6\6", _END64.size - 12) or not _agree(fields[1:7], wide_fields):
            raise DamagedFileError("its two ends of the directory disagree")
        disk, first_disk, count_here, count, nbytes, start = wide_fields
    if (disk, first_disk) != (0, 0) or count_here != count:
        raise DamagedFileError("it is one part of several")
    if start + nbytes != end:
        raise DamagedFileError(
            f"its directory should lie at {start:#x} to {start + nbytes:#x}, and ends at {end:#x}"
        )
    if count > MAX_MEMBERS or nbytes > _MAX_DIRECTORY:
        raise DamagedFileError(f"its directory has {count:,} members in {nbytes:,} bytes")
    return count, start, end


def _agree(narrow: tuple[int, ...], wide: tuple[int, ...]) -> bool:
    # A figure of all ones stands for "see zip64"; any other one must be the same in both.
    limits = (_MAX16,) * 4 + (_MAX32,) * 2
    return all(
        left in (right, limit) for left, right, limit in zip(narrow, wide, limits, strict=True)
    )


@dataclass(frozen=True)
class _Row:
    """A row of the central directory as it is written."""

    flags: int
    method: int
    crc: int
    packed_nbytes: int
    nbytes: int
    raw_name: bytes
    extra: bytes
    unix: bool
    attributes: int
    offset: int


def _rows(data: bytes, count: int) -> Iterator[_Row]:
    position = 0
    for _ in range(count):
        fields = _ROW.unpack_from(data, position)
        if fields[0] != b"PK\1\2":
            raise DamagedFileError(f"row {position:#x} of its directory has no signature")
        name_size, extra_size, comment_size, disk = fields[10:14]
        name_end = position + _ROW.size + name_size
        extra = data[name_end : name_end + extra_size]
        name = data[name_end - name_size : name_end]
        position = name_end + extra_size + comment_size
        if position > len(data) or disk or comment_size:
            raise DamagedFileError("a row of its directory is cut off, or has a comment")
        nbytes, packed, offset = _widen(extra, fields[9], fields[8], fields[16])
        yield _Row(
            fields[3], fields[4], fields[7], packed, nbytes, name, extra,
            fields[1] >> 8 == 3, fields[15], offset,
        )  # fmt: skip
    if position != len(data):
        raise DamagedFileError(f"its directory has {len(data) - position} bytes too many")


def _widen(extra: bytes, *figures: int) -> list[int]:
    """32-bit figures, those of all ones replaced by what the zip64 field says."""
    wide = _extra_fields(extra).get(_ZIP64, b"")
    values, place = [], 0
    for figure in figures:
        if figure == _MAX32:
            values.append(int(struct.unpack_from("<Q", wide, place)[0]))
            place += 8
        else:
            values.append(figure)
    return values


def _extra_fields(extra: bytes) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    position = 0
    while position + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, position)
        fields.setdefault(kind, extra[position + 4 : position + 4 + size])
        position += 4 + size
    return fields


def _entry(file: BinaryIO, row: _Row, limit: int) -> tuple[Entry, list[Ambiguity]]:
    name = row.raw_name.decode("utf-8" if row.flags & _UTF8 else "cp437")
    where = f"member {name[:200]!r}"
    if row.offset + _LOCAL.size > limit:
        raise DamagedFileError(f"{where} begins behind the directory")
    local = _LOCAL.unpack(_read(file, row.offset, _LOCAL.size))
    _, _, flags, method, _, _, crc, packed, nbytes, name_size, extra_size = local
    rest = _read(file, row.offset + _LOCAL.size, name_size + extra_size)
    problems = []
    if local[0] != b"PK\3\4":
        raise DamagedFileError(f"{where} has no local header at {row.offset:#x}")
    nbytes, packed = _widen(rest[name_size:], nbytes, packed)
    described = bool(row.flags & _DESCRIPTOR)
    seen: tuple[object, ...] = (rest[:name_size], flags, method, crc, packed, nbytes)
    told: tuple[object, ...] = (
        row.raw_name, row.flags, row.method, row.crc, row.packed_nbytes, row.nbytes,
    )  # fmt: skip
    # Sizes that were not known when the local header was written are zero there.
    if seen != told and not (described and seen[:3] == told[:3] and seen[3:] == (0, 0, 0)):
        problems.append(
            Ambiguity("a member's two headers disagree", str(told)[:300], str(seen)[:300], where)
        )
    if _UNICODE_PATH in _extra_fields(row.extra) or _UNICODE_PATH in _extra_fields(
        rest[name_size:]
    ):
        problems.append(Ambiguity("a member has two names", "one", "a second one, Unicode", where))
    entry = Entry(
        name, row.method, row.packed_nbytes, row.nbytes, row.crc,
        row.attributes >> 16 if row.unix else 0, bool(row.flags & _ENCRYPTED), described,
        row.offset, row.offset + _LOCAL.size + name_size + extra_size,
    )  # fmt: skip
    return entry, problems


def _layout(entries: list[Entry], start: int) -> Iterator[Ambiguity]:
    """Members lie side by side from the first byte up to the directory."""
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    if ordered and ordered[0].header_offset:
        yield Ambiguity(
            "bytes lie in front of the first member", "a member at offset 0",
            f"one at {ordered[0].header_offset:#x}", "the archive",
        )  # fmt: skip
    spans = [(entry, entry.header_offset) for entry in ordered]
    for (entry, _), (following, offset) in pairwise(spans):
        yield from _border(entry, offset, f"member {following.name[:200]!r}")
    if ordered:
        yield from _border(ordered[-1], start, "the directory")


def _border(entry: Entry, offset: int, following: str) -> Iterator[Ambiguity]:
    gap = offset - entry.end
    if gap == 0 or (entry.has_descriptor and gap in _DESCRIPTOR_SIZES):
        return
    expected, found = f"{following} at {entry.end:#x}", f"at {offset:#x}"
    message = "members overlap" if gap < 0 else "bytes that belong to no member"
    yield Ambiguity(message, expected, found, f"member {entry.name[:200]!r}")


def _read(file: BinaryIO, offset: int, nbytes: int) -> bytes:
    file.seek(offset)
    data = file.read(nbytes)
    if len(data) != nbytes:
        raise DamagedFileError(f"it ends inside of its tables, at {offset + len(data):#x}")
    return data
