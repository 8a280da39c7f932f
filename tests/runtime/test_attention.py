"""Attention against eager torch: masks, causal, grouped heads, any size, and its log-sum-exp."""

from __future__ import annotations

import random

import pytest
import torch

from .handles import RuntimeCallError
from .operator_calls import Operators, Optional
from .product_calls import FLOATING, assert_as_accurate, at_level, exact, products

__all__ = ["products"]

pytestmark = [pytest.mark.zig, pytest.mark.torch]

NAME = "aoti_torch_cpu__scaled_dot_product_flash_attention_for_cpu"
eager = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu


def attend(
    library: Operators,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    causal: bool = False,
    mask: torch.Tensor | None = None,
    scale: float | None = None,
) -> list[torch.Tensor]:
    tensors = (query, key, value)
    return library.answers(NAME, 2, *tensors, 0.0, causal, Optional(mask), Optional(scale))


def true_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    causal: bool,
    mask: torch.Tensor | None,
    scale: float | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """In float64; rows that see nothing are 0."""
    shared = query.shape[1] // key.shape[1]
    key, value = (exact(x).repeat_interleave(shared, 1) for x in (key, value))
    factor = query.shape[-1] ** -0.5 if scale is None else scale
    scores = exact(query) @ key.transpose(2, 3) * factor
    if mask is not None:
        scores = scores + numbers(mask, torch.float64)
    if causal:
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        scores = scores.masked_fill(~seen, -torch.inf)
    sums = torch.logsumexp(scores, -1)
    return torch.softmax(scores, -1).nan_to_num(0) @ value, sums.masked_fill(sums.isinf(), 0)


def numbers(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    if mask.dtype != torch.bool:
        return mask.to(dtype)
    return torch.zeros(mask.shape, dtype=dtype).masked_fill(~mask, -torch.inf)


def laid_out(tensor: torch.Tensor, layout: str) -> torch.Tensor:
    if layout == "heads inside":
        return tensor.transpose(1, 2).contiguous().transpose(1, 2)
    if layout == "gaps":
        return torch.cat([tensor, tensor], -1)[..., : tensor.shape[-1]]
    if layout == "columns":
        return tensor.transpose(2, 3).contiguous().transpose(2, 3)
    return tensor


@pytest.mark.parametrize("start", range(0, 300, 30))
def test_attention_by_chance(products: Operators, start: int) -> None:
    for number in range(start, start + 30):
        draw = random.Random(number)
        torch.manual_seed(number)
        dtype = draw.choice([torch.float32] * 3 + FLOATING[1:])
        batch, heads = draw.choice([1, 2]), draw.choice([1, 3, 4])
        queries = draw.choice([1, 2, 4, 5, 17, 33, 64, 130, 200])
        keys = queries if draw.random() < 0.4 else draw.choice([1, 3, 16, 31, 128, 129, 300])
        size = draw.choice([1, 3, 8, 16, 20, 64, 65, 80, 128])
        key_heads = 2 if heads == 4 and draw.random() < 0.4 else heads
        layouts = ("plain", "plain", "heads inside", "gaps")
        query = laid_out(torch.randn(batch, heads, queries, size).to(dtype), draw.choice(layouts))
        key, value = (
            laid_out(
                torch.randn(batch, key_heads, keys, size).to(dtype),
                draw.choice([*layouts, "columns"]),
            )
            for _ in range(2)
        )
        mask = {
            "none": None,
            "padding": torch.zeros(batch, 1, 1, keys).masked_fill(
                torch.arange(keys) > keys // 2, -1e4
            ),
            "all": torch.randn(batch, 1, queries, keys),
            "one for all": torch.randn(queries, keys).masked_fill(
                torch.rand(queries, keys) < 0.1, -torch.inf
            ),
            "heads": torch.randn(1, heads, queries, keys),
            "seen": torch.rand(batch, 1, queries, keys) > 0.3,
        }[draw.choice(["none", "none", "padding", "all", "one for all", "heads", "seen"])]
        if mask is not None and mask.dtype != torch.bool:
            mask = mask.to(dtype)
        causal, scale = draw.random() < 0.3, draw.choice([None, 0.3])
        out, sums = attend(products, query, key, value, causal, mask, scale)
        true_out, true_sums = true_attention(query, key, value, causal, mask, scale)
        shared = heads // key_heads
        wide = (x.repeat_interleave(shared, 1) for x in (key, value))
        added = None if mask is None else numbers(mask, dtype)
        eager_out, eager_sums = eager(query, *wide, is_causal=causal, attn_mask=added, scale=scale)
        assert_as_accurate(out, eager_out, true_out)
        assert_as_accurate(sums, eager_sums, true_sums)


@pytest.mark.parametrize("queries", [1, 40])
def test_many_keys(products: Operators, queries: int) -> None:
    query, key, value = (torch.randn(1, 2, size, 64) for size in (queries, 3000, 3000))
    out, sums = attend(products, query, key, value)
    true_out, true_sums = true_attention(query, key, value, False, None, None)
    eager_out, eager_sums = eager(query, key, value)
    assert_as_accurate(out, eager_out, true_out)
    assert_as_accurate(sums, eager_sums, true_sums)


@pytest.mark.parametrize("queries", [1, 3, 150])
def test_rows_that_see_nothing_are_zero(products: Operators, queries: int) -> None:
    query, key, value = torch.randn(3, 1, 2, max(queries, 40), 16)
    query = query[:, :, :queries]
    mask = torch.zeros(queries, key.shape[2])
    mask[0] = -torch.inf
    out, sums = attend(products, query, key, value, mask=mask)
    assert (out[:, :, 0] == 0).all()
    assert (sums[:, :, 0] == 0).all()
    assert out.isfinite().all()


def test_nothing_to_see_and_nobody_to_look() -> None:
    library = at_level(4)
    out, sums = attend(library, torch.randn(2, 3, 5, 8), *torch.randn(2, 2, 3, 0, 8))
    assert (out == 0).all()
    assert (sums == 0).all()
    out, _ = attend(library, torch.randn(2, 3, 0, 8), *torch.randn(2, 2, 3, 5, 8))
    assert out.shape == (2, 3, 0, 8)


def test_results_do_not_depend_on_the_number_of_threads(products: Operators) -> None:
    set_threads = products.library.aotwin_set_num_threads
    query, key, value = torch.randn(3, 1, 3, 300, 64)
    results = []
    for threads in (1, 2, 5):
        before = set_threads(threads)
        results.append(attend(products, query, key, value, causal=True)[0])
        set_threads(before)
    # The height of a task follows the threads, the order of sums does not.
    assert all(torch.equal(results[0], result) for result in results)


def test_what_does_not_fit_is_told() -> None:
    library = at_level(4)
    one = torch.ones(1, 2, 3, 8)
    with pytest.raises(RuntimeCallError, match=r"\[1, 2, 3, 8\], \[1, 2, 3, 9\]"):
        attend(library, one, torch.ones(1, 2, 3, 9), one)
    with pytest.raises(RuntimeCallError, match="neither two nor four"):
        attend(library, one, one, one, mask=torch.ones(1, 3, 3))
    with pytest.raises(RuntimeCallError, match="dropout"):
        library.answers(NAME, 2, one, one, one, 0.5, False, Optional(None), Optional(None))
