"""The pool of memory: bounded, used again, shared by threads."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

torch = pytest.importorskip("torch")

from .handles import Handle, Runtime  # noqa: E402

pytestmark = [pytest.mark.zig, pytest.mark.torch]


def run(runtime: Runtime, seed: int, calls: int = 200) -> None:
    """Like a network: tensors of many sizes that live for some steps."""
    chance = random.Random(seed)
    alive: list[Handle] = []
    for _ in range(calls):
        size = chance.choice(
            [chance.randint(1, 300), chance.randint(1, 50_000), chance.randint(1, 3_000_000)]
        )
        alive.append(runtime.empty((size,), (1,), torch.uint8))
        while len(alive) > 6:
            alive.pop(chance.randrange(len(alive)))


def test_warm_run_asks_the_system_for_nothing(runtime: Runtime) -> None:
    run(runtime, 1)
    calls = runtime.statistics().system_calls
    for _ in range(20):
        run(runtime, 1)
    assert runtime.statistics().system_calls == calls


def test_large_block_is_used_again(runtime: Runtime) -> None:
    first = runtime.empty((123_456_789,), (1,), torch.uint8)
    address = first.data
    calls = runtime.statistics().system_calls
    for _ in range(5):
        del first
        first = runtime.empty((123_456_789,), (1,), torch.uint8)
        assert first.data == address
    assert runtime.statistics().system_calls == calls


def test_what_is_kept_is_bounded_for_changing_shapes(runtime: Runtime) -> None:
    runtime.library.aotwin_memory_trim()
    for seed in range(30):
        run(runtime, seed, calls=60)
    statistics = runtime.statistics()
    assert statistics.held <= 3 * statistics.peak + (40 << 20)


def test_trim_gives_back_what_is_not_in_use(runtime: Runtime) -> None:
    runtime.library.aotwin_memory_trim()
    before = runtime.statistics()
    kept = runtime.empty((10_000_000,), (1,), torch.float32)
    large = runtime.empty((50_000_000,), (1,), torch.float32)
    assert runtime.statistics().held >= before.held + 240_000_000
    del large
    runtime.library.aotwin_memory_trim()
    after = runtime.statistics()
    assert after.held < before.held + 60_000_000
    runtime.call("aoti_torch_zero_", kept)
    assert kept.torch().count_nonzero() == 0


def test_blocks_do_not_overlap(runtime: Runtime) -> None:
    chance = random.Random(5)
    alive: dict[int, tuple[Handle, int]] = {}
    for step in range(3000):
        if alive and chance.random() < 0.5:
            alive.pop(chance.choice(list(alive)))
        size = chance.choice([0, 1, 63, 64, 65, 1000, 1024, 5000, 70_000, 1_500_000])
        handle = runtime.empty((size,), (1,), torch.uint8)
        alive[step] = (handle, size)
    ranges = sorted((handle.data, handle.data + size) for handle, size in alive.values() if size)
    assert all(end <= start for (_, end), (start, _) in pairwise(ranges))
    assert all(start % 64 == 0 for start, _ in ranges)


def test_threads_share_the_pool(runtime: Runtime) -> None:
    before = runtime.statistics()
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(run, runtime, seed) for seed in range(16)]:
            done.result()
    after = runtime.statistics()
    assert (after.used, after.blocks, after.handles) == (before.used, before.blocks, before.handles)
