"""Operators on tensors that several threads share, and on lengths at which other ways are taken."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from .operator_calls import IndexList, Operators, Optional, operators  # noqa: E402, F401

pytestmark = [pytest.mark.zig, pytest.mark.torch]
aten = torch.ops.aten


@pytest.fixture(params=[1, 2, 3], ids="{} threads".format, autouse=True)
def threads(request: pytest.FixtureRequest, operators: Operators):  # type: ignore[no-untyped-def]  # noqa: F811
    before = operators.library.aotwin_set_num_threads(request.param)
    yield request.param
    operators.library.aotwin_set_num_threads(before)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(11)


def same(found: torch.Tensor, expected: torch.Tensor, **tolerance: float) -> None:
    assert found.stride() == expected.stride()
    torch.testing.assert_close(found, expected, equal_nan=True, **tolerance)


def with_ties_and_nan(*shape: int) -> torch.Tensor:
    values = torch.randint(-500, 500, shape).float()
    values[values == 7] = math.nan
    values[values == 8] = -0.0
    values[values == 9] = math.inf
    return values


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64])
@pytest.mark.parametrize("descending", [False, True])
def test_long_lines_are_sorted_stably(
    operators: Operators,  # noqa: F811
    dtype: torch.dtype,
    descending: bool,
) -> None:
    values = with_ties_and_nan(5, 40_000)
    values = values.nan_to_num().to(dtype) if dtype == torch.int64 else values.to(dtype)
    answer = operators.answers("aoti_torch_cpu_sort", 2, values, 1, descending)
    for found, expected in zip(
        answer, torch.sort(values, dim=1, descending=descending, stable=True), strict=True
    ):
        same(found, expected)


def test_lines_across_memory_are_sorted(operators: Operators) -> None:  # noqa: F811
    values = with_ties_and_nan(3, 700, 90)
    answer = operators.answers("aoti_torch_cpu_sort_stable", 2, values, None, 1, False)
    for found, expected in zip(answer, torch.sort(values, dim=1, stable=True), strict=True):
        same(found, expected)


@pytest.mark.parametrize("k", [1, 40, 4_000, 20_000])
@pytest.mark.parametrize("largest", [False, True])
def test_the_first_k_of_a_long_line(operators: Operators, k: int, largest: bool) -> None:  # noqa: F811
    values = with_ties_and_nan(4, 20_000)
    found, positions = operators.answers("aoti_torch_cpu_topk", 2, values, k, 1, largest, True)
    same(found, torch.topk(values, k, 1, largest, True).values)
    expected = torch.sort(values, dim=1, descending=largest, stable=True).indices[:, :k]
    torch.testing.assert_close(positions, expected)


@pytest.mark.parametrize("shape", [(300_000,), (700, 500), (31, 77, 150), (0, 4), (3, 0)])
def test_positions_of_what_is_not_zero(operators: Operators, shape: tuple[int, ...]) -> None:  # noqa: F811
    values = (torch.rand(shape) > 0.7).float() * -0.5
    same(operators.answer("aoti_torch_cpu_nonzero", values), values.nonzero())
    static = operators.answer("aoti_torch_cpu_nonzero_static", values, 1_000, -1)
    same(static, torch.nonzero_static(values, size=1_000, fill_value=-1))


def test_masks_select_and_fill(operators: Operators) -> None:  # noqa: F811
    values, mask = torch.randn(600, 700), torch.rand(600, 700) > 0.6
    same(operators.answer("aoti_torch_cpu_masked_select", values, mask), values[mask])
    source = torch.randn(420_000)
    filled = operators.answer("aoti_torch_cpu_masked_scatter", values, mask, source)
    same(filled, values.masked_scatter(mask, source))


@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int32, torch.bfloat16])
def test_running_sums(operators: Operators, dim: int, dtype: torch.dtype) -> None:  # noqa: F811
    values = torch.randint(-4, 5, (40, 300, 70)).to(dtype)
    same(operators.answer("aoti_torch_cpu_cumsum", values, dim, None), values.cumsum(dim))
    turned = values.permute(2, 0, 1)
    same(operators.answer("aoti_torch_cpu_cumsum", turned, dim, None), turned.cumsum(dim))


def test_rows_and_single_elements_are_taken(operators: Operators) -> None:  # noqa: F811
    table = torch.randn(5_000, 64)
    rows = torch.randint(-5_000, 5_000, (70, 50))
    columns = torch.randint(-64, 64, (50,), dtype=torch.int32)
    for indices in ([rows], [None, columns], [rows, columns], [torch.rand(5_000) > 0.5]):
        found = operators.answer("aoti_torch_cpu_index_Tensor", table, IndexList(indices))
        same(found, aten.index(table, indices))
    wide = torch.randn(20, 30, 40, 5).permute(3, 0, 2, 1)
    indices = [None, torch.randint(0, 20, (6, 1)), None, torch.randint(0, 30, (7,))]
    found = operators.answer("aoti_torch_cpu_index_Tensor", wide, IndexList(indices))
    same(found, aten.index(wide, indices))


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("width", [1, 300])
def test_elements_are_put_where_indices_repeat(
    operators: Operators,  # noqa: F811
    accumulate: bool,
    width: int,
) -> None:
    own = torch.zeros(90, width)
    rows = torch.randint(-90, 90, (4_000,))
    values = torch.randint(0, 9, (4_000, width)).float()
    found = operators.answer("aoti_torch_cpu_index_put", own, IndexList([rows]), values, accumulate)
    expected = own.clone()
    for row, value in zip(rows.tolist(), values, strict=True):
        expected[row] = expected[row] + value if accumulate else value
    same(found, expected)


@pytest.mark.parametrize("reduce", ["sum", "prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("include_self", [False, True])
def test_scatter_joins(operators: Operators, reduce: str, include_self: bool) -> None:  # noqa: F811
    own = torch.rand(300, 200) + 0.5
    index = torch.randint(0, 300, (500, 150))
    source = torch.rand(500, 150) + 0.5
    out = torch.empty_like(own)
    arguments = (out, own, 0, index, source, reduce, include_self)
    operators.invoke("aoti_torch_cpu_scatter_reduce_two_out", *arguments)
    expected = own.scatter_reduce(0, index, source, reduce, include_self=include_self)
    same(out, expected, rtol=1e-5, atol=1e-6)


LENGTHS = [1, 2, 3, 4, 5, 7, 8, 11, 13, 30, 31, 37, 64, 97, 120, 127, 400, 1_000, 1_009, 2_310]


@pytest.mark.parametrize("length", [*LENGTHS, 4_099, 65_536])
def test_transforms_of_any_length(operators: Operators, length: int) -> None:  # noqa: F811
    lines = 1 if length > 3_000 else 19
    real = torch.randn(lines, length)
    exact = torch.fft.fft(real.double())
    scale = exact.abs().max().item()
    half = operators.answer("aoti_torch_cpu__fft_r2c", real, [1], 0, True)
    assert (half - exact[:, : length // 2 + 1]).abs().max().item() < 6e-7 * scale
    whole = operators.answer("aoti_torch_cpu__fft_c2c", real.to(torch.complex64), [1], 0, True)
    assert (whole - exact).abs().max().item() < 6e-7 * scale
    double = operators.answer("aoti_torch_cpu__fft_c2c", exact, [1], 2, False)
    torch.testing.assert_close(double.real, real.double(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dims", [[0], [2], [0, 2], [1, 2], [2, 1, 0]])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_transforms_lie_in_memory_as_torchs(
    operators: Operators,  # noqa: F811
    dims: list[int],
    order: tuple[int, ...],
) -> None:
    values = torch.randn(12, 9, 50).permute(order)
    close = {"rtol": 1e-4, "atol": 1e-4}
    for onesided in (True, False):
        found = operators.answer("aoti_torch_cpu__fft_r2c", values, dims, 1, onesided)
        same(found, aten._fft_r2c(values, dims, 1, onesided), **close)
    values = values.to(torch.complex64)
    found = operators.answer("aoti_torch_cpu__fft_c2c", values, dims, 0, False)
    same(found, aten._fft_c2c(values, dims, 0, False), **close)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_images_are_pooled(
    operators: Operators,  # noqa: F811
    channels_last: bool,
    dtype: torch.dtype,
) -> None:
    image = torch.randn(2, 24, 61, 47).to(dtype)
    if channels_last:
        image = image.contiguous(memory_format=torch.channels_last)
    window = ([3, 2], [2, 2], [1, 1])
    found = operators.answers(
        "aoti_torch_cpu_max_pool2d_with_indices", 2, image, *window, [1, 1], True
    )
    for one, other in zip(
        found, aten.max_pool2d_with_indices(image, *window, 1, True), strict=True
    ):
        same(one, other)
    mean = operators.answer("aoti_torch_cpu_avg_pool2d", image, *window, True, False, None)
    same(mean, aten.avg_pool2d(image, *window, True, False))
    adaptive = operators.answer("aoti_torch_cpu__adaptive_avg_pool2d", image, [7, 5])
    same(adaptive, aten._adaptive_avg_pool2d(image, [7, 5]))


@pytest.mark.parametrize("mode", [0, 1, 2], ids=["sum", "mean", "max"])
def test_bags_of_rows(operators: Operators, mode: int) -> None:  # noqa: F811
    table = torch.randn(1_000, 96)
    indices = torch.randint(0, 1_000, (6_000,))
    offsets = torch.cat(
        [torch.zeros(1, dtype=torch.int64), torch.randint(0, 6_000, (400,)).sort().values]
    )
    scales = torch.rand(6_000) if mode == 0 else None
    arguments = (table, indices, offsets, False, mode, False)
    found = operators.answers(
        "aoti_torch_cpu__embedding_bag_forward_only", 4, *arguments, Optional(scales), False, -1
    )
    expected = aten._embedding_bag_forward_only(*arguments, scales)
    same(found[0], expected[0], rtol=1e-5, atol=1e-5)
