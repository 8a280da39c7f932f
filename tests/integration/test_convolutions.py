"""What becomes of a program's convolutions before it is lowered: same results, other operators."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import aotwin  # noqa: E402
from aotwin.errors import ConfigurationError  # noqa: E402
from aotwin.stages.generate.aotinductor import generate  # noqa: E402
from aotwin.stages.generate.convolutions import arrange_convolutions  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

FUSIBLE = torch.ops.mkldnn._convolution_pointwise.default
NORMALIZE = torch.ops.aten.batch_norm.default


def normalization(channels: int, **how: Any) -> nn.BatchNorm2d:
    """Batch normalisation that has seen something."""
    torch.manual_seed(7)
    found = nn.BatchNorm2d(channels, **how)
    for name, tensor in (*found.named_parameters(), *found.named_buffers()):
        if tensor.is_floating_point():
            tensor.data = torch.rand(channels) + (0.5 if name != "bias" else 0)
    return found


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 12, 3, padding=1, bias=False)
        self.norm1 = normalization(12)
        self.second = nn.Conv2d(12, 12, 3, padding="same")
        self.norm2 = normalization(12, affine=False)
        self.short = nn.Conv2d(4, 12, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.norm1(self.first(x)))
        return torch.relu(self.norm2(self.second(y)) + self.short(x))


class Shared(nn.Module):
    """One weight, read twice, normalised once."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = normalization(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x) + self.norm(self.conv(x))


def weight_normalized() -> nn.Module:
    """As audio networks have them."""
    return nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 6, 5, padding=2), dim=2)


class Dropped(nn.Module):
    """A weight that is another one at each call."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 4, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = torch.bernoulli(torch.zeros_like(self.weight)) + self.weight
        return torch.conv2d(x, weight)


class Written(nn.Module):
    """A weight that the program writes."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.randn(4, 4, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.conv2d(x, self.weight)
        self.weight.mul_(0.5)
        return y


IMAGE, SOUND = (2, 4, 9, 7), (2, 4, 20)
#: module, size of its input, how many fusible convolutions and normalisations it has then
CASES = {
    "residual": (Residual, IMAGE, 3, 0),
    "grouped, spread out": (
        lambda: nn.Conv2d(4, 6, 3, stride=(2, 1), padding=(0, 2), dilation=2, groups=2),
        IMAGE,
        1,
        0,
    ),
    "depthwise": (lambda: nn.Conv2d(4, 4, 5, padding="valid", groups=4), IMAGE, 1, 0),
    "sound": (lambda: nn.Sequential(nn.Conv1d(4, 6, 3, 2, 1), nn.GELU()), SOUND, 1, 0),
    "sound, one after the other": (
        lambda: nn.Sequential(nn.Conv1d(4, 6, 1), nn.Conv1d(6, 8, 3, dilation=2)),
        SOUND,
        2,
        0,
    ),
    "normalised twice": (
        lambda: nn.Sequential(nn.Conv2d(4, 4, 1), normalization(4), normalization(4)),
        IMAGE,
        1,
        1,
    ),
    "shared": (Shared, IMAGE, 0, 1),
    "weight norm": (weight_normalized, SOUND, 1, 0),
    "drawn at each call": (Dropped, IMAGE, 0, 0),
    "written": (Written, IMAGE, 0, 0),
    "one channel": (lambda: nn.Conv2d(1, 4, 3), (2, 1, 9, 7), 0, 0),
    "transposed": (lambda: nn.ConvTranspose2d(4, 4, 2, 2), IMAGE, 0, 0),
    "without a batch": (lambda: nn.Conv2d(4, 4, 3), IMAGE[1:], 0, 0),
    "uneven padding": (lambda: nn.Conv2d(4, 4, 2, padding="same"), IMAGE, 0, 0),
}


def exported(name: str, dtype: torch.dtype = torch.float32) -> tuple[Any, Any, Any]:
    torch.manual_seed(3)
    make, size, *_ = CASES[name]
    module, x = make().eval().to(dtype), torch.randn(size, dtype=dtype)
    return torch.export.export(module, (x,)), module, x


def count(graph: Any, target: Any) -> int:
    return sum(node.target == target for node in graph.nodes)


@pytest.mark.parametrize("name", CASES)
def test_results_stay_and_operators_change(name: str) -> None:
    program, module, x = exported(name)
    arranged: Any = program.module(check_guards=False)
    arrange_convolutions(arranged)
    with torch.no_grad():
        expected = copy.deepcopy(module)(x)
        torch.testing.assert_close(arranged(x), expected)
    _, _, fusible, normalizations = CASES[name]
    assert count(arranged.graph, FUSIBLE) == fusible
    assert count(arranged.graph, NORMALIZE) == normalizations


def test_the_program_itself_is_left_alone() -> None:
    program, module, x = exported("residual")
    before = {name: tensor.clone() for name, tensor in program.state_dict.items()}
    arranged: Any = program.module(check_guards=False)
    arrange_convolutions(arranged)
    for name, tensor in program.state_dict.items():
        assert torch.equal(tensor, before[name])
        assert tensor.stride() == before[name].stride()
    with torch.no_grad():
        torch.testing.assert_close(program.module()(x), module(x))


def test_double_precision_keeps_its_operator() -> None:
    program, module, x = exported("residual", torch.float64)
    arranged: Any = program.module(check_guards=False)
    arrange_convolutions(arranged)
    assert count(arranged.graph, FUSIBLE) == 0
    assert count(arranged.graph, NORMALIZE) == 0
    with torch.no_grad():
        torch.testing.assert_close(arranged(x), module(x), rtol=1e-12, atol=1e-12)


def test_what_follows_is_fused_and_no_weight_is_copied() -> None:
    program, _, _ = exported("residual")
    wrapper, _ = generate(program, name="m", simdlen=256, inductor={})
    called = wrapper.source.count("aoti_torch_cpu_mkldnn__convolution_pointwise(")
    assert called + wrapper.source.count("convolution_pointwise_binary") == 3
    assert '"relu"' in wrapper.source and '"add"' in wrapper.source
    names = [constant.fqn for constant in wrapper.constants]
    assert sorted(names) == [
        "first.weight_normalized",
        "norm1.bias_normalized",
        "second.bias_normalized",
        "second.weight_normalized",
        "short.bias",
        "short.weight",
    ]
    by_name = {constant.fqn: constant for constant in wrapper.constants}
    assert by_name["first.weight_normalized"].stride == (36, 1, 12, 4)


def test_our_own_run_time_gets_weights_by_terms_where_they_are_one_group() -> None:
    program, module, x = exported("residual")
    arranged: Any = program.module(check_guards=False)
    arrange_convolutions(arranged, ["float32"])
    with torch.no_grad():
        torch.testing.assert_close(arranged(x), copy.deepcopy(module)(x))
    wrapper, _ = generate(program, name="m", simdlen=256, inductor={}, fused=["float32"])
    by_name = {constant.fqn: constant for constant in wrapper.constants}
    assert by_name["first.weight_normalized"].stride == (1, 12, 144, 48)
    assert by_name["short.weight"].stride[:2] == (1, 12)
    program, _, _ = exported("grouped, spread out")
    wrapper, _ = generate(program, name="m", simdlen=256, inductor={}, fused=["float32"])
    by_name = {constant.fqn: constant for constant in wrapper.constants}
    assert by_name["weight"].stride == (18, 1, 6, 2)


@pytest.mark.parametrize("results", [32, 48, 96])
def test_several_blocks_of_results_lie_one_after_the_other(results: int) -> None:
    torch.manual_seed(3)
    module = nn.Conv2d(4, results, (3, 2)).eval()
    program = torch.export.export(module, (torch.randn(1, 4, 9, 7),))
    wrapper, weights = generate(program, name="m", simdlen=512, inductor={}, fused=["float32"])
    constant = next(one for one in wrapper.constants if one.fqn == "weight")
    written = bytes(b"".join(map(bytes, weights.chunks())))
    found = torch.frombuffer(bytearray(written[constant.offset :]), dtype=torch.float32)
    by_terms = module.weight.detach().permute(2, 3, 1, 0).reshape(24, results)
    if results != 96:
        assert constant.stride == (1, results, 8 * results, 4 * results)
        assert torch.equal(found[: by_terms.numel()].view(24, results), by_terms)
    else:
        assert constant.stride == (1, 32, 256, 128)
        for block in range(3):
            lying = found[block * 24 * 32 :][: 24 * 32].view(24, 32)
            assert torch.equal(lying, by_terms[:, block * 32 :][:, :32])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_an_activation_behind_a_convolution_of_sound_is_fused_too(dtype: str) -> None:
    program, _, _ = exported("sound", getattr(torch, dtype))
    wrapper, _ = generate(program, name="m", simdlen=256, inductor={}, fused=["float32", dtype])
    assert '"gelu"' in wrapper.source
    assert "erf(" not in wrapper.source


def test_halves_that_torch_may_compute_keep_their_operator() -> None:
    program, _, _ = exported("sound", torch.bfloat16)
    wrapper, _ = generate(program, name="m", simdlen=256, inductor={}, fused=["float32"])
    assert "convolution_pointwise(" not in wrapper.source


class Determinants(nn.Module):
    """A convolution before an operator that our own run time lacks."""

    def __init__(self, *, lacking: bool, results: int = 6) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, results, 3, padding=1)
        self.lacking = lacking

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return torch.linalg.det(y) if self.lacking else y.sum((-2, -1))


@pytest.mark.zig
@pytest.mark.parametrize("lacking", [False, True])
def test_a_model_that_ends_over_torch_keeps_channels_last(lacking: bool, tmp_path: Path) -> None:
    """Torch would copy weights that lie by terms at each call."""
    module = Determinants(lacking=lacking).eval()
    program = torch.export.export(module, (torch.randn(1, 4, 8, 8),))
    model = aotwin.build_model(program, tmp_path, name="demo.net", runtime="auto").directory
    manifest = json.loads((model / "aotwin.json").read_text("utf-8"))
    assert (manifest.get("libs") is None) == lacking
    stride = {one["fqn"]: one["stride"] for one in manifest["constants"]}["conv.weight"]
    assert stride == ([36, 1, 12, 4] if lacking else [1, 6, 72, 24])


@pytest.mark.zig
def test_weights_in_blocks_never_reach_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should nobody notice before the link that the model ends over torch."""
    monkeypatch.setattr("aotwin.generation.suits_own_alone", lambda *_: False)
    module = Determinants(lacking=True, results=64).eval()
    program = torch.export.export(module, (torch.randn(1, 4, 8, 8),))
    with pytest.raises(ConfigurationError, match=r"conv\.weight of demo\.net lies as only"):
        aotwin.build_model(program, tmp_path / "models", name="demo.net", runtime="auto")
    assert not (tmp_path / "models").exists()


def test_a_channels_last_weight_is_used_as_it_is_in_the_blob() -> None:
    program, module, _ = exported("depthwise")
    wrapper, weights = generate(program, name="m", simdlen=256, inductor={})
    index = next(i for i, one in enumerate(wrapper.constants) if one.fqn == "weight")
    written = bytes(b"".join(map(bytes, weights.chunks())))
    constant = wrapper.constants[index]
    found = torch.frombuffer(bytearray(written[constant.offset :]), dtype=torch.float32)
    assert torch.equal(
        found[:100].view(4, 5, 5, 1), module.weight.detach().permute(0, 2, 3, 1).contiguous()
    )
