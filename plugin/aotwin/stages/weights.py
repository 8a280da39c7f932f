"""Stage weights: the constants' bytes as one stream into one file, hashed on the way.

Format of a weights blob (little endian; ours, version 1):

    constants   as AOTInductor lays them out: storages in the order of `constants_info_`, each
                padded with zeros to 64 bytes; 64 zero bytes where a model has no constants, as
                an empty file cannot be mapped
    trailer     64 bytes: magic "AOTWBLOB", u32 version, u32 zero, u64 bytes of the constants,
                u64 zero, sha256 of the constants (32 bytes)

The constants start at offset 0, so that hosts which know nothing of the trailer can map the file
as upstream's blob.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from aotwin.adapters.archives.draft import Draft
from aotwin.adapters.archives.hashed_stream import write_hashed
from aotwin.adapters.storage.files import replacing
from aotwin.adapters.storage.results import key_of, recall, remember
from aotwin.errors import WrapperError
from aotwin.progress import Step
from aotwin.values import BLOB_ALIGNMENT, BlobInfo
from aotwin.weights_source import WeightSource

MAGIC = b"AOTWBLOB"
VERSION = 1
_TRAILER = struct.Struct("<8sIIQQ32s")
TRAILER_NBYTES = _TRAILER.size
_KIND = "digests"


def write_blob(source: WeightSource, path: Path, *, step: Step | None = None) -> BlobInfo:
    """Write constants and trailer to a file.

    Args:
        source: the constants' bytes, padding included.
        path: the blob; it appears under this name only when it is whole.
        step: gets to know how many bytes are written.

    Raises:
        StorageError: the disk is full or cannot be written.
        WrapperError: the source gave another number of bytes than it announced.
    """
    with replacing(path) as file:
        return _write(source, path, file.write, step)


def write_blob_into(
    source: WeightSource, draft: Draft, name: str, path: Path, *, step: Step | None = None
) -> BlobInfo:
    """Write constants and trailer into a wheel.

    Args:
        source, step: as for `write_blob`, and so are the errors.
        draft: the wheel.
        name: of the blob in it.
        path: where the blob would lie in its model's folder, where there is none then.
    """
    nbytes = _nbytes(source) + TRAILER_NBYTES
    with draft.member(name, nbytes) as write:
        blob = _write(source, path, write, step)
    draft.list(name, blob.file_sha256, nbytes)
    return blob


def remembered_blob(source: WeightSource, path: Path) -> BlobInfo | None:
    """What a source's blob came to when it was last written, without reading the source.

    Args:
        path: where the blob lies, or would.
    """
    identity = source.identity
    data = recall(_KIND, key_of("blob", identity)) if identity else None
    try:
        constants, whole = json.loads(data) if data else ("", "")
        digests = bytes.fromhex(constants), bytes.fromhex(whole)
    except (ValueError, TypeError):
        return None
    if [len(each) for each in digests] != [32, 32]:
        return None
    return BlobInfo(path, _nbytes(source), digests[0], whole)


def remember_blob(identity: str, blob: BlobInfo) -> None:
    """Keep what a blob came to.

    Args:
        identity: of its source, told before and after it was read; "" where it is not known.
    """
    if identity:
        content = json.dumps([blob.digest.hex(), blob.file_sha256])
        remember(_KIND, key_of("blob", identity), content.encode())


def _write(
    source: WeightSource,
    path: Path,
    write: Callable[[bytes | memoryview], object],
    step: Step | None,
) -> BlobInfo:
    constants = hashlib.sha256()
    step = step or Step("weights")
    step.expect(source.nbytes, "bytes")
    nbytes = write_hashed(_counted(padded(source), step), write, constants)
    _check_length(source, nbytes)
    whole = constants.copy()
    tail = trailer(nbytes, constants.digest())
    write(tail)
    whole.update(tail)
    return BlobInfo(path, nbytes, constants.digest(), whole.hexdigest())


def padded(source: WeightSource) -> Iterator[memoryview]:
    """The source's chunks, or one block of zeros where there are no constants."""
    if source.nbytes == 0:
        yield memoryview(bytes(BLOB_ALIGNMENT))
    else:
        yield from source.chunks()


def _counted(chunks: Iterator[memoryview], step: Step) -> Iterator[memoryview]:
    for chunk in chunks:
        yield chunk
        step.advance(chunk.nbytes)


def trailer(nbytes: int, digest: bytes) -> bytes:
    """The 64 bytes behind the constants.

    Args:
        nbytes: bytes of the constants.
        digest: their sha256, 32 bytes.
    """
    return _TRAILER.pack(MAGIC, VERSION, 0, nbytes, 0, digest)


@dataclass(frozen=True)
class Trailer:
    """The fields of a trailer."""

    magic: bytes
    version: int
    reserved: tuple[int, int]
    #: of the constants
    nbytes: int
    #: sha256 of the constants, 32 bytes
    digest: bytes


def read_trailer(data: bytes) -> Trailer:
    """The fields of 64 bytes, whatever they hold."""
    magic, version, first, nbytes, second, digest = _TRAILER.unpack(data)
    return Trailer(magic, version, (first, second), nbytes, digest)


def blob_nbytes(blob: BlobInfo) -> int:
    """Bytes of the whole file."""
    return blob.constants_nbytes + TRAILER_NBYTES


def _nbytes(source: WeightSource) -> int:
    """Bytes of the constants in the blob."""
    return source.nbytes or BLOB_ALIGNMENT


def _check_length(source: WeightSource, written: int) -> None:
    expected = _nbytes(source)
    if written != expected:
        raise changed_meanwhile(f"expected {expected} bytes, got {written}")


def changed_meanwhile(cause: str) -> WrapperError:
    """The error of weights that are not what they were when the build began."""
    return WrapperError(
        "the weights changed while they were written",
        cause=cause,
        next_step="Build again, and leave the model's files alone meanwhile.",
    )
