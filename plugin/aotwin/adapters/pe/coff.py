"""COFF objects, as zig writes them: which symbols the linker must find elsewhere.

Layout: Microsoft's "PE Format", "COFF File Header" and "COFF Symbol Table". Only for objects that
were compiled here; what users hand in is read by `readers`.
"""

from __future__ import annotations

import struct

from aotwin.errors import ToolError

#: Machine, NumberOfSections, TimeDateStamp, PointerToSymbolTable, NumberOfSymbols, ...
_HEADER = struct.Struct("<HHIIIHH")
#: Name, Value, SectionNumber, Type, StorageClass, NumberOfAuxSymbols
_SYMBOL = struct.Struct("<8sIhHBB")
#: the form for objects of more than 65,279 sections: anonymous object header, version 2
_BIG_HEADER = struct.Struct("<HHHHI16sIIIIIII")
_BIG_SYMBOL = struct.Struct("<8sIiHBB")
_BIG_MARK = (0, 0xFFFF)
#: IMAGE_SYM_CLASS_EXTERNAL
_EXTERNAL = 2


def undefined_symbols(data: bytes) -> frozenset[str]:
    """Names of the external symbols that an object uses and does not define.

    Args:
        data: the object.

    Raises:
        ToolError: it is no COFF object.
    """
    try:
        return frozenset(_undefined(data))
    except (struct.error, ValueError, IndexError) as error:
        raise ToolError(
            "a compiled wrapper is no COFF object",
            cause=f"its symbol table cannot be read: {error}",
            next_step="Clear the cache (aotwin cache clear) and build again.",
        ) from error


def _undefined(data: bytes) -> list[str]:
    first = _HEADER.unpack_from(data)
    if (first[0], first[1]) == _BIG_MARK:
        header = _BIG_HEADER.unpack_from(data)
        symbol, table, count = _BIG_SYMBOL, header[11], header[12]
    else:
        symbol, table, count = _SYMBOL, first[3], first[4]
    strings = table + symbol.size * count
    names = []
    index = 0
    while index < count:
        name, value, section, _, storage, auxiliary = symbol.unpack_from(
            data, table + symbol.size * index
        )
        # A value makes it a common block, which the linker lays out itself.
        if section == 0 and storage == _EXTERNAL and value == 0:
            names.append(_name(data, name, strings))
        index += 1 + auxiliary
    return names


def _name(data: bytes, field: bytes, strings: int) -> str:
    """A symbol's name: eight bytes, or an offset into the string table behind the symbols."""
    if field[:4] != b"\0\0\0\0":
        return field.rstrip(b"\0").decode()
    start = strings + int.from_bytes(field[4:], "little")
    return data[start : data.index(b"\0", start)].decode()
