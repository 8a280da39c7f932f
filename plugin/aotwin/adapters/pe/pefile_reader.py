"""pefile's reading of a PE file. Runs in a process of its own (`worker`), with limits.

pefile is pure Python and cannot crash the interpreter, but tables that overlap each other can keep
it busy for hours. Loaded by path, so it imports nothing of aotwin.
"""

from __future__ import annotations

from typing import Any

import pefile

#: pefile stops silently at 8,192 symbols by default; torch_cpu.dll has 59,776
_MAX_SYMBOLS = 1 << 17
#: and cuts names off at 512 characters; MSVC's decorated names are longer
_MAX_NAME_LENGTH = 1 << 12
_DIRECTORIES = (
    "IMAGE_DIRECTORY_ENTRY_EXPORT",
    "IMAGE_DIRECTORY_ENTRY_IMPORT",
    "IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT",
)


def read(data: bytes) -> dict[str, Any]:
    """Fields of `aotwin.adapters.pe.image.PeFacts` as plain values.

    Raises:
        ValueError: pefile cannot read the bytes as a PE file.
    """
    pefile.MAX_IMPORT_SYMBOLS = _MAX_SYMBOLS
    pefile.MAX_IMPORT_NAME_LENGTH = pefile.MAX_SYMBOL_NAME_LENGTH = _MAX_NAME_LENGTH
    try:
        image = pefile.PE(data=data, fast_load=True, max_symbol_exports=_MAX_SYMBOLS)
        image.parse_data_directories([pefile.DIRECTORY_ENTRY[name] for name in _DIRECTORIES])
        return {**_headers(image), **_tables(image)}
    except (pefile.PEFormatError, AttributeError) as error:
        # AttributeError: a header that pefile left out because the file ends before it
        raise ValueError(str(error).strip("'") or "no PE file") from error


def _headers(image: Any) -> dict[str, Any]:
    header, optional = image.FILE_HEADER, image.OPTIONAL_HEADER
    return {
        "machine": header.Machine,
        "characteristics": header.Characteristics,
        "symbol_table_offset": header.PointerToSymbolTable,
        "symbol_count": header.NumberOfSymbols,
        "magic": optional.Magic,
        "header_offset": image.DOS_HEADER.e_lfanew,
        "optional_header_size": header.SizeOfOptionalHeader,
        "entry_point": optional.AddressOfEntryPoint,
        "image_base": optional.ImageBase,
        "section_alignment": optional.SectionAlignment,
        "file_alignment": optional.FileAlignment,
        "os_version": (optional.MajorOperatingSystemVersion, optional.MinorOperatingSystemVersion),
        "subsystem_version": (optional.MajorSubsystemVersion, optional.MinorSubsystemVersion),
        "image_size": optional.SizeOfImage,
        "headers_size": optional.SizeOfHeaders,
        "checksum": optional.CheckSum,
        "subsystem": optional.Subsystem,
        "dll_characteristics": optional.DllCharacteristics,
        "directory_count": optional.NumberOfRvaAndSizes,
        "directories": [(each.VirtualAddress, each.Size) for each in optional.DATA_DIRECTORY],
        "sections": [
            (
                section.Name.rstrip(b"\0").decode("latin-1"),
                section.VirtualAddress,
                section.Misc_VirtualSize,
                section.PointerToRawData,
                section.SizeOfRawData,
                section.Characteristics,
            )
            for section in image.sections
        ],
    }


def _tables(image: Any) -> dict[str, Any]:
    export = getattr(image, "DIRECTORY_ENTRY_EXPORT", None)
    imports = getattr(image, "DIRECTORY_ENTRY_IMPORT", [])
    return {
        "dll_name": _text(export.name) if export else "",
        "exports": sorted(_export(symbol) for symbol in export.symbols) if export else [],
        "import_dlls": [_text(table.dll) for table in imports],
        "imports": [
            (
                _text(table.dll),
                "" if entry.import_by_ordinal else _text(entry.name),
                entry.ordinal if entry.import_by_ordinal else None,
            )
            for table in imports
            for entry in table.imports
        ],
        "delay_import_dlls": [
            _text(table.dll) for table in getattr(image, "DIRECTORY_ENTRY_DELAY_IMPORT", [])
        ],
    }


def _export(symbol: Any) -> tuple[str, int, int, str]:
    if symbol.forwarder:
        return _text(symbol.name), symbol.ordinal, 0, _text(symbol.forwarder)
    return _text(symbol.name), symbol.ordinal, symbol.address, ""


def _text(value: bytes | None) -> str:
    return (value or b"").decode("latin-1")
