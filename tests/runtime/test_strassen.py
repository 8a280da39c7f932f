"""Products of many rows by weights in blocks, an eighth of whose multiplications are saved."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest
import torch
from torch.nn import functional

from .handles import Handle
from .operator_calls import Operators, Optional
from .product_calls import at_level, exact, in_blocks, products

#: Root mean squares of errors, of eager's: by theory the root of 2, where sums are made of parts
#: of half as many terms.
RATIO = 1.7
#: Of rows and columns whose partners are up to four times as large.
MOST = 8


__all__ = ["products"]  # a fixture: for AVX2, and for AVX-512 where the CPU has it


def linear(
    products: Operators,
    x: torch.Tensor,
    weight: torch.Tensor | ctypes.c_void_p,
    bias: torch.Tensor | None = None,
    activation: str = "none",
) -> torch.Tensor:
    given = in_blocks(weight) if isinstance(weight, torch.Tensor) else weight
    name = "aoti_torch_cpu__linear_pointwise"
    return products.answer(name, x, given, Optional(bias), activation, [], None)


def ratio_of(ours: torch.Tensor, eager: torch.Tensor, truth: torch.Tensor, dim: Any = None) -> Any:
    """Errors, root mean squares over all results or along a dimension, of eager's."""
    error, allowed = ((exact(each) - truth).square().mean(dim).sqrt() for each in (ours, eager))
    return (error / allowed).max().item()


def operands(rows: int, results: int, terms: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(rows + results + terms)
    return torch.randn(rows, terms), torch.randn(results, terms) / terms**0.5


@pytest.mark.parametrize("terms", [192, 224, 384, 800])
@pytest.mark.parametrize("rows", [32, 41, 57, 64, 99, 128, 197, 700])
def test_errors_are_near_those_of_plain_sums(products: Operators, rows: int, terms: int) -> None:
    x, weight = operands(rows, 320, terms)
    bias = torch.randn(320)
    ours = linear(products, x, weight, bias, "relu")
    truth = torch.relu(functional.linear(exact(x), exact(weight), exact(bias)))
    assert ratio_of(ours, torch.relu(functional.linear(x, weight, bias)), truth) <= RATIO


@pytest.mark.parametrize(
    ("level", "rows", "results", "terms"),
    [(3, 128, 320, 384), (3, 96, 192, 192), (4, 128, 320, 384), (4, 32, 192, 192)],
)
def test_two_rows_share_their_rounding(level: int, rows: int, results: int, terms: int) -> None:
    """What only an algorithm that adds rows does; with AVX2 fewer than 96 have plain sums."""
    products = at_level(level)
    x, weight = operands(rows, results, terms)
    partner = rows // 2 + 3
    before = linear(products, x, weight)
    x[partner] = x[partner].flip(0)
    after = linear(products, x, weight)
    shared = rows >= 96 or "AVX512" in torch.backends.cpu.get_cpu_capability()
    assert torch.equal(before[3], after[3]) != shared
    others = [row for row in range(rows) if row not in (3, partner)]
    assert torch.equal(before[others], after[others])


def test_sizes_beside_those_that_gain(products: Operators) -> None:
    few = (31, 320, 384), (95, 320, 384), (128, 128, 384), (128, 288, 384), (128, 320, 200)
    for rows, results, terms in few:
        x, weight = operands(rows, results, terms)
        truth = exact(x) @ exact(weight).t()
        assert ratio_of(linear(products, x, weight), x @ weight.t(), truth) <= RATIO


def test_rows_of_very_different_size(products: Operators) -> None:
    x, weight = operands(128, 320, 384)
    x *= torch.logspace(-4, 4, 128)[torch.randperm(128)].unsqueeze(1)
    truth = exact(x) @ exact(weight).t()
    assert ratio_of(linear(products, x, weight), x @ weight.t(), truth, 1) <= MOST


def test_columns_of_very_different_size(products: Operators) -> None:
    x, weight = operands(128, 640, 384)
    weight[:320] *= torch.logspace(-4, 4, 320)[torch.randperm(320)].unsqueeze(1)
    truth = exact(x) @ exact(weight).t()
    ours, eager = linear(products, x, weight), x @ weight.t()
    assert ratio_of(ours, eager, truth, 0) <= MOST
    x[:40] *= 1000  # rows besides
    truth = exact(x) @ exact(weight).t()
    ours, eager = linear(products, x, weight), x @ weight.t()
    assert ratio_of(ours, eager, truth, 0) <= MOST
    assert ratio_of(ours, eager, truth, 1) <= MOST


def test_rows_of_zeros_have_the_bias_itself(products: Operators) -> None:
    x, weight = operands(128, 320, 384)
    bias = torch.randn(320)
    x[100:] = 0
    weight[40] = 0
    ours = linear(products, x, weight, bias)
    assert torch.equal(ours[100:], bias.expand(28, 320))
    assert torch.equal(ours[:, 40], bias[40].expand(128))


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 3e38])
def test_what_is_not_finite_stays_in_its_rows_and_columns(
    products: Operators, value: float
) -> None:
    x, weight = operands(128, 320, 384)
    expected = x @ weight.t()
    for rows in ([3], [3, 67]):  # one of a pair, both
        given = x.clone()
        for row in rows:
            given[row, row + 5] = value
        found = linear(products, given, weight)
        others = [row for row in range(128) if row not in rows]
        assert torch.allclose(found[others], expected[others], atol=1e-5)
        assert torch.allclose(found[rows], given[rows] @ weight.t(), equal_nan=True)
    for columns in ([70], [70, 102]):
        given = weight.clone()
        for column in columns:
            given[column, column + 5] = value
        found = linear(products, x, given)
        others = [column for column in range(320) if column not in columns]
        assert torch.allclose(found[:, others], expected[:, others], atol=1e-5)
        assert torch.allclose(found[:, columns], x @ given[columns].t(), equal_nan=True)


def test_what_is_known_of_a_constant_is_its_own(products: Operators) -> None:
    """Columns are looked at once for each constant, and anew for memory that is none."""
    x, weight = operands(128, 320, 384)
    blocks = in_blocks(weight)
    handle: Handle = products.over(blocks)
    products.call("aotwin_mark_constant", handle)
    for scale in (1, 1000):
        weight[9] *= scale
        given = ctypes.c_void_p(handle.address) if scale == 1 else weight
        truth = exact(x) @ exact(weight).t()
        for _ in range(2):
            ours = linear(products, x, given)
            assert ratio_of(ours, x @ weight.t(), truth, 0) <= MOST


@pytest.mark.parametrize("rows", [64, 197, 1400])
def test_results_do_not_depend_on_the_number_of_threads(products: Operators, rows: int) -> None:
    x, weight = operands(rows, 320, 960)
    x[rows // 3] *= 100
    blocks = in_blocks(weight)
    handle: Handle = products.over(blocks)
    products.call("aotwin_mark_constant", handle)
    found = []
    try:
        for threads in (1, 2, 3, 5, 16):
            products.library.aotwin_set_num_threads(threads)
            found.append(linear(products, x, ctypes.c_void_p(handle.address)))
    finally:
        products.library.aotwin_set_num_threads(0)
    assert all(torch.equal(found[0], each) for each in found[1:])


def test_strides_of_the_input_and_another_operand(products: Operators) -> None:
    torch.manual_seed(3)
    weight = torch.randn(256, 192) / 14
    for x in (torch.randn(2, 60, 192), torch.randn(192, 90).t(), torch.randn(77, 384)[:, ::2]):
        other = torch.randn(*x.shape[:-1], 256)
        name = "aoti_torch_cpu__linear_pointwise_binary"
        ours = products.answer(name, x, other, in_blocks(weight), Optional(None), "add")
        truth = functional.linear(exact(x), exact(weight)) + exact(other)
        assert ratio_of(ours, functional.linear(x, weight) + other, truth) <= RATIO


@pytest.mark.parametrize("kernel, step", [(1, 1), (1, 2), (3, 2)])
def test_convolutions(products: Operators, kernel: int, step: int) -> None:
    torch.manual_seed(4)
    x = torch.randn(2, 224, 17, 15).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(256, 224, kernel, kernel) / (15 * kernel)
    how = [kernel // 2] * 2, [step] * 2, [1] * 2
    bias = torch.randn(256)
    ours = products.answer(
        "aoti_torch_cpu_mkldnn__convolution_pointwise",
        *(x, in_blocks(weight), Optional(bias), *how, 1, "relu", None, 0, None),
    )
    arguments = {"stride": step, "padding": kernel // 2}
    truth = torch.relu(functional.conv2d(exact(x), exact(weight), exact(bias), **arguments))
    eager = torch.relu(functional.conv2d(x, weight, bias, **arguments))
    assert ratio_of(ours, eager, truth) <= RATIO


def test_warm_calls_ask_the_system_for_nothing(products: Operators) -> None:
    x, weight = operands(200, 320, 384)
    blocks = in_blocks(weight)
    for _ in range(3):
        linear(products, x, blocks)
    before = products.statistics().system_calls
    for _ in range(10):
        linear(products, x, blocks)
    assert products.statistics().system_calls == before
