"""A DLL maps a blob of more than 4 GiB and uses the constants that lie beyond them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from aotwin.stages.generate.aotinductor import generate
from aotwin.stages.weights import TRAILER_NBYTES, trailer
from aotwin.values import BlobInfo
from aotwin.weights_source import WeightSource

if TYPE_CHECKING:
    from weights_host import WeightsHost

#: 4.1 GiB of float32, none of it on the disk but the last rows
ROWS, WIDTH = 270_000, 4096
BEYOND = 2**32

pytestmark = pytest.mark.long


class Far(torch.nn.Module):
    """A table that ends beyond 4 GiB, read at a fixed and a computed row, and what follows it."""

    def __init__(self, table: torch.Tensor) -> None:
        super().__init__()
        self.table = torch.nn.Parameter(table)
        self.tail = torch.nn.Parameter(torch.randn(16, WIDTH))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        at = (x[:, 0] * (ROWS - 2)).long()
        rows = torch.nn.functional.embedding(at, self.table)
        return rows[:, :3] + 0, self.table[ROWS - 1, :3] * x[0, :3], (x @ self.tail.T)[0]


class Built:
    """The model, and its DLL beside a blob that has holes where the constants are zero."""

    def __init__(self, folder: Path) -> None:
        from model_dlls import compile_for

        torch.manual_seed(0)
        table = torch.from_file(
            str(folder / "table"), shared=True, size=ROWS * WIDTH, dtype=torch.float32
        ).view(ROWS, WIDTH)
        table[-2:] = torch.randn(2, WIDTH)
        self.module = Far(table).eval()
        program = torch.export.export(self.module, (torch.ones(2, WIDTH),))
        self.wrapper, weights = generate(program, name="far", simdlen=256, inductor={})
        self.blob = write_with_holes(weights, folder / "far_weights.blob")
        self.dll = compile_for(self.wrapper, "far.dll", "x86-64-v3")(self.blob, folder).path


def write_with_holes(weights: WeightSource, path: Path) -> BlobInfo:
    """A blob as `write_blob` writes it, on a disk that stores no zeros."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for chunk in weights.chunks():
            digest.update(chunk)
            if len(chunk) % 8 == 0 and not torch.frombuffer(chunk, dtype=torch.int64).any():
                file.seek(len(chunk), 1)
            else:
                file.write(chunk)
        whole = digest.copy()
        tail = trailer(weights.nbytes, digest.digest())
        whole.update(tail)
        file.write(tail)
    assert path.stat().st_size == weights.nbytes + TRAILER_NBYTES
    return BlobInfo(path, weights.nbytes, digest.digest(), whole.hexdigest())


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    folder = tmp_path_factory.mktemp("far")
    yield Built(folder)
    for path in folder.iterdir():
        path.unlink()


def test_constants_beyond_4_gib_are_used_where_they_lie(far: Built, host: WeightsHost) -> None:
    offsets = {each.fqn: each.offset for each in far.wrapper.constants}
    assert offsets["tail"] > BEYOND
    with torch.no_grad():
        expected = far.module(torch.ones(2, WIDTH))
    _, created, listed, info, ran = host.run(
        ("load", far.dll),
        ("create", 0, 1),
        ("constants", 0),
        ("info", 0),
        ("run", 0, WIDTH),
    )
    assert created["error"] == 0, created["message"]
    assert ran["error"] == 0, ran["message"]
    for found, wanted in zip(ran["outputs"], expected, strict=True):
        assert found == pytest.approx(wanted.flatten().tolist(), abs=1e-3)
    addresses = {name: each["address"] for name, each in listed["constants"].items()}
    assert addresses["tail"] - addresses["table"] == offsets["tail"] - offsets["table"]
    assert {each["kind"] for each in listed["constants"].values()} == {"mapped"}
    nbytes = far.blob.constants_nbytes
    assert (info["size"], info["blob_size"], info["mapped"]) == (nbytes, nbytes, nbytes)


def test_a_view_of_more_than_4_gib_is_known_again(far: Built, host: WeightsHost) -> None:
    _, _, update, info = host.run(
        ("load", far.dll),
        ("create", 0, 1),
        ("from_blob", 0, far.blob.path, "view"),
        ("info", 0),
    )
    assert update["error"] == 0, update["message"]
    assert (info["mapped"], info["copied"]) == (far.blob.constants_nbytes, 0)


def test_full_verification_reads_past_4_gib(far: Built, host: WeightsHost) -> None:
    last = far.blob.constants_nbytes - 4
    verified = [("environment", "AOTWIN_VERIFY_WEIGHTS", "full"), ("load", far.dll)]
    *_, sound = host.run(*verified, ("create", 0, 1))
    assert sound["error"] == 0, sound["message"]
    with far.blob.path.open("r+b") as file:
        file.seek(last)
        byte = file.read(1)
        file.seek(last)
        file.write(bytes([byte[0] ^ 1]))
        file.flush()
        *_, damaged = host.run(*verified, ("create", 0, 1))
        file.seek(last)
        file.write(byte)
    assert damaged["error"] == 1
    assert "is damaged" in damaged["message"]
