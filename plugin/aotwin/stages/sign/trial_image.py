"""The smallest PE file that can be signed: no code, one empty section; see "PE Format"."""

from __future__ import annotations

import struct

_ALIGNMENT = 512
_HEADER = 64


def trial_image() -> bytes:
    """A PE32+ DLL of 1,024 bytes that does nothing; it is signed to see whether signing works."""
    headers = struct.pack("<2s58xI", b"MZ", _HEADER)
    # IMAGE_FILE_HEADER behind its signature: AMD64, one section, EXECUTABLE_IMAGE and DLL
    headers += struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, 1, 0, 0, 0, 240, 0x2022)
    # IMAGE_OPTIONAL_HEADER64 up to its sixteen data directories, all of them empty
    headers += struct.pack(
        "<HBBIIIIIQIIHHHHHHIIIIHHQQQQII", 0x20B, 14, 0, 0, _ALIGNMENT, 0, 0, 0, 0x1_8000_0000,
        0x1000, _ALIGNMENT, 6, 0, 0, 0, 6, 0, 0, 0x2000, _ALIGNMENT, 0, 2, 0x160,
        1 << 20, 1 << 12, 1 << 20, 1 << 12, 0, 16,
    )  # fmt: skip
    headers += bytes(8 * 16)
    # a section of constants that is read only
    headers += struct.pack(
        "<8sIIII12xI", b".rdata", _ALIGNMENT, 0x1000, _ALIGNMENT, _ALIGNMENT, 0x4000_0040
    )
    return headers.ljust(2 * _ALIGNMENT, b"\0")
