"""mm, addmm, bmm and their relatives against eager torch: layouts, dtypes, scalars, aliasing."""

from __future__ import annotations

import ctypes
import itertools
from typing import Any

import pytest
import torch
from torch.nn import functional

from .handles import RuntimeCallError
from .operator_calls import Operators, Optional
from .product_calls import FLOATING, assert_as_accurate, exact, in_blocks, laid_out, products

__all__ = ["products"]

pytestmark = [pytest.mark.zig, pytest.mark.torch]

LAYOUTS = ("rows", "columns", "gaps")
#: rows, columns, terms: one, few (no panels), one tile, more than a tile, more than a block of k,
#: weights whose rows share places of the nearest cache
SHAPES = [
    (1, 1, 1),
    (1, 100, 64),
    (100, 1, 64),
    (3, 1, 40),
    (5, 64, 100),
    (17, 33, 65),
    (26, 26, 800),
    (30, 513, 390),
    (300, 70, 17),
    (600, 100, 400),
    (100, 100, 1),
    (33, 40, 1024),
    (0, 4, 4),
    (4, 0, 3),
    (4, 4, 0),
]
INTEGERS = [torch.int32, torch.int64, torch.int8, torch.uint8, torch.int16]
COMPLEX = [torch.complex64, torch.complex128]


def made(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    if dtype.is_floating_point or dtype.is_complex:
        wide = torch.complex128 if dtype.is_complex else torch.float64
        return torch.randn(shape, dtype=wide).to(dtype)
    return torch.randint(0 if dtype == torch.uint8 else -5, 6, shape, dtype=dtype)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("dtype", FLOATING + INTEGERS + COMPLEX, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def test_mm_of_every_layout(
    products: Operators, shape: tuple[int, int, int], dtype: torch.dtype
) -> None:
    m, n, k = shape
    for left, right, result in itertools.product(LAYOUTS, LAYOUTS, LAYOUTS):
        a = laid_out(made(dtype, m, k), left)
        b = laid_out(made(dtype, k, n), right)
        out = laid_out(made(dtype, m, n), result)
        eager = torch.mm(a, b, out=torch.empty_strided(out.shape, out.stride(), dtype=dtype))
        products.invoke("aoti_torch_cpu_mm_out", out, a, b)
        assert_as_accurate(out, eager, exact(a) @ exact(b))


@pytest.mark.parametrize("layout", ["rows", "columns"])
@pytest.mark.parametrize("rows", [1, 4, 20])
def test_few_long_rows(products: Operators, rows: int, layout: str) -> None:
    a, b = torch.randn(rows, 4000), laid_out(torch.randn(4000, 300), layout)
    for dtype in (torch.float32, torch.float64):
        left, right, out = a.to(dtype), b.to(dtype), torch.empty(rows, 300, dtype=dtype)
        products.invoke("aoti_torch_cpu_mm_out", out, left, right)
        assert_as_accurate(out, left @ right, exact(left) @ exact(right))


@pytest.mark.parametrize("terms", [32, 61, 4001])
@pytest.mark.parametrize("rows", [3, 4, 5, 6, 7, 8, 9, 14, 16, 19, 24, 25, 71, 112, 113])
def test_few_rows_of_bfloat16(products: Operators, rows: int, terms: int) -> None:
    weight = torch.randn(131, terms).bfloat16()
    for x in (torch.randn(rows, terms).bfloat16(), torch.randn(rows, 5000).bfloat16()[:, :terms]):
        out = torch.empty(rows, 131).bfloat16()
        products.invoke("aoti_torch_cpu_mm_out", out, x, weight.t())
        assert_as_accurate(out, x @ weight.t(), exact(x) @ exact(weight).t())


@pytest.mark.parametrize("dtype", [*FLOATING, torch.int64, torch.complex64], ids=str)
@pytest.mark.parametrize("shape", [(4, 6, 5), (60, 70, 80), (1, 100, 30), (100, 1, 30), (7, 9, 0)])
@pytest.mark.parametrize(("beta", "alpha"), [(1, 1), (2, 0.5), (0, 2), (1, 0), (-1, 1)])
def test_addmm_with_every_form_of_addend(
    products: Operators, shape: tuple[int, int, int], dtype: torch.dtype, beta: float, alpha: float
) -> None:
    m, n, k = shape
    if not (dtype.is_floating_point or dtype.is_complex):
        beta, alpha = int(beta), int(alpha)
    a, b = made(dtype, m, k), made(dtype, k, n)
    addends = [made(dtype, *size) for size in ((n,), (1, n), (m, 1), (m, n), (1,), ())]
    for addend in [*addends, made(dtype, n, m).t()]:
        if beta == 0 and dtype.is_floating_point:
            addend.fill_(torch.nan)
        out = made(dtype, m, n)
        eager = torch.addmm(addend, a, b, beta=beta, alpha=alpha)
        products.invoke("aoti_torch_cpu_addmm_out", out, addend, a, b, float(beta), float(alpha))
        truth = alpha * (exact(a) @ exact(b)) + (beta * exact(addend) if beta else 0)
        assert_as_accurate(out, eager, truth)


@pytest.mark.parametrize("dtype", [*FLOATING, torch.int32, torch.complex64], ids=str)
@pytest.mark.parametrize(
    "shape",
    [
        (1, 3, 4, 5),
        (7, 60, 33, 20),
        (3, 1, 64, 100),
        (2, 200, 1, 9),
        (2, 300, 40, 200),
        (0, 2, 2, 2),
    ],
)
def test_batches(products: Operators, shape: tuple[int, int, int, int], dtype: torch.dtype) -> None:
    batch, m, n, k = shape
    a, addend = made(dtype, batch, m, k), made(dtype, batch, m, n)
    for layout in LAYOUTS:
        b = laid_out(made(dtype, batch, k, n), layout)
        out = torch.empty_like(addend)
        products.invoke("aoti_torch_cpu_bmm_out", out, a, b)
        assert_as_accurate(out, torch.bmm(a, b), exact(a) @ exact(b))
        products.invoke("aoti_torch_cpu_baddbmm_out", out, addend, a, b, 2.0, 3.0)
        truth = 2 * exact(addend) + 3 * (exact(a) @ exact(b))
        assert_as_accurate(out, torch.baddbmm(addend, a, b, beta=2, alpha=3), truth)


@pytest.mark.parametrize("dtype", [*FLOATING, torch.complex64], ids=str)
@pytest.mark.parametrize("shape", [(3, 40, 20, 30), (40, 16, 5, 17), (0, 4, 5, 6), (2, 4, 0, 6)])
def test_sums_over_batches(
    products: Operators, shape: tuple[int, int, int, int], dtype: torch.dtype
) -> None:
    batch, m, k, n = shape
    a, b, addend = made(dtype, batch, m, k), made(dtype, batch, k, n), made(dtype, m, n)
    ours = products.answer("aoti_torch_cpu_addbmm", addend, a, b, 2.0, 3.0)
    truth = 2 * exact(addend) + 3 * (exact(a) @ exact(b)).sum(0)
    assert_as_accurate(ours, torch.addbmm(addend, a, b, beta=2, alpha=3), truth)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64], ids=str)
def test_products_with_vectors(products: Operators, dtype: torch.dtype) -> None:
    a, b = made(dtype, 3, 40, 20), made(dtype, 3, 20, 30)
    vector, column = made(dtype, 20), made(dtype, 40)
    ours = products.answer("aoti_torch_cpu_addmv", column, a[0], vector, 2.0, 3.0)
    truth = 2 * exact(column) + 3 * (exact(a[0]) @ exact(vector))
    assert_as_accurate(ours, torch.addmv(column, a[0], vector, beta=2, alpha=3), truth)
    out = torch.empty(40, 30, dtype=dtype)
    products.invoke("aoti_torch__mm_plus_mm_out", out, a[0], b[0], a[1], b[1])
    truth = exact(a[0]) @ exact(b[0]) + exact(a[1]) @ exact(b[1])
    assert_as_accurate(out, a[0] @ b[0] + a[1] @ b[1], truth)


@pytest.mark.parametrize("size", [5, 80])
def test_result_may_be_an_operand(products: Operators, size: int) -> None:
    a = torch.randn(size, size)
    square, eager = exact(a) @ exact(a), a @ a
    both = a.clone()
    products.invoke("aoti_torch_cpu_mm_out", both, both, both)
    assert_as_accurate(both, eager, square)
    addend = a.clone()
    products.invoke("aoti_torch_cpu_addmm_out", addend, addend, a, a, 1.0, 1.0)
    assert_as_accurate(addend, torch.addmm(a, a, a), square + exact(a))
    turned = a.clone()
    products.invoke("aoti_torch_cpu_addmm_out", turned, turned.t(), a, a, 1.0, 1.0)
    assert_as_accurate(turned, torch.addmm(a.t(), a, a), square + exact(a.t()))


def test_results_do_not_depend_on_the_number_of_threads(products: Operators) -> None:
    set_threads = products.library.aotwin_set_num_threads
    for m, n, k in ((1, 4000, 300), (200, 500, 700), (2000, 30, 64)):
        a, b = torch.randn(m, k), torch.randn(n, k).t()
        results = []
        for threads in (1, 2, 5):
            before = set_threads(threads)
            results.append(torch.empty(m, n))
            products.invoke("aoti_torch_cpu_mm_out", results[-1], a, b)
            set_threads(before)
        assert all(torch.equal(results[0], result) for result in results)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8], ids=str)
@pytest.mark.parametrize(
    "shape", [(1, 16, 32), (17, 33, 65), (128, 96, 1100), (2, 3, 1), (3, 3, 0)]
)
def test_products_of_bytes_are_exact(
    products: Operators, shape: tuple[int, int, int], dtype: torch.dtype
) -> None:
    m, n, k = shape
    limits = torch.iinfo(dtype)
    for left, right in itertools.product(LAYOUTS, LAYOUTS):
        a = laid_out(torch.randint(limits.min, limits.max + 1, (m, k), dtype=dtype), left)
        b = laid_out(torch.randint(-128, 128, (k, n), dtype=torch.int8), right)
        out = torch.full((m, n), 7, dtype=torch.int32)
        products.invoke("aoti_torch_cpu__int_mm_out", out, a, b)
        assert torch.equal(out, (a.long() @ b.long()).int())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("rows", [1, 5, 60])
def test_weights_that_are_bytes(products: Operators, rows: int, dtype: torch.dtype) -> None:
    x, scales = torch.randn(rows, 96).to(dtype), torch.rand(50).to(dtype)
    weight = torch.randint(-128, 128, (50, 96), dtype=torch.int8)
    ours = products.answer("aoti_torch_cpu__weight_int8pack_mm", x, weight, scales)
    eager = torch._weight_int8pack_mm(x, weight, scales)
    assert_as_accurate(ours, eager, (exact(x) @ exact(weight).t()) * exact(scales))


ACTIVATIONS: dict[str, tuple[Any, list[float], str]] = {
    "none": (lambda x: x, [], ""),
    "relu": (functional.relu, [], ""),
    "sigmoid": (torch.sigmoid, [], ""),
    "tanh": (torch.tanh, [], ""),
    "swish": (functional.silu, [], ""),
    "hardswish": (functional.hardswish, [], ""),
    "hardsigmoid": (functional.hardsigmoid, [], ""),
    "gelu": (functional.gelu, [], "none"),
    "gelu by tanh": (lambda x: functional.gelu(x, approximate="tanh"), [], "tanh"),
    "leaky_relu": (lambda x: functional.leaky_relu(x, 0.2), [0.2], ""),
    "hardtanh": (lambda x: functional.hardtanh(x, -0.5, 0.7), [-0.5, 0.7], ""),
}


def scalars(values: list[float]) -> tuple[Any, ctypes.c_int64]:
    """Optional numbers: an array of pointers."""
    kept = [ctypes.pointer(ctypes.c_double(value)) for value in values]
    array = (ctypes.POINTER(ctypes.c_double) * max(len(kept), 1))(*kept)
    return array, ctypes.c_int64(len(kept))


@pytest.mark.parametrize("dtype", FLOATING, ids=str)
@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(2, 5, 64), (3, 64), (40, 64), (130, 64)])
def test_linear_layer_with_what_follows_it(
    products: Operators, shape: tuple[int, ...], name: str, dtype: torch.dtype
) -> None:
    function, values, algorithm = ACTIVATIONS[name]
    x, weight = (2 * torch.randn(shape)).to(dtype), (torch.randn(48, 64) / 4).to(dtype)
    bias = torch.randn(48).to(dtype)
    ours = products.answer(
        "aoti_torch_cpu__linear_pointwise",
        x,
        weight,
        Optional(bias),
        name.split(maxsplit=1)[0],
        *scalars(values),
        ctypes.byref(ctypes.c_char_p(algorithm.encode())),
    )
    truth = function(functional.linear(exact(x), exact(weight), exact(bias)))
    assert_as_accurate(ours, function(functional.linear(x, weight, bias)), truth)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("rows", [1, 2, 7])
def test_activations_of_any_number(products: Operators, rows: int, name: str) -> None:
    function, values, algorithm = ACTIVATIONS[name]
    infinite = [torch.inf, -torch.inf, torch.nan]
    special = torch.tensor([*infinite, 0.0, -0.0, 1e30, -1e30, 1e-30, -1e-30, 5e37, -5e37, 88.73])
    bias = torch.cat([special, torch.linspace(-110, 110, 320 - len(special))])
    x, weight = torch.zeros(rows, 4), in_blocks(torch.zeros(320, 4))
    ours = products.answer(
        "aoti_torch_cpu__linear_pointwise",
        *(x, weight, Optional(bias), name.split(maxsplit=1)[0]),
        *scalars(values),
        ctypes.byref(ctypes.c_char_p(algorithm.encode())),
    )
    truth = function(exact(bias)).expand(rows, -1)
    torch.testing.assert_close(exact(ours), truth, rtol=3e-7, atol=6e-7, equal_nan=True)


@pytest.mark.parametrize("terms", [1, 12, 48, 250, 1000])
@pytest.mark.parametrize("rows", [1, 3, 6, 7, 14, 15, 40, 130, 300])
def test_a_weight_in_blocks_is_taken_as_it_lies(products: Operators, rows: int, terms: int) -> None:
    x, weight, bias = torch.randn(rows, terms), torch.randn(160, terms), torch.randn(160)
    ours = products.answer(
        "aoti_torch_cpu__linear_pointwise",
        *(x, in_blocks(weight), Optional(bias), "relu", [], None),
    )
    truth = torch.relu(functional.linear(exact(x), exact(weight), exact(bias)))
    assert_as_accurate(ours, torch.relu(functional.linear(x, weight, bias)), truth)


def test_a_weight_in_blocks_by_any_rows(products: Operators) -> None:
    weight = torch.randn(96, 70)
    for x in (torch.randn(2, 9, 70), torch.randn(70, 18).t(), torch.randn(18, 140)[:, ::2]):
        other = torch.randn(*x.shape[:-1], 96)
        ours = products.answer(
            "aoti_torch_cpu__linear_pointwise_binary",
            *(x, other, in_blocks(weight), Optional(None), "add"),
        )
        truth = functional.linear(exact(x), exact(weight)) + exact(other)
        assert_as_accurate(ours, functional.linear(x, weight) + other, truth)


def test_a_weight_in_blocks_does_not_depend_on_threads(products: Operators) -> None:
    x, weight = torch.randn(45, 500), in_blocks(torch.randn(320, 500))
    given = (x, weight, Optional(None), "none", [], None)
    found = []
    try:
        for threads in (1, 2, 3):
            products.library.aotwin_set_num_threads(threads)
            found.append(products.answer("aoti_torch_cpu__linear_pointwise", *given))
    finally:
        products.library.aotwin_set_num_threads(0)
    assert all(torch.equal(found[0], each) for each in found[1:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("rows", [5, 40])
@pytest.mark.parametrize("name", ["add", "sub", "mul"])
def test_linear_layer_with_another_operand(
    products: Operators, name: str, rows: int, dtype: torch.dtype
) -> None:
    shapes = ((2, rows, 64), (50, 64), (50,), (2, rows, 50))
    x, weight, bias, other = (torch.randn(shape).to(dtype) for shape in shapes)
    ours = products.answer(
        "aoti_torch_cpu__linear_pointwise_binary", x, other, weight, Optional(bias), name
    )
    function = getattr(torch, name)
    truth = function(functional.linear(exact(x), exact(weight), exact(bias)), exact(other))
    assert_as_accurate(ours, function(functional.linear(x, weight, bias), other), truth)


def test_warm_products_ask_the_system_for_nothing(products: Operators) -> None:
    operands = [
        (torch.randn(m, k), torch.randn(n, k).t(), torch.empty(m, n))
        for m, n, k in ((1, 300, 200), (100, 300, 200), (700, 64, 900))
    ]

    def run_all() -> None:
        for a, b, out in operands:
            products.invoke("aoti_torch_cpu_mm_out", out, a, b)

    for _ in range(3):
        run_all()
    before = products.statistics().system_calls
    for _ in range(10):
        run_all()
    assert products.statistics().system_calls == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda: (torch.empty(2, 2), torch.ones(2, 3), torch.ones(2, 2)), r"\[2, 3\] and \[2, 2\]"),
        (lambda: (torch.empty(3, 2), torch.ones(2, 3), torch.ones(3, 2)), r"fit into \[3, 2\]"),
        (
            lambda: (torch.empty(2, 2), torch.ones(2, 2), torch.ones(2, 2).double()),
            "float32 and float64",
        ),
        (lambda: (torch.empty(2), torch.ones(2, 2), torch.ones(2)), "must all be matrices"),
        (lambda: (torch.empty(2), torch.ones(2), torch.ones(2)), "a matrix is needed"),
    ],
    ids=["terms", "result", "dtypes", "dimensions", "vector"],
)
def test_operands_that_do_not_fit_are_told(arguments: Any, message: str) -> None:
    from .product_calls import at_level

    with pytest.raises(RuntimeCallError, match=message):
        at_level(4).invoke("aoti_torch_cpu_mm_out", *arguments())
