"""Generated code is remembered for a program, and never taken for another's."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.export import ExportedProgram

from aotwin.adapters.storage.results import enabled
from aotwin.model_spec import ModelSpec
from aotwin.stages.generate import aotinductor, program_key, saved_program
from aotwin.stages.generate.aotinductor import generate
from aotwin.stages.generate.model_source import open_source
from aotwin.stages.generate.program_key import identity_of
from aotwin.stages.wrapper import parse_source
from aotwin.target.toolchain import load_toolchain
from aotwin.values import Wrapper

pytestmark = pytest.mark.torch


class Network(nn.Module):
    """One of each: large and small parameters, buffers that are written, constants, an alias."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(32, 64)
        self.head = nn.Linear(64, 2)
        self.norm = nn.BatchNorm1d(64)
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.tied = self.layer.weight
        self.unused = nn.Linear(20, 20)
        self.register_buffer("count", torch.zeros(1))
        self.register_buffer("history", torch.zeros(20))
        self.table = torch.arange(30.0).reshape(3, 10)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.count.add_(1)
        self.history.mul_(0.5).add_(x.sum())
        y = self.norm(torch.relu(self.layer(x))) * self.scale
        return self.head(y) + self.count, self.history.sum() + self.table.sum() + self.tied.sum()


def exported(change: Callable[[Network], object] = lambda network: None) -> ExportedProgram:
    network = Network().eval()
    with torch.no_grad():
        change(network)
    return torch.export.export(network, (torch.ones(4, 32),))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("AOTWIN_NO_CACHE", "AOTWIN_CACHE_URL", "AOTWIN_CACHE_SIZE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def lowered(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What Inductor was asked for."""
    programs: list[object] = []
    original = aotinductor._lower

    def counting(program: Any, *arguments: Any) -> Any:
        if enabled():
            programs.append(program)
        return original(program, *arguments)

    monkeypatch.setattr(aotinductor, "_lower", counting)
    return programs


def made(
    program: ExportedProgram,
    name: str = "net",
    simdlen: int = 256,
    fused: Sequence[str] = (),
    **inductor: Any,
) -> tuple[Wrapper, bytes]:
    wrapper, weights = generate(program, name=name, simdlen=simdlen, inductor=inductor, fused=fused)
    return wrapper, b"".join(bytes(chunk) for chunk in weights.chunks())


def fresh(
    program: ExportedProgram, monkeypatch: pytest.MonkeyPatch, fused: Sequence[str] = ()
) -> tuple[Wrapper, bytes]:
    with monkeypatch.context() as patch:
        patch.setenv("AOTWIN_NO_CACHE", "1")
        return made(program, fused=fused)


def test_the_same_program_is_not_lowered_again(lowered: list[object]) -> None:
    first = made(exported())
    assert made(exported()) == first
    assert len(lowered) == 1


def fill(tensor: torch.Tensor) -> None:
    tensor.copy_(torch.arange(tensor.numel()).reshape(tensor.shape) / 7 + 0.25)


LARGE: dict[str, Callable[[Network], object]] = {
    "a weight": lambda network: fill(network.layer.weight),
    "all of one value": lambda network: network.layer.weight.fill_(1.0),
    "zeros": lambda network: network.layer.weight.zero_(),
    "a norm": lambda network: fill(network.norm.running_var),
    "a buffer that is written": lambda network: fill(network.history),
    "a tensor constant": lambda network: fill(network.table),
    "a parameter that is not used": lambda network: fill(network.unused.weight),
}


@pytest.mark.parametrize("change", LARGE.values(), ids=LARGE)
def test_other_weights_take_the_remembered_code_and_their_own_bytes(
    change: Callable[[Network], object],
    lowered: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made(exported())
    found = made(exported(change))
    assert len(lowered) == 1
    assert found == fresh(exported(change), monkeypatch)


def retie(network: Network) -> None:
    network.tied = nn.Parameter(network.layer.weight.clone())


def retype(network: Network) -> None:
    network.table = network.table.double()


def restride(network: Network) -> None:
    network.unused = nn.Identity()  # type: ignore[assignment]
    network.layer.weight = nn.Parameter(network.layer.weight.t().contiguous().t())


CODE: dict[str, Callable[[Network], object]] = {
    "a scalar": lambda network: network.scale.fill_(3.0),
    "a bias of two": lambda network: network.head.bias.fill_(0.5),
    "a counter's start": lambda network: network.count.fill_(5.0),
    "what shares memory": retie,
    "a type": retype,
    "strides": restride,
    "a module": lambda network: setattr(network.norm, "eps", 1e-3),
}


@pytest.mark.parametrize("change", CODE.values(), ids=CODE)
def test_what_ends_up_in_the_code_is_another_program(
    change: Callable[[Network], object],
    lowered: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made(exported())
    found = made(exported(change))
    assert len(lowered) == 2
    assert found == fresh(exported(change), monkeypatch)


def test_settings_names_levels_versions_and_shapes_are_other_programs(
    lowered: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = exported()
    made(program)
    changes: list[Callable[[], object]] = [
        lambda: made(program, name="other"),
        lambda: made(program, simdlen=512),
        lambda: made(program, epilogue_fusion=False),
        lambda: made(torch.export.export(Network().eval(), (torch.ones(5, 32),))),
        lambda: torch._inductor.config.patch(max_fusion_size=7)(made)(program),
    ]
    for count, change in enumerate(changes, start=2):
        change()
        assert len(lowered) == count
    for target, name, value in (
        (torch.version, "git_version", "another"),
        (program_key, "own_code_digest", lambda: "another"),
        (program_key.platform, "python_version", lambda: "another"),
        (program_key.metadata, "version", lambda _: "another"),
    ):
        before = len(lowered)
        with monkeypatch.context() as patch:
            patch.setattr(target, name, value)
            made(program)
        assert len(lowered) == before + 1, name
    made(program)
    assert len(lowered) == 1 + len(changes) + 4


def key_of_a_program() -> str | None:
    """What the generated code of a program is known by, as things are now; None: by nothing."""
    identity = identity_of(PROGRAM, {})
    return None if identity is None else identity.key


PROGRAM = exported()


@contextlib.contextmanager
def switched(set_to: Callable[[Any], object], new: object, old: object) -> Iterator[None]:
    set_to(new)
    try:
        yield
    finally:
        set_to(old)


def attribute(
    of: Any, name: str, new: object, old: object
) -> contextlib.AbstractContextManager[None]:
    return switched(functools.partial(setattr, of, name), new, old)


def sdp(name: str) -> contextlib.AbstractContextManager[None]:
    return switched(getattr(torch.backends.cuda, f"enable_{name}_sdp"), False, True)


SWITCHES: dict[str, Callable[[], contextlib.AbstractContextManager[Any]]] = {
    "precision of products": lambda: switched(
        torch.set_float32_matmul_precision, "medium", "highest"
    ),
    "precision of oneDNN": lambda: attribute(
        torch.backends.mkldnn.matmul, "fp32_precision", "bf16", "ieee"
    ),
    "deterministic": lambda: switched(torch.use_deterministic_algorithms, True, False),
    "default type": lambda: switched(torch.set_default_dtype, torch.float64, torch.float32),
    "default device": lambda: switched(torch.set_default_device, "meta", None),
    "gradients": torch.no_grad,
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "oneDNN": lambda: switched(torch._C._set_mkldnn_enabled, False, True),
    "oneDNN, deterministic": lambda: switched(torch._C._set_mkldnn_deterministic, True, False),
    "flash attention": lambda: sdp("flash"),
    "plain attention": lambda: sdp("math"),
    "other attention": lambda: sdp("mem_efficient"),
    "Inductor": lambda: torch._inductor.config.patch(epilogue_fusion=False),
    "Inductor, for a CPU": lambda: torch._inductor.config.patch({"cpp.min_chunk_size": 77}),
    "Inductor, private": lambda: torch._inductor.config.patch(_raise_error_for_testing=True),
    "functorch": lambda: torch._functorch.config.patch(max_dist_from_bw=1),
    "shapes": lambda: torch.fx.experimental._config.patch(use_duck_shape=False),
}


@pytest.mark.parametrize("switch", SWITCHES.values(), ids=SWITCHES)
def test_what_a_module_sets_is_another_program(
    switch: Callable[[], contextlib.AbstractContextManager[Any]],
) -> None:
    with switch():
        pass  # Putting a precision back leaves another word for the same.
    before = key_of_a_program()
    with switch():
        during = key_of_a_program()
    assert before and during and during != before
    assert key_of_a_program() == before


def test_variables_of_torch_count_but_for_what_is_said_and_where_things_lie(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = key_of_a_program()
    for name in ("TORCHINDUCTOR_SIZE_ASSERTS", "TORCH_ANYTHING", "PYTORCH_ANY", "INDUCTOR_ANY"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "0")
            assert key_of_a_program() not in (None, before), name
    for name in ("TORCH_LOGS", "TORCH_HOME", "TORCHINDUCTOR_CACHE_DIR", "OTHER"):
        monkeypatch.setenv(name, "0")
    assert key_of_a_program() == before


def test_code_of_others_in_inductor_makes_a_program_unknown(cache: Path) -> None:
    from torch._inductor import decomposition, lowering

    aten = torch.ops.aten
    made(PROGRAM)
    before = key_of_a_program()
    for passes in (
        "post_grad_custom_post_pass",
        "joint_custom_pre_pass",
        "_pre_fusion_custom_pass",
    ):
        with torch._inductor.config.patch({passes: lambda graph: None}):
            assert key_of_a_program() is None, passes
    registries: list[tuple[dict[Any, Any], Any]] = [
        (decomposition.decompositions, aten.relu.default),
        (lowering.lowerings, aten.relu.default),
        (lowering.user_lowerings, aten.relu.default),
    ]
    for registry, operator in registries:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(registry, operator, lambda x: x * 3)
            assert key_of_a_program() is None
            # It takes the names of torch's own.
            decorated = functools.wraps(lowering.lowerings[aten.abs.default])(lambda x: x * 3)
            patch.setitem(registry, operator, decorated)
            assert key_of_a_program() is None
    # What is torch's own may be put in another place, or be taken away.
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(decomposition.decompositions, aten.silu.default)
        assert key_of_a_program() not in (None, before)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(lowering.lowerings, aten.relu.default, lowering.lowerings[aten.mm.default])
        assert key_of_a_program() not in (None, before)
    assert key_of_a_program() == before


REGISTERS = """
import sys
import torch
{before}
from aotwin.stages.generate.aotinductor import generate
from aotwin.stages.generate.program_key import identity_of

class Small(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x) * 2

program = torch.export.export(Small(), (torch.ones(40),))
keys = [identity_of(program, {{}}).key]
generate(program, name="net", simdlen=256, inductor={{}})
keys.append(identity_of(program, {{}}).key)
print(*keys)
"""


def test_what_torch_registers_by_itself_is_the_same_program() -> None:
    """Before Inductor is imported, after, after a compile; and so where a module imports it."""
    keys = set()
    for before in ("", "import torch._inductor.lowering"):
        done = subprocess.run(
            [sys.executable, "-c", REGISTERS.format(before=before)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        found = done.stdout.split()
        assert len(set(found)) == 1
        keys.add(found[0])
    assert len(keys) <= 2


class Convolutions(nn.Module):
    """Weights that are arranged before they are lowered: folded, laid out, one dimension more."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, channels, 3)
        self.norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 1, bias=False)
        self.line = nn.Conv1d(channels, 16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.second(torch.relu(self.norm(self.first(x))))
        return self.line(x.flatten(2))


@pytest.mark.parametrize(
    "channels", [4, 16, 64], ids=["inlined biases", "biases in the blob", "weights in blocks"]
)
def test_convolutions_are_arranged_for_the_weights_that_they_have(
    channels: int, lowered: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def program(change: bool) -> ExportedProgram:
        network = Convolutions(channels).eval()
        if change:
            with torch.no_grad():
                for tensor in (*network.parameters(), network.norm.running_mean):
                    fill(tensor)
        return torch.export.export(network, (torch.ones(1, 3, 8, 8),))

    fused = ["float32"] if channels == 64 else []
    first = made(program(change=False), fused=fused)
    assert made(program(change=False), fused=fused) == first
    assert len(lowered) == 1
    second = made(program(change=True), fused=fused)
    assert len(lowered) == (2 if channels == 4 else 1)
    assert second == fresh(program(change=True), monkeypatch, fused)
    assert second[1] != first[1]


class Folded(nn.Module):
    """Inductor is made to compute a constant of the program's tensors, and to drop another."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.register_buffer("one", torch.full((1,), value))
        self.register_buffer("many", torch.arange(100.0) + value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.one.expand(100) + self.many


def test_values_that_went_into_the_code_give_the_results_of_a_fresh_build(
    lowered: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in (1.0, 2.0, 0.0, 1.0):
        program = torch.export.export(Folded(value), (torch.ones(100),))
        assert made(program) == fresh(program, monkeypatch)


def test_a_tensor_that_is_missing_in_the_blob_counts_with_its_values(
    lowered: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever Inductor does with a tensor that it does not hand over, the code may depend on."""
    original = aotinductor._generated

    def inlining(program: Any, *arguments: Any) -> Any:
        wrapper, recorded = original(program, *arguments)
        kept = [constant.fqn != "layer.bias" for constant in wrapper.constants]
        constants = [each for each, keep in zip(wrapper.constants, kept, strict=True) if keep]
        tensors, read = (
            tuple(each for each, keep in zip(of, kept, strict=True) if keep)
            for of in (recorded.tensors, recorded.read)
        )
        replace = aotinductor.replace
        return replace(wrapper, constants=tuple(constants)), replace(
            recorded, tensors=tensors, read=read
        )

    monkeypatch.setattr(aotinductor, "_generated", inlining)
    made(exported())
    made(exported(lambda network: fill(network.layer.bias)))
    assert len(lowered) == 2
    made(exported(lambda network: fill(network.layer.weight)))
    assert len(lowered) == 2, "the weight is in the blob, its values do not count"


def test_a_program_with_operators_of_somebody_else_is_not_remembered(cache: Path) -> None:
    @torch.library.custom_op("aotwin_test::twice", mutates_args=())
    def twice(x: torch.Tensor) -> torch.Tensor:
        return x * 2

    @twice.register_fake
    def _(x: torch.Tensor) -> torch.Tensor:
        return torch.empty_like(x)

    class Uses(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return twice(x) + 1

    made(torch.export.export(Uses(), (torch.ones(4),)))
    assert not list(cache.glob("results/wrappers/*"))


KEY = """
import sys
sys.path[:0] = [{tests!r}, {here!r}]
import torch
from aotwin.stages.generate.program_key import identity_of
from test_remembered_programs import Network

padding = [torch.zeros(n) for n in range({shift})]  # other addresses
network = Network().eval()
program = torch.export.export(network, (torch.ones(4, 32),))
if {shift}:
    state = dict(reversed(program.state_dict.items()))
    program.state_dict.clear()
    program.state_dict.update(state)
print(identity_of(program, {{"b": 1, "a": 2}} if {shift} else {{"a": 2, "b": 1}}).key)
"""


def test_the_key_is_the_same_in_every_process_and_folder(tmp_path: Path) -> None:
    here = Path(__file__).parent
    keys = set()
    for seed, shift in (("1", 0), ("2", 999)):
        folder = tmp_path / seed
        folder.mkdir()
        module = folder / "test_remembered_programs.py"
        module.write_text(Path(__file__).read_text(encoding="utf-8"), encoding="utf-8")
        script = KEY.format(tests=str(here.parent), here=str(folder), shift=shift)
        done = subprocess.run(
            [sys.executable, "-c", script],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        keys.add(done.stdout.split()[-1])
    assert len(keys) == 1


SAVED = """
import pathlib, sys
from aotwin.stages.generate.model_source import open_source
from aotwin.stages.generate.program_key import identity_of
from aotwin.target.toolchain import load_toolchain
from aotwin.model_spec import ModelSpec

toolchain = load_toolchain("windows")
path, name = pathlib.Path(sys.argv[1]), sys.argv[2]
spec = ModelSpec(name, str(path), None, ("x86-64-v3",))
generator = open_source(path, spec, path.parent, toolchain)
wrapper, weights = generator.generate(toolchain.cpus["x86-64-v3"])
import hashlib
digest = hashlib.sha256(wrapper.source.encode())
for chunk in weights.chunks():
    digest.update(chunk)
print("torch" in sys.modules, weights.nbytes == wrapper.constants_nbytes, digest.hexdigest())
"""


def opened_file(path: Path, name: str = "net", **environ: str) -> tuple[bool, str]:
    """Whether torch was imported for a saved program, and a digest of what came of it."""
    done = subprocess.run(
        [sys.executable, "-c", SAVED, str(path), name],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environ,
    )
    imported, whole, digest = done.stdout.split()
    assert whole == "True"
    return imported == "True", digest


def test_a_saved_program_that_did_not_change_needs_no_torch(tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    torch.export.save(exported(), path)
    first = opened_file(path)
    assert first[0]
    assert opened_file(path) == (False, first[1])
    assert opened_file(path, AOTWIN_NO_CACHE="1") == first
    # Another place, another time: the bytes count.
    moved = tmp_path / "folder" / "moved.pt2"
    moved.parent.mkdir()
    moved.write_bytes(path.read_bytes())
    assert opened_file(moved) == (False, first[1])
    # Whatever else decides the code is asked for again.
    assert opened_file(path, name="other")[0]
    assert opened_file(path, TORCHINDUCTOR_SIZE_ASSERTS="0")[0]
    torch.export.save(exported(lambda network: fill(network.layer.weight)), path)
    changed = opened_file(path)
    assert changed[0]
    assert changed[1] != first[1]
    assert opened_file(path) == (False, changed[1])


def test_a_saved_program_is_asked_anew_where_torch_was_touched_before(tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    torch.export.save(exported(), path)
    toolchain = load_toolchain("windows")
    generator = open_source(
        path, ModelSpec("net", str(path), None, ("x86-64-v3",)), tmp_path, toolchain
    )
    wrapper, _ = generator.generate(toolchain.cpus["x86-64-v3"])
    assert parse_source(wrapper.source).inputs
    assert not saved_program.SavedProgram(path, ["net", 256, {}]).recall()
