"""AOTInductor's C++ for the target, from programs, on whatever machine this is."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import programs  # noqa: E402
from torch._inductor import aot_compile, config  # noqa: E402

from aotwin.errors import ConfigurationError, ProgramError, WrapperError  # noqa: E402
from aotwin.stages.generate.aotinductor import generate  # noqa: E402
from aotwin.stages.generate.inductor_isolation import (  # noqa: E402
    private_cache,
    quiet,
    target_vectors,
)
from aotwin.stages.generate.inductor_options import merged_options  # noqa: E402
from aotwin.stages.link import definitions_for  # noqa: E402
from aotwin.stages.wrapper.llp64 import to_llp64  # noqa: E402
from aotwin.stages.wrapper.reader import read_wrapper  # noqa: E402
from aotwin.stages.wrapper.source import parse_source  # noqa: E402
from aotwin.target.toolchain import load_toolchain  # noqa: E402
from aotwin.values import Wrapper  # noqa: E402
from aotwin.weights_source import WeightSource  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module", autouse=True)
def anew() -> Iterator[None]:
    """What is generated here is generated, not remembered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AOTWIN_NO_CACHE", "1")
        yield


def _generated(program: Any, simdlen: int = 256) -> tuple[Wrapper, WeightSource]:
    return generate(program, name="m", simdlen=simdlen, inductor={})


def _bytes(weights: WeightSource) -> bytes:
    return b"".join(map(bytes, weights.chunks()))


def _write_ready_wrapper(program: Any, folder: Path, simdlen: int = 256, **changes: Any) -> None:
    """Let AOTInductor write its files, blob included, as its users do."""
    options = merged_options({}, config.get_config_copy(), name="m", simdlen=simdlen)
    options["aot_inductor.package_constants_on_disk_format"] = "binary_blob"
    options |= {name.replace("__", "."): value for name, value in changes.items()}
    args, kwargs = program.example_inputs
    with private_cache(), quiet(), target_vectors(simdlen), torch.no_grad():
        for file in aot_compile(program.module(check_guards=False), args, kwargs, options=options):
            if Path(file).is_file():
                (folder / Path(file).name).write_bytes(Path(file).read_bytes())


@pytest.fixture(scope="module")
def mixed() -> Any:
    return programs.mixed()


@pytest.fixture(scope="module")
def generated(mixed: Any) -> tuple[Wrapper, WeightSource]:
    return _generated(mixed)


@pytest.fixture(params=[256, 512], ids=["AVX2", "AVX-512"])
def simdlen(request: pytest.FixtureRequest) -> Iterator[int]:
    yield request.param


@pytest.mark.parametrize("name", programs.PROGRAMS)
def test_code_and_weights_are_those_of_aotinductors_own_blob(
    name: str, simdlen: int, tmp_path: Path
) -> None:
    program = programs.PROGRAMS[name]()
    wrapper, weights = _generated(program, simdlen)
    _write_ready_wrapper(program, tmp_path, simdlen)
    ready, blob = read_wrapper(tmp_path)
    assert wrapper.source == ready.source
    assert _bytes(weights) == _bytes(blob)
    assert weights.nbytes == wrapper.constants_nbytes
    assert set(ready.definitions) - set(wrapper.definitions) == {"USE_MMAP_EXTERNAL"}
    assert wrapper.extern_nodes == ready.extern_nodes
    may_write = {item.name for item in ready.constants if item.mutable}
    assert {item.name for item in wrapper.constants if item.mutable} <= may_write


def test_weights_that_were_packed_here_are_refused(tmp_path: Path) -> None:
    _write_ready_wrapper(programs.tied(), tmp_path, freezing=True, cpp__weight_prepack=True)
    with pytest.raises(WrapperError, match="packed for the build host's CPU"):
        read_wrapper(tmp_path)


def test_accumulators_that_were_sized_here_bind_the_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # this machine's thread count equals its cores: then Inductor leaves the regions open
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    options = {"cpp__dynamic_threads": False, "cpp__threads": -1}
    _write_ready_wrapper(programs.reduces(), tmp_path, **options)
    assert "#pragma omp parallel\n" in (tmp_path / "m.wrapper.cpp").read_text()
    wrapper, _ = read_wrapper(tmp_path)
    assert "_arr[3];" in wrapper.source
    assert "#pragma omp parallel num_threads(3)\n" in wrapper.source
    assert "#pragma omp parallel\n" not in wrapper.source
    assert "3 threads" in wrapper.warnings[0]


def test_wider_vectors_leave_the_constants_where_they_are(
    mixed: Any, generated: tuple[Wrapper, WeightSource]
) -> None:
    wrapper, weights = generated
    wide, wide_weights = _generated(mixed, 512)
    assert wide.source != wrapper.source
    assert wide.constants == wrapper.constants
    assert _bytes(wide_weights) == _bytes(weights)


def test_the_definitions_select_the_targets_vectors(mixed: Any, simdlen: int) -> None:
    wrapper, _ = _generated(mixed, simdlen)
    capability = {256: "CPU_CAPABILITY_AVX2", 512: "CPU_CAPABILITY_AVX512"}[simdlen]
    assert [name for name in wrapper.definitions if "CAPABILITY" in name] == [capability]
    assert wrapper.metadata["AOTI_CPU_ISA"] == capability.removeprefix("CPU_CAPABILITY_")


def test_what_all_models_share_is_compiled_with_the_definitions_that_are_expected(
    generated: tuple[Wrapper, WeightSource],
) -> None:
    toolchain = load_toolchain("windows")
    cpu = toolchain.cpus["x86-64-v3"]
    expected = definitions_for(toolchain.generated_definitions, toolchain, cpu)
    assert definitions_for(generated[0].definitions, toolchain, cpu) == expected


def test_only_what_the_code_writes_is_mutable(generated: tuple[Wrapper, WeightSource]) -> None:
    wrapper, _ = generated
    assert {item.fqn: item.mutable for item in wrapper.constants} == {
        "linear.weight": False,
        "linear.bias": False,
        "count": True,
        "cache": True,
        "table": False,
    }


def test_parameters_are_handed_out_where_they_lie(
    mixed: Any, generated: tuple[Wrapper, WeightSource]
) -> None:
    wrapper, weights = generated
    address = mixed.state_dict["linear.weight"].untyped_storage().data_ptr()
    assert wrapper.constants[0].fqn == "linear.weight"
    first = next(weights.chunks())
    assert ctypes.addressof(ctypes.c_ubyte.from_buffer(first)) == address


class Turned(torch.nn.Module):
    """Two layers that are turned by the same angles, as by a rotary embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Linear(16, 16) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        angles = x[:, :1] * torch.arange(16)
        cosines, sines = angles.cos(), angles.sin()
        for layer in self.layers:
            x = layer(x * cosines + x.roll(8, 1) * sines)
        return x


def test_sines_and_cosines_that_layers_share_are_computed_once() -> None:
    program = torch.export.export(Turned().eval(), (torch.randn(20, 16),))
    wrapper, _ = generate(program, name="m", simdlen=256, inductor={})
    assert [wrapper.source.count(f".{name}()") for name in ("cos", "sin")] == [1, 1]


def test_threads_are_counted_on_the_target(generated: tuple[Wrapper, WeightSource]) -> None:
    wrapper, _ = generated
    assert "#pragma omp parallel\n" in wrapper.source
    assert "num_threads(" not in wrapper.source
    assert "_arr[max_threads];" in wrapper.source


def test_no_path_of_this_machine_is_in_the_code(
    generated: tuple[Wrapper, WeightSource],
) -> None:
    wrapper, _ = generated
    for path in (str(Path(sys.prefix)), str(Path.home()), "aotwin-inductor-", "/tmp/"):
        assert path not in wrapper.source


def test_no_literal_of_32_bits_on_windows_is_left(
    generated: tuple[Wrapper, WeightSource],
) -> None:
    wrapper, _ = generated
    assert "5L," in wrapper.source or "8L," in wrapper.source
    safe = to_llp64(wrapper.source)
    assert to_llp64(safe) == safe
    assert parse_source(safe) == parse_source(wrapper.source)


MACHINES = {
    "another hash seed": {"PYTHONHASHSEED": "7"},
    "one thread": {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
    "an old CPU": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "no compiler": {"PATH": "/nowhere"},
    "settings in the environment": {"TORCHINDUCTOR_FREEZING": "1", "TORCHINDUCTOR_CPP_MARCH": "x"},
}


@pytest.fixture(scope="module")
def digests(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("saved")
    paths = [str(folder / "mixed.pt2"), str(folder / "strided.pt2")]
    torch.export.save(programs.mixed(), paths[0])
    torch.export.save(programs.strided(), paths[1])

    def run(environment: dict[str, str]) -> list[str]:
        done = subprocess.run(
            [sys.executable, str(Path(programs.__file__)), *paths],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout.split()

    return run


@pytest.fixture(scope="module")
def expected(digests: Any) -> Any:
    lines = digests({"PYTHONHASHSEED": "1"})
    assert len(lines) == len(set(lines)) == 4
    return lines


@pytest.mark.parametrize("environment", MACHINES.values(), ids=MACHINES)
def test_the_same_program_gives_the_same_code_on(
    environment: dict[str, str], digests: Any, expected: Any
) -> None:
    assert digests(environment) == expected


def test_the_users_cache_and_environment_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mixed: Any
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(cache))
    before = dict(os.environ)
    _generated(mixed)
    assert dict(os.environ) == before
    assert not cache.exists()


def test_nothing_is_printed(mixed: Any, capfd: pytest.CaptureFixture[str]) -> None:
    _generated(mixed)
    assert capfd.readouterr() == ("", "")


def test_fallback_operators_are_listed(generated: tuple[Wrapper, WeightSource]) -> None:
    wrapper, _ = generated
    assert wrapper.extern_nodes is not None
    nodes = json.loads(wrapper.extern_nodes)["nodes"]
    assert [node["node"]["target"] for node in nodes] == ["aten::_linalg_det"]


def test_inputs_and_outputs_have_the_programs_names_and_shapes(
    generated: tuple[Wrapper, WeightSource],
) -> None:
    wrapper, _ = generated
    assert [item.name for item in wrapper.inputs] == ["x", "at", "scale"]
    x, at, scale = wrapper.inputs
    assert isinstance(x.shape and x.shape[0], str)
    assert (x.dtype, x.shape and x.shape[1:]) == ("float32", (8,))
    assert (at.dtype, at.shape) == ("int64", (1,))
    assert (scale.dtype, scale.shape) == ("float32", ())
    assert [item.shape for item in wrapper.outputs] == [(), (), (), (), (16, 8)]


def test_the_call_form_says_what_is_no_tensor() -> None:
    wrapper, _ = _generated(programs.call_forms())
    assert [item.name for item in wrapper.inputs] == ["x"]
    assert wrapper.fixed_inputs == {1: 3, 2: None, 3: True}
    assert wrapper.fixed_outputs == {1: None, 2: 5, 5: True}
    assert wrapper.number_outputs == (3,)
    assert "position 1" in wrapper.warnings[0]
    for spec, leaves in ((wrapper.in_spec, 4), (wrapper.out_spec, 6)):
        assert torch.utils._pytree.treespec_loads(spec).num_leaves == leaves


def test_arguments_keep_their_order_in_memory() -> None:
    wrapper, _ = _generated(programs.strided())
    assert [item.dim_order for item in wrapper.inputs] == [(0, 2, 3, 1), (1, 0)]
    strides = [
        line.partition("}, ")[2].partition(', "input"')[0]
        for line in wrapper.source.splitlines()
        if "assert_size_stride(" in line and '"input"' in line
    ]
    assert strides == ["{60L, 1L, 15L, 3L}", "{1L, 4L}"]


def test_a_ready_wrapper_tells_the_order_of_its_arguments_in_memory(tmp_path: Path) -> None:
    _write_ready_wrapper(programs.strided(), tmp_path)
    wrapper, _ = read_wrapper(tmp_path)
    assert [item.dim_order for item in wrapper.inputs] == [(0, 2, 3, 1), (1, 0)]


def test_a_ready_wrapper_for_an_expanded_tensor_is_refused(tmp_path: Path) -> None:
    _write_ready_wrapper(programs.expanded(), tmp_path)
    with pytest.raises(WrapperError, match="not dense in memory"):
        read_wrapper(tmp_path)


UNFIT = {
    "writes a parameter": (programs.writes_parameter, "generated 2 results for a program with 1"),
    "was exported with an expanded tensor": (programs.expanded, "argument 'y' was exported with"),
    "returns a float": (programs.returns_float, "result at position 1 is a float: 2.5"),
    "takes a number of any value": (programs.dynamic_number, "argument 'factor' is a SymInt"),
}


@pytest.mark.parametrize(("make", "message"), UNFIT.values(), ids=UNFIT)
def test_a_program_is_refused_that(make: Any, message: str) -> None:
    with pytest.raises(ProgramError, match=message) as error:
        _generated(make())
    assert error.value.next_step


def test_a_program_without_example_inputs_is_refused() -> None:
    program = programs.strided()
    program.example_inputs = None
    with pytest.raises(ProgramError, match="no example inputs"):
        _generated(program)


def test_settings_are_checked_against_inductors_own(mixed: Any) -> None:
    for user, message in (
        ({"cpp": {"min_chunk_siz": 1}}, "no setting 'cpp.min_chunk_siz'"),
        ({"freezing": True}, "'freezing' cannot be True"),
        ({"cpp.min_chunk_size": "x"}, "cannot be 'x'"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            generate(mixed, name="m", simdlen=256, inductor=user)
