"""bfloat16 and its like: arrays of ml_dtypes where that is installed, else advice."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import pytest
from fake_model import tensor

from aotwin.payload.arrays import DTYPES, numpy_type

if TYPE_CHECKING:
    from fake_model import Maker

X = np.arange(6, dtype=np.float32).reshape(2, 3)
NAMES = [name for name, dtype in DTYPES.items() if not dtype.is_native and name != "complex32"]


@pytest.mark.parametrize("name", NAMES)
def test_arrays_of_ml_dtypes_are_taken_and_given(make: Maker, name: str) -> None:
    model = make.load("copy 0", "transposed 0", inputs=[tensor("x", name)])
    x = X.astype(getattr(ml_dtypes, name))
    y, z = model(x)
    assert make.fake(model).input(0).data == x.ctypes.data
    assert (y.dtype, z.dtype) == (x.dtype, x.dtype)
    np.testing.assert_array_equal(y.astype("f4"), X)
    np.testing.assert_array_equal(z.astype("f4"), X.T)
    with pytest.raises(TypeError, match=rf"demo\.fake: x must be {name}, got float32$"):
        model(X)


@pytest.fixture
def without_ml_dtypes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    numpy_type.cache_clear()
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    yield
    numpy_type.cache_clear()


@pytest.mark.usefixtures("without_ml_dtypes")
def test_an_array_for_a_type_that_numpy_lacks_gets_advice(make: Maker) -> None:
    model = make.load("copy 0", inputs=[tensor("x", "bfloat16")])
    with pytest.raises(
        TypeError,
        match=r"x must be bfloat16, got float32. numpy has no bfloat16: pass torch tensors, or "
        r"install ml_dtypes: pip install ml_dtypes$",
    ):
        model(X)


@pytest.mark.usefixtures("without_ml_dtypes")
def test_a_result_that_numpy_lacks_is_refused_before_the_model_runs(make: Maker) -> None:
    model = make.load("bare 14", "fail 12", outputs=[tensor("y", "complex32"), tensor("z")])
    with pytest.raises(
        TypeError,
        match=r"demo.fake: the result y is complex32. numpy has no complex32: pass torch tensors.$",
    ):
        model(X)


@pytest.mark.usefixtures("without_ml_dtypes")
def test_a_result_that_turns_out_to_be_what_numpy_lacks_is_refused(make: Maker) -> None:
    model = make.load("bare 4")
    with pytest.raises(TypeError, match=r"the result y0 is bfloat16. numpy has no bfloat16"):
        model(X)
