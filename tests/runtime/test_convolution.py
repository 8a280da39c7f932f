"""Convolutions of every kind against eager torch: values, and the memory format of the result."""

from __future__ import annotations

import ctypes
import itertools
import random
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch.nn import functional

from .handles import Handle, RuntimeCallError
from .operator_calls import Operators, Optional
from .product_calls import assert_as_accurate, at_level, exact, in_blocks, products

__all__ = ["products"]

pytestmark = [pytest.mark.zig, pytest.mark.torch]

CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}


@dataclass(frozen=True)
class Convolution:
    """What a convolution is called with besides its tensors."""

    stride: list[int]
    padding: list[int]
    dilation: list[int]
    transposed: bool = False
    output_padding: tuple[int, ...] = ()
    groups: int = 1

    def eager(self, x: Any, weight: Any, bias: Any) -> torch.Tensor:
        return torch.ops.aten.convolution(
            x,
            weight,
            bias,
            self.stride,
            self.padding,
            self.dilation,
            self.transposed,
            list(self.output_padding) or [0] * len(self.stride),
            self.groups,
        )

    def ours(self, library: Operators, x: Any, weight: Any, bias: Any) -> torch.Tensor:
        return library.answer(
            "aoti_torch_cpu_convolution",
            x,
            weight,
            Optional(bias),
            self.stride,
            self.padding,
            self.dilation,
            self.transposed,
            list(self.output_padding) or [0] * len(self.stride),
            self.groups,
        )


def one_for_all(places: int, stride: int = 1, padding: int = 0, **more: Any) -> Convolution:
    return Convolution([stride] * places, [padding] * places, [1] * places, **more)


def check(library: Operators, how: Convolution, x: Any, weight: Any, bias: Any) -> None:
    truth = how.eager(exact(x), exact(weight), None if bias is None else exact(bias))
    assert_as_accurate(how.ours(library, x, weight, bias), how.eager(x, weight, bias), truth)


def drawn(
    number: int,
) -> tuple[Convolution, torch.Tensor, torch.Tensor, torch.Tensor | None] | None:
    """A convolution by chance: any number of places, groups, format and dtype."""
    draw = random.Random(number)
    torch.manual_seed(number)
    places = draw.choice([1, 2, 2, 2, 3])
    dtype = draw.choice([torch.float32] * 4 + [torch.float64, torch.bfloat16, torch.float16])
    groups, channels = draw.choice([(1, 1), (1, 2), (1, 16), (1, 40), (2, 3), (3, 5), (2, 16)])
    outs = draw.choice([1, 2, 4, 17])
    if draw.random() < 0.25:  # depthwise
        groups, channels, outs = draw.choice([4, 16, 19, 40]), 1, draw.choice([1, 1, 2])
    transposed = draw.random() < 0.25

    def numbers(*choices: int) -> list[int]:
        return [draw.choice(choices) for _ in range(places)]

    kernel, stride, padding = numbers(1, 1, 2, 3, 5), numbers(1, 1, 2, 3), numbers(0, 1, 2)
    dilation, sizes = numbers(1, 1, 2), numbers(1, 5, 8, 17, 33)
    more = [draw.randrange(max(*pair)) for pair in zip(stride, dilation, strict=True)]
    for i in range(places):
        reach = dilation[i] * (kernel[i] - 1) + 1
        if not transposed and sizes[i] + 2 * padding[i] < reach:
            return None
        whole = (sizes[i] - 1) * stride[i] - 2 * padding[i] + reach + more[i]
        if transposed and whole < 1:
            return None
    x = torch.randn(draw.choice([1, 2, 3]), channels * groups, *sizes).to(dtype)
    lead = (channels * groups, outs) if transposed else (outs * groups, channels)
    weight = torch.randn(*lead, *kernel).to(dtype)
    bias = torch.randn(outs * groups).to(dtype) if draw.random() < 0.6 else None
    form = draw.choice(["first", "last", "gaps"])
    if form == "last" and places > 1:
        x = x.contiguous(memory_format=CHANNELS_LAST[places])
    elif form == "last":
        x = x.transpose(1, 2).contiguous().transpose(1, 2)
    elif form == "gaps":
        x = torch.stack([x, x], -1)[..., 0]
    if draw.random() < 0.33 and places > 1:
        weight = weight.contiguous(memory_format=CHANNELS_LAST[places])
    if places == 3 and dtype == torch.float16:
        x, weight = x.contiguous(), weight.contiguous()  # eager's format depends on its CPU there
    how = Convolution(
        stride, padding, dilation, transposed, tuple(more) if transposed else (), groups
    )
    return how, x, weight, bias


@pytest.mark.parametrize("start", range(0, 400, 40))
def test_convolutions_by_chance(products: Operators, start: int) -> None:
    for case in filter(None, map(drawn, range(start, start + 40))):
        check(products, *case)


NETWORKS = {
    "first of ResNet": ((1, 3, 64, 64), (64, 3, 7, 7), one_for_all(2, 2, 3)),
    "ResNet": ((2, 64, 14, 14), (64, 64, 3, 3), one_for_all(2, 1, 1)),
    "ResNet, three by three": ((1, 64, 28, 28), (64, 64, 3, 3), one_for_all(2, 1, 1)),
    "three by three, odd": ((2, 48, 13, 15), (80, 48, 3, 3), one_for_all(2, 1, 1)),
    "three by three, bare": ((1, 32, 17, 14), (544, 32, 3, 3), one_for_all(2, 1, 0)),
    "three by three, border": (
        (1, 32, 12, 30),
        (32, 32, 3, 3),
        Convolution([1] * 2, [2, 0], [1] * 2),
    ),
    "ResNet, one place": ((1, 256, 14, 14), (512, 256, 1, 1), one_for_all(2, 2)),
    "groups of ResNeXt": ((1, 64, 14, 14), (128, 4, 3, 3), one_for_all(2, 1, 1, groups=16)),
    "groups of two": ((2, 16, 11, 9), (16, 2, 3, 3), one_for_all(2, 2, 1, groups=8)),
    "groups of four": ((1, 64, 14, 14), (64, 4, 3, 3), one_for_all(2, 1, 1, groups=16)),
    "groups of eight": ((1, 48, 13, 20), (48, 8, 5, 3), one_for_all(2, 1, 2, groups=6)),
    "groups of sixteen": ((2, 64, 9, 12), (64, 16, 3, 3), one_for_all(2, 1, 1, groups=4)),
    "depthwise of ConvNeXt": ((1, 96, 20, 20), (96, 1, 7, 7), one_for_all(2, 1, 3, groups=96)),
    "colours, long lines": ((2, 3, 9, 250), (40, 3, 5, 5), one_for_all(2, 2, 2)),
    "colours, bare": ((1, 4, 12, 30), (70, 4, 2, 3), one_for_all(2, 1, 0)),
    "patches": ((1, 3, 64, 64), (48, 3, 16, 16), one_for_all(2, 16)),
    "Whisper": ((1, 80, 300), (96, 80, 3), one_for_all(1, 2, 1)),
    "samples of sound": ((1, 1, 4000), (64, 1, 10), one_for_all(1, 5)),
    "positions of Wav2Vec2": ((1, 64, 49), (64, 16, 128), one_for_all(1, 1, 64, groups=4)),
    "up": ((1, 64, 14, 14), (64, 32, 2, 2), one_for_all(2, 2, transposed=True)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
@pytest.mark.parametrize("name", NETWORKS)
def test_convolutions_of_networks(
    products: Operators, name: str, last: bool, dtype: torch.dtype
) -> None:
    size, kernel, how = NETWORKS[name]
    torch.manual_seed(0)
    x, weight = torch.randn(size).to(dtype), torch.randn(kernel).to(dtype)
    if last and x.dim() == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    bias = torch.randn(weight.shape[1 if how.transposed else 0]).to(dtype)
    check(products, how, x, weight, bias)


def test_formats_where_sizes_are_one() -> None:
    sizes = itertools.product((1, 2), (1, 3), (1, 4), (1, 5))
    for size in sizes:
        for form in (torch.contiguous_format, torch.channels_last):
            x = torch.randn(size).contiguous(memory_format=form)
            for weight_form in (torch.contiguous_format, torch.channels_last):
                weight = torch.randn(2, size[1], 1, 1).contiguous(memory_format=weight_form)
                check(at_level(4), one_for_all(2), x, weight, None)


def constant(library: Operators, weight: torch.Tensor) -> Handle:
    handle = library.over(weight)
    library.call("aotwin_mark_constant", handle)
    return handle


def test_what_is_kept_of_a_weight_is_kept_only_of_constants() -> None:
    library = at_level(4)
    how = one_for_all(2, 1, 1)
    x = torch.randn(1, 8, 6, 6).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(4, 8, 3, 3)
    first = how.ours(library, x, weight, None)
    weight.neg_()
    assert torch.allclose(how.ours(library, x, weight, None), -first)
    # A constant's copy in another order lives as long as it does, and not longer.
    for sign in (1, -1):
        weight.mul_(sign)
        handle = constant(library, weight)
        results = [Handle(library, _convolved(library, x, handle)).torch() for _ in range(2)]
        assert all(torch.allclose(r, how.eager(x, weight, None), atol=1e-5) for r in results)
        del handle


def _convolved(library: Operators, x: torch.Tensor, weight: Handle) -> int:
    given = library.over(x)
    slot = ctypes.c_void_p()
    two = ctypes.c_int64 * 2
    ones, none, count = two(1, 1), two(0, 0), ctypes.c_int64(2)
    arguments = (given, weight, None, ones, count, ones, count, ones, count, 0, none, count)
    library.call("aoti_torch_cpu_convolution", *arguments, ctypes.c_int64(1), ctypes.byref(slot))
    return slot.value or 0


ACTIVATIONS = {
    "relu": torch.relu,
    "swish": functional.silu,
    "gelu": functional.gelu,
    "hardtanh": functional.hardtanh,
}


@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
@pytest.mark.parametrize(
    ("channels", "size", "groups"),
    [(8, 9, 1), (8, 9, 2), (8, 9, 8), (32, 9, 8), (32, 13, 1)],
    ids=["one group", "two groups", "depthwise", "small groups", "Winograd"],
)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_follows_a_convolution(
    products: Operators, name: str, channels: int, size: int, groups: int, last: bool
) -> None:
    torch.manual_seed(1)
    form = torch.channels_last if last else torch.contiguous_format
    x = torch.randn(3, channels, size, size).contiguous(memory_format=form)
    weight, bias = torch.randn(channels, channels // groups, 3, 3), torch.randn(channels)
    other = torch.randn(3, channels, size, size).contiguous(memory_format=form)
    lists = ([1, 1], [1, 1], [1, 1])
    sums = functional.conv2d(exact(x), exact(weight), exact(bias), padding=1, groups=groups)
    eager = functional.conv2d(x, weight, bias, padding=1, groups=groups)
    activation = ACTIVATIONS[name]
    ours = products.answer(
        "aoti_torch_cpu_mkldnn__convolution_pointwise",
        *(x, weight, Optional(bias), *lists, groups, name, None, 0, None),
    )
    assert_as_accurate(ours, activation(eager), activation(sums))
    unary = (ctypes.byref(ctypes.c_char_p(name.encode())), None, 0, None)
    ours = products.answer(
        "aoti_torch_cpu_mkldnn__convolution_pointwise_binary",
        *(x, other, weight, Optional(bias), *lists, groups, "add", None),
        *unary,
    )
    truth = activation(sums + exact(other))
    assert_as_accurate(ours, activation(eager + other), truth)
    written = other.clone()
    products.answer(
        "aoti_torch_cpu_mkldnn__convolution_pointwise_binary_",
        *(written, x, weight, Optional(bias), *lists, groups, "add", None),
        *unary,
    )
    assert_as_accurate(written, activation(eager + other), truth)


def by_terms(weight: torch.Tensor) -> torch.Tensor:
    """As the build lays weights out: kernel, channels, results."""
    return weight.permute(2, 3, 1, 0).contiguous().permute(3, 2, 0, 1)


#: input, results, kernel, stride, padding
BLOCKED: dict[str, tuple[tuple[int, ...], int, tuple[int, int], int, int]] = {
    "few places": ((1, 40, 7, 7), 96, (3, 3), 1, 1),
    "six places": ((3, 24, 1, 2), 64, (1, 1), 1, 0),
    "many terms": ((2, 512, 7, 7), 64, (1, 1), 1, 0),
    "many places": ((1, 64, 30, 30), 352, (1, 1), 1, 0),
    "many places and terms": ((1, 440, 20, 20), 64, (1, 1), 1, 0),
    "step": ((1, 48, 15, 15), 128, (3, 3), 2, 1),
    "step of one place": ((2, 48, 15, 15), 128, (1, 1), 2, 0),
    "winograd": ((1, 64, 14, 14), 96, (3, 3), 1, 1),
    "winograd, few places": ((1, 208, 7, 7), 96, (3, 3), 1, 1),
    "winograd, many terms": ((1, 208, 13, 12), 64, (3, 3), 1, 1),
    "colours": ((1, 3, 20, 20), 96, (7, 7), 2, 3),
    "one row": ((1, 24, 1, 40), 64, (1, 3), 1, 0),
}


@pytest.mark.parametrize("name", BLOCKED)
def test_a_weight_in_blocks_is_taken_as_it_lies(products: Operators, name: str) -> None:
    size, results, kernel, stride, padding = BLOCKED[name]
    torch.manual_seed(6)
    x = torch.randn(size).contiguous(memory_format=torch.channels_last)
    weight, bias = torch.randn(results, size[1], *kernel), torch.randn(results)
    how = Convolution([stride] * 2, [padding] * 2, [1, 1])
    truth = how.eager(exact(x), exact(weight), exact(bias))
    other = torch.randn(truth.shape).contiguous(memory_format=torch.channels_last)
    lists = (how.padding, how.stride, how.dilation)
    ours = products.answer(
        "aoti_torch_cpu_mkldnn__convolution_pointwise_binary",
        *(x, other, in_blocks(weight), Optional(bias), *lists, 1, "add", None),
        *(ctypes.byref(ctypes.c_char_p(b"relu")), None, 0, None),
    )
    eager = how.eager(x, weight, bias)
    assert_as_accurate(ours, torch.relu(eager + other), torch.relu(truth + exact(other)))


@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
@pytest.mark.parametrize(
    "name",
    [
        name
        for name, (size, _, how) in NETWORKS.items()
        if len(size) == 4 and how.groups == 1 and not how.transposed
    ],
)
def test_a_weight_by_terms_is_taken_as_it_lies(products: Operators, name: str, last: bool) -> None:
    size, kernel, how = NETWORKS[name]
    torch.manual_seed(4)
    x = torch.randn(size)
    if last:
        x = x.contiguous(memory_format=torch.channels_last)
    weight, bias = by_terms(torch.randn(kernel)), torch.randn(kernel[0])
    lists = (how.padding, how.stride, how.dilation)
    ours = products.answer(
        "aoti_torch_cpu_mkldnn__convolution_pointwise",
        *(x, weight, Optional(bias), *lists, 1, "none", None, 0, None),
    )
    eager = how.eager(x.contiguous(memory_format=torch.channels_last), weight, bias)
    assert_as_accurate(ours, eager, how.eager(exact(x), exact(weight), exact(bias)))


@pytest.mark.parametrize("size", [(1, 40, 7, 7), (2, 8, 3, 5)], ids=["few places", "fewer"])
@pytest.mark.parametrize("kernel", [1, 3])
def test_few_places_by_many_weights(
    products: Operators, size: tuple[int, ...], kernel: int
) -> None:
    torch.manual_seed(5)
    x = torch.randn(size).contiguous(memory_format=torch.channels_last)
    weight = by_terms(torch.randn(70, size[1], kernel, kernel))
    how = one_for_all(2, 1, kernel // 2)
    ours = products.answer(
        "aoti_torch_cpu_mkldnn__convolution_pointwise",
        *(x, weight, Optional(None), how.padding, how.stride, how.dilation, 1, "none"),
        *(None, 0, None),
    )
    truth = how.eager(exact(x), exact(weight), None)
    assert_as_accurate(ours, how.eager(x, weight, None), truth)


def test_results_are_the_same_with_any_number_of_threads() -> None:
    library = at_level(4)
    how = one_for_all(2, 1, 1)
    x = torch.randn(2, 96, 17, 30).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(128, 96, 3, 3)
    found = []
    try:
        for threads in (1, 2, 3, 16):
            library.library.aotwin_set_num_threads(threads)
            found.append(how.ours(library, x, weight, None))
    finally:
        library.library.aotwin_set_num_threads(0)
    assert all(torch.equal(each, found[0]) for each in found)


def test_a_sum_in_place_with_the_input_itself() -> None:
    """Results may not be written where other results still read."""
    torch.manual_seed(2)
    form = torch.channels_last
    x = torch.randn(1, 32, 16, 16).contiguous(memory_format=form)
    weight = torch.randn(32, 32, 3, 3)
    truth = exact(x) + functional.conv2d(exact(x), exact(weight), padding=1)
    eager = x + functional.conv2d(x, weight, padding=1)
    at_level(4).answer(
        "aoti_torch_cpu_mkldnn__convolution_pointwise_binary_",
        *(x, x, weight, Optional(None), [1, 1], [1, 1], [1, 1], 1, "add", None),
        *(None, None, 0, None),
    )
    assert_as_accurate(x, eager, truth)


@pytest.mark.parametrize(
    ("x", "weight", "how", "message"),
    [
        ((1, 3, 8, 8), (4, 2, 3, 3), one_for_all(2), "do not fit an input of shape"),
        ((1, 3, 2, 2), (4, 3, 3, 3), one_for_all(2), "larger than the padded input"),
        ((3, 8), (4, 3), one_for_all(2), "three to five dimensions"),
        ((1, 3, 8, 8), (4, 3, 3, 3), Convolution([0, 1], [0, 0], [1, 1]), "stride"),
    ],
    ids=["channels", "kernel", "dimensions", "stride"],
)
def test_what_does_not_fit_is_told(x: Any, weight: Any, how: Convolution, message: str) -> None:
    with pytest.raises(RuntimeCallError, match=message):
        how.ours(at_level(4), torch.ones(x), torch.ones(weight), None)
