"""Write a stream that is read and hashed ahead, each by a processor of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from aotwin.termination import undisturbed


class Digest(Protocol):
    """What `hashlib` makes; its `update` lets other threads run."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Go on with these bytes."""
        ...


def write_hashed(
    chunks: Iterable[bytes | memoryview],
    write: Callable[[bytes | memoryview], object],
    digest: Digest,
) -> int:
    """Write all chunks in order, while the next one is read, and the digest updated with it.

    Args:
        chunks: taken by a thread of its own; a chunk is looked at only until the next but one is
            asked for.
        write: takes a whole chunk. What it raises ends the stream.
        digest: holds what was written when this returns.

    Returns:
        Bytes of all chunks.
    """
    nbytes, left = 0, iter(chunks)

    def hashed() -> bytes | memoryview | None:
        chunk = next(left, None)
        if chunk is not None:
            digest.update(chunk)
        return chunk

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="aotwin-hash") as worker:
        # A signal's exception in between could leave a lock taken that the worker needs.
        with undisturbed():
            ahead = worker.submit(hashed)
        while True:
            with undisturbed():
                chunk = ahead.result()
                if chunk is None:
                    return nbytes
                ahead = worker.submit(hashed)
            write(chunk)
            nbytes += len(chunk)
