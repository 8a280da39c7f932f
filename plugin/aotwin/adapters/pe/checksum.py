"""The checksum in a PE header, as IMAGEHLP's CheckSumMappedFile computes it.

zig's linker leaves 0 there. It is set right after the link, before the DLL is sealed.
"""

from __future__ import annotations

import struct
import sys
from array import array
from pathlib import Path

from aotwin.adapters.storage.files import replacing, storage_errors
from aotwin.errors import CheckError

#: offset of CheckSum behind the PE signature: 20 bytes of file header, 64 of optional header
_FIELD = 4 + 20 + 64


def compute_checksum(data: bytes) -> int:
    """The checksum that a PE file's header should hold, whatever it holds now.

    Sum of the file's 16-bit little-endian words with end-around carry, the checksum's own field
    taken as zero, plus the file's length in bytes.

    Raises:
        ValueError: the bytes end before the field.
    """
    field = _field_offset(data)
    content = bytearray(data)
    content[field : field + 4] = bytes(4)
    if len(content) % 2:
        content.append(0)
    words = array("H", bytes(content))
    if sys.byteorder == "big":
        words.byteswap()
    total = sum(words)
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return (total + len(data)) & 0xFFFF_FFFF


def with_checksum(data: bytes) -> bytes:
    """A PE file with the right checksum in its header.

    Raises:
        ValueError: the bytes end before the field, or are no PE file.
    """
    content = bytearray(data)
    struct.pack_into("<I", content, _field_offset(data), compute_checksum(data))
    return bytes(content)


def set_checksum(path: Path) -> None:
    """Write the right checksum into a DLL's header; the file is replaced as a whole.

    Raises:
        CheckError: the file is no PE file.
        StorageError: it cannot be read or written.
    """
    with storage_errors(path):
        data = path.read_bytes()
    try:
        content = with_checksum(data)
    except ValueError as error:
        raise CheckError(
            f"{path.name} is no PE file, so it has no checksum to set",
            cause=str(error),
            next_step="If no tool of yours touched the file, please report it.",
        ) from error
    with replacing(path) as file:
        file.write(content)


def _field_offset(data: bytes) -> int:
    if len(data) < 64 or data[:2] != b"MZ":
        raise ValueError("no DOS header")
    (header,) = struct.unpack_from("<I", data, 0x3C)
    if data[header : header + 4] != b"PE\0\0":
        raise ValueError("no PE header")
    if header + _FIELD + 4 > len(data):
        raise ValueError("the file ends before the checksum")
    return int(header) + _FIELD
