"""A signature put together element by element, and a PE file that carries it.

Its form is that of Authenticode; its cryptography is made up, so tests say what LIEF would see.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from aotwin.adapters.pe.authenticode import authenticode_sha256
from aotwin.adapters.pe.checksum import with_checksum

SIGNED_DATA = "1.2.840.113549.1.7.2"
INDIRECT_DATA = "1.3.6.1.4.1.311.2.1.4"
SHA256, SHA1 = "2.16.840.1.101.3.4.2.1", "1.3.14.3.2.26"
TIMESTAMP = "1.3.6.1.4.1.311.3.3.1"
NESTED = "1.3.6.1.4.1.311.2.4.1"
VALUE = bytes(range(256))
INTEGER, OCTETS, OID, SEQUENCE, SET, FIRST, SECOND = 2, 4, 6, 0x30, 0x31, 0xA0, 0xA1


def der(tag: int, *parts: bytes) -> bytes:
    """One element."""
    content = b"".join(parts)
    length = len(content).to_bytes(1, "big") if len(content) < 0x80 else b""
    if not length:
        figure = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
        length = bytes([0x80 | len(figure)]) + figure
    return bytes([tag]) + length + content


def oid(dotted: str) -> bytes:
    """An object identifier."""
    first, second, *rest = map(int, dotted.split("."))
    content = bytearray()
    for arc in (40 * first + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        content += bytes(reversed(groups))
    return der(OID, bytes(content))


def signer(algorithm: str, value: bytes, outside: Sequence[str]) -> bytes:
    """One SignerInfo."""
    attributes = [der(SEQUENCE, oid(each), der(SET, der(OCTETS, b"?"))) for each in outside]
    return der(
        SEQUENCE, der(INTEGER, b"\1"), der(SEQUENCE), der(SEQUENCE, oid(algorithm)), der(FIRST),
        der(SEQUENCE, oid("1.2.840.113549.1.1.1")), der(OCTETS, value),
        der(SECOND, *attributes) if outside else b"",
    )  # fmt: skip


def signature(
    digest: bytes, *, algorithm: str = SHA256, value: bytes = VALUE, outside: Sequence[str] = (),
    signers: int = 1, kind: str = SIGNED_DATA, revocations: bytes = b"", listed: str = "",
) -> bytes:  # fmt: skip
    """A PKCS#7 signature of a file with this Authenticode hash."""
    hashed = der(SEQUENCE, der(SEQUENCE, oid(algorithm)), der(OCTETS, digest))
    content = der(SEQUENCE, der(SEQUENCE), hashed)
    return der(
        SEQUENCE, oid(kind),
        der(FIRST, der(
            SEQUENCE, der(INTEGER, b"\1"), der(SET, der(SEQUENCE, oid(listed or algorithm))),
            der(SEQUENCE, oid(INDIRECT_DATA), der(FIRST, content)), der(FIRST, b"\5\0"),
            revocations, der(SET, *[signer(algorithm, value, outside)] * signers),
        )),
    )  # fmt: skip


def with_table(data: bytes, table: bytes, *, place: int | None = None, size: int = -1) -> bytes:
    """A PE file with a certificate table of these bytes behind it, and the right checksum."""
    (header,) = struct.unpack_from("<I", data, 0x3C)
    content = bytearray(data)
    entry = header + 24 + 112 + 8 * 4
    place = len(data) if place is None else place
    struct.pack_into("<II", content, entry, place, len(table) if size < 0 else size)
    return with_checksum(bytes(content) + table)


def table_of(pkcs7: bytes, *, revision: int = 0x200, kind: int = 2, padding: bytes = b"") -> bytes:
    """A certificate table with one entry; its length counts the padding, as osslsigncode has it."""
    content = pkcs7 + padding
    content += bytes(-len(content) % 8)
    return struct.pack("<IHH", 8 + len(content), revision, kind) + content


def sign(data: bytes, **how: object) -> bytes:
    """A PE file with a signature of it."""
    digest = bytes.fromhex(authenticode_sha256(data))
    return with_table(data, table_of(signature(digest, **how)))  # type: ignore[arg-type]
