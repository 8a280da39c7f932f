"""Tensors and their handles: what they answer, views, sharing, mistakes."""

from __future__ import annotations

import ctypes

import pytest

torch = pytest.importorskip("torch")

from .handles import NUMBERS, Handle, Runtime, RuntimeCallError, longs  # noqa: E402

pytestmark = [pytest.mark.zig, pytest.mark.torch]


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_dtype_has_torchs_number_and_size(runtime: Runtime, dtype: torch.dtype) -> None:
    name = str(dtype).removeprefix("torch.")
    assert getattr(runtime.library, f"aoti_torch_dtype_{name}")() == NUMBERS[dtype]
    assert runtime.library.aoti_torch_dtype_element_size(NUMBERS[dtype]) == dtype.itemsize


def test_constants_are_those_of_torchs_library(runtime: Runtime) -> None:
    eager = ctypes.CDLL(f"{torch.__path__[0]}/lib/libtorch_cpu.so")
    names = [
        "device_type_cpu",
        "device_type_cuda",
        "device_type_meta",
        "device_type_xpu",
        "device_type_mps",
        "device_type_privateuse1",
    ]
    names += [
        f"layout_{name}"
        for name in (
            "strided",
            "sparse_coo",
            "sparse_csr",
            "sparse_csc",
            "sparse_bsr",
            "sparse_bsc",
            "_mkldnn",
            "jagged",
        )
    ]
    names += [
        f"memory_format_{name}"
        for name in ("contiguous_format", "channels_last", "channels_last_3d", "preserve_format")
    ]
    for name in names:
        assert (
            getattr(runtime.library, f"aoti_torch_{name}")()
            == getattr(eager, f"aoti_torch_{name}")()
        ), name


CASES = {
    "plain": lambda: torch.arange(24.0).reshape(2, 3, 4),
    "zero dimensions": lambda: torch.tensor(3.0),
    "no elements": lambda: torch.empty(2, 0, 3),
    "transposed": lambda: torch.arange(6).reshape(2, 3).t(),
    "sliced": lambda: torch.arange(60, dtype=torch.int16).reshape(5, 12)[1:4, 2:9:3],
    "expanded": lambda: torch.arange(3, dtype=torch.uint8).expand(4, 3),
    "channels last": lambda: torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
    "size one with odd stride": lambda: torch.empty_strided((1, 4), (77, 1)),
    "nine dimensions": lambda: torch.randn(1, 2, 1, 2, 1, 2, 1, 2, 3),
}


@pytest.mark.parametrize("name", CASES)
def test_tensor_over_memory_answers_as_torch(runtime: Runtime, name: str) -> None:
    tensor = CASES[name]()
    handle = runtime.over(tensor)
    assert handle.shape == tuple(tensor.shape)
    assert handle.strides == tuple(tensor.stride())
    assert handle.dtype == tensor.dtype
    assert handle.get("get_numel") == tensor.numel()
    assert handle.get("get_storage_offset") == tensor.storage_offset()
    assert bool(handle._ask("is_contiguous", ctypes.c_bool)) == tensor.is_contiguous()
    if tensor.numel():
        assert handle.data == tensor.data_ptr()
    assert torch.equal(handle.torch(), tensor)


@pytest.mark.parametrize("dimension", [-3, -1, 0, 2])
def test_size_and_stride_of_one_dimension(runtime: Runtime, dimension: int) -> None:
    handle = runtime.over(torch.empty(2, 3, 4))
    assert (
        handle._ask("get_size", ctypes.c_int64, ctypes.c_int64(dimension)) == (2, 3, 4)[dimension]
    )
    assert (
        handle._ask("get_stride", ctypes.c_int64, ctypes.c_int64(dimension))
        == (12, 4, 1)[dimension]
    )


def test_dimension_out_of_range_is_named(runtime: Runtime) -> None:
    handle = runtime.over(torch.empty(2, 3))
    with pytest.raises(
        RuntimeCallError, match=r"dimension 2 is out of range for a tensor of sizes \[2, 3\]"
    ):
        handle._ask("get_size", ctypes.c_int64, ctypes.c_int64(2))


def test_new_memory_is_aligned_and_large_enough(runtime: Runtime) -> None:
    for shape, strides in (((3, 5), (5, 1)), ((3, 5), (8, 1)), ((), ()), ((0, 4), (4, 1))):
        handle = runtime.empty(shape, strides, torch.float32)
        assert handle.data % 64 == 0
        expected = torch.empty_strided(shape, strides).untyped_storage().nbytes()
        assert handle.get("get_storage_size") == expected
        assert handle.get("get_storage_numel") == expected // 4


def reinterpret(
    runtime: Runtime, handle: Handle, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> Handle:
    return runtime.make(
        "aoti_torch__reinterpret_tensor",
        handle,
        ctypes.c_int64(len(shape)),
        longs(shape),
        longs(strides),
        ctypes.c_int64(offset),
    )


def test_reinterpreted_tensor_shares_memory_and_counts_its_offset_from_the_tensor(
    runtime: Runtime,
) -> None:
    tensor = torch.arange(24.0)
    handle = runtime.over(tensor[4:])
    view = reinterpret(runtime, handle, (2, 3), (6, 2), 1)
    assert view.get("get_storage_offset") == 5
    assert torch.equal(view.torch(), tensor.as_strided((2, 3), (6, 2), 5))
    tensor[5] = -1
    assert view.torch()[0, 0] == -1


def test_memory_lives_as_long_as_any_view_of_it(runtime: Runtime) -> None:
    before = runtime.statistics().used
    whole = runtime.empty((1000,), (1,), torch.float32)
    runtime.call("aoti_torch_zero_", whole)
    view = reinterpret(runtime, whole, (10,), (100,), 0)
    del whole
    assert view.torch().sum() == 0
    assert runtime.statistics().used > before
    del view
    assert runtime.statistics().used == before


@pytest.mark.parametrize(
    "shape, strides, offset", [((25,), (1,), 0), ((2, 3), (12, 6), 1), ((1,), (1,), 24)]
)
def test_view_outside_of_the_memory_is_refused(
    runtime: Runtime, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> None:
    handle = runtime.over(torch.arange(24.0))
    with pytest.raises(RuntimeCallError, match=r"bytes; the storage has 96"):
        reinterpret(runtime, handle, shape, strides, offset)


@pytest.mark.parametrize(
    "shape, strides, message",
    [
        ((-1,), (1,), r"negative size in \[-1\]"),
        ((2,), (-1,), r"negative stride in \[-1\]"),
        ((1 << 40, 1 << 40), (1 << 40, 1), "more than 64 bits can count"),
        ((1 << 46,), (1,), "out of memory"),
    ],
)
def test_impossible_tensor_is_refused(
    runtime: Runtime, shape: tuple[int, ...], strides: tuple[int, ...], message: str
) -> None:
    with pytest.raises(RuntimeCallError, match=message):
        runtime.empty(shape, strides, torch.float32)


def test_other_devices_dtypes_and_null_pointers_are_refused(runtime: Runtime) -> None:
    one = ctypes.c_int64(1)
    with pytest.raises(RuntimeCallError, match="device type 1"):
        runtime.make("aoti_torch_empty_strided", one, longs([1]), longs([1]), 6, 1, 0)
    with pytest.raises(RuntimeCallError, match="no such dtype: number 99"):
        runtime.make("aoti_torch_empty_strided", one, longs([1]), longs([1]), 99, 0, 0)
    with pytest.raises(RuntimeCallError, match="over a null pointer"):
        runtime.make(
            "aoti_torch_create_tensor_from_blob",
            None,
            one,
            longs([1]),
            longs([1]),
            ctypes.c_int64(0),
            6,
            0,
            0,
        )
    with pytest.raises(RuntimeCallError, match="a tensor handle is null"):
        runtime.call("aoti_torch_get_dim", None, ctypes.byref(one))
    with pytest.raises(RuntimeCallError, match="pointer for the result is null"):
        runtime.call("aoti_torch_get_dim", runtime.over(torch.empty(1)), None)


def test_handle_of_torchs_own_is_recognised_and_left_alone(runtime: Runtime) -> None:
    eager = ctypes.CDLL(f"{torch.__path__[0]}/lib/libtorch_cpu.so")
    foreign = ctypes.c_void_p()
    assert (
        eager.aoti_torch_empty_strided(
            ctypes.c_int64(1), longs([4]), longs([1]), 6, 0, -1, ctypes.byref(foreign)
        )
        == 0
    )
    result = ctypes.c_int64()
    with pytest.raises(
        RuntimeCallError,
        match=r"loader of its package or with aotwin\.dll, not with torch's runner",
    ):
        runtime.call("aoti_torch_get_dim", foreign, ctypes.byref(result))
    # Generated code deletes its inputs while it unwinds, where a failure would end the process.
    runtime.call("aoti_torch_delete_tensor_object", foreign)
    assert eager.aoti_torch_get_dim(foreign, ctypes.byref(result)) == 0 and result.value == 1
    eager.aoti_torch_delete_tensor_object(foreign)


def test_handle_that_was_deleted_is_recognised(runtime: Runtime) -> None:
    handle = runtime.over(torch.empty(3))
    address, handle.address = handle.address, 0
    runtime.call("aoti_torch_delete_tensor_object", ctypes.c_void_p(address))
    with pytest.raises(RuntimeCallError, match="was deleted before"):
        runtime.call("aoti_torch_get_dim", ctypes.c_void_p(address), ctypes.byref(ctypes.c_int64()))
    with pytest.raises(RuntimeCallError, match="was deleted before"):
        runtime.call("aoti_torch_delete_tensor_object", ctypes.c_void_p(address))


def test_undefined_tensor_becomes_defined_by_assignment(runtime: Runtime) -> None:
    undefined = runtime.make("aoti_torch_new_uninitialized_tensor")
    assert not undefined._ask("is_defined", ctypes.c_bool)
    with pytest.raises(RuntimeCallError, match="undefined"):
        runtime.make("aoti_torch_clone", undefined)
    source = torch.arange(5)
    runtime.call("aoti_torch_assign_tensors", runtime.over(source), undefined)
    assert undefined._ask("is_defined", ctypes.c_bool)
    assert undefined.data == source.data_ptr()
    other = runtime.make("aoti_torch_assign_tensors_out", undefined)
    again = runtime.make("aoti_torch_new_tensor_handle", undefined)
    assert other.data == again.data == source.data_ptr()


def test_alloc_from_pool_sees_bytes_as_another_dtype(runtime: Runtime) -> None:
    pool = torch.zeros(64, dtype=torch.uint8)
    handle = runtime.over(pool)
    view = runtime.make(
        "aoti_torch__alloc_from_pool",
        handle,
        ctypes.c_int64(16),
        NUMBERS[torch.float32],
        ctypes.c_int64(2),
        longs([2, 3]),
        longs([3, 1]),
    )
    pool[16:40].view(torch.float32).copy_(torch.arange(6.0))
    assert view.get("get_storage_offset") == 4
    assert torch.equal(view.torch(), torch.arange(6.0).reshape(2, 3))
    with pytest.raises(RuntimeCallError, match="_alloc_from_pool: offset 15 for items of 4"):
        runtime.make(
            "aoti_torch__alloc_from_pool",
            handle,
            ctypes.c_int64(15),
            6,
            ctypes.c_int64(0),
            longs([]),
            longs([]),
        )


def test_as_strided_takes_as_many_sizes_as_the_tensor_has(runtime: Runtime) -> None:
    tensor = torch.arange(12.0).reshape(3, 4)
    view = runtime.make("aoti_torch_as_strided", runtime.over(tensor), longs([2, 2]), longs([5, 2]))
    assert torch.equal(view.torch(), tensor.as_strided((2, 2), (5, 2)))


def test_only_memory_of_the_caller_can_be_a_constant(runtime: Runtime) -> None:
    runtime.call("aotwin_mark_constant", runtime.over(torch.empty(3)))
    with pytest.raises(RuntimeCallError, match="the run time's own"):
        runtime.call("aotwin_mark_constant", runtime.empty((3,), (1,), torch.float32))


def test_numbers_go_into_tensors(runtime: Runtime) -> None:
    kinds = {
        "float32": (ctypes.c_float, 1.5),
        "float64": (ctypes.c_double, -2.25),
        "uint8": (ctypes.c_uint8, 200),
        "int8": (ctypes.c_int8, -100),
        "int16": (ctypes.c_int16, -30000),
        "int32": (ctypes.c_int32, 1 << 30),
        "int64": (ctypes.c_int64, -(1 << 60)),
        "uint16": (ctypes.c_uint16, 65535),
        "uint32": (ctypes.c_uint32, 1 << 31),
        "uint64": (ctypes.c_uint64, 1 << 63),
        "bool": (ctypes.c_bool, True),
    }
    for name, (kind, value) in kinds.items():
        handle = runtime.make(f"aoti_torch_scalar_to_tensor_{name}", kind(value))
        assert handle.shape == () and handle.dtype == getattr(torch, name)
        assert handle.torch().item() == value
        result = kind()
        runtime.call(f"aoti_torch_item_{name}", handle, ctypes.byref(result))
        assert result.value == value


ITEMS = [
    (torch.tensor(3.7), "int32", ctypes.c_int32, 3),
    (torch.tensor(-3.0), "uint8", ctypes.c_uint8, None),
    (torch.tensor(-3), "uint8", ctypes.c_uint8, 253),
    (torch.tensor(300), "int8", ctypes.c_int8, None),
    (torch.tensor(1e300, dtype=torch.float64), "float32", ctypes.c_float, None),
    (torch.tensor(float("inf"), dtype=torch.float64), "float32", ctypes.c_float, float("inf")),
    (torch.tensor(float("nan")), "int64", ctypes.c_int64, None),
    (torch.tensor(2 + 0j), "float64", ctypes.c_double, 2.0),
    (torch.tensor(2 + 1j), "float64", ctypes.c_double, None),
    (torch.tensor([[5]], dtype=torch.bfloat16), "float32", ctypes.c_float, 5.0),
    (torch.tensor(0.25, dtype=torch.float8_e4m3fn), "float64", ctypes.c_double, 0.25),
    (torch.tensor(7), "bool", ctypes.c_bool, True),
    (torch.tensor(1.5), "float64", ctypes.c_double, 1.5),
]


@pytest.mark.parametrize(
    "tensor, name, kind, expected", ITEMS, ids=lambda value: str(value).replace("\n", " ")[:40]
)
def test_number_out_of_a_tensor(
    runtime: Runtime, tensor: torch.Tensor, name: str, kind: type, expected: object
) -> None:
    result = kind()
    eager = ctypes.CDLL(f"{torch.__path__[0]}/lib/libtorch_cpu.so")
    clone = tensor.clone()
    foreign = ctypes.c_void_p()
    assert (
        eager.aoti_torch_create_tensor_from_blob(
            ctypes.c_void_p(clone.data_ptr()),
            ctypes.c_int64(clone.dim()),
            longs(clone.shape),
            longs(clone.stride()),
            ctypes.c_int64(0),
            NUMBERS[clone.dtype],
            0,
            -1,
            ctypes.byref(foreign),
        )
        == 0
    )
    torchs = kind()
    code = getattr(eager, f"aoti_torch_item_{name}")(foreign, ctypes.byref(torchs))
    eager.aoti_torch_delete_tensor_object(foreign)
    if expected is None:
        assert code == 1
        with pytest.raises(RuntimeCallError, match=f"is out of the range of {name}"):
            runtime.call(f"aoti_torch_item_{name}", runtime.over(tensor), ctypes.byref(result))
    else:
        runtime.call(f"aoti_torch_item_{name}", runtime.over(tensor), ctypes.byref(result))
        assert result.value == torchs.value == expected


def test_many_elements_are_no_number(runtime: Runtime) -> None:
    with pytest.raises(RuntimeCallError, match=r"a tensor of 3 elements \(sizes \[3\]\)"):
        runtime.call(
            "aoti_torch_item_int64", runtime.over(torch.arange(3)), ctypes.byref(ctypes.c_int64())
        )


def test_half_precision_items_are_their_bits(runtime: Runtime) -> None:
    for dtype, name in ((torch.float16, "float16"), (torch.bfloat16, "bfloat16")):
        bits = ctypes.c_uint16()
        runtime.call(
            f"aoti_torch_item_{name}", runtime.over(torch.tensor(1.2345)), ctypes.byref(bits)
        )
        assert bits.value == torch.tensor(1.2345).to(dtype).view(torch.uint16).item()


@pytest.mark.parametrize(
    "value, message", [(float("nan"), "NaN in x: 1 of 5"), (float("-inf"), "infinity in x: 1 of 5")]
)
def test_nan_and_infinity_are_found(runtime: Runtime, value: float, message: str) -> None:
    tensor = torch.zeros(5)
    runtime.call("aoti_torch_check_inf_and_nan", b"x", runtime.over(tensor))
    tensor[3] = value
    with pytest.raises(RuntimeCallError, match=message):
        runtime.call("aoti_torch_check_inf_and_nan", b"x", runtime.over(tensor))


def test_grad_mode_is_kept_for_each_thread(runtime: Runtime) -> None:
    assert runtime.library.aoti_torch_grad_mode_is_enabled() & 1
    runtime.library.aoti_torch_grad_mode_set_enabled(ctypes.c_bool(False))
    assert not runtime.library.aoti_torch_grad_mode_is_enabled() & 1
    runtime.library.aoti_torch_grad_mode_set_enabled(ctypes.c_bool(True))
