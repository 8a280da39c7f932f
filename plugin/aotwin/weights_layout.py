"""Weights in blocks: for each 32 results all terms, term after term, 32 numbers next to each other.

Our own run time multiplies by them as they lie (toolchains/windows/runtime/products). No strides
tell where the second block begins: those of such a constant are its first block's, by which others
would read elements in the places of others. Convolutions' weights are laid out as tensors before
the program is lowered; linear layers' stay what they were, [results, terms], and are laid out while
they are written, by what is known without torch.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle

from aotwin.values import Constant

#: results in a block: block_columns of our own run time
BLOCK = 32
#: type code of the array module for what has the bytes of a number; only float32 lies in blocks
_ITEM, _ITEM_NBYTES = "I", 4


def can_lie_in_blocks(shape: Sequence[int]) -> bool:
    """Whether a weight of this shape, results first, makes several blocks.

    With one term each, blocks would lie as rows do.
    """
    return len(shape) in (2, 4) and (
        shape[0] % BLOCK == 0 and shape[0] > BLOCK and math.prod(shape[1:]) > 1
    )


def strides_in_blocks(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides that say of a weight that it lies in blocks.

    Args:
        shape: [results, terms], or [results, channels, height, width] where the terms are in the
            order height, width, channels.
    """
    if len(shape) == 2:
        return (1, BLOCK)
    _, channels, _, width = shape
    return (1, BLOCK, BLOCK * channels * width, BLOCK * channels)


def lies_in_blocks(constant: Constant) -> bool:
    """Whether a weight lies as only our own run time reads it.

    Where elements shared places, its storage would be smaller.
    """
    shape = constant.shape
    return (
        constant.dtype == "float32"
        and can_lie_in_blocks(shape)
        and constant.storage_offset == 0
        and constant.nbytes == math.prod(shape) * _ITEM_NBYTES
        and all(
            size == 1 or found == wanted
            for size, found, wanted in zip(
                shape, constant.stride, strides_in_blocks(shape), strict=True
            )
        )
    )


def terms_to_lay_out(constant: Constant) -> int:
    """Terms of a linear layer's weight that is to be laid out while it is written; else 0."""
    return constant.shape[1] if len(constant.shape) == 2 and lies_in_blocks(constant) else 0


def laid_out(chunks: Iterable[memoryview], terms: int, chunk_nbytes: int) -> Iterator[memoryview]:
    """A weight's rows, one after the other, as blocks.

    Args:
        chunks: the rows' bytes, cut anywhere; each is looked at before the next is asked for.
        terms: numbers of 4 bytes in a row.
        chunk_nbytes: of a piece at most; 128 or more.

    Yields:
        Views of two buffers that are filled in turns.
    """
    # Small blocks are handed out together, large ones in pieces: some terms of all results.
    most = min(terms, chunk_nbytes // (BLOCK * _ITEM_NBYTES))
    together = max(chunk_nbytes // (BLOCK * _ITEM_NBYTES * terms), 1)
    buffers = cycle([_zeros(together * most * BLOCK) for _ in range(2)])
    for rows in _gathered(chunks, _zeros(together * terms * BLOCK)):
        results = len(rows) // terms
        for first in range(0, terms, most):
            count = min(most, terms - first)
            buffer = next(buffers)
            for result in range(results):
                start = result // BLOCK * BLOCK * count + result % BLOCK
                row = result * terms + first
                # A loop in C, by what is there where neither torch nor numpy is imported.
                buffer[start : start + BLOCK * count : BLOCK] = rows[row : row + count]
            yield memoryview(buffer).cast("B")[: results * count * _ITEM_NBYTES]


def _gathered(chunks: Iterable[memoryview], whole: array[int]) -> Iterator[array[int]]:
    """The chunks' bytes in pieces of one size, all in the same place; what is left at the end."""
    view = memoryview(whole).cast("B")
    filled = 0
    for chunk in chunks:
        taken = 0
        while taken < len(chunk):
            count = min(len(chunk) - taken, len(view) - filled)
            view[filled : filled + count] = chunk[taken : taken + count]
            taken += count
            filled += count
            if filled == len(view):
                yield whole
                filled = 0
    if filled:
        yield whole[: filled // _ITEM_NBYTES]


def _zeros(count: int) -> array[int]:
    return array(_ITEM, bytes(count * _ITEM_NBYTES))
