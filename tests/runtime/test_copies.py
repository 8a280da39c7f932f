"""Copies, clones and conversions, against eager torch."""

from __future__ import annotations

import ctypes
import math

import pytest

torch = pytest.importorskip("torch")
hypothesis = pytest.importorskip("hypothesis")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from .handles import NUMBERS, Runtime, RuntimeCallError  # noqa: E402

pytestmark = [
    pytest.mark.zig,
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:Casting complex values to real discards the imaginary part"),
    pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental"),
]

PLAIN = [
    dtype
    for dtype in NUMBERS
    if dtype != torch.complex32 and not str(dtype).startswith("torch.float8")
]
FEW = settings(max_examples=300, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))


def values(shape: tuple[int, ...], dtype: torch.dtype, seed: int) -> torch.Tensor:
    """Numbers that every dtype can hold."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 100, shape, generator=generator).to(torch.float32).to(dtype)


@st.composite
def tensors(
    draw: st.DrawFn, shape: tuple[int, ...], dtype: torch.dtype, expanded: bool
) -> torch.Tensor:
    """A tensor of a shape in some layout: permuted, sliced with steps, with gaps, expanded."""
    order = draw(st.permutations(range(len(shape))))
    steps = [draw(st.sampled_from([1, 1, 1, 2, 3])) for _ in shape]
    gaps = [draw(st.sampled_from([0, 0, 0, 1, 5])) for _ in shape]
    stretch = [expanded and draw(st.integers(0, 5)) == 0 for _ in shape]
    full = [1 if stretch[d] else shape[d] * steps[d] + gaps[d] for d in order]
    memory = values(tuple(full), dtype, draw(st.integers(0, 1000)))
    result = memory.permute([order.index(d) for d in range(len(shape))])
    for d, size in enumerate(shape):
        if stretch[d]:
            result = result.expand(*[size if e == d else -1 for e in range(len(shape))])
        else:
            result = result[
                (slice(None),) * d
                + (
                    slice(
                        gaps[d], gaps[d] + (size - 1) * steps[d] + 1 if size else gaps[d], steps[d]
                    ),
                )
            ]
    assert tuple(result.shape) == shape
    return result


shapes = st.one_of(
    st.lists(st.integers(0, 9), max_size=5),
    st.lists(st.sampled_from([1, 2, 3, 16, 33, 70]), max_size=4).filter(
        lambda shape: math.prod(shape) <= 70_000
    ),
).map(tuple)


def exact(tensor: torch.Tensor) -> torch.Tensor:
    """Bits, so that comparison needs no arithmetic of the dtype."""
    return (
        tensor.contiguous().view(torch.uint8)
        if tensor.dim()
        else tensor.reshape(1).view(torch.uint8)
    )


@FEW
@given(data=st.data())
def test_copy_of_any_layout_and_dtype_is_torchs(runtime: Runtime, data: st.DataObject) -> None:
    shape = data.draw(shapes)
    to = data.draw(st.sampled_from(PLAIN))
    source_dtype = data.draw(st.one_of(st.just(to), st.sampled_from(PLAIN)))
    destination = data.draw(tensors(shape, to, expanded=False))
    source = data.draw(tensors(shape, source_dtype, expanded=True))
    if data.draw(st.integers(0, 4)) == 0 and shape:
        keep = data.draw(st.integers(0, len(shape)))
        source = (
            source[tuple(0 if size else slice(0, 0) for size in shape[:keep])]
            if 0 not in shape[:keep]
            else source
        )
    memory = destination.untyped_storage()
    whole = torch.empty(0, dtype=torch.uint8).set_(memory)
    expected_whole = whole.clone()
    expected = (
        expected_whole.view(torch.uint8)
        .view(to)
        .as_strided(destination.shape, destination.stride(), destination.storage_offset())
        if whole.numel()
        else destination.clone()
    )
    runtime.library.aotwin_set_num_threads(data.draw(st.integers(1, 3)))
    expected.copy_(source)
    runtime.call("aoti_torch_copy_", runtime.over(destination), runtime.over(source), 0)
    runtime.library.aotwin_set_num_threads(0)
    # Gaps are not touched either.
    assert torch.equal(whole, expected_whole)


@FEW
@given(data=st.data())
def test_clone_has_torchs_strides(runtime: Runtime, data: st.DataObject) -> None:
    source = data.draw(tensors(data.draw(shapes), torch.float32, expanded=True))
    expected = source.clone()
    clone = runtime.make("aoti_torch_clone", runtime.over(source))
    assert clone.strides == tuple(expected.stride())
    assert torch.equal(clone.torch(), expected)


LARGE = {
    "rows": lambda: (torch.empty(700, 1024), torch.randn(700, 1024)),
    "one row": lambda: (torch.empty(1 << 21), torch.randn(1 << 21)),
    "few long rows": lambda: (torch.empty(3, 1 << 19)[:, 5:], torch.randn(3, 1 << 19)[:, 5:]),
    "transposed": lambda: (torch.empty(1000, 777), torch.randn(777, 1000).t()),
    "to channels last": lambda: (
        torch.empty(2, 64, 56, 57).to(memory_format=torch.channels_last),
        torch.randn(2, 64, 56, 57),
    ),
    "from channels last": lambda: (
        torch.empty(2, 64, 56, 57),
        torch.randn(2, 64, 56, 57).to(memory_format=torch.channels_last),
    ),
    "three channels": lambda: (
        torch.empty(2, 3, 224, 224).to(memory_format=torch.channels_last),
        torch.randn(2, 3, 224, 224),
    ),
    "heads": lambda: (torch.empty(4, 12, 128, 64), torch.randn(4, 128, 12, 64).transpose(1, 2)),
    "keys": lambda: (torch.empty(4, 12, 64, 128), torch.randn(4, 128, 12, 64).permute(0, 2, 3, 1)),
    "broadcast rows": lambda: (torch.empty(512, 1024), torch.randn(1024)),
    "broadcast columns": lambda: (torch.empty(512, 1024), torch.randn(512, 1)),
    "strided": lambda: (torch.empty(512, 2048)[:, ::2], torch.randn(512, 3072)[:, ::3]),
}


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.bfloat16, torch.int8, torch.complex128], ids=str
)
@pytest.mark.parametrize("name", LARGE)
def test_large_copy_is_torchs(
    runtime: Runtime, threads: int, name: str, dtype: torch.dtype
) -> None:
    destination, source = LARGE[name]()
    source = (source * 20).to(dtype)
    for to in (dtype, torch.float32):
        into = torch.empty_strided(destination.shape, destination.stride(), dtype=to)
        expected = into.clone().copy_(source)
        runtime.call("aoti_torch_copy_", runtime.over(into), runtime.over(source), 0)
        assert torch.equal(exact(into), exact(expected))


@pytest.mark.parametrize("dtype", [dtype for dtype in NUMBERS if dtype.is_floating_point], ids=str)
def test_every_float_of_sixteen_bits_becomes_what_torch_makes_of_it(
    runtime: Runtime, dtype: torch.dtype
) -> None:
    bits = torch.arange(65536, dtype=torch.int32).to(torch.uint16)
    for source in (
        bits.view(torch.float16),
        bits.view(torch.bfloat16),
        (bits.to(torch.int32) << 16 | 0x5555).view(torch.float32),
    ):
        expected = source.to(dtype)
        into = torch.empty(65536, dtype=dtype)
        runtime.call("aoti_torch_copy_", runtime.over(into), runtime.over(source), 0)
        # A NaN may have any of its payloads.
        both_nan = expected.to(torch.float64).isnan() & into.to(torch.float64).isnan()
        unsigned = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[dtype.itemsize]
        assert torch.equal(into.view(unsigned)[~both_nan], expected.view(unsigned)[~both_nan])


@pytest.mark.parametrize(
    "dtype",
    [dtype for dtype in NUMBERS if dtype.itemsize == 1 and dtype.is_floating_point],
    ids=str,
)
@pytest.mark.parametrize(
    "to", [torch.float32, torch.float64, torch.bfloat16, torch.float16], ids=str
)
def test_every_float_of_eight_bits_becomes_what_torch_makes_of_it(
    runtime: Runtime, dtype: torch.dtype, to: torch.dtype
) -> None:
    source = torch.arange(256, dtype=torch.int32).to(torch.uint8).view(dtype)
    into = torch.empty(256, dtype=to)
    runtime.call("aoti_torch_copy_", runtime.over(into), runtime.over(source), 0)
    torch.testing.assert_close(into, source.to(to), rtol=0, atol=0, equal_nan=True)


def test_complex_halves_are_converted(runtime: Runtime) -> None:
    source = torch.complex(torch.randn(40), torch.randn(40))
    half = torch.empty(40, dtype=torch.complex32)
    runtime.call("aoti_torch_copy_", runtime.over(half), runtime.over(source), 0)
    back = torch.empty(40, dtype=torch.complex64)
    runtime.call("aoti_torch_copy_", runtime.over(back), runtime.over(half), 0)
    assert torch.equal(back, torch.complex(source.real.half().float(), source.imag.half().float()))


def test_any_byte_but_zero_is_true(runtime: Runtime) -> None:
    into = torch.empty(4, dtype=torch.float32)
    source = torch.tensor([0, 1, 2, 255], dtype=torch.uint8).view(torch.bool)
    runtime.call("aoti_torch_copy_", runtime.over(into), runtime.over(source), 0)
    assert into.tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("shift", [-3, -1, 1, 3, 64])
def test_overlapping_copy_reads_before_it_writes(
    runtime: Runtime, threads: int, shift: int
) -> None:
    memory = torch.arange(300_000, dtype=torch.int32)
    count = memory.numel() - abs(shift)
    to, source = memory[max(shift, 0) :][:count], memory[max(-shift, 0) :][:count]
    expected = source.clone()
    runtime.call("aoti_torch_copy_", runtime.over(to), runtime.over(source), 0)
    assert torch.equal(to, expected)


def test_copy_of_itself_transposed(runtime: Runtime) -> None:
    square = torch.randn(65, 65)
    expected = square.t().clone()
    runtime.call("aoti_torch_copy_", runtime.over(square), runtime.over(square.t()), 0)
    assert torch.equal(square, expected)


def test_sizes_that_do_not_fit_are_named(runtime: Runtime) -> None:
    with pytest.raises(RuntimeCallError, match=r"sizes \[4\] cannot be expanded to \[2, 3\]"):
        runtime.call(
            "aoti_torch_copy_", runtime.over(torch.empty(2, 3)), runtime.over(torch.empty(4)), 0
        )
    with pytest.raises(
        RuntimeCallError,
        match=r"several elements of the destination \(sizes \[4, 3\], strides \[0, 1\]\)",
    ):
        runtime.call(
            "aoti_torch_copy_",
            runtime.over(torch.empty(3).expand(4, 3)),
            runtime.over(torch.empty(3)),
            0,
        )


def test_tensor_copy_has_its_arguments_the_other_way_round(runtime: Runtime) -> None:
    into, source = torch.zeros(3), torch.ones(3)
    runtime.call("aoti_torch_tensor_copy_", runtime.over(source), runtime.over(into))
    assert torch.equal(into, source)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.randn(1000, 33),
        lambda: torch.randn(8, 9)[:, ::2],
        lambda: torch.randn(4, 5).t(),
        lambda: torch.tensor(2.0),
    ],
)
def test_zero_clears_the_tensor_and_nothing_else(runtime: Runtime, make) -> None:  # type: ignore[no-untyped-def]
    tensor = make()
    base = tensor if tensor._base is None else tensor._base
    expected = base.clone().as_strided(base.shape, base.stride())
    expected.as_strided(tensor.shape, tensor.stride()).zero_()
    runtime.call("aoti_torch_zero_", runtime.over(tensor))
    assert torch.equal(base, expected)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.randn(4, 6).t(),
        lambda: torch.randn(8, 9)[2:6, 1:8:2],
        lambda: torch.randn(3).expand(2, 3),
        lambda: torch.randn(0, 3),
    ],
)
def test_clone_preserve_strides_keeps_strides_and_gaps(runtime: Runtime, make) -> None:  # type: ignore[no-untyped-def]
    tensor = make()
    clone = runtime.make("aoti_torch_clone_preserve_strides", runtime.over(tensor))
    if 0 not in tensor.stride():
        assert clone.strides == tuple(tensor.stride())
        assert clone.get("get_storage_offset") == tensor.storage_offset()
    assert torch.equal(clone.torch(), tensor)
    assert clone.data != tensor.data_ptr() or tensor.numel() == 0


def test_memory_is_the_pools_again_after_copies(runtime: Runtime) -> None:
    before = runtime.statistics()
    for _ in range(3):
        runtime.make("aoti_torch_clone", runtime.over(torch.randn(100, 100).t()))
    after = runtime.statistics()
    assert (before.used, before.blocks, before.handles) == (after.used, after.blocks, after.handles)
    assert ctypes.sizeof(after) == 48
