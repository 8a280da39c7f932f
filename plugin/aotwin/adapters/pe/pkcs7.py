"""The PKCS#7 of an Authenticode signature, read strictly: whatever is in it has a known place.

PKCS#7 is RFC 2315; the content (`SpcIndirectDataContent`) and the attributes are described in
Microsoft's "Windows Authenticode Portable Executable Signature Format". DER is X.690: lengths are
definite and of the fewest bytes, so that no byte can be changed without a change of meaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_SIGNED_DATA = "1.2.840.113549.1.7.2"
_SPC_INDIRECT_DATA = "1.3.6.1.4.1.311.2.1.4"
SHA256 = "2.16.840.1.101.3.4.2.1"
#: attributes that may stand outside of what the signer signed: an RFC 3161 timestamp
#: (SPC_RFC3161_OBJID) and the older countersignature of PKCS#9. Nested signatures and blobs for
#: installers are not among them.
_OUTSIDE = frozenset({"1.3.6.1.4.1.311.3.3.1", "1.2.840.113549.1.9.6"})
_INTEGER, _OCTETS, _OID, _SEQUENCE, _SET = 0x02, 0x04, 0x06, 0x30, 0x31
_FIRST, _SECOND = 0xA0, 0xA1


class SignatureError(Exception):
    """A signature, or the file around it, is malformed; the text says how. Internal to checks."""


@dataclass(frozen=True)
class SignedDigest:
    """What a signature says about a file, and what tells it from other signatures."""

    #: object identifier of the hash, dotted
    algorithm: str
    #: the file's Authenticode hash
    digest: bytes
    #: the signer's encrypted digest: no two acts of signing share it
    value: bytes
    #: a timestamp is attached
    timestamped: bool


@dataclass(frozen=True)
class _Item:
    """One element: its tag, and where its content lies."""

    data: bytes
    tag: int
    start: int
    end: int

    @property
    def content(self) -> bytes:
        return self.data[self.start : self.end]

    def items(self) -> Iterator[_Item]:
        """The elements in a constructed one."""
        position = self.start
        while position < self.end:
            item = _read(self.data, position, self.end)
            yield item
            position = item.end

    def exactly(self, *tags: int) -> list[_Item]:
        """The elements in it, which must have these tags."""
        found = list(self.items())
        if [item.tag for item in found] != list(tags):
            shown = ", ".join(f"{item.tag:#04x}" for item in found[:8])
            raise SignatureError(f"elements {shown or 'none'} at {self.start} of the signature")
        return found


def read_signed_digest(data: bytes) -> tuple[SignedDigest, int]:
    """What the signature at the start of some bytes says, and how many bytes it takes.

    Raises:
        SignatureError: it is no Authenticode signature by one signer, or holds what has no place
            in one.
    """
    outer = _expect(_read(data, 0, len(data)), _SEQUENCE)
    kind, wrapped = outer.exactly(_OID, _FIRST)
    _require_oid(kind, _SIGNED_DATA)
    (signed_data,) = wrapped.exactly(_SEQUENCE)
    _, algorithms, content, _, signers = signed_data.exactly(
        _INTEGER, _SET, _SEQUENCE, _FIRST, _SET
    )
    algorithm, digest = _indirect_data(content)
    (listed,) = algorithms.exactly(_SEQUENCE)
    (signer,) = signers.exactly(_SEQUENCE)
    parts = list(signer.items())
    timestamped = _timestamp(parts.pop()) if len(parts) == 7 else False
    tags = [part.tag for part in parts]
    if tags != [_INTEGER, _SEQUENCE, _SEQUENCE, _FIRST, _SEQUENCE, _OCTETS]:
        raise SignatureError("the signer's part is not made as Authenticode's are")
    if {_algorithm(listed), _algorithm(parts[2])} != {algorithm}:
        raise SignatureError("it names several hashes")
    return SignedDigest(algorithm, digest, parts[5].content, timestamped), outer.end


def _indirect_data(content: _Item) -> tuple[str, bytes]:
    """Hash and digest of the content."""
    kind, wrapped = content.exactly(_OID, _FIRST)
    _require_oid(kind, _SPC_INDIRECT_DATA)
    (indirect,) = wrapped.exactly(_SEQUENCE)
    _, message_digest = indirect.exactly(_SEQUENCE, _SEQUENCE)
    algorithm, digest = message_digest.exactly(_SEQUENCE, _OCTETS)
    return _algorithm(algorithm), digest.content


def _timestamp(outside: _Item) -> bool:
    """Attributes that the signer's signature does not cover: nothing but one timestamp."""
    if outside.tag != _SECOND:
        raise SignatureError("the signer's part is not made as Authenticode's are")
    kinds = [_oid(attribute.exactly(_OID, _SET)[0]) for attribute in outside.items()]
    if len(kinds) != 1 or kinds[0] not in _OUTSIDE:
        found = ", ".join(kinds[:4]) or "none"
        raise SignatureError(
            f"attributes that the signature does not cover: {found}; a second signature and bytes "
            "for installers hide there"
        )
    return True


def _algorithm(item: _Item) -> str:
    parts = list(item.items())
    if not 1 <= len(parts) <= 2:
        raise SignatureError("an algorithm is malformed")
    return _oid(parts[0])


def _require_oid(item: _Item, expected: str) -> None:
    if _oid(item) != expected:
        raise SignatureError(f"content of the kind {_oid(item)} where {expected} belongs")


def _oid(item: _Item) -> str:
    """An object identifier in dotted form (X.690, 8.19)."""
    content = _expect(item, _OID).content
    if not 1 <= len(content) <= 32 or content[-1] & 0x80:
        raise SignatureError("an object identifier is malformed")
    arcs = [min(content[0] // 40, 2)]
    arcs.append(content[0] - 40 * arcs[0])
    value = 0
    for byte in content[1:]:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(value)
            value = 0
    return ".".join(map(str, arcs))


def _expect(item: _Item, tag: int) -> _Item:
    if item.tag != tag:
        raise SignatureError(f"an element {item.tag:#04x} where {tag:#04x} belongs")
    return item


def _read(data: bytes, position: int, end: int) -> _Item:
    """The element at a position, which must end before `end`."""
    if end - position < 2:
        raise SignatureError("it is cut off")
    tag, length = data[position], data[position + 1]
    start = position + 2
    if tag & 0x1F == 0x1F:
        raise SignatureError(f"an element of the unknown tag {tag:#04x}")
    if length & 0x80:
        count = length & 0x7F
        piece = data[start : min(start + count, end)]
        length = int.from_bytes(piece, "big")
        if not 1 <= count <= 4 or len(piece) != count or not piece[0] or length < 0x80:
            raise SignatureError("an element's length is not as DER writes it")
        start += count
    if length > end - start:
        raise SignatureError("an element is longer than what it lies in")
    return _Item(data, tag, start, start + length)
