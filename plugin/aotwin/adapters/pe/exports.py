"""The names that a trusted, large DLL exports, without reading the rest of it.

torch_cpu.dll has 300 MB and 60,000 exports: pefile stops at 8,192 of them, and LIEF needs the
whole file in memory. The export directory is a flat table, so it is read through a mapping.
Only for DLLs whose hash was checked; untrusted files go through `adapters.pe`.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from aotwin.errors import SysrootError


def exported_names(path: Path) -> list[str]:
    """Names in a PE32+ file's export directory, in the file's (sorted) order.

    The layout is that of Microsoft's "PE Format": IMAGE_DOS_HEADER.e_lfanew at 0x3C, the COFF
    header behind the signature, data directory 0 at offset 112 of a PE32+ optional header.

    Raises:
        SysrootError: the file is no PE32+ file, or its tables point outside of it.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return list(_names(data))
    except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
        raise SysrootError(
            f"the exports of {path.name} cannot be read",
            cause=str(error),
            next_step="Report it: the pinned sysroot holds a DLL of an unknown form.",
        ) from error


def _names(data: mmap.mmap) -> list[str]:
    (header,) = struct.unpack_from("<I", data, 0x3C)
    if data[header : header + 4] != b"PE\0\0":
        raise ValueError("no PE signature")
    sections_count, optional_size = struct.unpack_from("<H12xH", data, header + 6)
    optional = header + 24
    if struct.unpack_from("<H", data, optional)[0] != 0x20B:
        raise ValueError("not PE32+")
    directory_rva, _ = struct.unpack_from("<II", data, optional + 112)
    if directory_rva == 0:
        return []
    sections = [
        struct.unpack_from("<IIII", data, optional + optional_size + 40 * index + 8)
        for index in range(sections_count)
    ]

    def offset(rva: int) -> int:
        for virtual_size, virtual_address, raw_size, raw_offset in sections:
            if virtual_address <= rva < virtual_address + max(virtual_size, raw_size):
                return int(rva - virtual_address + raw_offset)
        raise ValueError(f"RVA {rva:#x} lies in no section")

    count, _, names_rva = struct.unpack_from("<III", data, offset(directory_rva) + 24)
    pointers = struct.unpack_from(f"<{count}I", data, offset(names_rva))
    names = []
    for pointer in pointers:
        start = offset(pointer)
        names.append(data[start : data.find(b"\0", start)].decode("ascii"))
    return names
