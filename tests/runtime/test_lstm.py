"""Layers of an LSTM: as accurate as eager torch's, whatever the number of threads."""

from __future__ import annotations

import pytest
import torch

from .operator_calls import Operators
from .product_calls import assert_as_accurate, products

__all__ = ["products"]

#: steps, batch, size of the input, hidden values, backwards
LAYERS = {
    "one value": (3, 1, 2, 1, False),
    "fewer values than a register has": (5, 3, 6, 5, True),
    "for several threads, unevenly": (9, 1, 20, 200, True),
    "several sequences": (6, 24, 33, 130, False),
    "too many to read weights for each": (4, 30, 8, 24, True),
    "long": (60, 1, 64, 256, False),
}


def layer_of(
    case: str, dtype: torch.dtype
) -> tuple[torch.Tensor, list[torch.Tensor], torch.Tensor]:
    """Input, weights and biases, and a state for hidden and cell."""
    torch.manual_seed(5)
    steps, batch, size, hidden, _ = LAYERS[case]
    weights = [torch.randn(4 * hidden, width) / width**0.5 for width in (size, hidden)]
    biases = [torch.randn(4 * hidden) for _ in range(2)]
    state = torch.randn(1, batch, hidden).to(dtype)
    return (
        torch.randn(steps, batch, size).to(dtype),
        [tensor.to(dtype) for tensor in (*weights, *biases)],
        state,
    )


def arguments(case: str, dtype: torch.dtype) -> tuple[object, ...]:
    _, _, _, hidden, reverse = LAYERS[case]
    x, weights, state = layer_of(case, dtype)
    return (x, *weights, state, state, reverse, [], 2, hidden, 1, True, False, False, False)


def eager(case: str, dtype: torch.dtype, made_in: torch.dtype) -> list[torch.Tensor]:
    """What torch's own layer of that dtype gives."""
    _, _, size, hidden, reverse = LAYERS[case]
    x, weights, state = layer_of(case, dtype)
    module = torch.nn.LSTM(size, hidden, dtype=made_in)
    for parameter, weight in zip(module.parameters(), weights, strict=True):
        parameter.data = weight.to(made_in)
    x, state = x.to(made_in), state.to(made_in)
    with torch.no_grad():
        output, last = module(x.flip(0) if reverse else x, (state, state))
    return [output.flip(0) if reverse else output, *last]


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("case", LAYERS)
def test_layer_is_as_accurate_as_eager(products: Operators, case: str, threads: int) -> None:
    given = arguments(case, torch.float32)
    before = products.library.aotwin_set_num_threads(threads)
    try:
        ours = products.answers("aoti_torch_cpu_mkldnn_rnn_layer", 4, *given)[:3]
    finally:
        products.library.aotwin_set_num_threads(before)
    truths = eager(case, torch.float32, torch.float64)
    for one, other, truth in zip(
        ours, eager(case, torch.float32, torch.float32), truths, strict=True
    ):
        assert_as_accurate(one, other.contiguous(), truth.to(torch.float64))


@pytest.mark.parametrize("case", ["for several threads, unevenly", "several sequences"])
def test_weights_of_halves_count_as_they_are(products: Operators, case: str) -> None:
    """Only inputs and results are rounded: the steps between are in float32."""
    given = arguments(case, torch.bfloat16)
    ours = products.answers("aoti_torch_cpu_mkldnn_rnn_layer", 4, *given)[:3]
    for one, truth in zip(ours, eager(case, torch.bfloat16, torch.float64), strict=True):
        torch.testing.assert_close(one.double(), truth, rtol=2**-8, atol=2**-8)
