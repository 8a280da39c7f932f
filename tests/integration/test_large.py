"""A blob and a wheel past the 4 GiB that 32 bits can count."""

from __future__ import annotations

import base64
import hashlib
import shutil
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from installer.sources import WheelFile
from test_build_memory import pure_wheel

from aotwin.stages.pack.wheel import PackedFile, PackedModel, pack_wheel
from aotwin.stages.weights import TRAILER_NBYTES, read_trailer, write_blob
from aotwin.values import BlobInfo
from aotwin.weights_source import CHUNK_NBYTES

GIB = 2**30
#: bytes of the constants: a whole number of chunks past 4 GiB, and a short one
NBYTES = 4 * GIB + CHUNK_NBYTES + 64

pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Numbered:
    """Constants of zeros, in which every chunk starts with its own number."""

    nbytes: int = NBYTES
    identity: str = ""

    def chunks(self) -> Iterator[memoryview]:
        buffers = [bytearray(CHUNK_NBYTES) for _ in range(2)]
        for number, start in enumerate(range(0, self.nbytes, CHUNK_NBYTES)):
            chunk = buffers[number % 2]
            chunk[:8] = number.to_bytes(8, "little")
            yield memoryview(chunk)[: min(CHUNK_NBYTES, self.nbytes - start)]


@dataclass(frozen=True)
class Large:
    blob: BlobInfo
    wheel: Path


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Large]:
    folder = tmp_path_factory.mktemp("large")
    blob = write_blob(Numbered(), folder / "large_weights.blob")
    files = (
        PackedFile("demo/large/large_weights.blob", blob.path, blob.file_sha256),
        # Sorted behind the blob: these lie beyond 4 GiB in the archive.
        PackedFile("demo/small/small_weights.blob", b"small"),
        PackedFile("demo/small/text.json", b"{}"),
    )
    wheel = pack_wheel(
        pure_wheel(folder), [PackedModel("demo.large", files)], folder, wheel_tag="win_amd64"
    )
    yield Large(blob, wheel)
    shutil.rmtree(folder)


def test_the_blob_has_all_constants_and_a_trailer_that_says_so(large: Large) -> None:
    digest = hashlib.sha256()
    numbers = []
    with large.blob.path.open("rb") as file:
        left = NBYTES
        while left:
            chunk = file.read(min(CHUNK_NBYTES, left))
            left -= len(chunk)
            digest.update(chunk)
            numbers.append(int.from_bytes(chunk[:8], "little"))
        tail = file.read()
    assert numbers == list(range(-(-NBYTES // CHUNK_NBYTES)))
    assert len(tail) == TRAILER_NBYTES
    trailer = read_trailer(tail)
    assert (trailer.nbytes, trailer.digest) == (NBYTES, digest.digest())
    assert (large.blob.constants_nbytes, large.blob.digest) == (NBYTES, digest.digest())


def test_the_wheel_is_a_zip64_archive_that_zipfile_reads_whole(large: Large) -> None:
    assert large.wheel.stat().st_size > 4 * GIB
    with zipfile.ZipFile(large.wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        offsets = {info.filename: info.header_offset for info in archive.infolist()}
        assert archive.read("demo/small/small_weights.blob") == b"small"
    assert sizes["demo/large/large_weights.blob"] == NBYTES + TRAILER_NBYTES
    assert offsets["demo/small/small_weights.blob"] > 4 * GIB
    # The local header too, for readers that go through the archive front to back: version 4.5, and
    # the extra field 0x0001 of APPNOTE.TXT 4.5.3 with both sizes.
    with large.wheel.open("rb") as file:
        file.seek(offsets["demo/large/large_weights.blob"])
        header = struct.unpack("<4sHHHHHIIIHH", file.read(30))
        file.seek(header[9], 1)
        extra = struct.unpack("<HHQQ", file.read(header[10])[:20])
    assert header[1] >= 45
    assert extra == (1, 16, NBYTES + TRAILER_NBYTES, NBYTES + TRAILER_NBYTES)


def test_every_byte_in_the_wheel_is_what_record_says(large: Large) -> None:
    digest = base64.urlsafe_b64encode(bytes.fromhex(large.blob.file_sha256)).rstrip(b"=").decode()
    with WheelFile.open(large.wheel) as wheel:
        wheel.validate_record()
        rows = {row[0]: row[1:] for row, _, _ in wheel.get_contents()}
    assert rows["demo/large/large_weights.blob"] == (
        f"sha256={digest}",
        str(NBYTES + TRAILER_NBYTES),
    )
