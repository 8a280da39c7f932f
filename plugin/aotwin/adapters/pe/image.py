"""What a PE file says about itself: plain facts, whoever read them.

Field names and meanings follow Microsoft's "PE Format" specification
(https://learn.microsoft.com/windows/win32/debug/pe-format).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: IMAGE_SCN_MEM_EXECUTE, IMAGE_SCN_MEM_WRITE
SECTION_EXECUTE = 0x2000_0000
SECTION_WRITE = 0x8000_0000
#: entries of the optional header's array of data directories, in its order
DIRECTORY_NAMES = (
    "export", "import", "resource", "exception", "certificate", "relocation", "debug",
    "architecture", "global pointer", "TLS", "load configuration", "bound import",
    "import address", "delay import", "CLR header", "reserved",
)  # fmt: skip


@dataclass(frozen=True)
class Section:
    """One row of the section table; addresses are relative to the image's base (RVA), in bytes."""

    name: str
    virtual_address: int
    virtual_size: int
    #: PointerToRawData, an offset in the file
    raw_offset: int
    #: SizeOfRawData
    raw_size: int
    characteristics: int

    @property
    def virtual_end(self) -> int:
        """First RVA behind the section; the loader takes the raw size where no other is given."""
        return self.virtual_address + (self.virtual_size or self.raw_size)

    @property
    def raw_end(self) -> int:
        """First file offset behind the section's bytes."""
        return self.raw_offset + self.raw_size

    @property
    def executable(self) -> bool:
        """The loader maps it executable."""
        return bool(self.characteristics & SECTION_EXECUTE)

    @property
    def writable(self) -> bool:
        """The loader maps it writable."""
        return bool(self.characteristics & SECTION_WRITE)


@dataclass(frozen=True)
class Directory:
    """One data directory: an RVA (for certificates a file offset) and a size in bytes."""

    rva: int
    size: int


@dataclass(frozen=True)
class Export:
    """One exported symbol."""

    #: "" where it is exported by ordinal only
    name: str
    ordinal: int
    #: RVA of what it names, 0 for a forwarder
    rva: int
    #: "OTHER.function" for a forwarder, else ""
    forwarder: str


@dataclass(frozen=True)
class Import:
    """One imported symbol."""

    #: as spelled in the file: "KERNEL32.dll"
    dll: str
    #: "" where it is imported by ordinal
    name: str
    #: None where it is imported by name
    ordinal: int | None

    def __str__(self) -> str:
        return f"{self.dll}!{self.name or f'#{self.ordinal}'}"


@dataclass(frozen=True)
class SignatureFacts:
    """One PKCS#7 signature of a PE file, as LIEF saw it."""

    #: of the hash, in capital letters: "SHA_256"
    algorithm: str
    #: the file's Authenticode hash that it covers, hex
    digest: str
    #: sha256 of the signer's encrypted digest, hex
    value_sha256: str
    #: "" where its cryptography holds; certificates' times and chains are not looked at
    problem: str
    #: of the signer's certificate, as one line
    subject: str
    #: the certificate's last second, UTC: year, month, day, hour, minute, second
    valid_to: tuple[int, ...]
    #: object identifiers of what its extended key usage allows; empty where it has none
    purposes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PeFacts:
    """Headers and tables of one PE file, as one reader saw them."""

    machine: int
    #: IMAGE_FILE_HEADER.Characteristics
    characteristics: int
    #: COFF symbol table, which images must not have
    symbol_table_offset: int
    symbol_count: int
    #: 0x10b (PE32) or 0x20b (PE32+)
    magic: int
    #: file offset of the "PE" signature (e_lfanew)
    header_offset: int
    optional_header_size: int
    entry_point: int
    image_base: int
    section_alignment: int
    file_alignment: int
    #: (major, minor)
    os_version: tuple[int, int]
    subsystem_version: tuple[int, int]
    image_size: int
    headers_size: int
    checksum: int
    subsystem: int
    dll_characteristics: int
    #: NumberOfRvaAndSizes
    directory_count: int
    directories: tuple[Directory, ...]
    sections: tuple[Section, ...]
    #: the name in the export directory
    dll_name: str
    exports: tuple[Export, ...]
    #: DLLs of the import directory in its order, also those nothing is imported from
    import_dlls: tuple[str, ...]
    imports: tuple[Import, ...]
    #: DLLs of the delay-import directory
    delay_import_dlls: tuple[str, ...]
    #: Authenticode's sha256, hex, and the signatures: from LIEF only, so not for comparison
    authenticode_sha256: str = field(default="", compare=False)
    signatures: tuple[SignatureFacts, ...] = field(default=(), compare=False)

    def directory(self, name: str) -> Directory:
        """A data directory by its name in `DIRECTORY_NAMES`; an empty one where there is none."""
        index = DIRECTORY_NAMES.index(name)
        return self.directories[index] if index < len(self.directories) else Directory(0, 0)

    def section_at(self, rva: int, size: int = 1) -> Section | None:
        """The section that holds `size` bytes from `rva` on, or None."""
        for section in self.sections:
            if section.virtual_address <= rva and rva + size <= section.virtual_end:
                return section
        return None

    def file_offset(self, rva: int, size: int = 1) -> int | None:
        """Where the `size` bytes at `rva` lie in the file, or None where nothing backs them."""
        section = self.section_at(rva, size)
        if section is None:
            return None
        start = rva - section.virtual_address
        return section.raw_offset + start if start + size <= section.raw_size else None


@dataclass(frozen=True)
class Unreadable:
    """A reader gave up on a file, crashed on it, or was stopped."""

    reason: str


def decode_facts(text: str) -> PeFacts:
    """Facts from the JSON that a reader process printed.

    Raises:
        ValueError, KeyError, TypeError: the text is not what `worker` prints.
    """
    return facts_of(json.loads(text))


def facts_of(data: Mapping[str, Any]) -> PeFacts:
    """Facts from the plain values that a reader returns.

    Raises:
        KeyError, TypeError: they are not those of a reader.
    """
    nested: dict[str, Any] = {
        "os_version": tuple(data["os_version"]),
        "subsystem_version": tuple(data["subsystem_version"]),
        "directories": tuple(Directory(*row) for row in data["directories"]),
        "sections": tuple(Section(*row) for row in data["sections"]),
        "exports": tuple(Export(*row) for row in data["exports"]),
        "import_dlls": tuple(data["import_dlls"]),
        "imports": tuple(Import(*row) for row in data["imports"]),
        "delay_import_dlls": tuple(data["delay_import_dlls"]),
        "signatures": tuple(_signature(row) for row in data.get("signatures", ())),
    }
    return PeFacts(**{**data, **nested})


def _signature(row: Mapping[str, Any]) -> SignatureFacts:
    lists: dict[str, Any] = {key: tuple(row[key]) for key in ("valid_to", "purposes")}
    return SignatureFacts(**{**row, **lists})
