"""Cases of the functions that torch wrote by hand, which no schema describes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from recording import Captured
from replay import Data

#: C function -> kinds of its arguments
KINDS = {
    "aoti_torch_copy_": ["T", "T", "b"],
    "aoti_torch_tensor_copy_": ["T", "T"],
    "aoti_torch_clone": ["T", "R"],
    "aoti_torch_clone_preserve_strides": ["T", "R"],
    "aoti_torch_zero_": ["T"],
    "aoti_torch_as_strided": ["T", "i*", "i*", "R"],
    "aoti_torch__mm_plus_mm_out": ["T", "T", "T", "T", "T"],
    "aoti_torch_scatter_out": ["T", "T", "i", "T", "T"],
    "aoti_torch_scatter_reduce_out": ["T", "T", "i", "T", "T", "s", "b"],
    "aoti_torch_index_put_out": ["T", "T", "T[u32]", "T", "bool"],
    "aoti_torch_addmm_out": ["T", "T", "T", "T", "f", "f"],
    "aoti_torch_bmm_out": ["T", "T", "T"],
    "aoti_torch_mm_out": ["T", "T", "T"],
    "aoti_torch_convolution": ["T", "T", "T", "i[]", "i[]", "i[]", "b", "i[]", "i", "R"],
    "aoti_torch__fft_c2c": ["T", "i[]", "i", "b", "R"],
    "aoti_torch_nonzero": ["T", "R"],
    "aoti_torch_repeat_interleave_Tensor": ["T", "i?", "R"],
    "aoti_torch_view_as_real": ["T", "R"],
    "aoti_torch_view_dtype": ["T", "e", "R"],
}

#: tensors, then plain values where None stands for the next tensor; what eager does with them
Case = tuple[str, list[torch.Tensor], list[Any], list[torch.Tensor], list[int]]


def cases(data: Data, dtypes: Sequence[torch.dtype]) -> list[dict[str, Any]]:
    """The cases of all functions."""
    made = []
    for dtype in dtypes:
        torch.manual_seed(5)
        for builder in (_copies, _clones, _zeros, _strided, _scatters, _puts, _products, _others):
            made += [_case(data, dtype, number, *one) for number, one in enumerate(builder(dtype))]
    return made


def _case(
    data: Data,
    dtype: torch.dtype,
    number: int,
    name: str,
    tensors: list[torch.Tensor],
    values: list[Any],
    expected: list[torch.Tensor],
    writes: list[int],
) -> dict[str, Any]:
    returns = [] if writes else expected
    case: dict[str, Any] = {
        "shim": f"aoti_torch_{name}",
        "dtype": str(dtype).removeprefix("torch."),
        "source": f"hand-written {number}",
        "tensors": [data.descriptor(Captured.of(one)) for one in tensors],
        "args": [*values, *range(len(returns))],
        "returns": [data.descriptor(Captured.of(one, margin=0)) for one in returns],
    }
    if writes:
        case["writes"] = [
            [place, data.descriptor(Captured.of(one, margin=0))]
            for place, one in zip(writes, expected, strict=True)
        ]
    elif name in ("as_strided", "view_as_real", "view_dtype"):
        case["aliases"] = [[0, 0]] if expected[0].numel() else []
    return case


def _like(kind: torch.dtype, *shape: int) -> torch.Tensor:
    if kind == torch.bool:
        return torch.rand(shape) < 0.5
    if kind.is_floating_point or kind.is_complex:
        return torch.randn(shape, dtype=torch.float64).to(kind)
    return torch.randint(0, 100, shape).to(kind)


def _laid(tensor: torch.Tensor) -> list[torch.Tensor]:
    """The same tensor in other memory: rows apart, transposed, from the middle."""
    a, b = tensor.shape
    wide = tensor.new_zeros(a, 2 * b + 3)
    wide[:, 3::2] = tensor
    turned = tensor.new_zeros(b, a)
    turned.copy_(tensor.t())
    return [tensor.contiguous(), wide[:, 3::2], turned.t()]


def _copies(dtype: torch.dtype) -> Iterator[Case]:
    source = _like(dtype, 5, 7)
    for target in _laid(torch.zeros(5, 7, dtype=dtype)):
        for one in [*_laid(source), source[:1], source[:, :1], source[0, 0]]:
            after = _copied(target, one)
            yield "copy_", [target, one], [0, 1, 0], [after], [0]
    large, larger = _like(dtype, 70, 90), torch.zeros(90, 70, dtype=dtype)
    yield "copy_", [larger, large.t()], [0, 1, 0], [large.t().contiguous()], [0]
    empty = torch.zeros(0, 3, dtype=dtype)
    yield "copy_", [empty, empty], [0, 1, 0], [empty], [0]
    images = _like(dtype, 2, 5, 4, 3)
    last = torch.zeros(2, 5, 4, 3, dtype=dtype).contiguous(memory_format=torch.channels_last)
    yield "copy_", [last, images], [0, 1, 0], [_copied(last, images)], [0]
    for other in (torch.float32, torch.int64, torch.bool, torch.bfloat16, torch.uint8):
        if dtype.is_complex and not other.is_complex:
            continue
        target = torch.zeros(5, 7, dtype=other)
        if not (other == torch.uint8 and dtype.is_floating_point):
            yield "copy_", [target, source], [0, 1, 0], [_copied(target, source)], [0]
    target = torch.zeros(5, 7, dtype=dtype)
    yield "tensor_copy_", [source, target], [0, 1], [source], [1]


def _copied(target: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    copy = Captured.of(target).tensor()
    return copy.copy_(source)


def _clones(dtype: torch.dtype) -> Iterator[Case]:
    for one in [*_laid(_like(dtype, 5, 7)), _like(dtype, 2, 1, 3).expand(2, 4, 3), _like(dtype)]:
        yield "clone", [one], [0], [one.clone()], []
        if 0 not in one.stride():
            same = torch.empty_strided(one.shape, one.stride(), dtype=dtype).copy_(one)
            yield "clone_preserve_strides", [one], [0], [same], []


def _zeros(dtype: torch.dtype) -> Iterator[Case]:
    for one in _laid(_like(dtype, 5, 7)):
        yield "zero_", [one], [0], [Captured.of(one).tensor().zero_()], [0]


def _strided(dtype: torch.dtype) -> Iterator[Case]:
    one = _like(dtype, 5, 7)
    for sizes, strides in (([7, 5], [1, 7]), ([3, 2], [9, 2])):
        yield "as_strided", [one], [0, sizes, strides], [one.as_strided(sizes, strides)], []


def _scatters(dtype: torch.dtype) -> Iterator[Case]:
    base, source = _like(dtype, 4, 5), _like(dtype, 2, 3)
    index = torch.tensor([[0, 3, 1], [2, 0, 3]])
    for dim in (0, 1):
        out = torch.zeros(4, 5, dtype=dtype)
        wanted = base.scatter(dim, index, source)
        yield "scatter_out", [out, base, index, source], [0, 1, dim, 2, 3], [wanted], [0]
        # in place, as generated code calls it
        args = [0, 0, dim, 1, 2]
        yield "scatter_out", [base, index, source], args, [wanted], [0]
        if dtype.is_complex or dtype == torch.bool:
            continue
        for how, itself in (("sum", 1), ("amax", 0), ("prod", 1), ("mean", 0), ("amin", 1)):
            wanted_too = base.scatter_reduce(dim, index, source, how, include_self=bool(itself))
            args = [0, 1, dim, 2, 3, how, itself]
            yield "scatter_reduce_out", [out, base, index, source], args, [wanted_too], [0]


def _puts(dtype: torch.dtype) -> Iterator[Case]:
    base, rows, columns = _like(dtype, 5, 6), torch.tensor([4, 0, -3]), torch.tensor([1, 5, -6])
    for accumulate in (False, True):
        out, whole = torch.zeros(5, 6, dtype=dtype), _like(dtype, 3, 6)
        wanted = base.index_put((rows,), whole, accumulate)
        tensors = [out, base, rows, whole]
        yield "index_put_out", tensors, [0, 1, [2], 3, accumulate], [wanted], [0]
        yield "index_put_out", [base, rows, whole], [0, 0, [1], 2, accumulate], [wanted], [0]
        some = _like(dtype, 3)
        wanted = base.index_put((rows, columns), some, accumulate)
        tensors = [out, base, rows, columns, some]
        yield "index_put_out", tensors, [0, 1, [2, 3], 4, accumulate], [wanted], [0]


def _products(dtype: torch.dtype) -> Iterator[Case]:
    if dtype in (torch.bool, torch.uint8, torch.int32, torch.int64):
        return
    a, b = _like(dtype, 3, 4), _like(dtype, 4, 5)
    c, d = _like(dtype, 3, 6), _like(dtype, 6, 5)
    out, bias = torch.zeros(3, 5, dtype=dtype), _like(dtype, 5)
    if not dtype.is_complex:
        yield "_mm_plus_mm_out", [out, a, b, c, d], [0, 1, 2, 3, 4], [torch.addmm(a @ b, c, d)], [0]
    yield "mm_out", [out, a, b], [0, 1, 2], [a @ b], [0]
    yield "bmm_out", [out[None], a[None], b[None]], [0, 1, 2], [(a @ b)[None]], [0]
    image, weight, row = _like(dtype, 1, 4, 6, 7), _like(dtype, 8, 2, 3, 3), _like(dtype, 8)
    for one, tensors in ((None, [image, weight]), (2, [image, weight, row])):
        if dtype.is_complex:
            continue
        result = torch.conv2d(image, weight, tensors[2] if one else None, 2, 1, 1, 2)
        args = [0, 1, one, [2, 2], [1, 1], [1, 1], 0, [0, 0], 2]
        yield "convolution", tensors, args, [result], []
    wanted = torch.addmm(bias, a, b, beta=0.5, alpha=2.0)
    yield "addmm_out", [out, bias, a, b], [0, 1, 2, 3, 0.5, 2.0], [wanted], [0]


def _others(dtype: torch.dtype) -> Iterator[Case]:
    one = _like(dtype, 4, 6)
    yield "nonzero", [one], [0], [one.nonzero()], []
    if dtype.is_complex:
        yield "view_as_real", [one], [0], [torch.view_as_real(one)], []
        spectrum = torch.ops.aten._fft_c2c(one, [1], 0, True)
        yield "_fft_c2c", [one], [0, [1], 0, 1], [spectrum], []
    if dtype == torch.float32:
        yield "view_dtype", [one], [0, 3], [one.view(torch.int32)], []
    if dtype in (torch.int64, torch.int32):
        counts = torch.tensor([2, 0, 3], dtype=dtype)
        yield (
            "repeat_interleave_Tensor",
            [counts],
            [0, None],
            [torch.repeat_interleave(counts)],
            [],
        )
