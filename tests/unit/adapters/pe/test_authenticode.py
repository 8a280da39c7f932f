"""What a signature covers is hashed, the rest is not; what hides in a signature is found."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pe_image import build_image
from signed_image import (
    NESTED,
    SHA1,
    SHA256,
    TIMESTAMP,
    VALUE,
    der,
    sign,
    signature,
    table_of,
    with_table,
)

from aotwin.adapters.pe.authenticode import (
    authenticode_sha256,
    has_signature,
    read_signature,
    unsigned_bytes,
    unsigned_nbytes,
)
from aotwin.adapters.pe.checksum import with_checksum
from aotwin.adapters.pe.pkcs7 import SignatureError, read_signed_digest

IMAGE = build_image(["AOTInductorModelRun"])
UNSIGNED = IMAGE.finish()
DIGEST = bytes.fromhex(authenticode_sha256(UNSIGNED))
SIGNED = sign(UNSIGNED)
CHECKSUM, ENTRY = IMAGE.at["CheckSum"], IMAGE.at["directory 4"]


def test_the_hash_is_that_of_all_bytes_but_the_checksum_and_the_entry() -> None:
    covered = UNSIGNED[:CHECKSUM] + UNSIGNED[CHECKSUM + 4 : ENTRY] + UNSIGNED[ENTRY + 8 :]
    assert authenticode_sha256(UNSIGNED) == hashlib.sha256(covered).hexdigest()


def test_signing_does_not_change_the_hash_and_can_be_undone() -> None:
    assert SIGNED != UNSIGNED
    assert authenticode_sha256(SIGNED) == authenticode_sha256(UNSIGNED)
    assert unsigned_bytes(SIGNED) == UNSIGNED
    assert unsigned_nbytes(SIGNED[:1024], len(SIGNED)) == len(UNSIGNED)
    assert (has_signature(SIGNED), has_signature(UNSIGNED)) == (True, False)


def test_a_file_without_a_signature_stays_as_it_is() -> None:
    wrong_checksum = bytearray(UNSIGNED)
    wrong_checksum[CHECKSUM] ^= 1
    assert unsigned_bytes(bytes(wrong_checksum)) == bytes(wrong_checksum)
    assert unsigned_nbytes(UNSIGNED, len(UNSIGNED)) == len(UNSIGNED)


def test_every_byte_in_front_of_the_table_is_covered_or_restored() -> None:
    for place in range(len(UNSIGNED)):
        changed = bytearray(SIGNED)
        changed[place] ^= 1
        try:
            same_hash = authenticode_sha256(bytes(changed)) == DIGEST.hex()
            same_file = unsigned_bytes(bytes(changed)) == UNSIGNED
        except SignatureError:
            continue
        uncovered = place in range(CHECKSUM, CHECKSUM + 4) or place in range(ENTRY, ENTRY + 8)
        assert not same_hash or uncovered, place
        assert not same_file or uncovered, place


def test_a_signature_says_what_it_covers() -> None:
    read = read_signature(SIGNED)
    assert (read.algorithm, read.digest, read.value) == (SHA256, DIGEST, VALUE)
    assert not read.timestamped
    assert read_signature(sign(UNSIGNED, outside=[TIMESTAMP])).timestamped


PKCS7 = signature(DIGEST)
FORMS: dict[str, tuple[Callable[[], bytes], str]] = {
    "none": (lambda: UNSIGNED, "no certificate table"),
    "empty-table": (lambda: with_table(UNSIGNED, b""), "no certificate table"),
    "behind-the-table": (lambda: SIGNED + bytes(8), "before the end of the file"),
    "table-too-long": (
        lambda: with_table(UNSIGNED, table_of(PKCS7), size=1 << 30), "behind the end of the file",
    ),
    "outside": (lambda: with_table(UNSIGNED, b"", place=1 << 31, size=8), "not in the file"),
    "in-the-headers": (lambda: with_table(UNSIGNED, b"", place=64, size=8), "not in the file"),
    "misaligned": (
        lambda: with_table(UNSIGNED + b"\0", table_of(PKCS7)), "no multiple of 8",
    ),
    "megabytes": (
        lambda: with_table(UNSIGNED, table_of(PKCS7, padding=bytes(1 << 20))), "has 1,0",
    ),
    "two-entries": (
        lambda: with_table(UNSIGNED, table_of(PKCS7) * 2), "first entry has",
    ),
    "revision-1": (lambda: with_table(UNSIGNED, table_of(PKCS7, revision=0x100)), "0x100"),
    "x509": (lambda: with_table(UNSIGNED, table_of(PKCS7, kind=1)), "type 0x1"),
    "hidden-bytes": (
        lambda: with_table(UNSIGNED, table_of(PKCS7, padding=b"payload!")), "follow the signature",
    ),
    "hidden-zeros": (
        lambda: with_table(UNSIGNED, table_of(PKCS7, padding=bytes(16))), "follow the signature",
    ),
    "padding": (
        lambda: with_table(UNSIGNED, table_of(PKCS7 + b"\1")), "follow the signature",
    ),
    "nested": (lambda: sign(UNSIGNED, outside=[NESTED]), NESTED),
    "blob": (lambda: sign(UNSIGNED, outside=["1.3.6.1.4.1.42921.1.2.1"]), "1.3.6.1.4.1.42921"),
    "two-timestamps": (lambda: sign(UNSIGNED, outside=[TIMESTAMP] * 2), "does not cover"),
    "two-signers": (lambda: sign(UNSIGNED, signers=2), "elements 0x30, 0x30"),
    "no-signer": (lambda: sign(UNSIGNED, signers=0), "elements none"),
    "other-content": (lambda: sign(UNSIGNED, kind="1.2.840.113549.1.7.1"), "content of the kind"),
    "revocation-list": (lambda: sign(UNSIGNED, revocations=der(0xA1, b"\5\0")), "0xa1"),
    "two-hashes": (lambda: sign(UNSIGNED, listed=SHA1), "several hashes"),
}  # fmt: skip


@pytest.mark.parametrize("case", FORMS)
def test_what_is_no_plain_signature_is_refused(case: str) -> None:
    make, message = FORMS[case]
    with pytest.raises(SignatureError, match=message):
        read_signature(make())


@pytest.mark.parametrize(
    "length",
    [b"\x80", b"\x81\x05", b"\x82\x00\x85", b"\x85\x00\x00\x00\x00\x05", b"\x84\xff\xff\xff\xff"],
    ids=["indefinite", "not-the-shortest", "leading-zero", "five-bytes", "4-gb"],
)
def test_lengths_are_as_der_writes_them(length: bytes) -> None:
    with pytest.raises(SignatureError):
        read_signed_digest(b"\x30" + length + bytes(300))


@given(st.integers(0, len(PKCS7) - 1), st.integers(1, 255))
def test_a_changed_byte_of_a_signature_is_refused_or_read(place: int, change: int) -> None:
    changed = bytearray(PKCS7)
    changed[place] ^= change
    try:
        read, end = read_signed_digest(bytes(changed))
    except SignatureError:
        return
    assert end == len(PKCS7)
    assert len(read.digest) == 32


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    headers = UNSIGNED[: ENTRY + 8]
    for data in (content, headers[: len(content)] + content, with_table(UNSIGNED, content)):
        for function in (authenticode_sha256, unsigned_bytes, read_signature):
            try:
                function(data)
            except SignatureError:
                continue
        with suppress(ValueError):
            with_checksum(data)
        assert has_signature(data) in (True, False)
        assert unsigned_nbytes(data, len(data)) <= len(data)


def test_images_of_32_bits_have_their_directories_elsewhere() -> None:
    data = bytearray(UNSIGNED)
    struct.pack_into("<H", data, IMAGE.at["Magic"], 0x10B)
    struct.pack_into("<I", data, IMAGE.at["Magic"] + 92, 16)
    struct.pack_into("<II", data, IMAGE.at["Magic"] + 96 + 32, 0, 0)
    place = IMAGE.at["Magic"] + 96 + 32
    covered = data[:CHECKSUM] + data[CHECKSUM + 4 : place] + data[place + 8 :]
    assert authenticode_sha256(bytes(data)) == hashlib.sha256(covered).hexdigest()
