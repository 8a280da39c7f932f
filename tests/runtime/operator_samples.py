"""One small call of each C function of operators/, for a dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .operator_calls import DEFAULTS, IndexList, Operators, Optional, TensorList, of_dtype

Call = Callable[[Operators, str, torch.dtype], object]


def numbers(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    """1, 2, 3, ... in a shape; half of them zero where they are bool."""
    count = 1
    for size in shape:
        count *= size
    values = torch.arange(1, count + 1).reshape(shape)
    return (values % 2).to(dtype) if dtype == torch.bool else (values % 7 + 1).float().to(dtype)


def _one(*arguments: Any, shape: tuple[int, ...] = (3, 4), results: int = 1) -> Call:
    """self, then the arguments."""
    return lambda library, name, dtype: library.answers(
        name, results, numbers(dtype, *shape), *arguments
    )


def _two(
    *arguments: Any, first: tuple[int, ...] = (3, 4), second: tuple[int, ...] = (3, 4)
) -> Call:
    return lambda library, name, dtype: library.answer(
        name, numbers(dtype, *first), numbers(dtype, *second), *arguments
    )


POSITIONS = torch.tensor([[0, 2, 1, 0]])
MASK = torch.tensor([True, False, True])
NO_INDICES = Optional(None)


def _scatter(*arguments: Any, value: bool = False) -> Call:
    def call(library: Operators, name: str, dtype: torch.dtype) -> object:
        own = numbers(dtype, 3, 4)
        last: Any = 1.0 if value else numbers(dtype, 1, 4)
        return library.invoke(name, own.clone(), own, 0, POSITIONS, last, *arguments)

    return call


def _index_put_out(library: Operators, name: str, dtype: torch.dtype) -> object:
    import ctypes

    own, values = numbers(dtype, 3, 4), numbers(dtype, 2, 4)
    handle = library.over(MASK)
    handles = (ctypes.c_void_p * 1)(handle.address)
    return library.invoke(
        name, own.clone(), own, handles, ctypes.c_uint32(1), values, ctypes.c_bool(False)
    )


def _bags(library: Operators, name: str, dtype: torch.dtype) -> object:
    import ctypes

    indices, offsets = torch.tensor([1, 2, 0]), torch.tensor([0, 2])
    if name == "aoti_torch__embedding_bag":
        narrow = (False, ctypes.c_int32(1), False, None, False, ctypes.c_int32(-1))
        return library.answers(name, 4, numbers(dtype, 4, 3), indices, offsets, *narrow)
    wide = (False, 1, False, None, False, -1)
    return library.answers(name, 4, numbers(dtype, 4, 3), indices, offsets, *wide)


def _pool(spatial: int, *arguments: Any, results: int = 1) -> Call:
    return _one(*arguments, shape=(2, *[6] * spatial), results=results)


def _fractional(spatial: int) -> Call:
    def call(library: Operators, name: str, dtype: torch.dtype) -> object:
        samples = torch.rand(1, 2, spatial).to(dtype)
        shape = (1, 2, *[6] * spatial)
        sizes = ([2] * spatial, [3] * spatial)
        return library.answers(name, 2, numbers(dtype, *shape), *sizes, samples)

    return call


def _unpool(spatial: int) -> Call:
    def call(library: Operators, name: str, dtype: torch.dtype) -> object:
        shape = (1, *[2] * spatial)
        indices = torch.arange(2**spatial).reshape(shape)
        more = () if spatial == 2 else ([2] * 3, [0] * 3)
        return library.answer(name, numbers(dtype, *shape), indices, [4] * spatial, *more)

    return call


def _new(*arguments: Any) -> Call:
    return lambda library, name, dtype: library.answer(name, *arguments, *of_dtype(dtype))


def _like(*arguments: Any) -> Call:
    return lambda library, name, dtype: library.answer(
        name, numbers(dtype, 3, 4), *arguments, *DEFAULTS, None
    )


def _in_place(*arguments: Any) -> Call:
    return lambda library, name, dtype: library.invoke(name, numbers(dtype, 3, 4), *arguments)


def _factors(dtype: torch.dtype) -> torch.Tensor:
    return (torch.eye(3) * 2).to(dtype)


def _square(*arguments: Any, results: int = 1) -> Call:
    """Right-hand sides and a triangle."""
    return lambda library, name, dtype: library.answers(
        name, results, numbers(dtype, 3, 2), _factors(dtype), *arguments
    )


def _windows(spatial: int) -> tuple[Any, ...]:
    return ([2] * spatial, [2] * spatial, [0] * spatial)


_VIEWS: dict[str, Call] = {
    "narrow": _one(0, 1, 2),
    "permute": _one([1, 0]),
    "slice_Tensor": _one(0, Optional(1), Optional(None), 1),
    "squeeze_dim": _one(0, shape=(1, 4)),
    "reshape": _one([4, -1]),
    "resize_": _in_place([2, 2], None),
}

CALLS: dict[str, Call] = {
    **{f"aoti_torch_cpu_{name}": call for name, call in _VIEWS.items()},
    "aoti_torch_aten_narrow": _one(0, 1, 2),
    "aoti_torch_cpu_resize_as_": lambda library, name, dtype: library.invoke(
        name, numbers(dtype, 3, 4), numbers(dtype, 2, 2), None
    ),
    "aoti_torch_cpu_set__source_Tensor": lambda library, name, dtype: library.invoke(
        name, numbers(dtype, 3, 4), numbers(dtype, 2, 2)
    ),
    **dict.fromkeys(
        ("aoti_torch_cpu_view_dtype", "aoti_torch_view_dtype"),
        lambda library, name, dtype: library.answer(
            name, numbers(dtype, 3, 4), of_dtype(torch.uint8)[0].value
        ),
    ),
    **dict.fromkeys(("aoti_torch_cpu_view_as_real", "aoti_torch_view_as_real"), _one()),
    "aoti_torch_cpu_view_as_complex": _one(shape=(3, 2)),
    **dict.fromkeys(("aoti_torch_cpu_cumsum", "aoti_torch_cpu_cumprod"), _one(0, None)),
    **dict.fromkeys(("aoti_torch_cpu_cummax", "aoti_torch_cpu_cummin"), _one(0, results=2)),
    "aoti_torch_cpu_logcumsumexp": _one(0),
    "aoti_torch_cpu_sort": _one(0, False, results=2),
    "aoti_torch_cpu_sort_stable": _one(None, 0, False, results=2),
    "aoti_torch_cpu_topk": _one(2, 0, True, True, results=2),
    "aoti_torch_cpu_kthvalue": _one(2, 0, False, results=2),
    "aoti_torch_cpu_mode": _one(0, False, results=2),
    **dict.fromkeys(("aoti_torch_cpu_median", "aoti_torch_cpu_nanmedian"), _one()),
    **dict.fromkeys(("aoti_torch_cpu_nonzero", "aoti_torch_nonzero"), _one()),
    "aoti_torch_cpu_nonzero_static": _one(3, -1),
    "aoti_torch_cpu_masked_select": _one(MASK[:, None]),
    "aoti_torch_cpu_masked_scatter": lambda library, name, dtype: library.answer(
        name, numbers(dtype, 3, 4), MASK[:, None], numbers(dtype, 3, 4)
    ),
    "aoti_torch_cpu_index_Tensor": _one(IndexList([None, POSITIONS[0]])),
    "aoti_torch_cpu_index_put": lambda library, name, dtype: library.answer(
        name, numbers(dtype, 3, 4), IndexList([MASK]), numbers(dtype, 2, 4), False
    ),
    "aoti_torch_index_put_out": _index_put_out,
    **dict.fromkeys(("aoti_torch_cpu_scatter_src_out", "aoti_torch_scatter_out"), _scatter()),
    "aoti_torch_cpu_scatter_value_out": _scatter(value=True),
    **dict.fromkeys(
        ("aoti_torch_cpu_scatter_reduce_two_out", "aoti_torch_scatter_reduce_out"),
        _scatter("prod", True),
    ),
    "aoti_torch_cpu_index_reduce": lambda library, name, dtype: library.answer(
        name, numbers(dtype, 3, 4), 0, torch.tensor([2, 0]), numbers(dtype, 2, 4), "prod", True
    ),
    "aoti_torch_cpu_searchsorted_Tensor": _two(
        False, False, None, None, first=(3, 4), second=(3, 2)
    ),
    "aoti_torch_cpu_searchsorted_Scalar": _one(2.0, False, False, None, None, shape=(4,)),
    "aoti_torch_cpu_bucketize_Tensor": _two(False, False, second=(4,)),
    **dict.fromkeys(
        ("aoti_torch_cpu_repeat_interleave_Tensor", "aoti_torch_repeat_interleave_Tensor"),
        _one(None, shape=(3,)),
    ),
    "aoti_torch_cpu_histc": _one(4, 0.0, 0.0),
    "aoti_torch_cpu_histogram_bin_ct": _one(4, None, 0, None, False, results=2),
    "aoti_torch_cpu__histogramdd_from_bin_cts": _one([2, 3], None, 0, None, False, shape=(4, 2)),
    **dict.fromkeys(
        (
            "aoti_torch_cpu__embedding_bag",
            "aoti_torch_cpu__embedding_bag_forward_only",
            "aoti_torch__embedding_bag",
        ),
        _bags,
    ),
    "aoti_torch_cpu_segment_reduce": _one(
        "sum", Optional(torch.tensor([1, 2])), None, None, 0, False, None
    ),
    **{
        f"aoti_torch_cpu_max_pool{n}d_with_indices": _pool(
            n, *_windows(n), [1] * n, False, results=2
        )
        for n in (2, 3)
    },
    **{f"aoti_torch_cpu_avg_pool{n}d": _pool(n, *_windows(n), False, True, None) for n in (2, 3)},
    **{f"aoti_torch_cpu__adaptive_avg_pool{n}d": _pool(n, [4] * n) for n in (2, 3)},
    **{f"aoti_torch_cpu_adaptive_max_pool{n}d": _pool(n, [4] * n, results=2) for n in (2, 3)},
    **{f"aoti_torch_cpu_fractional_max_pool{n}d": _fractional(n) for n in (2, 3)},
    **{f"aoti_torch_cpu_max_unpool{n}d": _unpool(n) for n in (2, 3)},
    **dict.fromkeys(("aoti_torch_cpu__fft_c2c", "aoti_torch__fft_c2c"), _one([0, 1], 0, True)),
    "aoti_torch_cpu__fft_r2c": _one([0, 1], 0, True),
    **dict.fromkeys(
        ("aoti_torch_cpu_pad", "aoti_torch_aten_pad"),
        _one([1, 2], "constant", Optional(1.0)),
    ),
    "aoti_torch_cpu_cat": lambda library, name, dtype: library.answer(
        name, TensorList([numbers(dtype, 3, 4), numbers(dtype, 2, 4)]), 0
    ),
    "aoti_torch_aten_full": _new([3, 4], 1.0),
    **dict.fromkeys(
        ("aoti_torch_aten_fill__Scalar", "aoti_torch_cpu_fill__Scalar"), _in_place(1.0)
    ),
    **dict.fromkeys(
        ("aoti_torch_aten_new_empty", "aoti_torch_aten_new_zeros"), _one([2, 2], *DEFAULTS)
    ),
    "aoti_torch_cpu__efficientzerotensor": _new([3, 4]),
    "aoti_torch_cpu_hann_window": _new(5),
    **dict.fromkeys(("aoti_torch_cpu_add_Tensor", "aoti_torch_aten_subtract_Tensor"), _two(1.0)),
    "aoti_torch_cpu_add_Scalar": _one(2.0, 1.0),
    **dict.fromkeys(("aoti_torch_cpu_mul_Tensor", "aoti_torch_cpu_pow_Tensor_Tensor"), _two()),
    **dict.fromkeys(("aoti_torch_cpu_mul_Scalar", "aoti_torch_cpu_pow_Tensor_Scalar"), _one(2.0)),
    "aoti_torch_cpu_pow_Scalar": lambda library, name, dtype: library.answer(
        name, 2.0, numbers(dtype, 3, 4)
    ),
    **dict.fromkeys(("aoti_torch_cpu_abs", "aoti_torch_cpu_angle"), _one()),
    **dict.fromkeys(("aoti_torch_cpu_polar", "aoti_torch_cpu_gcd"), _two()),
    "aoti_torch_aten_amax": _one([0], False),
    "aoti_torch_cpu__fused_rms_norm": _one([4], None, None, results=2),
    "aoti_torch_cpu_grid_sampler_3d": _two(
        0, 0, False, first=(1, 2, 3, 3, 3), second=(1, 2, 2, 2, 3)
    ),
    "aoti_torch_cpu__cdist_forward": _two(2.0, None, second=(2, 4)),
    "aoti_torch_cpu__pdist_forward": _one(2.0),
    "aoti_torch_cpu__trilinear": lambda library, name, dtype: library.answer(
        name, *[numbers(dtype, 3, 4)] * 3, [], [], [], [1], 0
    ),
    **dict.fromkeys(("aoti_torch_cpu_rand", "aoti_torch_cpu_randn"), _new([3, 4])),
    **dict.fromkeys(
        ("aoti_torch_cpu_rand_generator", "aoti_torch_cpu_randn_generator"), _new([3, 4], None)
    ),
    **dict.fromkeys(("aoti_torch_cpu_rand_like", "aoti_torch_cpu_randn_like"), _like()),
    **dict.fromkeys(
        ("aoti_torch_cpu_rand_like_generator", "aoti_torch_cpu_randn_like_generator"), _like(None)
    ),
    **dict.fromkeys(
        ("aoti_torch_cpu_normal_functional", "aoti_torch_cpu_uniform"), _one(0.0, 1.0, None)
    ),
    "aoti_torch_cpu_exponential": _one(1.0, None),
    "aoti_torch_cpu_native_dropout": _one(0.5, None, results=2),
    "aoti_torch_cpu_randint": _new(5, [3, 4]),
    "aoti_torch_cpu_randint_generator": _new(5, [3, 4], None),
    "aoti_torch_cpu_randint_low": _new(0, 5, [3, 4]),
    "aoti_torch_cpu_randint_low_out": lambda library, name, dtype: library.invoke(
        name, numbers(dtype, 3, 4), 0, 5, [3, 4]
    ),
    "aoti_torch_cpu_randint_like": _like(5),
    "aoti_torch_cpu_randint_like_low_dtype": _like(0, 5),
    "aoti_torch_cpu_bernoulli__float": _in_place(0.5, None),
    "aoti_torch_cpu_bernoulli__Tensor": _in_place(torch.full((3, 4), 0.5), None),
    "aoti_torch_cpu_randperm": _new(7),
    "aoti_torch_cpu_cholesky_solve": _square(False),
    "aoti_torch_cpu_cholesky_inverse": _one(False, shape=(3, 3)),
    "aoti_torch_cpu_triangular_solve": _square(True, False, False, results=2),
    "aoti_torch_cpu_lu_unpack": _one(
        torch.tensor([1, 2, 3], dtype=torch.int32), True, True, shape=(3, 3), results=3
    ),
    "aoti_torch_cpu_geqrf": _one(results=2),
    "aoti_torch_cpu_ormqr": lambda library, name, dtype: library.answer(
        name, numbers(dtype, 3, 3), numbers(dtype, 3), numbers(dtype, 3, 2), True, False
    ),
}
