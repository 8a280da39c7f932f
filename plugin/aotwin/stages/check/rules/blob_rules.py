"""Rules on a blob and on the DLLs that were linked with it: do they belong together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from aotwin.adapters.archives.untrusted_files import DamagedFileError
from aotwin.adapters.pe.pairing import Pairing
from aotwin.formats.manifest_reader import ListedBlob
from aotwin.stages.check.rules.model import Model
from aotwin.stages.check.rules.rule import Rule, Violation
from aotwin.stages.weights import MAGIC, TRAILER_NBYTES, VERSION, read_trailer


def check_blob_size(model: Model) -> Iterator[Violation]:
    """The blob is as long as its constants and its trailer."""
    blob = _present_blob(model)
    if blob is None:
        return
    expected, found = blob.constants_nbytes + TRAILER_NBYTES, model.blob_nbytes
    if found != expected:
        yield Violation(
            "the blob has another size than the one that was built",
            f"{expected:,} bytes", f"{found:,} bytes", blob.file,
        )  # fmt: skip


def check_trailer(model: Model) -> Iterator[Violation]:
    """The trailer stands behind the constants and has the digest that the DLL was linked with."""
    blob = _present_blob(model)
    # A blob that is too short has no trailer: its size says so.
    if blob is None or model.blob_nbytes < blob.constants_nbytes + TRAILER_NBYTES:
        return
    where = f"{blob.file}, trailer at {blob.constants_nbytes:#x}"
    try:
        data = model.blob_piece(blob.constants_nbytes, TRAILER_NBYTES)
    except DamagedFileError as error:
        yield Violation("the blob cannot be read", "a readable file", str(error), where)
        return
    if len(data) != TRAILER_NBYTES:
        yield Violation("the trailer is cut off", f"{TRAILER_NBYTES} bytes", str(len(data)), where)
        return
    trailer = read_trailer(data)
    rows = (
        ("the blob has no trailer", MAGIC, trailer.magic),
        ("the trailer is of another version", VERSION, trailer.version),
        ("the trailer's reserved fields are not zero", (0, 0), trailer.reserved),
        ("the trailer tells another size", blob.constants_nbytes, trailer.nbytes),
        (
            "the blob is of another build",
            f"sha256 {blob.constants_sha256}", f"sha256 {trailer.digest.hex()}",
        ),
    )  # fmt: skip
    for message, expected, found in rows:
        if expected != found:
            yield Violation(message, str(expected), str(found), where)


def check_pairing(model: Model) -> Iterator[Violation]:
    """Each DLL was linked with the blob, and with the constants, that the manifest names."""
    if model.manifest is None:
        return
    blob = model.manifest.blob
    mutable = tuple(constant.mutable for constant in model.manifest.constants)
    expected = Pairing(blob.file, blob.constants_nbytes, blob.constants_sha256, mutable)
    for dll, pairings in model.pairings.items():
        if len(pairings) != 1:
            yield Violation(
                "the DLL does not tell the blob that it was linked with",
                "one pairing", f"{len(pairings)} of them", dll,
            )  # fmt: skip
            continue
        (found,) = pairings
        if found.mutable != expected.mutable:
            yield Violation(
                "the DLL was linked with other constants",
                _constants(expected), _constants(found), dll,
            )  # fmt: skip
        if _blob_of(found) != _blob_of(expected):
            yield Violation(
                "the DLL was linked with another blob", _blob_of(expected), _blob_of(found), dll
            )


def check_blob_digest(model: Model) -> Iterator[Violation]:
    """Every byte of the blob is what was built."""
    blob = _present_blob(model)
    if not model.full or blob is None:
        return
    constants, whole, left = hashlib.sha256(), hashlib.sha256(), blob.constants_nbytes
    try:
        for chunk in model.files.chunks(model.blob_path):
            constants.update(chunk[:left])
            left -= len(chunk[:left])
            whole.update(chunk)
    except DamagedFileError as error:
        yield Violation("the blob cannot be read", "a readable file", str(error), blob.file)
        return
    rows = (
        ("the constants were changed", blob.constants_sha256, constants.hexdigest()),
        ("the blob was changed", blob.sha256, whole.hexdigest()),
    )
    for message, expected, found in rows:
        if expected and found != expected:
            yield Violation(message, f"sha256 {expected}", f"sha256 {found}", blob.file)


def _present_blob(model: Model) -> ListedBlob | None:
    return model.blob if model.blob_path else None


def _blob_of(pairing: Pairing) -> str:
    return (
        f"{pairing.blob_name} with {pairing.constants_nbytes:,} bytes of constants, "
        f"sha256 {pairing.constants_sha256}"
    )


def _constants(pairing: Pairing) -> str:
    written = [index for index, mutable in enumerate(pairing.mutable) if mutable]
    return f"{len(pairing.mutable)} constants, written by the model: {str(written)[:200]}"


_TOGETHER = "Keep the DLL, the blob and aotwin.json of one build together; install the wheel again."

BLOB_RULES = (
    Rule[Model](
        "MODEL-BLOB-SIZE",
        "The blob is as long as its constants and its trailer of 64 bytes",
        "The DLL refuses a blob of another size.",
        _TOGETHER,
        check_blob_size,
    ),
    Rule[Model](
        "MODEL-BLOB-TRAILER",
        "The blob's trailer is whole, and its digest is the one that the DLL was linked with",
        "A blob of another build has weights that the DLL would compute nonsense with, so the DLL "
        "refuses it.",
        _TOGETHER,
        check_trailer,
    ),
    Rule[Model](
        "MODEL-PAIRING",
        "Every DLL was linked with the blob and the constants that the manifest names",
        "A DLL of another build does not accept the blob beside it, or copies the wrong constants.",
        _TOGETHER,
        check_pairing,
    ),
    Rule[Model](
        "MODEL-BLOB-DIGEST",
        "Every byte of the blob is what was built (with `--full` only)",
        "A changed weight changes results, and nothing else notices. Hashing takes a second a "
        "gigabyte, so it is done when asked for.",
        _TOGETHER,
        check_blob_digest,
    ),
)
