"""Linear layers whose weights lie in the blob in blocks of 32 results."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.export import ExportedProgram  # noqa: E402

import aotwin  # noqa: E402
from aotwin.errors import ConfigurationError  # noqa: E402
from aotwin.stages.generate import aotinductor, layer_operators  # noqa: E402
from aotwin.stages.generate.aotinductor import generate  # noqa: E402
from aotwin.stages.generate.linear_layers import arrange_linear_layers  # noqa: E402
from aotwin.values import Constant, Wrapper  # noqa: E402
from aotwin.weights_layout import lies_in_blocks  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

OPERATOR = "aoti_torch_cpu__linear_pointwise("


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of its own: objects and DLLs are found again in the user's."""
    monkeypatch.setenv("AOTWIN_NO_CACHE", "1")


class Layers(nn.Module):
    """Of each kind one: with an activation and without, [in, out], a buffer, less than a block."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.plain = nn.Linear(33, 96)
        self.active = nn.Linear(96, 64, bias=False)
        self.other_way = nn.Parameter(torch.randn(64, 160) / 8)
        self.register_buffer("kept", torch.randn(64, 160) / 12)
        self.free = torch.randn(64, 64) / 8
        self.block = nn.Linear(64, 32)
        self.rest = nn.Linear(32, 72)

    def forward(self, x: torch.Tensor) -> Any:
        y = nn.functional.gelu(self.active(self.plain(x)))
        y = y @ self.other_way @ self.kept.T @ self.free.T
        return self.rest(torch.relu(self.block(y)))


IN_BLOCKS = {"plain.weight", "active.weight", "other_way_transposed", "kept", "_tensor_constant0"}
X = torch.ones(2, 5, 33)


def exported(module: nn.Module, *inputs: Any) -> ExportedProgram:
    with torch.no_grad():
        return torch.export.export(module.eval(), inputs or (X,))


def made(
    program: ExportedProgram, fused: Sequence[str] = ("float32",)
) -> tuple[Wrapper, dict[str, Constant], bytes]:
    wrapper, weights = generate(program, name="net", simdlen=512, inductor={}, fused=fused)
    written = b"".join(bytes(chunk) for chunk in weights.chunks())
    assert len(written) == weights.nbytes == wrapper.constants_nbytes
    return wrapper, {each.fqn: each for each in wrapper.constants}, written


def numbers(constant: Constant, written: bytes) -> Any:
    content = bytearray(written[constant.offset : constant.offset + constant.nbytes])
    return torch.frombuffer(content, dtype=torch.float32)


def as_blocks(weight: Any) -> Any:
    """[results, terms] as they are to lie."""
    return weight.detach().reshape(-1, 32, weight.shape[1]).transpose(1, 2).flatten()


def test_weights_lie_in_blocks_and_their_strides_say_so() -> None:
    module = Layers()
    wrapper, constants, written = made(exported(module))
    assert {fqn for fqn, one in constants.items() if lies_in_blocks(one)} == IN_BLOCKS
    values = dict(module.state_dict())
    values["_tensor_constant0"] = module.free
    values["other_way_transposed"] = values.pop("other_way").T
    assert constants.keys() == values.keys()
    for fqn, constant in constants.items():
        assert constant.shape == values[fqn].shape
        lying = numbers(constant, written)[: values[fqn].numel()]
        if fqn in IN_BLOCKS:
            assert constant.stride == (1, 32)
            assert f"constants_info_[{constant.index}].stride = {{1, 32}};" in wrapper.source
            assert torch.equal(lying, as_blocks(values[fqn]))
        else:
            assert torch.equal(lying, values[fqn].flatten())
    # The layer of one block has an activation; that of no whole ones has none.
    assert wrapper.source.count(OPERATOR) == len(IN_BLOCKS) + 1
    assert wrapper.source.count("aoti_torch_cpu_addmm_out(") == 1


@pytest.mark.parametrize("fused", [(), ("bfloat16",)])
def test_nothing_lies_in_blocks_where_the_run_time_is_torchs(fused: Sequence[str]) -> None:
    wrapper, constants, written = made(exported(Layers()), fused)
    assert OPERATOR not in wrapper.source
    assert not any(map(lies_in_blocks, constants.values()))
    assert torch.equal(
        numbers(constants["plain.weight"], written), Layers().plain.weight.detach().flatten()
    )


class TiedToEmbedding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(96, 64)
        self.head = nn.Linear(64, 96, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x: torch.Tensor) -> Any:
        return self.head(self.embedding(x))


class TiedLayers(nn.Module):
    """One weight for two layers: both read it in blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(64, 64), nn.Linear(64, 64)
        self.two.weight = self.one.weight

    def forward(self, x: torch.Tensor) -> Any:
        return nn.functional.silu(self.one(x)) + self.two(x)


class Read(nn.Module):
    """A layer whose weight is read otherwise as well."""

    def __init__(self, how: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 64)
        self.how = how

    def forward(self, x: torch.Tensor) -> Any:
        return self.layer(x) + self.how(self.layer.weight, x)


class Written(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.randn(64, 64))

    def forward(self, x: torch.Tensor) -> Any:
        y = nn.functional.linear(x, self.weight)
        self.weight.mul_(0.5)
        return y


class Chosen(nn.Module):
    """A layer within a branch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.within = nn.Linear(64, 64), nn.Linear(64, 64)

    def forward(self, x: torch.Tensor) -> Any:
        y = self.layer(x)
        return torch.cond(y.sum() > 0, self.within, lambda z: z + 1, (y,))


class View(nn.Module):
    """A weight that is part of larger memory."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(200, 64)[:64])

    def forward(self, x: torch.Tensor) -> Any:
        return nn.functional.linear(x, self.weight)


ROWS = torch.ones(3, 64)
CASES: dict[str, tuple[Callable[[], nn.Module], Any, Collection[str]]] = {
    "an embedding": (TiedToEmbedding, torch.tensor([[1, 2, 95]]), ()),
    "two layers": (TiedLayers, ROWS, ("two.weight",)),
    "elements": (lambda: Read(lambda weight, x: weight.sum()), ROWS, ()),
    "rows of another product": (lambda: Read(lambda weight, x: (weight @ weight.T)[:3]), ROWS, ()),
    "not transposed": (lambda: Read(lambda weight, x: x @ weight), ROWS, ()),
    "written": (Written, ROWS, ()),
    "a branch": (Chosen, ROWS, ("layer.weight",)),
    "a view": (View, ROWS, ()),
    "half precision": (lambda: nn.Linear(64, 64).bfloat16(), ROWS.bfloat16(), ()),
}


@pytest.mark.parametrize(("make", "x", "in_blocks"), CASES.values(), ids=CASES)
def test_weights_that_something_else_reads_stay_plain(
    make: Callable[[], nn.Module], x: Any, in_blocks: Collection[str]
) -> None:
    torch.manual_seed(0)
    module = make()
    _, constants, written = made(exported(module, x))
    assert {fqn for fqn, one in constants.items() if lies_in_blocks(one)} == {*in_blocks}
    state = module.state_dict()
    for fqn in constants.keys() & state.keys():
        value = state[fqn]
        if value.dtype == torch.float32 and value.numel() * 4 == constants[fqn].nbytes:
            wanted = as_blocks(value) if fqn in in_blocks else value.flatten()
            assert torch.equal(numbers(constants[fqn], written), wanted)


def test_code_that_reads_a_weight_otherwise_than_was_meant_gets_it_plain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever Inductor makes of the graph after our pass."""

    def all_of_them(graph: Any, dtypes: Collection[str]) -> list[Any]:
        found = [getattr(graph.owning_module.layer, "weight", None)]
        layer_operators.call_layers(graph, dtypes)
        return found

    monkeypatch.setattr(
        aotinductor,
        "layer_operators",
        lambda dtypes, found: lambda graph: found.extend(all_of_them(graph, dtypes)),
    )
    module = Read(lambda weight, x: weight.sum())
    _, constants, written = made(exported(module, ROWS))
    assert constants["layer.weight"].stride == (64, 1)
    assert torch.equal(
        numbers(constants["layer.weight"], written), module.layer.weight.detach().flatten()
    )


class Turned(nn.Module):
    """Its weight is [in, out], in the order of [out, in]."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(96, 33).t())

    def forward(self, x: Any) -> Any:
        return nn.functional.gelu(x @ self.weight)


def test_a_weight_that_the_module_has_turned_lies_in_blocks_and_is_not_copied() -> None:
    module = Turned()
    program = exported(module)
    arranged: Any = program.module(check_guards=False)
    arrange_linear_layers(arranged, ("float32",))
    assert arranged.weight_transposed.data_ptr() == program.state_dict["weight"].data_ptr()
    wrapper, constants, written = made(program)
    weight = constants["weight_transposed"]
    assert lies_in_blocks(weight)
    assert torch.equal(numbers(weight, written), as_blocks(module.weight.t()))
    assert '"gelu"' in wrapper.source


def test_a_weight_of_other_layout_becomes_a_layers() -> None:
    program = exported(Layers())
    arranged: Any = program.module(check_guards=False)
    arrange_linear_layers(arranged, ("float32",))
    names = {name for name, _ in (*arranged.named_parameters(), *arranged.named_buffers())}
    assert "other_way_transposed" in names
    assert "other_way" not in names
    with torch.no_grad():
        torch.testing.assert_close(arranged(X), Layers()(X))
    assert torch.equal(program.state_dict["other_way"], Layers().other_way)


def test_remembered_code_gives_the_same_bytes_and_other_weights_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = exported(Layers()), exported(times_one_and_a_half(Layers()))
    fresh = [made(program) for program in programs]
    assert fresh[0][2] != fresh[1][2]
    monkeypatch.delenv("AOTWIN_NO_CACHE")
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(tmp_path / "cache"))
    assert made(programs[0]) == fresh[0]
    monkeypatch.setattr(aotinductor, "_lower", None)
    assert [made(program) for program in programs] == fresh


def times_one_and_a_half(module: Layers) -> Layers:
    with torch.no_grad():
        for tensor in (*module.parameters(), module.kept):
            tensor.mul_(1.5)
    return module


SAVED = """
import hashlib, pathlib, sys
from aotwin.model_spec import ModelSpec
from aotwin.stages.generate.model_source import open_source
from aotwin.target.toolchain import load_toolchain

toolchain = load_toolchain("windows")
path = pathlib.Path(sys.argv[1])
spec = ModelSpec("net", str(path), None, ("x86-64-v4",))
wrapper, weights = open_source(path, spec, path.parent, toolchain).generate(
    toolchain.cpus["x86-64-v4"]
)
for _ in range(2):
    digest = hashlib.sha256()
    for chunk in weights.chunks():
        digest.update(chunk)
    print("torch" in sys.modules, digest.hexdigest())
"""


def test_a_saved_program_gives_the_same_bytes_with_torch_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = exported(Layers())
    wanted = hashlib.sha256(made(program)[2]).hexdigest()
    path = tmp_path / "net.pt2"
    torch.export.save(program, path)
    monkeypatch.delenv("AOTWIN_NO_CACHE")
    environment = os.environ | {"AOTWIN_CACHE_DIR": str(tmp_path / "cache")}
    for imported in (True, False):
        done = subprocess.run(
            [sys.executable, "-c", SAVED, str(path)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert done.stdout.splitlines() == [f"{imported} {wanted}"] * 2


class Determinants(nn.Module):
    """A layer before an operator that our own run time lacks."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 64)

    def forward(self, x: torch.Tensor) -> Any:
        return torch.linalg.det(self.layer(x).reshape(-1, 8, 8))


@pytest.mark.zig
def test_a_model_that_ends_over_torch_has_plain_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = exported(Determinants(), torch.ones(3, 8))
    model = aotwin.build_model(program, tmp_path / "model", name="demo.net", runtime="auto")
    assert '"stride": [1, 32]' not in model.manifest.read_text("utf-8").replace("\n", "")
    lying = torch.frombuffer(bytearray(model.blob.read_bytes()), dtype=torch.float32)
    assert torch.equal(lying[: 8 * 64], program.state_dict["layer.weight"].flatten())
    # Should nobody notice before the link.
    monkeypatch.setattr("aotwin.generation.suits_own_alone", lambda *_: False)
    with pytest.raises(ConfigurationError, match=r"layer\.weight of demo\.net lies as only"):
        aotwin.build_model(program, tmp_path / "other", name="demo.net", runtime="auto")
    assert not (tmp_path / "other").exists()
