"""Weights of linear layers become blocks of 32 results, piece by piece."""

from __future__ import annotations

import struct
from array import array
from dataclasses import replace

import pytest

from aotwin import weights_source
from aotwin.values import Constant
from aotwin.weights_layout import (
    BLOCK,
    can_lie_in_blocks,
    laid_out,
    lies_in_blocks,
    strides_in_blocks,
    terms_to_lay_out,
)
from aotwin.weights_source import MemoryRegion, MemoryWeights


def rows_of(results: int, terms: int) -> array[int]:
    return array("I", range(results * terms))


def in_blocks(results: int, terms: int) -> bytes:
    """What the bytes of `rows_of` are to become, number by number."""
    return b"".join(
        struct.pack("=I", result * terms + term)
        for block in range(0, results, BLOCK)
        for term in range(terms)
        for result in range(block, block + BLOCK)
    )


def cut(content: memoryview, size: int) -> list[memoryview]:
    return [content[start : start + size] for start in range(0, len(content), size)]


@pytest.mark.parametrize("cut_at", [7, 128, 4096, 1 << 20])
@pytest.mark.parametrize("chunk", [128, 1000, 5000, 1 << 20])
@pytest.mark.parametrize(("results", "terms"), [(64, 2), (64, 7), (96, 33), (320, 5), (64, 300)])
def test_blocks_are_the_same_wherever_the_bytes_are_cut(
    results: int, terms: int, chunk: int, cut_at: int
) -> None:
    rows = memoryview(rows_of(results, terms)).cast("B")
    pieces = [bytes(piece) for piece in laid_out(cut(rows, cut_at), terms, chunk)]
    assert b"".join(pieces) == in_blocks(results, terms)
    assert max(map(len, pieces)) <= chunk


def test_a_piece_stays_until_the_next_but_one_is_asked_for() -> None:
    rows = memoryview(rows_of(256, 10)).cast("B")
    pieces = laid_out([rows], 10, 500)
    before: memoryview | None = None
    found = b""
    for piece in pieces:
        found += b"" if before is None else bytes(before)
        before = piece
    assert before is not None
    assert found + bytes(before) == in_blocks(256, 10)


def test_bytes_that_are_missing_are_not_made_up() -> None:
    rows = memoryview(rows_of(64, 5)).cast("B")[:-4]
    assert sum(map(len, laid_out([rows], 5, 1 << 20))) < 64 * 5 * 4


WEIGHT = Constant(
    index=0,
    name="weight",
    fqn="weight",
    dtype="float32",
    shape=(64, 7),
    stride=(1, BLOCK),
    storage_offset=0,
    offset=0,
    nbytes=64 * 7 * 4,
    kind="parameter",
    mutable=False,
)
IMAGE = replace(WEIGHT, shape=(64, 3, 5, 2), stride=(1, 32, 192, 96), nbytes=64 * 30 * 4)


def test_strides_and_size_say_which_weights_lie_in_blocks() -> None:
    assert lies_in_blocks(WEIGHT)
    assert lies_in_blocks(IMAGE)
    assert strides_in_blocks(IMAGE.shape) == IMAGE.stride
    # A dimension of one has whatever stride.
    assert lies_in_blocks(
        replace(IMAGE, shape=(64, 30, 1, 1), stride=(1, 32, 77, 77), nbytes=64 * 30 * 4)
    )
    assert (terms_to_lay_out(WEIGHT), terms_to_lay_out(IMAGE)) == (7, 0)


OTHERS = {
    "rows": replace(WEIGHT, stride=(7, 1)),
    "elements that share places": replace(WEIGHT, nbytes=1024),
    "another dtype": replace(WEIGHT, dtype="int32"),
    "part of a storage": replace(WEIGHT, storage_offset=1),
    "one block": replace(WEIGHT, shape=(32, 7), nbytes=32 * 7 * 4),
    "no whole blocks": replace(WEIGHT, shape=(80, 7), nbytes=80 * 7 * 4),
    "one term": replace(WEIGHT, shape=(64, 1), nbytes=64 * 4),
    "a vector": replace(WEIGHT, shape=(64,), stride=(1,), nbytes=64 * 4),
    "one channel by rows": replace(
        WEIGHT, shape=(64, 1, 3, 3), stride=(1, 32, 192, 64), nbytes=64 * 9 * 4
    ),
}


@pytest.mark.parametrize("constant", OTHERS.values(), ids=OTHERS)
def test_others_do_not(constant: Constant) -> None:
    assert not lies_in_blocks(constant)
    assert terms_to_lay_out(constant) == 0


def test_shapes_that_make_several_blocks() -> None:
    assert can_lie_in_blocks((64, 2))
    assert not can_lie_in_blocks((64, 2, 3))
    assert not can_lie_in_blocks((0, 7))


def test_memory_is_laid_out_while_it_is_handed_out_and_stays_as_it_lies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(weights_source, "CHUNK_NBYTES", 1000)
    plain, rows = array("I", range(16)), rows_of(64, 7)
    regions = [
        MemoryRegion(plain.buffer_info()[0], 64, 64),
        MemoryRegion.of_constant(WEIGHT, rows.buffer_info()[0], 64 * 7 * 4),
    ]
    assert regions[1] is not None
    assert bytes(regions[1].view()) == rows.tobytes()
    weights = MemoryWeights([each for each in regions if each is not None], (plain, rows))
    for _ in range(2):
        pieces = [bytes(piece) for piece in weights.chunks()]
        assert b"".join(pieces) == plain.tobytes() + in_blocks(64, 7)
        assert max(map(len, pieces)) <= 1000
    assert rows == rows_of(64, 7)
    assert MemoryRegion.of_constant(WEIGHT, 0, 64 * 7 * 4 - 4) is None
