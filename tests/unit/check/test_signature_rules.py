"""Each rule on signatures is broken by a file made for it, and no other rule is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pe_image import build_image
from signed_image import SHA1, TIMESTAMP, VALUE, sign, signature, table_of, with_table

from aotwin.adapters.pe import pefile_reader as pe_pefile
from aotwin.adapters.pe.authenticode import authenticode_sha256
from aotwin.adapters.pe.checksum import with_checksum
from aotwin.adapters.pe.image import PeFacts, SignatureFacts, facts_of
from aotwin.stages.check.rules import FILE_RULES, IMAGE_RULES, SIGNATURE_RULES, File, Image
from aotwin.stages.check.rules.policy import load_policy
from aotwin.values import DllSignature

POLICY = load_policy("windows-x86_64")
IMAGE = build_image(sorted(POLICY.exports.required))
UNSIGNED = IMAGE.finish()
HASH = authenticode_sha256(UNSIGNED)
SIGNED = sign(UNSIGNED)
OTHER = signature(hashlib.sha256(b"another file").digest())
FACTS = facts_of(pe_pefile.read(UNSIGNED))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


#: what the manifest says of the signature that the build made
BUILT = DllSignature(sha256(SIGNED), len(SIGNED), sha256(VALUE))


def lief(**change: Any) -> PeFacts:
    """What LIEF says of a signature that verifies."""
    seen = SignatureFacts("SHA_256", HASH, sha256(VALUE), "", "CN=Signer", (2030, 1, 1, 0, 0, 0))
    return replace(FACTS, authenticode_sha256=HASH, signatures=(replace(seen, **change),))


def file(data: bytes, **change: Any) -> File:
    """A file of a model that the build signed."""
    whole = File(data, "", {"lief": lief()}, sha256(UNSIGNED), HASH, BUILT)
    return replace(whole, **change)


def found(subject: File) -> set[str]:
    return {rule.id for rule in (*FILE_RULES, *SIGNATURE_RULES) if rule.findings(subject)}


def altered(data: bytes, place: int) -> bytes:
    return with_checksum(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])


#: where the certificates lie in the signature
CERTIFICATES = b"\xa0\2\5\0"
OTHER_VALUE = bytes(reversed(VALUE))

SOUND: dict[str, Callable[[], File]] = {
    "unsigned": lambda: file(UNSIGNED, signature=None, readings={"lief": FACTS}),
    "signed": lambda: file(SIGNED),
    "signed-anew": lambda: file(
        sign(UNSIGNED, value=OTHER_VALUE),
        readings={"lief": lief(value_sha256=sha256(OTHER_VALUE))},
    ),
    "signed-anew-with-a-timestamp": lambda: file(
        sign(UNSIGNED, value=OTHER_VALUE, outside=[TIMESTAMP]),
        readings={"lief": lief(value_sha256=sha256(OTHER_VALUE))},
    ),
    "an-older-manifest": lambda: file(SIGNED, sealed_authenticode=""),
    "no-pe-file": lambda: File(b"stub", "", {}, None, "", BUILT),
    "unreadable": lambda: File(None, "gone", {}, None, "", BUILT),
}


@pytest.mark.parametrize("case", SOUND)
def test_a_sound_file_breaks_no_rule_on_signatures(case: str) -> None:
    signature_rules = {rule.id for rule in SIGNATURE_RULES}
    assert found(SOUND[case]()) & signature_rules == set()


BROKEN: list[tuple[str, str, Callable[[], File], str]] = [
    ("PE-SIGNATURE-ASKED", "not-asked-for", lambda: file(SIGNED, signature=None), "not by the"),
    ("PE-SIGNATURE-ASKED", "nobody-to-ask", lambda: file(
        SIGNED, signature=None, sealed_sha256=None, sealed_authenticode=""
    ), "not by the build"),
    ("PE-SIGNATURE-ASKED", "taken-away", lambda: file(UNSIGNED), "taken away"),
    ("PE-SIGNATURE-ASKED", "broken-and-not-asked-for", lambda: file(
        with_table(UNSIGNED, b"payload!"), signature=None
    ), "not by the build"),
    ("PE-SIGNATURE-FORM", "appended", lambda: file(with_checksum(SIGNED + b"payload!")),
     "exactly one signature"),
    ("PE-SIGNATURE-FORM", "two", lambda: file(
        with_table(UNSIGNED, table_of(signature(bytes.fromhex(HASH))) * 2)
    ), "exactly one signature"),
    ("PE-SIGNATURE-COVERS", "another-file", lambda: file(
        with_table(UNSIGNED, table_of(OTHER)),
        readings={"lief": lief(digest=sha256(b"another file"))},
        signature=replace(BUILT, value_sha256="0" * 64),
    ), "another file"),
    ("PE-SIGNATURE-COVERS", "sha1", lambda: file(
        with_table(UNSIGNED, table_of(signature(bytes(20), algorithm=SHA1))),
        readings={"lief": lief(digest=bytes(20).hex())},
        signature=replace(BUILT, value_sha256="0" * 64),
    ), "another hash"),
    ("PE-SIGNATURE-CRYPTO", "forged", lambda: file(
        SIGNED, readings={"lief": lief(problem="BAD_SIGNATURE")}
    ), "does not verify"),
    ("PE-SIGNATURE-CRYPTO", "nobody-looked", lambda: file(SIGNED, readings={}), "does not verify"),
    ("PE-SIGNATURE-CRYPTO", "readers-disagree", lambda: file(
        SIGNED, readings={"lief": lief(digest="0" * 64)}
    ), "does not verify"),
    ("PE-SIGNATURE-CHANGED", "certificate", lambda: file(
        altered(SIGNED, SIGNED.index(CERTIFICATES, len(UNSIGNED)) + 2)
    ), "was changed"),
    ("PE-SIGNATURE-CHANGED", "timestamp-added", lambda: file(
        sign(UNSIGNED, outside=[TIMESTAMP])
    ), "was changed"),
    ("PE-AUTHENTICODE", "other-in-the-manifest", lambda: file(
        UNSIGNED, sealed_authenticode="0" * 64, signature=None, readings={"lief": FACTS}
    ), "the manifest has another"),
    ("PE-AUTHENTICODE", "lief-disagrees", lambda: file(
        SIGNED, readings={"lief": replace(lief(), authenticode_sha256="0" * 64)}
    ), "different Authenticode"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "make", "message"),
    [pytest.param(rule, make, text, id=f"{rule}-{case}") for rule, case, make, text in BROKEN],
)
def test_exactly_the_rule_that_a_signature_was_made_to_break_is_broken(
    rule: str, make: Callable[[], File], message: str
) -> None:
    subject = make()
    assert found(subject) == {rule}
    (finding,) = (each for one in SIGNATURE_RULES for each in one.findings(subject))
    assert message in finding.message


def test_every_rule_on_signatures_is_broken_by_some_test() -> None:
    assert {rule for rule, *_ in BROKEN} == {rule.id for rule in SIGNATURE_RULES}


def test_changed_code_of_a_signed_file_breaks_the_seal_alone() -> None:
    changed = file(altered(SIGNED, 0x700))
    assert found(changed) == {"PE-SEAL"}


def test_rules_on_images_take_a_signature_for_what_it_is() -> None:
    image = Image(SIGNED, facts_of(pe_pefile.read(SIGNED)), POLICY, None)
    assert {rule.id for rule in IMAGE_RULES if rule.findings(image)} == set()


def test_bytes_between_the_last_section_and_the_signature_are_an_overlay() -> None:
    data = sign(UNSIGNED + b"weights!")
    image = Image(data, facts_of(pe_pefile.read(data)), POLICY, None)
    assert {rule.id for rule in IMAGE_RULES if rule.findings(image)} == {"PE-OVERLAY"}
