"""A sound PE DLL put together byte by byte, for rules to be broken on.

Follows Microsoft's "PE Format". It holds one function per export (a lone `ret`), imports from
torch_cpu.dll and KERNEL32.dll, unwind information, a TLS directory with one callback, and base
relocations: everything that the rules look at. `at` names the places that tests overwrite.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from itertools import pairwise

from aotwin.adapters.pe.checksum import compute_checksum

IMAGE_BASE = 0x1_8000_0000
FILE_ALIGNMENT, SECTION_ALIGNMENT = 0x200, 0x1000
CODE, DATA, CONSTANTS = 0x6000_0020, 0xC000_0040, 0x4000_0040
#: data directories by their place in the optional header
EXPORT, IMPORT, EXCEPTION, RELOCATION, DEBUG, TLS, CLR = 0, 1, 3, 5, 6, 9, 14
DEFAULT_IMPORTS = {
    "torch_cpu.dll": ("aoti_torch_delete_tensor_object", "aoti_torch_get_dim"),
    "KERNEL32.dll": ("CreateFileW", "MapViewOfFile"),
}


@dataclass
class PeImage:
    """Bytes that tests may overwrite before they ask for the finished file."""

    data: bytearray
    #: name -> file offset
    at: dict[str, int]
    #: section name -> RVA
    rva: dict[str, int]
    section_names: list[str]

    def poke(self, place: str, layout: str, *values: int, offset: int = 0) -> PeImage:
        """Overwrite what lies at a named place."""
        struct.pack_into("<" + layout, self.data, self.at[place] + offset, *values)
        return self

    def peek(self, place: str, layout: str, offset: int = 0) -> int:
        """One figure from a named place."""
        return int(struct.unpack_from("<" + layout, self.data, self.at[place] + offset)[0])

    def section(self, name: str) -> str:
        """The name of the place of a section's row."""
        return f"section {self.section_names.index(name)}"

    def finish(self) -> bytes:
        """The file, with the right checksum."""
        self.poke("CheckSum", "I", compute_checksum(bytes(self.data)))
        return bytes(self.data)


@dataclass
class _Section:
    name: str
    characteristics: int
    content: bytearray = field(default_factory=bytearray)
    rva: int = 0
    raw: int = 0

    def add(self, content: bytes, alignment: int = 8) -> int:
        """Append content; its RVA."""
        self.content.extend(bytes(-len(self.content) % alignment))
        self.content.extend(content)
        return self.rva + len(self.content) - len(content)


def build_image(
    exports: list[str],
    *,
    imports: dict[str, tuple[str | int, ...]] | None = None,
    forwarder: str = "",
    header_offset: int = 0x80,
    empty_sections: int = 0,
) -> PeImage:
    """A DLL that no rule objects to, as long as the arguments are sound.

    Args:
        exports: names in any order; each gets its own function.
        imports: DLL name -> names, or ordinals.
        forwarder: what the first export is forwarded to.
        header_offset: where the PE header begins.
        empty_sections: sections without bytes, to have many.
    """
    names = [".text", ".extra", ".rdata", ".data", ".pdata", ".reloc"]
    rights = [CODE, CONSTANTS, CONSTANTS, DATA, CONSTANTS, CONSTANTS]
    sections = [_Section(*row) for row in zip(names, rights, strict=True)]
    sections += [_Section(f".bss{index}", DATA) for index in range(empty_sections)]
    headers_end = header_offset + 24 + 240 + 40 * len(sections)
    headers_size = _round(headers_end, FILE_ALIGNMENT)
    text, extra, rdata, data, pdata, reloc = sections[:6]
    at: dict[str, int] = {}
    directories = [(0, 0)] * 16
    rva = _round(headers_size, SECTION_ALIGNMENT)

    text.rva = rva
    functions = [text.add(b"\xc3" + b"\xcc" * 15, 16) for _ in range(max(2, len(exports)))]
    extra.rva = _after(text)
    extra.add(bytes(FILE_ALIGNMENT))
    rdata.rva = _after(extra)
    places = _rdata(rdata, sorted(exports), functions, imports or DEFAULT_IMPORTS, forwarder)
    directories[EXPORT], directories[IMPORT] = places.exports, places.imports
    data.rva = _after(rdata)
    tls_index = data.add(bytes(8))
    tls = struct.pack(
        "<QQQQII", *(IMAGE_BASE + each for each in (places.tls_data, places.tls_data + 8)),
        IMAGE_BASE + tls_index, IMAGE_BASE + places.callbacks, 0, 0,
    )  # fmt: skip
    tls_rva = data.add(tls)
    directories[TLS] = (tls_rva, len(tls))
    pdata.rva = _after(data)
    rows = b"".join(struct.pack("<III", each, each + 1, places.unwind) for each in functions)
    directories[EXCEPTION] = (pdata.add(rows), len(rows))
    reloc.rva = _after(pdata)
    blocks = _relocations([tls_rva + 8 * row for row in range(4)]) + _relocations(
        [places.callbacks]
    )
    directories[RELOCATION] = (reloc.add(blocks), len(blocks))
    for previous, section in pairwise(sections[5:]):
        section.rva = _after(previous)

    raw = headers_size
    for section in sections:
        if section.content:
            section.raw = raw
            raw += _round(len(section.content), FILE_ALIGNMENT)
    content = bytearray(raw)
    for section in sections:
        content[section.raw : section.raw + len(section.content)] = section.content
    _write_headers(content, sections, directories, header_offset, headers_size, functions[0], at)

    def offset(rva: int) -> int:
        home = next(each for each in reversed(sections) if each.content and each.rva <= rva)
        return home.raw + rva - home.rva

    at |= {name: offset(each) for name, each in places.named.items()}
    at |= {
        "TLS": offset(tls_rva),
        "functions": pdata.raw,
        "relocations": reloc.raw,
    }
    return PeImage(content, at, {each.name: each.rva for each in sections}, names)


@dataclass
class _Places:
    exports: tuple[int, int]
    imports: tuple[int, int]
    tls_data: int
    callbacks: int
    unwind: int
    named: dict[str, int]


def _rdata(
    rdata: _Section,
    names: list[str],
    functions: list[int],
    imports: dict[str, tuple[str | int, ...]],
    forwarder: str,
) -> _Places:
    named: dict[str, int] = {}
    unwind = rdata.add(struct.pack("<BBBB", 1, 0, 0, 0))
    tls_data = rdata.add(bytes(8))
    callbacks = rdata.add(struct.pack("<QQ", IMAGE_BASE + functions[1], 0))
    strings = {name: rdata.add(name.encode() + b"\0", 1) for name in [*names, "model.dll"]}
    # A forwarder is told from a function by lying inside the export directory.
    start = rdata.add(bytes(40))
    addresses = functions[: len(names)]
    if forwarder:
        addresses[0] = rdata.add(forwarder.encode() + b"\0", 1)
    tables = [
        rdata.add(struct.pack(f"<{len(names)}I", *addresses)),
        rdata.add(struct.pack(f"<{len(names)}I", *(strings[name] for name in names))),
        rdata.add(struct.pack(f"<{len(names)}H", *range(len(names)))),
    ]
    end = rdata.add(b"")
    header = struct.pack(
        "<IIHHIIIIIII", 0, 0, 0, 0, strings["model.dll"], 1, len(names), len(names), *tables
    )
    rdata.content[start - rdata.rva : start - rdata.rva + 40] = header
    named |= {"export addresses": tables[0], "export names": tables[1], "export header": start}
    descriptors = b""
    for dll, symbols in imports.items():
        entries = [
            symbol | 1 << 63
            if isinstance(symbol, int)
            else rdata.add(b"\0\0" + symbol.encode() + b"\0", 2)
            for symbol in symbols
        ]
        packed = struct.pack(f"<{len(entries) + 1}Q", *entries, 0)
        lookup, bound = rdata.add(packed), rdata.add(packed)
        named[f"address table of {dll}"] = bound
        dll_name = rdata.add(dll.encode() + b"\0", 1)
        descriptors += struct.pack("<IIIII", lookup, 0, 0, dll_name, bound)
    descriptors += bytes(20)
    table = rdata.add(descriptors)
    named |= {"unwind": unwind, "callbacks": callbacks, "imports": table}
    return _Places(
        (start, end - start), (table, len(descriptors)), tls_data, callbacks, unwind, named
    )


def _relocations(rvas: list[int]) -> bytes:
    entries = [10 << 12 | rva & 0xFFF for rva in rvas]
    entries += [0] * (len(entries) % 2)
    size = 8 + 2 * len(entries)
    return struct.pack(f"<II{len(entries)}H", rvas[0] & ~0xFFF, size, *entries)


def _write_headers(
    content: bytearray,
    sections: list[_Section],
    directories: list[tuple[int, int]],
    start: int,
    headers_size: int,
    entry: int,
    at: dict[str, int],
) -> None:
    struct.pack_into("<2s58xI", content, 0, b"MZ", start)
    struct.pack_into("<4sHHIIIHH", content, start, b"PE\0\0", 0x8664, len(sections), 0, 0, 0, 240,
                     0x2022)  # fmt: skip
    optional = start + 24
    fields = (
        ("Magic", "H", 0x20B), ("LinkerVersion", "H", 14), ("SizeOfCode", "I", 0),
        ("SizeOfInitializedData", "I", 0), ("SizeOfUninitializedData", "I", 0),
        ("AddressOfEntryPoint", "I", entry), ("BaseOfCode", "I", sections[0].rva),
        ("ImageBase", "Q", IMAGE_BASE), ("SectionAlignment", "I", SECTION_ALIGNMENT),
        ("FileAlignment", "I", FILE_ALIGNMENT), ("OperatingSystemVersion", "I", 6),
        ("ImageVersion", "I", 0), ("SubsystemVersion", "I", 6), ("Win32VersionValue", "I", 0),
        ("SizeOfImage", "I", _after(sections[-1])), ("SizeOfHeaders", "I", headers_size),
        ("CheckSum", "I", 0), ("Subsystem", "H", 2), ("DllCharacteristics", "H", 0x160),
        ("SizeOfStackReserve", "Q", 1 << 20), ("SizeOfStackCommit", "Q", 1 << 12),
        ("SizeOfHeapReserve", "Q", 1 << 20), ("SizeOfHeapCommit", "Q", 1 << 12),
        ("LoaderFlags", "I", 0), ("NumberOfRvaAndSizes", "I", 16),
    )  # fmt: skip
    at |= {"Machine": start + 4, "NumberOfSymbols": start + 16, "Characteristics": start + 22}
    place = optional
    for name, layout, value in fields:
        at[name] = place
        struct.pack_into("<" + layout, content, place, value)
        place += struct.calcsize("<" + layout)
    for index, directory in enumerate(directories):
        at[f"directory {index}"] = place
        struct.pack_into("<II", content, place, *directory)
        place += 8
    for index, section in enumerate(sections):
        at[f"section {index}"] = place
        struct.pack_into(
            "<8sIIII12xI", content, place, section.name.encode(),
            len(section.content) or SECTION_ALIGNMENT, section.rva,
            _round(len(section.content), FILE_ALIGNMENT), section.raw, section.characteristics,
        )  # fmt: skip
        place += 40


def _after(section: _Section) -> int:
    return section.rva + _round(len(section.content) or SECTION_ALIGNMENT, SECTION_ALIGNMENT)


def _round(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment
