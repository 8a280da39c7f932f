"""Rules on a DLL's signature: there if the build signed, and covering what was sealed.

Whether Windows trusts the signer's certificate is decided on each Windows, and not here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from aotwin.adapters.pe.authenticode import authenticode_sha256, read_signature
from aotwin.adapters.pe.checksum import with_checksum
from aotwin.adapters.pe.image import PeFacts, SignatureFacts
from aotwin.adapters.pe.pkcs7 import SHA256, SignatureError, SignedDigest
from aotwin.stages.check.rules.rule import File, Rule, Violation

_TABLE = "certificate table"


def check_asked(file: File) -> Iterator[Violation]:
    """A DLL is signed if the build signed it, and only then."""
    if file.signed and file.signature is None:
        reason = (
            "nothing says that the build signed it: there is no manifest to ask"
            if file.sealed_sha256 is None
            else "signing was not asked for when the model was built"
        )
        yield Violation("the DLL is signed, and not by the build", "no signature", reason, _TABLE)
    elif file.signature is not None and file.unsigned is not None and not file.signed:
        yield Violation(
            "the DLL's signature was taken away", "the signature that the build made", "none",
            _TABLE,
        )  # fmt: skip


def check_form(file: File) -> Iterator[Violation]:
    """The certificate table holds one signature and not a byte more."""
    try:
        if _asked(file):
            read_signature(file.data or b"")
    except SignatureError as error:
        yield Violation(
            "the certificate table does not hold exactly one signature",
            "one PKCS#7 signature by one signer, at the end of the file",
            str(error),
            _TABLE,
        )


def check_coverage(file: File) -> Iterator[Violation]:
    """The signature covers the file that was sealed."""
    signed = _signed_digest(file)
    if signed is None:
        return
    if signed.algorithm != SHA256:
        found = f"the hash {signed.algorithm}"
        yield Violation("the signature is of another hash", "sha256", found, _TABLE)
        return
    expected = file.sealed_authenticode or _authenticode(file)
    if signed.digest.hex() != expected:
        yield Violation(
            "the signature is that of another file",
            f"Authenticode sha256 {expected}",
            f"sha256 {signed.digest.hex()[:64]}",
            _TABLE,
        )


def check_cryptography(file: File) -> Iterator[Violation]:
    """The signature verifies with the certificate that comes with it."""
    signed = _signed_digest(file)
    if signed is None or any(check_coverage(file)):
        return
    message = "the signature does not verify"
    expected = "a signature that its certificate's key verifies"
    seen = _seen_signatures(file)
    if len(seen) != 1:
        found = f"LIEF sees {len(seen)} signatures"
    elif (seen[0].digest, seen[0].value_sha256) != (signed.digest.hex(), _value_sha256(signed)):
        found = "LIEF reads another signature out of it"
    else:
        found = seen[0].problem
    if found:
        yield Violation(message, expected, found, _TABLE)


def check_unaltered(file: File) -> Iterator[Violation]:
    """A file with the build's signature is the one that the build signed."""
    signed = _signed_digest(file)
    if signed is None or file.signature is None or file.data is None or not file.seal_holds:
        return
    if _value_sha256(signed) != file.signature.value_sha256:
        return  # signed anew: the other rules say whether well
    if any(check_coverage(file)) or any(check_cryptography(file)):
        return  # they have said it
    # A wrong checksum is a finding of its own.
    digest = hashlib.sha256(with_checksum(file.data)).hexdigest()
    if digest != file.signature.sha256:
        yield Violation(
            "what goes with the build's signature was changed",
            f"sha256 {file.signature.sha256}, {file.signature.nbytes:,} bytes",
            f"sha256 {digest}, {len(file.data):,} bytes",
            _TABLE,
        )


def check_hash(file: File) -> Iterator[Violation]:
    """The Authenticode hash is beyond doubt where something relies on it."""
    own = _authenticode(file)
    # Of a changed file, and of a signature that is none, other rules speak.
    if not file.seal_holds or not own or (file.signed and _signed_digest(file) is None):
        return
    for name, reading in file.readings.items():
        seen = reading.authenticode_sha256 if isinstance(reading, PeFacts) else ""
        if seen not in ("", own):
            yield Violation(
                f"{name} and aotwin compute different Authenticode hashes", own, seen, "the file"
            )
    if file.sealed_authenticode not in ("", own):
        yield Violation(
            "the manifest has another Authenticode hash than the sealed file",
            file.sealed_authenticode, own, "the file",
        )  # fmt: skip


def _asked(file: File) -> bool:
    """The build signed, and there is something to judge; `check_asked` speaks in other cases."""
    return file.signed and file.signature is not None


def _signed_digest(file: File) -> SignedDigest | None:
    """What the signature says; None without one, or where `check_form` has found it malformed."""
    try:
        return read_signature(file.data or b"") if _asked(file) else None
    except SignatureError:
        return None


def _authenticode(file: File) -> str:
    try:
        return authenticode_sha256(file.data or b"")
    except SignatureError:
        return ""


def _value_sha256(signed: SignedDigest) -> str:
    return hashlib.sha256(signed.value).hexdigest()


def _seen_signatures(file: File) -> tuple[SignatureFacts, ...]:
    return next(
        (each.signatures for each in file.readings.values()
         if isinstance(each, PeFacts) and each.signatures),
        (),
    )  # fmt: skip


_AGAIN = "Build the wheel again, or install it again."

SIGNATURE_RULES = (
    Rule[File](
        "PE-SIGNATURE-ASKED",
        "The DLL is signed if the build signed it, and only then",
        "A signature that nobody asked for says that somebody else had the file. One that is gone "
        "makes Windows distrust a DLL that its makers vouched for. Without the manifest nothing "
        "says that the build signed.",
        "Sign with `sign = {}` in the model's table; check a DLL where its aotwin.json lies.",
        check_asked,
    ),
    Rule[File](
        "PE-SIGNATURE-FORM",
        "The certificate table ends the file and holds one signature by one signer, without bytes "
        "that no signature covers, other than a timestamp",
        "The certificate table is the one part of a file that signatures do not cover: a second "
        "signature, data for installers and bytes behind the signature hide there.",
        _AGAIN,
        check_form,
    ),
    Rule[File](
        "PE-SIGNATURE-COVERS",
        "The signature is of the Authenticode sha256 that was sealed after the link",
        "A signature copied from another file, or made after a change, vouches for other code.",
        _AGAIN,
        check_coverage,
    ),
    Rule[File](
        "PE-SIGNATURE-CRYPTO",
        "The signature verifies with the certificate in it (whether Windows trusts that "
        "certificate, its chain and its timestamp is for Windows to judge)",
        "Windows refuses a broken signature, and so do programs that look at it.",
        _AGAIN,
        check_cryptography,
    ),
    Rule[File](
        "PE-SIGNATURE-CHANGED",
        "A DLL with the build's own signature is the file that the build signed, to the byte",
        "Certificates and timestamps lie in the file without being covered by the signature. A DLL "
        "that was signed anew, by whomever, passes if that signature is sound.",
        "Build the wheel again; to add a timestamp, set `timestamp-url` before the build.",
        check_unaltered,
    ),
    Rule[File](
        "PE-AUTHENTICODE",
        "aotwin and LIEF compute the same Authenticode sha256, the one in the manifest",
        "Signatures cover this hash: in doubt about it, they cover nothing.",
        _AGAIN,
        check_hash,
    ),
)
