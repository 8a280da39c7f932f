"""A model over aotwin's own run time takes tensors of torch's where the program has torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from fake_model import NUMBER, tensor

from aotwin.payload.arrays import DTYPES

if TYPE_CHECKING:
    from fake_model import Maker

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
