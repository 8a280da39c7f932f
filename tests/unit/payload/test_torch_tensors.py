"""A model over aotwin's own run time takes tensors of torch's where the program has torch."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from fake_model import NUMBER, tensor

from aotwin.payload.arrays import DTYPES, numpy_type

if TYPE_CHECKING:
    from conftest import Maker

X = torch.arange(6, dtype=torch.float32).reshape(2, 3)


def test_a_tensor_is_handed_over_where_it_lies_and_a_tensor_comes_back(make: Maker) -> None:
    model = make.load("copy 0", "transposed 0")
    y, z = model(X)
    fake = make.fake(model)
    assert (fake.input(0).data, fake.input(0).strides) == (X.data_ptr(), None)
    assert torch.equal(y, X)
    assert torch.equal(z, X.T)
    assert z.stride() == (1, 3)
    assert fake.results == 1
    y.add_(1)
    del y, z
    assert fake.results == 0


def test_a_tensor_of_other_strides_is_handed_over_where_it_lies(make: Maker) -> None:
    model = make.load("copy 0")
    given = torch.arange(6, dtype=torch.float32).reshape(3, 2).T
    assert torch.equal(model(given)[0], given)
    assert make.fake(model).input(0).data == given.data_ptr()
    assert make.fake(model).strides(0) == [1, 2]


def test_channels_last_tensors_tell_their_strides(make: Maker) -> None:
    model = make.load("copy 0", inputs=[tensor("x", shape=(1, 2, 3, 4), order=[0, 2, 3, 1])])
    image = torch.randn(1, 2, 3, 4)
    for given in (image, image.to(memory_format=torch.channels_last)):
        assert torch.equal(model(given)[0], image)
        assert tuple(make.fake(model).strides(0)) == given.stride()


def test_a_tensor_that_wants_gradients_is_taken(make: Maker) -> None:
    (y,) = make.load("copy 0")(X.clone().requires_grad_())
    assert not y.requires_grad


def test_one_tensor_among_arrays_makes_the_results_tensors(make: Maker) -> None:
    model = make.load("copy 0", "copy 1", inputs=[tensor("a"), tensor("b")])
    assert [type(each) for each in model(X.numpy(), X)] == [torch.Tensor, torch.Tensor]
    assert [type(each) for each in model(X.numpy(), X.numpy())] == [np.ndarray, np.ndarray]


def test_memory_of_somebody_else_is_copied(make: Maker) -> None:
    model = make.load("weights 0")
    model(X)[0].fill_(-1)
    assert torch.equal(model(X)[0], torch.arange(8.0))


@pytest.mark.parametrize("name", DTYPES)
def test_a_tensor_may_be(make: Maker, name: str) -> None:
    dtype = getattr(torch, name)
    model = make.load("copy 0", "copy 0", inputs=[tensor("x", name)])
    x = X.to(torch.int32).view(dtype) if name == "complex32" else X.to(dtype)
    bits = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    kind = bits.get(x.element_size(), dtype)
    for y in model(x):
        assert y.dtype is dtype
        assert torch.equal(y.view(kind), x.view(kind))


def test_a_conjugate_is_resolved(make: Maker) -> None:
    x = torch.complex(X, X).conj()
    (y,) = make.load("copy 0", inputs=[tensor("x", "complex64")])(x)
    assert torch.equal(y, x)


WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "dtype": (X.double(), TypeError, "demo.fake: x must be float32, got float64$"),
    "shape": (X.T, ValueError, r"demo.fake: x must have the shape \[2, 3\], got \[3, 2\]$"),
    "device": (X.to("meta"), ValueError, "demo.fake: x must be on the CPU, got meta$"),
    "layout": (X.to_sparse(), TypeError, "demo.fake: x must be dense, got torch.sparse_coo$"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_tensor_is_refused_for_its(make: Maker, what: str) -> None:
    given, kind, message = WRONG[what]
    with pytest.raises(kind, match=message):
        make.load("copy 0")(given)


def test_numbers_come_back_as_numbers(make: Maker) -> None:
    model = make.load("rows 0", outputs=[NUMBER])
    assert model(X) == (2,)


# --- types that numpy lacks -------------------------------------------------------------------


@pytest.fixture
def without_ml_dtypes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    numpy_type.cache_clear()
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    yield
    numpy_type.cache_clear()


@pytest.fixture
def ml_dtypes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Stands for the real package: a type of two bytes that is none of numpy's."""
    module = ModuleType("ml_dtypes")
    module.bfloat16 = np.dtype([("bfloat16", "<i2")])  # type: ignore[attr-defined]
    numpy_type.cache_clear()
    monkeypatch.setitem(sys.modules, "ml_dtypes", module)
    yield module
    numpy_type.cache_clear()


@pytest.mark.usefixtures("without_ml_dtypes")
def test_an_array_for_a_type_that_numpy_lacks_gets_advice(make: Maker) -> None:
    model = make.load("copy 0", inputs=[tensor("x", "bfloat16")])
    with pytest.raises(
        TypeError,
        match=r"x must be bfloat16, got float32. numpy has no bfloat16: pass torch tensors, or "
        r"install ml_dtypes: pip install ml_dtypes$",
    ):
        model(X.numpy())
    assert torch.equal(model(X.bfloat16())[0], X.bfloat16())


@pytest.mark.usefixtures("without_ml_dtypes")
def test_a_result_that_numpy_lacks_is_refused_before_the_model_runs(make: Maker) -> None:
    model = make.load("bare 14", "fail 12", outputs=[tensor("y", "complex32"), tensor("z")])
    with pytest.raises(
        TypeError,
        match=r"demo.fake: the result y is complex32. numpy has no complex32: pass torch tensors.$",
    ):
        model(X.numpy())


@pytest.mark.usefixtures("without_ml_dtypes")
def test_a_result_that_turns_out_to_be_what_numpy_lacks_is_refused(make: Maker) -> None:
    model = make.load("bare 4")
    with pytest.raises(TypeError, match=r"the result y0 is bfloat16. numpy has no bfloat16"):
        model(X.numpy())
    assert model(X)[0].dtype is torch.bfloat16


def test_arrays_of_ml_dtypes_are_taken_and_given(make: Maker, ml_dtypes: Any) -> None:
    model = make.load("copy 0", inputs=[tensor("x", "bfloat16")], outputs=[tensor("y", "bfloat16")])
    x = np.arange(6, dtype="i2").reshape(2, 3).view(ml_dtypes.bfloat16)
    (y,) = model(x)
    assert (make.fake(model).input(0).data, make.fake(model).input(0).dtype) == (x.ctypes.data, 4)
    assert y.dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(y.view("i2"), x.view("i2"))
