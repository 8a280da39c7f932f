"""The library with products, at each CPU level, and the measure of its errors."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from pathlib import Path

import pytest
import torch

from . import native_library
from .operator_calls import Operators

FOLDERS = ("core", "threads", "products")
FLOATING = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
#: Errors are root mean squares against float64; ours may be this many times eager's.
RATIO = 1.25
#: Results that are enough for a mean.
MANY = 256
#: What is allowed besides: short sums may be exact by luck, and for 64 bits the truth is no better.
LUCK = {
    torch.float32: 2e-7,
    torch.complex64: 2e-7,
    torch.float64: 4e-15,
    torch.complex128: 4e-15,
    torch.bfloat16: 1e-4,
    torch.float16: 1e-5,
}


@functools.cache
def library() -> Path:
    ready = os.environ.get("AOTWIN_RUNTIME_LIBRARY")
    if ready:
        return Path(ready)
    path = Path(tempfile.mkdtemp(prefix="products-")) / "libaotwin_products.so"
    native_library.build(path, folders=FOLDERS)
    return path


@functools.cache
def at_level(level: int) -> Operators:
    """The library held to a CPU level: it looks once, so each level has a copy of its own."""
    path = Path(tempfile.mkdtemp(prefix="products-")) / f"level{level}.so"
    shutil.copy(library(), path)
    before = os.environ.get("AOTWIN_MAX_CPU_LEVEL")
    os.environ["AOTWIN_MAX_CPU_LEVEL"] = str(level)
    try:
        products = Operators(path)
        one = torch.ones(2, 2)
        products.invoke("aoti_torch_cpu_mm_out", torch.empty(2, 2), one, one)
    finally:
        if before is None:
            del os.environ["AOTWIN_MAX_CPU_LEVEL"]
        else:
            os.environ["AOTWIN_MAX_CPU_LEVEL"] = before
    return products


@pytest.fixture(params=[3, 4], ids=["avx2", "avx512"])
def products(request: pytest.FixtureRequest) -> Operators:
    pytest.importorskip("ziglang")
    return at_level(request.param)


def laid_out(tensor: torch.Tensor, layout: str) -> torch.Tensor:
    """The same elements: contiguous, with the last two dimensions swapped in memory, with gaps."""
    if layout == "rows":
        return tensor.contiguous()
    if layout == "columns":
        return tensor.transpose(-1, -2).contiguous().transpose(-1, -2)
    return torch.stack([tensor, torch.zeros_like(tensor)], -1)[..., 0]


def exact(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64)


def assert_as_accurate(ours: torch.Tensor, eager: torch.Tensor, truth: torch.Tensor) -> None:
    """Shape, dtype and strides of eager's, and an error that is not larger."""
    assert (ours.shape, ours.dtype, ours.stride()) == (eager.shape, eager.dtype, eager.stride())
    if not eager.numel():
        return
    if not (eager.is_floating_point() or eager.is_complex()):
        assert torch.equal(ours, eager)
        return
    error = (exact(ours) - truth).abs().square().mean().sqrt().item()
    allowed = (exact(eager) - truth).abs().square().mean().sqrt().item()
    size = truth.abs().square().mean().sqrt().item()
    # The error of a few numbers is luck more than anything.
    ratio = RATIO if eager.numel() >= MANY else 8
    told = f"{error / size:.2e} for eager's {allowed / size:.2e}" if size else ""
    assert error <= ratio * allowed + LUCK[eager.dtype] * size, told


def in_blocks(weight: torch.Tensor) -> torch.Tensor:
    """As the build lays weights out, of layers and convolutions, that have more than 32 results."""
    by_terms = weight.permute(*range(2, weight.dim()), 1, 0)
    blocks = by_terms.reshape(-1, weight.shape[0] // 32, 32).transpose(0, 1).contiguous()
    *outer, inner, step = torch.empty(*by_terms.shape[:-1], 32).stride()
    return blocks.view(-1).as_strided(weight.shape, (step, inner, *outer))
