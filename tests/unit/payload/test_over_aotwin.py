"""A model over aotwin's own run time, called from Python: arguments, results, and their memory."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fake_model import CALL, NUMBER, constant, tensor

if TYPE_CHECKING:
    from fake_model import Maker

X = np.arange(6, dtype=np.float32).reshape(2, 3)


# --- arguments --------------------------------------------------------------------------------


def test_an_array_is_handed_over_where_it_lies(make: Maker) -> None:
    model = make.load("copy 0")
    (y,) = model(X)
    given = make.fake(model).input(0)
    assert (given.data, given.nbytes, given.dtype, given.rank) == (X.ctypes.data, 24, 1, 2)
    assert given.strides is None
    assert type(y) is np.ndarray
    np.testing.assert_array_equal(y, X)


def test_an_array_of_other_strides_is_handed_over_where_it_lies(make: Maker) -> None:
    model = make.load("copy 0")
    transposed = np.arange(6, dtype=np.float32).reshape(3, 2).T
    (y,) = model(transposed)
    assert make.fake(model).input(0).data == transposed.ctypes.data
    assert make.fake(model).strides(0) == [1, 2]
    np.testing.assert_array_equal(y, transposed)


def unaligned() -> Any:
    return np.frombuffer(bytearray(25), np.uint8)[1:].view(np.float32).reshape(2, 3)


COPIED: dict[str, Callable[[], Any]] = {
    "strides are negative": lambda: X[::-1],
    "elements lie between others": lambda: np.zeros((2, 3), "f4,u1")["f0"],
    "elements are not aligned": unaligned,
    "it is read-only": lambda: np.broadcast_to(np.float32(2), (2, 3)),
}


@pytest.mark.parametrize("why", COPIED)
def test_an_array_is_copied_where(make: Maker, why: str) -> None:
    model = make.load("copy 0")
    x = COPIED[why]()
    (y,) = model(x)
    assert make.fake(model).input(0).data != x.ctypes.data
    np.testing.assert_array_equal(y, x)


def test_an_input_of_another_order_of_dimensions_tells_its_strides(make: Maker) -> None:
    image = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    model = make.load("copy 0", inputs=[tensor("x", shape=(1, 2, 3, 4), order=[0, 2, 3, 1])])
    for given in (image, image.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)):
        (y,) = model(given)
        assert make.fake(model).strides(0) == [step // 4 for step in given.strides]
        np.testing.assert_array_equal(y, image)


def test_numbers_of_numpy_are_tensors_without_dimensions(make: Maker) -> None:
    model = make.load("copy 0", inputs=[tensor("scale", "float64", ())])
    assert model(np.float64(2.5))[0] == 2.5
    assert model(np.array(3.5))[0].shape == ()


def test_sizes_may_change_from_call_to_call(make: Maker) -> None:
    model = make.load("copy 0", "rows 0", inputs=[tensor("x", shape=("rows", 3))],
                      outputs=[tensor("y"), NUMBER])  # fmt: skip
    for rows in (2, 0, 5, 2):
        y, number = model(np.ones((rows, 3), np.float32))
        assert (y.shape, number, type(number)) == ((rows, 3), rows, int)


def test_any_type_is_taken_where_the_model_does_not_tell(make: Maker) -> None:
    model = make.load("copy 0", inputs=[tensor("x", "", None)])
    for dtype in ("float64", "int8", "uint16", "bool", "complex128", "float16"):
        (y,) = model(np.ones(3, dtype))
        assert y.dtype == dtype
    with pytest.raises(TypeError, match=r"demo.fake: x is object, which no model takes"):
        model(np.array([None]))


class Exporter:
    """What has `__dlpack__` and nothing else."""

    def __init__(self, array: Any, device: tuple[int, int] = (1, 0)) -> None:
        self.array = array
        self.device = device

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device


def test_what_has_dlpack_is_taken(make: Maker) -> None:
    model = make.load("copy 0")
    (y,) = model(Exporter(X))
    assert make.fake(model).input(0).data == X.ctypes.data
    assert type(y) is np.ndarray
    with pytest.raises(ValueError, match=r"x must be on the CPU, got DLPack's device \(2, 0\)"):
        model(Exporter(X, (2, 0)))


WRONG: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "dtype": (
        lambda m: m(X.astype("f8"), b=X),
        TypeError, "demo.fake: a must be float32, got float64$",
    ),
    "byte order": (lambda m: m(X.astype(">f4"), b=X), TypeError, "a must be float32, got >f4$"),
    "shape": (
        lambda m: m(X, b=X.T), ValueError, r"b must have the shape \[2, 3\], got \[3, 2\]$",
    ),
    "rank": (lambda m: m(X[0], b=X), ValueError, r"shape \[2, 3\], got \[3\]$"),
    "no tensor": (lambda m: m("text", b=X), TypeError, "a must be a tensor, got str$"),
    "nesting": (
        lambda m: m([X], b=X), TypeError,
        r"demo.fake must be called as the exported module was: expected \(\(\*\), \{b: \*\}\), "
        r"got \(\(\(\*\)\), \{b: \*\}\)$",
    ),
    "keyword": (
        lambda m: m(X, c=X), TypeError,
        r"demo.fake takes the keyword arguments \['b'\], got \['c'\]$",
    ),
    "too many": (lambda m: m(X, X, b=X), TypeError, r"got \(\(\*, \*\), \{b: \*\}\)$"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_call_is_refused_for_its(make: Maker, what: str) -> None:
    call, kind, message = WRONG[what]
    model = make.load("copy 0", inputs=[tensor("a"), tensor("b")], call=CALL)
    with pytest.raises(kind, match=message):
        call(model)
    np.testing.assert_array_equal(model(X, b=X), X)


def test_arguments_that_are_fixed_are_compared(make: Maker) -> None:
    model = make.load("copy 0", inputs=[constant(3), tensor("x"), constant(None)])
    assert model(3, X, None)[0].shape == (2, 3)
    with pytest.raises(ValueError, match="argument is fixed to 3 since the export, got 4"):
        model(4, X, None)


def test_a_wrapper_that_does_not_tell_its_constants_gets_the_tensors(make: Maker) -> None:
    call = CALL | {"in_spec": CALL["in_spec"].replace("b", "flag")}
    call["in_spec"] = call["in_spec"].replace("flaguiltins", "builtins")
    model = make.load("copy 0", inputs=[tensor("x")], call=call)
    np.testing.assert_array_equal(model(X, flag=True), X)


# --- results ----------------------------------------------------------------------------------


def test_a_result_stays_in_the_library_until_nobody_refers_to_it(make: Maker) -> None:
    model = make.load("copy 0", "transposed 0")
    fake = make.fake(model)
    y, z = model(X)
    np.testing.assert_array_equal(z, X.T)
    assert (z.strides, fake.results) == ((4, 12), 1)
    y[0, 0] = 7
    part = z[1:]
    del y, z
    assert (fake.results, part[0, 1]) == (1, 4)
    del part
    assert fake.results == 0


@pytest.mark.parametrize("does", ["weights 0", "input 0"])
def test_memory_of_somebody_else_is_copied(make: Maker, does: str) -> None:
    model = make.load(does)
    x = X.copy()
    (before,) = model(x)
    expected = before.copy()
    assert make.fake(model).results == 0
    before[...] = -1
    np.testing.assert_array_equal(model(x)[0], expected)


def test_all_is_copied_where_the_library_does_not_tell_whose_it_is(make: Maker) -> None:
    model = make.load("copy 0", library="without_memory")
    (y,) = model(X)
    assert make.fake(model).results == 0
    np.testing.assert_array_equal(y, X)


def test_results_outlive_the_model_and_the_model_goes_with_its_last_reference(make: Maker) -> None:
    model = make.load("copy 0")
    fake = make.fake(model)
    (y,) = model(X)
    assert fake.models == 1
    del model
    gc.collect()
    assert fake.models == 0
    np.testing.assert_array_equal(y, X)


def test_values_that_are_no_tensors_come_back_as_the_exported_module_gave_them(
    make: Maker,
) -> None:
    model = make.load(
        "nothing 0", "rows 0", "nothing 0", "copy 0", "same 3",
        outputs=[constant(None), NUMBER, constant(7), tensor("y"), tensor("again")],
    )  # fmt: skip
    nothing, rows, seven, y, again = model(X)
    assert (nothing, rows, seven) == (None, 2, 7)
    assert y.ctypes.data == again.ctypes.data


def test_a_result_without_elements_has_its_shape(make: Maker) -> None:
    (y,) = make.load("bare 8")(X)
    assert (y.shape, y.dtype) == ((0, 3), np.int64)


FAILURES = {
    1: TypeError, 8: TypeError, 9: ValueError, 10: ValueError, 11: ValueError, 12: RuntimeError,
    13: MemoryError, 14: RuntimeError,
}  # fmt: skip


@pytest.mark.parametrize("code", FAILURES)
def test_a_failure_of_the_library_has_its_reason(make: Maker, code: int) -> None:
    model = make.load("copy 0", f"fail {code}")
    with pytest.raises(FAILURES[code], match=r"^demo\.fake: the library says why$"):
        model(X)
    assert make.fake(model).results == 0
