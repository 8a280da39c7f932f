"""The same seed gives the numbers that torch draws on the CPU."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from .operator_calls import Operators, of_dtype, operators  # noqa: E402, F401

pytestmark = [pytest.mark.zig, pytest.mark.torch]

FLOATING = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
SIZES = [3, 15, 16, 40, 5_000]


def both(operators: Operators, ours: Callable[[], object], theirs: Callable[[], object]) -> None:  # noqa: F811
    """Draw three times from one seed, so that what is kept between calls shows."""
    for seed in (0, 5, 2**31 + 7):
        operators.call("aotwin_seed_random", ctypes.c_uint64(seed))
        torch.manual_seed(seed)
        for _ in range(3):
            torch.testing.assert_close(ours(), theirs())


@pytest.mark.parametrize("dtype", FLOATING)
@pytest.mark.parametrize("size", SIZES)
def test_uniform_and_normal(operators: Operators, dtype: torch.dtype, size: int) -> None:  # noqa: F811
    options = of_dtype(dtype)
    both(
        operators,
        lambda: operators.answer("aoti_torch_cpu_rand", [size], *options),
        lambda: torch.rand(size, dtype=dtype),
    )
    both(
        operators,
        lambda: operators.answer("aoti_torch_cpu_randn", [size], *options),
        lambda: torch.randn(size, dtype=dtype),
    )
    empty = torch.empty(size, dtype=dtype)
    both(
        operators,
        lambda: operators.answer("aoti_torch_cpu_uniform", empty, -1.0, 2.0, None),
        lambda: torch.empty(size, dtype=dtype).uniform_(-1, 2),
    )


@pytest.mark.parametrize("high", [2, 1_000, 2**28 - 1, 2**28, 2**40, 2**63 - 1])
def test_integers(operators: Operators, high: int) -> None:  # noqa: F811
    low = -(2**63) if high == 2**63 - 1 else -3
    options = of_dtype(torch.int64)
    both(
        operators,
        lambda: operators.answer("aoti_torch_cpu_randint_low", low, high, [50], *options),
        lambda: torch.randint(low, high, (50,)),
    )


def test_seeds_of_generated_code(operators: Operators) -> None:  # noqa: F811
    low, high = -(2**63), 2**63 - 1

    def seeds() -> torch.Tensor:
        out = torch.zeros(4, dtype=torch.int64)
        operators.invoke("aoti_torch_cpu_randint_low_out", out, low, high, [4])
        return out

    both(operators, seeds, lambda: torch.randint(low, high, (4,)))


@pytest.mark.parametrize("count", [0, 1, 7, 3_000])
def test_permutations(operators: Operators, count: int) -> None:  # noqa: F811
    options = of_dtype(torch.int64)
    both(
        operators,
        lambda: operators.answer("aoti_torch_cpu_randperm", count, *options),
        lambda: torch.randperm(count),
    )


def test_without_a_seed_each_process_draws_alike(operators: Operators) -> None:  # noqa: F811
    operators.call("aotwin_seed_random", ctypes.c_uint64(67280421310721))
    first = operators.answer("aoti_torch_cpu_rand", [8], *of_dtype(torch.float32))
    generator = torch.Generator().manual_seed(67280421310721)
    torch.testing.assert_close(first, torch.rand(8, generator=generator))
