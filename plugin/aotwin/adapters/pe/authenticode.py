"""Authenticode as bytes: what a signature covers, where it lies, and the file as it was before.

Follows Microsoft's "Windows Authenticode Portable Executable Signature Format" (version 1.0) and,
for the certificate table, "The Attribute Certificate Table" of "PE Format". No cryptography here:
whether a signature verifies is LIEF's to say (`aotwin.adapters.pe.lief_reader`).
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from aotwin.adapters.pe.checksum import with_checksum
from aotwin.adapters.pe.pkcs7 import SignatureError, SignedDigest, read_signed_digest

#: offset of the data directories in the optional header, by its magic (PE32, PE32+); the field
#: before them is their number
_DIRECTORIES = {0x10B: 96, 0x20B: 112}
#: place of the certificate table among the data directories; an entry has 8 bytes
_CERTIFICATE = 4
#: of CheckSum in the optional header
_CHECKSUM = 64
#: PE signature and IMAGE_FILE_HEADER in front of the optional header
_FILE_HEADER = 24
#: WIN_CERTIFICATE: dwLength (this header included), wRevision, wCertificateType
_ENTRY = struct.Struct("<IHH")
_REVISION_2, _PKCS_SIGNED_DATA = 0x0200, 0x0002
#: entries of the table, and so the table, lie at multiples of this many bytes
_ALIGNMENT = 8
#: bytes; a signature with its chain and a timestamp has about 10,000
MAX_TABLE_NBYTES = 1 << 16


@dataclass(frozen=True)
class _Fields:
    """Where the three things lie that a signature does not cover; offsets in the file, bytes."""

    checksum: int
    #: the entry of the certificate table in the data directories
    entry: int
    #: what the entry says: offset in the file and size of the table, both 0 where there is none
    table: int
    table_nbytes: int


def has_signature(data: bytes) -> bool:
    """The headers name a certificate table, whatever there is of it."""
    try:
        fields = _fields(data)
    except SignatureError:
        return False
    return bool(fields.table or fields.table_nbytes)


def authenticode_sha256(data: bytes) -> str:
    """The hash that an Authenticode signature of a PE file holds, as sha256 in hex.

    All bytes but the checksum, the directory's entry of the certificate table, and the table.
    The format description sorts the sections first and leaves out what lies between them; in an
    image without gaps and overlaps, the only ones that pass the check, that is the same.

    Raises:
        SignatureError: the bytes are no PE file, or its table lies outside of it.
    """
    fields = _fields(data)
    end = _table_start(data, fields)
    digest = hashlib.sha256()
    view = memoryview(data)
    for start, stop in (
        (0, fields.checksum),
        (fields.checksum + 4, fields.entry),
        (fields.entry + 8, end),
        # Whatever stands behind the table is not left out: it is nobody's signature.
        (min(end + fields.table_nbytes, len(data)) if fields.table else end, len(data)),
    ):
        digest.update(view[start:stop])
    return digest.hexdigest()


def unsigned_bytes(data: bytes) -> bytes:
    """A PE file as it was before it was signed: without table and entry, its checksum set.

    A file without a signature comes back as it is. The checksum is the right one whatever it was
    before: a linker's output has the right one, and whether a signed file has it is for others.

    Raises:
        SignatureError: the bytes are no PE file, or its table lies outside of it.
    """
    fields = _fields(data)
    if not fields.table and not fields.table_nbytes:
        return data
    content = bytearray(data[: _table_start(data, fields)])
    struct.pack_into("<II", content, fields.entry, 0, 0)
    return with_checksum(bytes(content))


def unsigned_nbytes(headers: bytes, nbytes: int) -> int:
    """Size of a PE file as it was before it was signed.

    Args:
        headers: the first bytes of the file.
        nbytes: the file's size, which it also was before if no table is named.
    """
    try:
        table = _fields(headers).table
    except SignatureError:
        return nbytes
    return table if 0 < table <= nbytes else nbytes


def read_signature(data: bytes) -> SignedDigest:
    """What the only signature in a PE file says.

    Raises:
        SignatureError: there is none, or there is more in the certificate table than one PKCS#7
            signature: another entry, bytes behind it, padding that is not zero.
    """
    fields = _fields(data)
    start, nbytes = _table_start(data, fields), fields.table_nbytes
    if not nbytes:
        raise SignatureError("there is no certificate table")
    if start % _ALIGNMENT:
        raise SignatureError(f"the certificate table lies at {start:#x}, no multiple of 8")
    if start + nbytes != len(data):
        where = "before" if start + nbytes < len(data) else "behind"
        raise SignatureError(f"the certificate table ends {where} the end of the file")
    if not _ENTRY.size < nbytes <= MAX_TABLE_NBYTES:
        raise SignatureError(f"the certificate table has {nbytes:,} bytes")
    length, revision, kind = _ENTRY.unpack_from(data, start)
    if (revision, kind) != (_REVISION_2, _PKCS_SIGNED_DATA):
        raise SignatureError(f"the certificate is of revision {revision:#x} and type {kind:#x}")
    if not _ENTRY.size < length <= nbytes or -(-length // _ALIGNMENT) * _ALIGNMENT != nbytes:
        raise SignatureError(f"the first entry has {length:,} of the table's {nbytes:,} bytes")
    # Signing programs count the padding to 8 bytes in the entry's length, or do not.
    signed, end = read_signed_digest(data[start + _ENTRY.size : start + nbytes])
    padding = data[start + _ENTRY.size + end :]
    if len(padding) >= _ALIGNMENT or any(padding):
        raise SignatureError(f"{len(padding):,} bytes follow the signature in its table")
    return signed


def _table_start(data: bytes, fields: _Fields) -> int:
    """Where the table starts; the end of the file where there is none."""
    if not fields.table and not fields.table_nbytes:
        return len(data)
    if not fields.entry + 8 <= fields.table <= len(data):
        raise SignatureError(f"the certificate table lies at {fields.table:#x}, not in the file")
    return fields.table


def _fields(data: bytes) -> _Fields:
    try:
        if data[:2] != b"MZ":
            raise SignatureError("no DOS header")
        (header,) = struct.unpack_from("<I", data, 0x3C)
        if header < 0x40 or data[header : header + 4] != b"PE\0\0":
            raise SignatureError("no PE header")
        optional = header + _FILE_HEADER
        (magic,) = struct.unpack_from("<H", data, optional)
        if magic not in _DIRECTORIES:
            raise SignatureError(f"an optional header of the unknown magic {magic:#x}")
        directories = optional + _DIRECTORIES[magic]
        (count,) = struct.unpack_from("<I", data, directories - 4)
        if count <= _CERTIFICATE:
            raise SignatureError(f"{count} data directories, none for certificates")
        entry = directories + 8 * _CERTIFICATE
        table, nbytes = struct.unpack_from("<II", data, entry)
    except struct.error as error:
        raise SignatureError("the file ends within its headers") from error
    return _Fields(optional + _CHECKSUM, entry, table, nbytes)
