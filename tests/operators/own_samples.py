"""Calls that no OpInfo entry makes: other functions, other sizes, indices out of range."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from recording import Call, UnsuitableError, bound, captured
from replay import short
from shims import Shim

Arguments = dict[str, Any]
Samples = Callable[[torch.dtype], Iterator[Arguments]]

_FLOATS = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
_HALVES = (torch.float32, torch.bfloat16)
_INTS = (torch.int64, torch.int32, torch.uint8)
#: C function without prefix -> its samples, for the dtypes beside it
_SAMPLES: dict[str, tuple[tuple[torch.dtype, ...], Samples]] = {}
_ERRORS: dict[str, Callable[[], Iterator[Arguments]]] = {}


def _for(*names: str, dtypes: Sequence[torch.dtype] = _FLOATS) -> Callable[[Samples], Samples]:
    def register(samples: Samples) -> Samples:
        for name in names:
            _SAMPLES[name] = (tuple(dtypes), samples)
        return samples

    return register


def _errors(*names: str) -> Callable[[Any], Any]:
    def register(samples: Any) -> Any:
        for name in names:
            _ERRORS[name] = samples
        return samples

    return register


def own_calls(wanted: Sequence[Shim], dtypes: Sequence[torch.dtype]) -> Iterator[Call]:
    """The calls of the wanted functions, for those of the dtypes in which they make sense."""
    for shim in wanted:
        function = shim.functional or shim.overload
        kinds, samples = _SAMPLES.get(short(shim.name), ((), None))
        for dtype in kinds:
            torch.manual_seed(11)
            if samples is not None:
                yield from _calls(shim, function, samples(dtype), str(dtype)[6:], error=False)
        errors = _ERRORS.get(short(shim.name))
        if errors is not None:
            torch.manual_seed(12)
            yield from _calls(shim, function, errors(), "error", error=True)


def _calls(shim: Shim, function: Any, samples: Any, dtype: str, *, error: bool) -> Iterator[Call]:
    for number, arguments in enumerate(samples):
        schema = function._schema
        try:
            values = bound(schema, (), arguments)
        except UnsuitableError:
            raise TypeError(f"{shim.name}: {list(arguments)} do not fit {schema}") from None
        values = {name: captured(value, limit=None) for name, value in values.items()}
        yield Call(shim, dtype, f"own {number}", values, error=error)


def _some(*shape: int, dtype: torch.dtype, low: int = -9, high: int = 9) -> torch.Tensor:
    if dtype == torch.bool:
        return torch.rand(shape) < 0.5
    if not dtype.is_floating_point and not dtype.is_complex:
        return torch.randint(0 if dtype == torch.uint8 else low, high, shape).to(dtype)
    return torch.randn(shape, dtype=torch.float64 if dtype.is_floating_point else dtype).to(dtype)


_ALL = (*_FLOATS, *_INTS, torch.bool, torch.complex64)
_SHAPES = (
    (1, 1, 1),
    (1, 65, 257),
    (3, 129, 40),
    (7, 33, 65),
    (64, 48, 96),
    (65, 130, 17),
    (128, 9, 3),
)


@_for("mm_out", dtypes=(*_FLOATS, torch.complex64, torch.int64, torch.int32))
def _mm(dtype: torch.dtype) -> Iterator[Arguments]:
    for m, n, k in _SHAPES:
        yield {"self": _some(m, k, dtype=dtype), "mat2": _some(k, n, dtype=dtype)}
        # as weights lie: [n, k]
        yield {"self": _some(m, k, dtype=dtype), "mat2": _some(n, k, dtype=dtype).t()}
    yield {"self": _some(40, 7, dtype=dtype).t(), "mat2": _some(40, 9, dtype=dtype)}
    yield {"self": _some(6, 20, dtype=dtype)[:, 3:15], "mat2": _some(12, 30, dtype=dtype)[:, ::2]}
    yield {"self": _some(1, 8, dtype=dtype).expand(5, 8), "mat2": _some(8, 6, dtype=dtype)}
    for m, n, k in ((0, 3, 4), (3, 0, 4), (3, 4, 0)):
        yield {"self": _some(m, k, dtype=dtype), "mat2": _some(k, n, dtype=dtype)}


@_for("addmm_out", "_addmm_activation", dtypes=(*_FLOATS, torch.complex64, torch.int64))
def _addmm(dtype: torch.dtype) -> Iterator[Arguments]:
    for (m, n, k), bias in itertools.product(_SHAPES[1:6], ("row", "full", "column", "one")):
        shape = {"row": (n,), "full": (m, n), "column": (m, 1), "one": (1,)}[bias]
        yield {
            "self": _some(*shape, dtype=dtype),
            "mat1": _some(m, k, dtype=dtype),
            "mat2": _some(n, k, dtype=dtype).t(),
        }
    for beta, alpha in ((0.0, 1.0), (1.0, 0.0), (0.5, 2.0), (0.0, 0.0), (-1.0, 3.0)):
        whole = dtype in _INTS
        bias = _some(9, dtype=dtype)
        if not whole and beta == 0:
            bias[2] = float("nan")
        yield {
            "self": bias,
            "mat1": _some(5, 12, dtype=dtype),
            "mat2": _some(12, 9, dtype=dtype),
            "beta": int(beta) if whole else beta,
            "alpha": int(alpha) if whole else alpha,
        }
    yield {
        "self": _some(3, dtype=dtype),
        "mat1": _some(4, 0, dtype=dtype),
        "mat2": _some(0, 3, dtype=dtype),
    }


@_for("bmm_out", dtypes=(*_FLOATS, torch.complex64, torch.int64))
def _bmm(dtype: torch.dtype) -> Iterator[Arguments]:
    for (m, n, k), batch in itertools.product(_SHAPES[:5], (1, 3)):
        yield {"self": _some(batch, m, k, dtype=dtype), "mat2": _some(batch, k, n, dtype=dtype)}
        yield {
            "self": _some(batch, k, m, dtype=dtype).transpose(1, 2),
            "mat2": _some(batch, n, k, dtype=dtype).transpose(1, 2),
        }
    yield {
        "self": _some(1, 4, 5, dtype=dtype).expand(3, 4, 5),
        "mat2": _some(3, 5, 2, dtype=dtype),
    }
    yield {"self": _some(0, 4, 5, dtype=dtype), "mat2": _some(0, 5, 2, dtype=dtype)}
    yield {"self": _some(2, 4, 0, dtype=dtype), "mat2": _some(2, 0, 3, dtype=dtype)}


@_for("baddbmm_out")
def _baddbmm(dtype: torch.dtype) -> Iterator[Arguments]:
    for shape, beta, alpha in (
        ((3, 7, 9), 1.0, 1.0),
        ((1, 1, 9), 0.5, 2.0),
        ((3, 1, 1), 1.0, 0.125),
        ((3, 7, 9), 0.0, 1.0),
        ((1,), 1.0, 0.0),
    ):
        yield {
            "self": _some(*shape, dtype=dtype),
            "batch1": _some(3, 7, 16, dtype=dtype),
            "batch2": _some(3, 9, 16, dtype=dtype).transpose(1, 2),
            "beta": beta,
            "alpha": alpha,
        }


@_for("_int_mm_out", dtypes=(torch.int8,))
def _int_mm(dtype: torch.dtype) -> Iterator[Arguments]:
    for m, n, k in ((17, 8, 16), (32, 64, 40), (33, 130, 65), (1, 16, 48)):
        left = torch.randint(-128, 128, (m, k), dtype=torch.int8)
        right = torch.randint(-128, 128, (n, k), dtype=torch.int8)
        yield {"self": left, "mat2": right.t()}
        yield {"self": left, "mat2": right.t().contiguous()}


@_for("_weight_int8pack_mm", dtypes=_FLOATS[:1] + _FLOATS[2:])
def _int8pack(dtype: torch.dtype) -> Iterator[Arguments]:
    for m, n, k in ((4, 32, 64), (1, 48, 96)):
        yield {
            "self": _some(m, k, dtype=dtype),
            "mat2": torch.randint(-128, 128, (n, k), dtype=torch.int8),
            "scales": _some(n, dtype=dtype).abs() / 64,
        }


@_for("_grouped_mm", dtypes=(torch.bfloat16,))
def _grouped(dtype: torch.dtype) -> Iterator[Arguments]:
    yield {
        "self": _some(32, 16, dtype=dtype),
        "mat2": _some(3, 16, 24, dtype=dtype),
        "offs": torch.tensor([8, 8, 32], dtype=torch.int32),
    }


@_for("convolution")
def _convolution(dtype: torch.dtype) -> Iterator[Arguments]:
    def one(
        x: torch.Tensor,
        w: torch.Tensor,
        *,
        bias: bool = True,
        transposed: bool = False,
        **rest: Any,
    ) -> Arguments:
        dims = x.dim() - 2
        groups = rest.get("groups", 1)
        channels = w.shape[1] * groups if transposed else w.shape[0]
        return {
            "input": x,
            "weight": w,
            "bias": _some(channels, dtype=dtype) if bias else None,
            "stride": rest.get("stride", [1] * dims),
            "padding": rest.get("padding", [0] * dims),
            "dilation": rest.get("dilation", [1] * dims),
            "transposed": transposed,
            "output_padding": rest.get("output_padding", [0] * dims),
            "groups": groups,
        }

    def s(*shape: int) -> torch.Tensor:
        return _some(*shape, dtype=dtype)

    last = torch.channels_last
    yield one(s(1, 3, 20, 20), s(16, 3, 7, 7), stride=[2, 2], padding=[3, 3])
    yield one(s(2, 16, 10, 11), s(24, 16, 3, 3), padding=[1, 1])
    yield one(s(2, 16, 10, 11).to(memory_format=last), s(24, 16, 3, 3), padding=[1, 1])
    yield one(s(2, 16, 10, 11).to(memory_format=last), s(24, 16, 3, 3).to(memory_format=last))
    yield one(s(1, 32, 9, 9), s(32, 1, 7, 7), padding=[3, 3], groups=32)
    yield one(
        s(1, 32, 9, 9).to(memory_format=last),
        s(32, 1, 7, 7).to(memory_format=last),
        padding=[3, 3],
        groups=32,
    )
    yield one(s(1, 24, 8, 8), s(36, 6, 3, 3), padding=[2, 1], dilation=[2, 1], groups=4, bias=False)
    yield one(s(2, 40, 6, 5), s(17, 40, 1, 1))
    yield one(s(1, 20, 50), s(24, 20, 3), stride=[2], padding=[1])
    yield one(s(1, 1, 200), s(32, 1, 10), stride=[5], bias=False)
    yield one(s(1, 16, 40), s(16, 4, 16), padding=[8], groups=4)
    yield one(s(1, 3, 5, 9, 10), s(8, 3, 3, 5, 5), stride=[1, 2, 2], padding=[1, 2, 2])
    yield one(s(1, 12, 5, 6), s(12, 8, 4, 4), stride=[2, 2], padding=[1, 1], transposed=True)
    yield one(
        s(2, 12, 5, 6),
        s(12, 3, 3, 3),
        stride=[2, 3],
        padding=[1, 0],
        output_padding=[1, 2],
        groups=3,
        transposed=True,
    )
    yield one(s(1, 6, 9), s(6, 5, 4), stride=[2], padding=[1], transposed=True, bias=False)
    yield one(s(1, 4, 3, 4, 4), s(4, 6, 2, 3, 3), stride=[2, 2, 2], transposed=True)
    # a batch or an extent of nothing
    yield one(s(0, 3, 8, 8), s(4, 3, 3, 3))
    yield one(s(1, 3, 20, 20)[:, :, ::2, 1:], s(5, 3, 3, 3))


@_for("_scaled_dot_product_flash_attention_for_cpu")
def _attention(dtype: torch.dtype) -> Iterator[Arguments]:
    def s(*shape: int) -> torch.Tensor:
        return _some(*shape, dtype=dtype)

    for batch, heads, queries, keys, size in (
        (1, 2, 1, 1, 8),
        (2, 3, 17, 17, 16),
        (1, 2, 40, 70, 64),
        (1, 1, 5, 130, 33),
        (1, 2, 1, 48, 80),
        (1, 1, 70, 40, 3),
    ):
        q, k, v = s(batch, heads, queries, size), s(batch, heads, keys, size), None
        v = s(batch, heads, keys, size)
        yield {"query": q, "key": k, "value": v}
        if queries <= keys:
            yield {"query": q, "key": k, "value": v, "is_causal": True}
        yield {"query": q, "key": k, "value": v, "scale": 0.3}
        mask = s(batch, 1, queries, keys)
        yield {"query": q, "key": k, "value": v, "attn_mask": mask}
        # a row that sees nothing but one key
        hidden = torch.full((queries, keys), float("-inf"), dtype=dtype)
        hidden[:, 0] = 0
        yield {"query": q, "key": k, "value": v, "attn_mask": hidden}
        if dtype != torch.float64:
            wide = mask.float().expand(batch, heads, queries, keys)
            yield {"query": q, "key": k, "value": v, "attn_mask": wide.to(dtype)}
    # heads as a projection leaves them: [batch, tokens, heads, size]
    q, k, v = (s(2, 20, 4, 16).transpose(1, 2) for _ in range(3))
    yield {"query": q, "key": k, "value": v}
    yield {"query": q, "key": k, "value": v, "attn_mask": s(2, 1, 1, 20).expand(2, 1, 20, 20)}
    whole = s(1, 12, 3, 4, 8)
    q, k, v = (whole[:, :, part].transpose(1, 2) for part in range(3))
    yield {"query": q, "key": k, "value": v, "is_causal": True}
    # fewer heads of keys than of queries, expanded
    k, v = (s(1, 2, 1, 15, 16).expand(1, 2, 3, 15, 16).reshape(1, 6, 15, 16) for _ in range(2))
    yield {"query": s(1, 6, 4, 16), "key": k, "value": v}


@_for("_fused_rms_norm")
def _rms(dtype: torch.dtype) -> Iterator[Arguments]:
    for eps in (None, 1e-5):
        yield {
            "input": _some(3, 4, 20, dtype=dtype),
            "normalized_shape": [20],
            "weight": _some(20, dtype=dtype),
            "eps": eps,
        }


@_for("_embedding_bag_forward_only", "_embedding_bag")
def _bags(dtype: torch.dtype) -> Iterator[Arguments]:
    weight = _some(12, 5, dtype=dtype)
    indices = torch.tensor([0, 3, 3, 11, 7, 1, 2, 2, 5])
    for mode, starts, last in itertools.product(
        (0, 1, 2), ([0, 2, 2, 6], [0], [0, 9]), (False, True)
    ):
        # the last one says where the last bag ends
        offsets = [*starts[:-1], len(indices)] if last else starts
        for kind in (torch.int64, torch.int32):
            yield {
                "weight": weight,
                "indices": indices.to(kind),
                "offsets": torch.tensor(offsets, dtype=kind),
                "mode": mode,
                "include_last_offset": last,
                "padding_idx": 3 if last else -1,
            }
    yield {
        "weight": weight,
        "indices": indices,
        "offsets": torch.tensor([0, 4]),
        "per_sample_weights": _some(9, dtype=dtype),
    }


@_errors("_embedding_bag_forward_only", "_embedding_bag")
def _bags_wrong() -> Iterator[Arguments]:
    weight = torch.randn(4, 3)
    for indices, starts in (([0, 4], [0]), ([0, -1], [0]), ([0, 1], [1]), ([0, 1], [0, 3])):
        yield {
            "weight": weight,
            "indices": torch.tensor(indices),
            "offsets": torch.tensor(starts),
        }


@_for("cumsum", "cumprod", dtypes=_ALL)
def _scans(dtype: torch.dtype) -> Iterator[Arguments]:
    for shape, dim in (((3000,), 0), ((4, 300), 1), ((300, 4), 0), ((3, 50, 5), 1), ((2, 0), 1)):
        x = _some(*shape, dtype=dtype, low=-2, high=3)
        if dtype.is_floating_point:
            x = x * 0.1 + 1 if len(shape) == 1 and shape[0] < 10 else x * 0.5
        yield {"self": x, "dim": dim}
        yield {"self": x.t() if x.dim() == 2 else x, "dim": -1}
    yield {"self": _some(4, 5, dtype=dtype), "dim": 0, "dtype": torch.float32}


def _ordered(dtype: torch.dtype) -> Iterator[torch.Tensor]:
    yield _some(1000, dtype=dtype, low=-50, high=50)
    yield _some(7, 90, dtype=dtype, low=-50, high=50)
    yield _some(90, 7, dtype=dtype, low=-50, high=50)
    yield _some(3, 1, 5, dtype=dtype)
    yield _some(2, 30, dtype=dtype).t()
    if dtype.is_floating_point:
        x = _some(40, dtype=dtype)
        x[[3, 17]], x[5], x[6] = float("nan"), float("inf"), float("-inf")
        x[9], x[10] = 0.0, -0.0
        yield x


_SORTED = (*_FLOATS, *_INTS, torch.bool)


@_for("sort", dtypes=_SORTED)
def _sort(dtype: torch.dtype) -> Iterator[Arguments]:
    for x in _ordered(dtype):
        for dim, descending in itertools.product(range(x.dim()), (False, True)):
            yield {"self": x, "dim": dim, "descending": descending}


@_for("sort_stable", dtypes=_SORTED)
def _sort_stable(dtype: torch.dtype) -> Iterator[Arguments]:
    for arguments in _sort(dtype):
        yield {**arguments, "stable": True}


@_for("topk", dtypes=_SORTED[:-1])
def _topk(dtype: torch.dtype) -> Iterator[Arguments]:
    for x in _ordered(dtype):
        for dim, largest in itertools.product(range(x.dim()), (False, True)):
            for k in {1, min(5, x.shape[dim]), x.shape[dim] * largest}:
                yield {"self": x, "k": k, "dim": dim, "largest": largest}


@_errors("topk")
def _topk_wrong() -> Iterator[Arguments]:
    yield {"self": torch.randn(3, 4), "k": 5}
    yield {"self": torch.randn(3, 4), "k": -1}
    yield {"self": torch.randn(3, 4), "k": 1, "dim": 2}


@_for("index_Tensor", dtypes=_ALL)
def _index(dtype: torch.dtype) -> Iterator[Arguments]:
    x = _some(5, 6, 7, dtype=dtype)
    rows, columns = torch.tensor([0, 4, -1, 2]), torch.tensor([[1], [-5]])
    yield {"self": x, "indices": [rows]}
    yield {"self": x, "indices": [None, rows]}
    yield {"self": x, "indices": [rows, None, torch.tensor([6, -7, 0, 3])]}
    yield {"self": x, "indices": [columns, rows]}
    yield {"self": x, "indices": [rows.int()]}
    yield {"self": x.permute(2, 0, 1), "indices": [None, rows, columns]}
    yield {"self": x, "indices": [_some(5, 6, dtype=torch.bool)]}
    yield {"self": x, "indices": [None, torch.zeros(6, dtype=torch.bool)]}
    yield {"self": x, "indices": [torch.zeros(2, 0, dtype=torch.int64)]}
    yield {"self": x, "indices": [torch.tensor(3)]}


@_errors("index_Tensor")
def _index_wrong() -> Iterator[Arguments]:
    x = torch.randn(5, 6)
    for wrong in (5, -6):
        yield {"self": x, "indices": [torch.tensor([0, wrong])]}
    yield {"self": x, "indices": [None, torch.tensor([6])]}
    yield {"self": x, "indices": [torch.tensor([0, 1]), torch.tensor([0, 1, 2])]}
    yield {"self": x, "indices": [torch.ones(4, dtype=torch.bool)]}
    yield {"self": x, "indices": [torch.tensor([0])] * 3}
    yield {"self": x, "indices": [torch.randn(2)]}


@_for("index_put", dtypes=_ALL)
def _index_put(dtype: torch.dtype) -> Iterator[Arguments]:
    x, rows = _some(5, 6, dtype=dtype), torch.tensor([0, 4, -1, 2])
    for accumulate in (False, True):
        yield {
            "self": x,
            "indices": [torch.tensor([3, 0, -1])],
            "values": _some(3, 6, dtype=dtype),
            "accumulate": accumulate,
        }
        yield {
            "self": x,
            "indices": [None, torch.tensor([1, 5])],
            "values": _some(1, dtype=dtype),
            "accumulate": accumulate,
        }
    if dtype != torch.bool:
        yield {
            "self": x,
            "indices": [torch.tensor([0, 0, 0, 1, 0])],
            "values": _some(5, 6, dtype=dtype, low=0, high=4),
            "accumulate": True,
        }
    mask = _some(5, 6, dtype=torch.bool)
    yield {"self": x, "indices": [mask], "values": _some(1, dtype=dtype)}
    yield {"self": x.t(), "indices": [rows], "values": _some(4, 1, dtype=dtype)}


@_errors("index_put")
def _index_put_wrong() -> Iterator[Arguments]:
    x = torch.randn(5, 6)
    for wrong in (5, -6):
        yield {"self": x, "indices": [torch.tensor([0, wrong])], "values": torch.randn(2, 6)}
    yield {"self": x, "indices": [torch.tensor([0, 1])], "values": torch.randn(3, 6)}
    yield {"self": x, "indices": [torch.tensor([0, 1])], "values": torch.ones(6).long()}


@_for("nonzero", dtypes=_ALL)
def _nonzero(dtype: torch.dtype) -> Iterator[Arguments]:
    for x in (_some(20000, dtype=dtype) if dtype == torch.bool else _some(50, dtype=dtype),):
        yield {"self": x}
    yield {"self": _some(6, 7, dtype=dtype, low=0, high=2).t()}
    yield {"self": torch.zeros(3, 4, dtype=dtype)}
    yield {"self": torch.ones((), dtype=dtype)}
    yield {"self": torch.zeros(0, 4, dtype=dtype)}


@_for("cat", dtypes=_ALL)
def _cat(dtype: torch.dtype) -> Iterator[Arguments]:
    yield {"tensors": [_some(2, 3, dtype=dtype), _some(2, 5, dtype=dtype)], "dim": 1}
    yield {"tensors": [_some(2, 3, dtype=dtype), torch.empty(0, dtype=dtype)], "dim": -1}
    yield {"tensors": [_some(2, 3, dtype=dtype).t(), _some(1, 2, dtype=dtype)], "dim": 0}
    yield {"tensors": [_some(2, 3, dtype=dtype), torch.ones(2, 3, dtype=torch.float32)]}
    last = _some(1, 4, 3, 3, dtype=dtype).contiguous(memory_format=torch.channels_last)
    yield {"tensors": [last, last[:, :2]], "dim": 1}
    yield {"tensors": [last]}


@_for("slice_Tensor", "narrow", dtypes=(torch.float32, torch.int64))
def _slices(dtype: torch.dtype) -> Iterator[Arguments]:
    return iter(())


def _slice(dtype: torch.dtype) -> Iterator[Arguments]:
    x = _some(5, 6, dtype=dtype)
    for dim, start, end, step in (
        (0, 1, 4, 1),
        (1, None, None, 2),
        (-1, -3, 9223372036854775807, 1),
        (0, 3, 2, 1),
        (1, -100, 100, 3),
        (0, 5, 6, 1),
    ):
        yield {"self": x, "dim": dim, "start": start, "end": end, "step": step}


_SAMPLES["slice_Tensor"] = ((torch.float32, torch.bfloat16, torch.bool), _slice)


def _narrow(dtype: torch.dtype) -> Iterator[Arguments]:
    x = _some(5, 6, dtype=dtype)
    for dim, start, length in ((0, 1, 3), (1, -2, 2), (-1, 6, 0), (0, 0, 5)):
        yield {"self": x, "dim": dim, "start": start, "length": length}


_SAMPLES["narrow"] = ((torch.float32, torch.int64), _narrow)


@_errors("narrow")
def _narrow_wrong() -> Iterator[Arguments]:
    for dim, start, length in ((0, 3, 3), (2, 0, 1), (0, 0, -1), (0, 6, 0)):
        yield {"self": torch.randn(5, 6), "dim": dim, "start": start, "length": length}


@_for("view_dtype", dtypes=(torch.float32, torch.int32, torch.bfloat16, torch.uint8))
def _view_dtype(dtype: torch.dtype) -> Iterator[Arguments]:
    for other in (torch.uint8, torch.int16, torch.int32, torch.float32, torch.int64, torch.bool):
        if torch.bool in (other, dtype) and dtype.itemsize != 1:
            continue
        x = _some(4, 8, dtype=dtype, low=0, high=2)
        yield {"self": x, "dtype": other}
        if other.itemsize == dtype.itemsize:
            yield {"self": x.t(), "dtype": other}


@_errors("view_dtype")
def _view_dtype_wrong() -> Iterator[Arguments]:
    yield {"self": torch.zeros(3, dtype=torch.uint8), "dtype": torch.int32}
    yield {"self": torch.zeros(4, 4, dtype=torch.uint8).t(), "dtype": torch.int32}
    yield {"self": torch.zeros((), dtype=torch.float32), "dtype": torch.uint8}


@_for("set__source_Tensor", dtypes=(torch.float32, torch.int64))
def _set(dtype: torch.dtype) -> Iterator[Arguments]:
    yield {"self": _some(2, 3, dtype=dtype), "source": _some(4, dtype=dtype)}


@_for("searchsorted_Scalar", dtypes=(torch.float32, torch.int64))
def _searchsorted(dtype: torch.dtype) -> Iterator[Arguments]:
    for value, right, narrow in itertools.product((-100, 3, 100), (False, True), (False, True)):
        yield {
            "sorted_sequence": torch.arange(0, 12, 2).to(dtype),
            "self": value,
            "right": right,
            "out_int32": narrow,
        }


@_for("hann_window", dtypes=(torch.float32, torch.float64))
def _hann(dtype: torch.dtype) -> Iterator[Arguments]:
    for length in (0, 1, 2, 7, 400):
        yield {"window_length": length, "dtype": dtype}


@_for("native_dropout")
def _dropout(dtype: torch.dtype) -> Iterator[Arguments]:
    for p, train in ((0.3, True), (0.0, True), (1.0, True), (0.5, False)):
        yield {"input": _some(30, 8, dtype=dtype), "p": p, "train": train}


@_for("rand", "rand_generator", "randn", "randn_generator")
def _rand(dtype: torch.dtype) -> Iterator[Arguments]:
    for size in ([], [5], [200, 3], [0, 2]):
        yield {"size": size, "dtype": dtype}


@_for("rand_like", "rand_like_generator", "randn_like", "randn_like_generator")
def _rand_like(dtype: torch.dtype) -> Iterator[Arguments]:
    yield {"self": _some(20, 3, dtype=dtype)}
    yield {"self": _some(20, 3, dtype=dtype).t()}
    yield {"self": _some(4, dtype=dtype), "dtype": torch.float32}


_RANDINTS = (torch.int64, torch.int32, torch.uint8, torch.float32)


@_for("randint", "randint_generator", dtypes=_RANDINTS)
def _randint(dtype: torch.dtype) -> Iterator[Arguments]:
    yield {"high": 10, "size": [50, 3], "dtype": dtype}
    yield {"high": 1, "size": [4], "dtype": dtype}


@_for("randint_low", dtypes=_RANDINTS)
def _randint_low(dtype: torch.dtype) -> Iterator[Arguments]:
    yield {"low": 3, "high": 10, "size": [50, 3], "dtype": dtype}


@_for("randint_low_out", dtypes=(torch.int64, torch.int32))
def _randint_low_out(dtype: torch.dtype) -> Iterator[Arguments]:
    yield {"out": torch.zeros(50, 3, dtype=dtype), "low": -7, "high": 10, "size": [50, 3]}
    yield {"out": torch.zeros((), dtype=dtype), "low": 0, "high": 2**31 - 1, "size": []}


@_for("randperm", dtypes=(torch.int64, torch.int32))
def _randperm(dtype: torch.dtype) -> Iterator[Arguments]:
    for n in (0, 1, 100):
        yield {"n": n, "dtype": dtype}


@_for("uniform", "exponential", "normal_functional")
def _filled(dtype: torch.dtype) -> Iterator[Arguments]:
    yield {"self": _some(40, 3, dtype=dtype)}
    yield {"self": _some(40, 3, dtype=dtype).t()}


@_for("bernoulli__Tensor")
def _bernoulli(dtype: torch.dtype) -> Iterator[Arguments]:
    yield {"self": _some(40, 3, dtype=dtype), "p": torch.rand(40, 3)}


@_for("bernoulli__float", dtypes=(*_FLOATS, torch.bool, torch.int64))
def _bernoulli_float(dtype: torch.dtype) -> Iterator[Arguments]:
    yield {"self": _some(40, 3, dtype=dtype), "p": 0.5}


@_for("scatter_src_out", dtypes=_ALL)
def _scatter(dtype: torch.dtype) -> Iterator[Arguments]:
    x = _some(4, 5, dtype=dtype)
    for dim in (0, 1, -1):
        index = torch.stack([torch.randperm(4)[:2] for _ in range(3)], 1)
        yield {"self": x, "dim": dim, "index": index, "src": _some(2, 3, dtype=dtype)}
    index = torch.zeros(0, 3, dtype=torch.int64)
    yield {"self": x, "dim": 0, "index": index, "src": _some(2, 3, dtype=dtype)}


@_errors("scatter_src_out")
def _scatter_wrong() -> Iterator[Arguments]:
    for wrong in (4, -1):
        yield {
            "self": torch.randn(4, 5),
            "dim": 0,
            "index": torch.tensor([[wrong]]),
            "src": torch.randn(1, 1),
        }


@_for("mkldnn_rnn_layer", dtypes=_HALVES)
def _lstm(dtype: torch.dtype) -> Iterator[Arguments]:
    for steps, batch, size, hidden, reverse in (
        (5, 2, 6, 8, False),
        (7, 1, 12, 16, True),
        (1, 3, 4, 5, False),
        (19, 2, 32, 48, False),
        # several threads, the last of them with fewer values; more sequences than are read together
        (9, 1, 20, 200, True),
        (4, 30, 8, 24, False),
    ):
        for biases in (True, False):
            scale = 0.3
            yield {
                "input": _some(steps, batch, size, dtype=dtype),
                "weight0": _some(4 * hidden, size, dtype=dtype) * scale,
                "weight1": _some(4 * hidden, hidden, dtype=dtype) * scale,
                "weight2": _some(4 * hidden, dtype=dtype) * scale * biases,
                "weight3": _some(4 * hidden, dtype=dtype) * scale * biases,
                "hx_": _some(1, batch, hidden, dtype=dtype),
                "cx_": _some(1, batch, hidden, dtype=dtype),
                "reverse": reverse,
                "batch_sizes": [],
                "mode": 2,
                "hidden_size": hidden,
                "num_layers": 1,
                "has_biases": biases,
                "bidirectional": False,
                "batch_first": False,
                "train": False,
            }


@_for("_fft_r2c", dtypes=(torch.float32, torch.float64))
def _r2c(dtype: torch.dtype) -> Iterator[Arguments]:
    for shape, dim in (
        ((400,), [0]),
        ((3, 512), [1]),
        ((2, 17), [1]),
        ((4, 97), [1]),
        ((8, 6), [0, 1]),
        ((6, 8), [0]),
        ((1, 1), [1]),
    ):
        for normalization, onesided in ((0, True), (1, False), (2, True)):
            yield {
                "self": _some(*shape, dtype=dtype),
                "dim": dim,
                "normalization": normalization,
                "onesided": onesided,
            }


@_for("_fft_c2c", dtypes=(torch.complex64, torch.complex128))
def _c2c(dtype: torch.dtype) -> Iterator[Arguments]:
    for shape, dim in (((400,), [0]), ((3, 128), [1]), ((5, 101), [1]), ((6, 10), [0, 1])):
        for normalization, forward in ((0, True), (2, False), (1, True)):
            yield {
                "self": torch.randn(shape, dtype=dtype),
                "dim": dim,
                "normalization": normalization,
                "forward": forward,
            }


@_for("repeat_interleave_Tensor", dtypes=(torch.int64, torch.int32))
def _repeat(dtype: torch.dtype) -> Iterator[Arguments]:
    repeats = torch.tensor([3, 0, 1, 5], dtype=dtype)
    yield {"repeats": repeats}
    yield {"repeats": repeats, "output_size": 9}
    yield {"repeats": torch.zeros(0, dtype=dtype)}


@_errors("repeat_interleave_Tensor")
def _repeat_wrong() -> Iterator[Arguments]:
    yield {"repeats": torch.tensor([1, -1])}
    yield {"repeats": torch.tensor([[1]])}


@_for("pad", dtypes=(torch.float32, torch.bfloat16, torch.int64, torch.bool))
def _pad(dtype: torch.dtype) -> Iterator[Arguments]:
    x = _some(2, 3, 4, dtype=dtype)
    for pad, value in (([1, 2], None), ([1, 0, 0, 3], 1.0), ([-1, 2], 0.0), ([0, 0], None)):
        yield {"self": x, "pad": pad, "mode": "constant", "value": value}
    if dtype.is_floating_point:
        for mode in ("reflect", "replicate", "circular"):
            yield {"self": x, "pad": [2, 1], "mode": mode}


@_for("fill__Scalar", dtypes=_ALL)
def _fill(dtype: torch.dtype) -> Iterator[Arguments]:
    for x in (_some(5, 7, dtype=dtype), _some(5, 7, dtype=dtype).t(), _some(dtype=dtype)):
        yield {"self": x, "value": 3.0}
    yield {"self": _some(5, 7, dtype=dtype)[:, 1::2], "value": 0.0}
    if dtype.is_floating_point:
        yield {"self": _some(4, dtype=dtype), "value": float("-inf")}


@_for("pow_Scalar", dtypes=(*_FLOATS, torch.int64, torch.int32))
def _pow_scalar(dtype: torch.dtype) -> Iterator[Arguments]:
    for base in (2.0, 0.5, 1.0, 0.0):
        yield {"self": base, "exponent": _some(5, 7, dtype=dtype, low=0, high=5)}


@_for("randint_like", dtypes=_RANDINTS)
def _randint_like(dtype: torch.dtype) -> Iterator[Arguments]:
    yield {"self": torch.zeros(50, 3, dtype=dtype), "high": 10}


@_for("randint_like_low_dtype", dtypes=_RANDINTS)
def _randint_like_low(dtype: torch.dtype) -> Iterator[Arguments]:
    yield {"self": torch.zeros(50, 3, dtype=dtype), "low": 4, "high": 10}


@_for("_embedding_bag_dense_backward", dtypes=_FLOATS[:2])
def _bags_backward(dtype: torch.dtype) -> Iterator[Arguments]:
    weight, indices = _some(12, 5, dtype=dtype), torch.tensor([0, 3, 3, 11, 7, 1])
    for mode in (0, 1, 2):
        _, bags, sizes, largest = torch.ops.aten._embedding_bag(
            weight, indices, torch.tensor([0, 2, 2]), False, mode
        )
        yield {
            "grad": _some(3, 5, dtype=dtype),
            "indices": indices,
            "offset2bag": bags,
            "bag_size": sizes,
            "maximum_indices": largest,
            "num_weights": 12,
            "scale_grad_by_freq": False,
            "mode": mode,
            "per_sample_weights": None,
        }


_UNARY = (
    ("none", [], None),
    ("relu", [], ""),
    ("sigmoid", [], ""),
    ("tanh", [], ""),
    ("swish", [], ""),
    ("hardswish", [], ""),
    ("hardsigmoid", [], ""),
    ("gelu", [], "none"),
    ("gelu", [], "tanh"),
    ("leaky_relu", [0.1], ""),
    ("hardtanh", [-0.5, 0.75], ""),
)


def _image(dtype: torch.dtype, channels: int = 8) -> list[torch.Tensor]:
    x = _some(2, channels, 7, 6, dtype=dtype)
    return [x, x.contiguous(memory_format=torch.channels_last)]


@_for("mkldnn__convolution_pointwise", dtypes=_HALVES)
def _fused_convolution(dtype: torch.dtype) -> Iterator[Arguments]:
    for (attr, scalars, algorithm), x in itertools.product(_UNARY, _image(dtype)):
        for groups in (1, 4):
            yield {
                "X": x,
                "W": _some(12, 8 // groups, 3, 3, dtype=dtype),
                "B": _some(12, dtype=dtype) if groups == 1 else None,
                "padding": [1, 0],
                "stride": [1, 2],
                "dilation": [1, 1],
                "groups": groups,
                "attr": attr,
                "scalars": scalars,
                "algorithm": algorithm,
            }


@_for(
    "mkldnn__convolution_pointwise_binary",
    "mkldnn__convolution_pointwise_binary_",
    dtypes=_HALVES,
)
def _fused_sum(dtype: torch.dtype) -> Iterator[Arguments]:
    for unary, x in itertools.product((None, "relu"), _image(dtype)):
        other = _some(2, 12, 7, 6, dtype=dtype)
        if x.stride(1) == 1:
            other = other.contiguous(memory_format=torch.channels_last)
        yield {
            "X": x,
            "other": other,
            "W": _some(12, 8, 3, 3, dtype=dtype),
            "B": _some(12, dtype=dtype),
            "padding": [1, 1],
            "stride": [1, 1],
            "dilation": [1, 1],
            "groups": 1,
            "binary_attr": "add",
            "alpha": 1.0,
            "unary_attr": unary,
            "unary_scalars": [],
            "unary_algorithm": "",
        }


@_for("mkldnn__convolution_transpose_pointwise", dtypes=_HALVES)
def _fused_transpose(dtype: torch.dtype) -> Iterator[Arguments]:
    for (attr, scalars, algorithm), x in itertools.product(_UNARY[:9:2], _image(dtype)):
        yield {
            "X": x,
            "W": _some(8, 5, 3, 3, dtype=dtype),
            "B": _some(5, dtype=dtype),
            "padding": [1, 1],
            "output_padding": [1, 0],
            "stride": [2, 2],
            "dilation": [1, 1],
            "groups": 1,
            "attr": attr,
            "scalars": scalars,
            "algorithm": algorithm,
        }


@_for("_linear_pointwise", dtypes=_HALVES)
def _fused_linear(dtype: torch.dtype) -> Iterator[Arguments]:
    for attr, scalars, algorithm in _UNARY:
        for shape in ((5, 24), (2, 3, 24)):
            yield {
                "X": _some(*shape, dtype=dtype),
                "W": _some(17, 24, dtype=dtype),
                "B": _some(17, dtype=dtype) if len(shape) == 2 else None,
                "attr": attr,
                "scalars": scalars,
                "algorithm": algorithm,
            }


@_for("_linear_pointwise_binary", dtypes=_HALVES)
def _fused_linear_sum(dtype: torch.dtype) -> Iterator[Arguments]:
    for attr in ("add", "mul", "sub"):
        yield {
            "X": _some(5, 24, dtype=dtype),
            "other": _some(5, 17, dtype=dtype),
            "W": _some(17, 24, dtype=dtype),
            "B": _some(17, dtype=dtype),
            "attr": attr,
        }
