"""Find in a DLL's bytes which blob it was linked with.

The link stage writes an `AotwinPairing` (toolchains/windows/dll/aotwin_pairing.h) into the DLL's
constant data. It has no symbol in the finished file, so it is known by its form: the version, two
addresses inside the image, and what these addresses point at.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from aotwin.adapters.pe.image import PeFacts
from aotwin.portable_names import reference_problem

_VERSION = 1
#: version, number of constants, their bytes, sha256, address of the name, address of the flags
_PAIRING = struct.Struct("<IIQ32sQQ")
#: UTF-16 units of a path within a wheel, the final zero included
_MAX_NAME_UNITS = 1024
#: of the room that every DLL has for it, at least
BLOB_NAME_UNITS = 256
#: what the link stage calls every blob
_BLOB_SUFFIX = ".blob"
#: look-alikes that are examined; a model's DLL has less than a hundred
_MAX_CANDIDATES = 10_000


@dataclass(frozen=True)
class Pairing:
    """What a DLL knows of its blob."""

    #: as a manifest refers to it, with "/" between the parts
    blob_name: str
    #: bytes of the constants, without the trailer
    constants_nbytes: int
    #: of the constants, hex
    constants_sha256: str
    #: for each constant in the blob's order: whether the model may write it
    mutable: tuple[bool, ...]


def find_pairings(data: bytes, facts: PeFacts) -> tuple[Pairing, ...]:
    """Every pairing in a DLL's constant data; a sound model has exactly one.

    Args:
        data: the DLL's bytes.
        facts: its headers.

    Returns:
        The pairings; none of them where a file is full of look-alikes.
    """
    offsets = list(islice(_candidates(data, facts), _MAX_CANDIDATES + 1))
    if len(offsets) > _MAX_CANDIDATES:
        return ()
    pairings = (_pairing(data, facts, offset) for offset in offsets)
    return tuple(pairing for pairing in pairings if pairing is not None)


def blob_name(reference: str) -> bytes:
    """A blob's name as it stands in a DLL: UTF-16, as Windows writes it, with a final zero."""
    return reference.replace("/", "\\").encode("utf-16-le") + b"\0\0"


def with_blob_name(data: bytes, facts: PeFacts, reference: str) -> bytes | None:
    """A DLL's bytes with another name of its blob, the checksum in its header as it was.

    Args:
        data: a sound model's DLL, not signed.
        reference: the new name, as a manifest refers to it.

    Returns:
        None where the DLL has no room for it, or not exactly one pairing.
    """
    found = [offset for offset in _candidates(data, facts) if _pairing(data, facts, offset)]
    if len(found) != 1:
        return None
    *_, address, _ = _PAIRING.unpack_from(data, found[0])
    place = facts.file_offset(address - facts.image_base, 2 * BLOB_NAME_UNITS)
    if place is None:
        return None
    room = data[place : place + 2 * BLOB_NAME_UNITS].decode("utf-16-le", "replace")
    name = blob_name(reference)
    if room.partition("\0")[2].strip("\0") or len(name) > 2 * BLOB_NAME_UNITS:
        return None
    return (
        data[:place] + name.ljust(2 * BLOB_NAME_UNITS, b"\0") + data[place + 2 * BLOB_NAME_UNITS :]
    )


def _candidates(data: bytes, facts: PeFacts) -> Iterator[int]:
    """File offsets in constant data at which a pairing may begin."""
    pattern = _pattern(facts)
    if pattern is None:
        return
    for section in facts.sections:
        if section.executable or section.writable:
            continue
        for match in pattern.finditer(data, section.raw_offset, section.raw_end):
            # The compiler aligns it by the largest of its members.
            if (match.start() - section.raw_offset) % 8 == 0:
                yield match.start()


def _pattern(facts: PeFacts) -> re.Pattern[bytes] | None:
    """Bytes that may be a pairing: its version, and high halves of two of the image's addresses."""
    first = facts.image_base >> 32
    last = (facts.image_base + facts.image_size) >> 32
    if not 0 <= first <= last <= min(first + 1, 0xFFFF_FFFF):
        return None
    high = b"|".join(re.escape(struct.pack("<I", half)) for half in sorted({first, last}))
    version = re.escape(struct.pack("<I", _VERSION))
    # A look-ahead, as a decoy in front of a pairing must not hide it.
    return re.compile(
        rb"(?=" + version + rb".{44}.{4}(?:" + high + rb").{4}(?:" + high + rb"))", re.DOTALL
    )


def _pairing(data: bytes, facts: PeFacts, offset: int) -> Pairing | None:
    _, count, nbytes, digest, name, flags = _PAIRING.unpack_from(data, offset)
    reference = _reference(data, facts, name - facts.image_base)
    if reference is None:
        return None
    place = facts.file_offset(flags - facts.image_base, count + 1)
    if place is None or place + count > len(data):
        return None
    mutable = data[place : place + count]
    if mutable.strip(b"\0\1"):
        return None
    return Pairing(reference, nbytes, digest.hex(), tuple(map(bool, mutable)))


def _reference(data: bytes, facts: PeFacts, rva: int) -> str | None:
    place = facts.file_offset(rva, 2)
    if place is None:
        return None
    units = data[place : place + 2 * _MAX_NAME_UNITS]
    text, end, _ = units.decode("utf-16-le", "replace").partition("\0")
    if not end or not text.endswith(_BLOB_SUFFIX) or "/" in text:
        return None
    reference = text.replace("\\", "/")
    return None if reference_problem(reference) else reference
