"""LIEF's reading of a PE file. Runs in a process of its own (`worker`): LIEF is native code.

Loaded by path, so it imports nothing of aotwin.
"""

from __future__ import annotations

import hashlib
from typing import Any

import lief

# Relocations, resources and unwind tables are looked at elsewhere, or not at all.
_SKIPPED = ("parse_rsrc", "parse_reloc", "parse_exceptions")
#: signatures looked at; a model has one at most
_MAX_SIGNATURES = 4


def read(data: bytes) -> dict[str, Any]:
    """Fields of `aotwin.adapters.pe.image.PeFacts` as plain values.

    Raises:
        ValueError: LIEF cannot read the bytes as a PE file.
    """
    lief.logging.disable()
    config = lief.PE.ParserConfig()
    for option in _SKIPPED:
        if hasattr(config, option):  # LIEF 0.16 does not know them all
            setattr(config, option, False)
    # LIEF's objects die with their Binary: it must stay bound to a name while they are in use.
    binary = lief.PE.parse(data, config)
    if binary is None:
        raise ValueError("LIEF does not recognise a PE file")
    return {**_headers(binary), **_tables(binary), **_authenticode(binary)}


def _headers(binary: Any) -> dict[str, Any]:
    header, optional = binary.header, binary.optional_header
    return {
        "machine": int(header.machine),
        "characteristics": header.characteristics,
        "symbol_table_offset": header.pointerto_symbol_table,
        "symbol_count": header.numberof_symbols,
        "magic": int(optional.magic),
        "header_offset": binary.dos_header.addressof_new_exeheader,
        "optional_header_size": header.sizeof_optional_header,
        "entry_point": optional.addressof_entrypoint,
        "image_base": optional.imagebase,
        "section_alignment": optional.section_alignment,
        "file_alignment": optional.file_alignment,
        "os_version": (
            optional.major_operating_system_version,
            optional.minor_operating_system_version,
        ),
        "subsystem_version": (
            optional.major_subsystem_version,
            optional.minor_subsystem_version,
        ),
        "image_size": optional.sizeof_image,
        "headers_size": optional.sizeof_headers,
        "checksum": optional.checksum,
        "subsystem": int(optional.subsystem),
        "dll_characteristics": optional.dll_characteristics,
        "directory_count": optional.numberof_rva_and_size,
        "directories": [(each.rva, each.size) for each in binary.data_directories],
        "sections": [
            (
                _text(section.name).rstrip("\0"),
                section.virtual_address,
                section.virtual_size,
                section.pointerto_raw_data,
                section.sizeof_raw_data,
                int(section.characteristics),
            )
            for section in binary.sections
        ],
    }


def _tables(binary: Any) -> dict[str, Any]:
    export = binary.get_export()
    return {
        "dll_name": _text(export.name) if export else "",
        "exports": sorted(_export(entry) for entry in export.entries) if export else [],
        "import_dlls": [_text(table.name) for table in binary.imports],
        "imports": [
            (
                _text(table.name),
                "" if entry.is_ordinal else _text(entry.name),
                entry.ordinal if entry.is_ordinal else None,
            )
            for table in binary.imports
            for entry in table.entries
        ],
        "delay_import_dlls": [_text(table.name) for table in binary.delay_imports],
    }


def _authenticode(binary: Any) -> dict[str, Any]:
    signatures = list(binary.signatures)[:_MAX_SIGNATURES]
    return {
        "authenticode_sha256": bytes(binary.authentihash(lief.PE.ALGORITHMS.SHA_256)).hex(),
        "signatures": [_signature(each) for each in signatures],
    }


def _signature(signature: Any) -> dict[str, Any]:
    content = signature.content_info
    signer = signature.signers[0] if len(signature.signers) == 1 else None
    certificate = signer.cert if signer else None
    # Whether a certificate is valid today is Windows' to say, and no property of the file.
    flags = signature.check(lief.PE.Signature.VERIFICATION_CHECKS.SKIP_CERT_TIME)
    value = bytes(signer.encrypted_digest) if signer else b""
    return {
        "algorithm": content.digest_algorithm.name,
        "digest": bytes(content.digest).hex(),
        "value_sha256": hashlib.sha256(value).hexdigest(),
        "problem": "" if flags == lief.PE.Signature.VERIFICATION_FLAGS.OK else _names(flags),
        "subject": _text(certificate.subject) if certificate else "",
        "valid_to": list(certificate.valid_to) if certificate else [],
        "purposes": [_text(each) for each in certificate.ext_key_usage] if certificate else [],
    }


def _names(flags: Any) -> str:
    kinds = lief.PE.Signature.VERIFICATION_FLAGS
    names = [
        name
        for name in dir(kinds)
        if name.isupper() and name != "OK" and int(flags) & int(getattr(kinds, name))
    ]
    return ", ".join(names) or str(flags)


def _export(entry: Any) -> tuple[str, int, int, str]:
    if entry.is_forwarded:
        info = entry.forward_information
        return _text(entry.name), entry.ordinal, 0, f"{_text(info.library)}.{_text(info.function)}"
    return _text(entry.name), entry.ordinal, entry.address, ""


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
