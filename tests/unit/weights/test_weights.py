"""A blob is the constants, padded, and 64 bytes that say what they must hash to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from aotwin.errors import StorageError, WrapperError
from aotwin.progress import Step
from aotwin.stages.weights import TRAILER_NBYTES, read_trailer, trailer, write_blob

DATA = bytes(range(256))


@dataclass(frozen=True)
class Source:
    """Weights in chunks, which may announce another size than they have, or end in an error."""

    data: bytes
    announced: int | None = None
    end: BaseException | None = None
    identity: str = ""

    @property
    def nbytes(self) -> int:
        return len(self.data) if self.announced is None else self.announced

    def chunks(self) -> Iterator[memoryview]:
        for at in range(0, len(self.data), 64):
            yield memoryview(self.data)[at : at + 64]
        if self.end is not None:
            raise self.end


def test_a_blob_is_the_constants_and_their_trailer(tmp_path: Path) -> None:
    path = tmp_path / "m_weights.blob"
    blob = write_blob(Source(DATA), path)
    written = path.read_bytes()
    assert written[:256] == DATA
    assert (
        written[256:]
        == b"AOTWBLOB"
        + bytes.fromhex("0100000000000000")
        + (256).to_bytes(8, "little")
        + bytes(8)
        + hashlib.sha256(DATA).digest()
    )
    assert (blob.constants_nbytes, blob.digest) == (256, hashlib.sha256(DATA).digest())
    assert blob.file_sha256 == hashlib.sha256(written).hexdigest()


def test_a_stage_hears_how_much_of_a_blob_is_written(tmp_path: Path) -> None:
    step = Step("weights")
    write_blob(Source(DATA), tmp_path / "m_weights.blob", step=step)
    assert (step.done, step.total, step.unit) == (256, 256, "bytes")


def test_a_model_without_constants_has_a_block_that_can_be_mapped(tmp_path: Path) -> None:
    blob = write_blob(Source(b""), tmp_path / "m_weights.blob")
    assert blob.path.read_bytes()[:64] == bytes(64)
    assert blob.path.stat().st_size == 64 + TRAILER_NBYTES
    assert blob.constants_nbytes == 64


def test_a_trailer_is_read_as_it_was_written() -> None:
    found = read_trailer(trailer(1 << 40, b"d" * 32))
    assert (found.magic, found.version, found.reserved) == (b"AOTWBLOB", 1, (0, 0))
    assert (found.nbytes, found.digest) == (1 << 40, b"d" * 32)


@pytest.mark.parametrize("announced", [192, 320], ids=["more", "fewer"])
def test_a_source_with_another_number_of_bytes_is_refused(announced: int, tmp_path: Path) -> None:
    with pytest.raises(WrapperError, match="the weights changed") as error:
        write_blob(Source(DATA, announced), tmp_path / "blob")
    assert error.value.cause == f"expected {announced} bytes, got 256"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("end", "raised"),
    [
        pytest.param(KeyboardInterrupt(), KeyboardInterrupt, id="Ctrl-C"),
        pytest.param(OSError(28, "No space left on device"), StorageError, id="a full disk"),
    ],
)
def test_no_half_blob_is_left_by(
    end: BaseException, raised: type[BaseException], tmp_path: Path
) -> None:
    with pytest.raises(raised):
        write_blob(Source(DATA, end=end), tmp_path / "blob")
    assert list(tmp_path.iterdir()) == []
