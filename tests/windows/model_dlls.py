"""Small models built into DLLs by the project's own stages, for the tests of the run-time part."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from aotwin.adapters.tools.zig import Zig, find_zig
from aotwin.stages.generate.aotinductor import generate
from aotwin.stages.link.compiler import compile_wrapper
from aotwin.stages.link.linker import link_model
from aotwin.stages.link.sysroot import Sysroot, prepare_sysroot
from aotwin.stages.weights import write_blob
from aotwin.stages.wrapper.reader import read_wrapper
from aotwin.target.toolchain import load_toolchain, toolchain_path
from aotwin.values import BlobInfo, SealedDll, Wrapper
from aotwin.weights_source import CHUNK_NBYTES, WeightSource
from stub_compiler import COMPILER


class Counting(torch.nn.Module):
    """Parameters, one with swapped strides, a buffer that it writes, and a tensor constant."""

    calls: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(64, 256)
        # AOTInductor writes tensors of up to eight elements into the code.
        self.second = torch.nn.Linear(256, 16)
        self.register_buffer("calls", torch.zeros(3))
        self.wide = torch.nn.Parameter(torch.randn(48, 64).t())
        self.table = torch.arange(64.0)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.calls.add_(1)
        y = self.second(torch.tanh(self.first(x))) + self.table.cos().sum()
        return y, (x @ self.wide).sum(1), self.calls.sum() + 0


class Folding(torch.nn.Module):
    """A product of parameters that AOTInductor computes at load time."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.arange(8.0))
        self.weight = torch.nn.Parameter(torch.randn(8, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ (self.weight * 2 + self.scale)


class Plain(torch.nn.Module):
    """No constants at all."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x) + 1


HOSTS = Path(__file__).parent / "hosts"

#: model class, width of its input
MODELS: Mapping[str, tuple[type[torch.nn.Module], int]] = {
    "counting": (Counting, 64),
    "folding": (Folding, 8),
    "plain": (Plain, 4),
}
#: lowered by torch alone, as a ready wrapper, with these settings: they are not for our own route
READY_WRAPPERS: Mapping[str, Mapping[str, Any]] = {
    "folding": {"aot_inductor.use_runtime_constant_folding": True},
}


@dataclass(frozen=True)
class BytesWeights:
    """Constants' bytes for `write_blob`."""

    data: bytes
    identity: str = ""

    @property
    def nbytes(self) -> int:
        return len(self.data)

    def chunks(self) -> Iterator[memoryview]:
        for at in range(0, len(self.data), CHUNK_NBYTES):
            yield memoryview(self.data)[at : at + CHUNK_NBYTES]


#: links a compiled model with a blob, into a folder
Link = Callable[[BlobInfo, Path], SealedDll]


@dataclass(frozen=True)
class ModelDll:
    """A built model, and what is needed to link it again with other weights."""

    name: str
    dll: Path
    blob: BlobInfo
    wrapper: Wrapper
    #: one of `MODELS`: its constants are read by name
    module: Any
    link: Link
    relink: Callable[[bytes, Path], Path]

    @property
    def constants(self) -> bytes:
        """The constants' bytes, trailer left out."""
        return self.blob.path.read_bytes()[: self.blob.constants_nbytes]

    def copied_to(self, directory: Path, *, dll_name: str | None = None) -> Path:
        """Copy DLL and blob into a folder; return the DLL."""
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.blob.path, directory / self.blob.path.name)
        return Path(shutil.copyfile(self.dll, directory / (dll_name or self.dll.name)))


def windows_sysroot() -> tuple[Zig, Sysroot]:
    """zig and the target's sysroot from the user cache."""
    toolchain = load_toolchain("windows")
    zig = find_zig()
    pin = toolchain.sysroot(torch.__version__.partition("+")[0])
    return zig, prepare_sysroot(toolchain, pin, zig, remark=lambda _: None)


def _ready_wrapper(
    program: torch.export.ExportedProgram, name: str, simdlen: int
) -> tuple[Wrapper, WeightSource]:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # torch's own packaging uses what torch deprecates.
        for deprecated in (DeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", deprecated)
        archive = Path(folder, f"{name}.pt2")
        # Stands in for the host compiler, whose output for Linux is of no interest here.
        compiler = Path(folder, "c++")
        compiler.write_text(COMPILER)
        compiler.chmod(0o755)
        torch._inductor.aoti_compile_and_package(
            program,
            package_path=str(archive),
            inductor_configs={
                "aot_inductor.package_cpp_only": True,
                "aot_inductor.package_constants_in_so": False,
                "aot_inductor.package_constants_on_disk_format": "binary_blob",
                "aot_inductor.model_name_for_generated_files": name,
                "aot_inductor.precompile_headers": False,
                "cpp.simdlen": simdlen,
                "cpp.vec_isa_ok": True,
                "cpp.cxx": (None, str(compiler)),
                **READY_WRAPPERS[name],
            },
        )
        wrapper, weights = read_wrapper(archive)
        return wrapper, BytesWeights(b"".join(bytes(chunk) for chunk in weights.chunks()))


def compile_for(wrapper: Wrapper, dll_name: str, cpu: str) -> Link:
    """Compile a wrapper for a CPU level; returns what links it, with any blob, into any folder."""
    toolchain = load_toolchain("windows")
    zig, sysroot = windows_sysroot()
    level = toolchain.cpus[cpu]
    compiled = compile_wrapper(wrapper, toolchain=toolchain, cpu=level, sysroot=sysroot, zig=zig)

    def link(blob: BlobInfo, folder: Path) -> SealedDll:
        return link_model(
            compiled, wrapper, blob, dll_name=dll_name, output_dir=folder,
            toolchain=toolchain, cpu=level, sysroot=sysroot, zig=zig,
        )  # fmt: skip

    return link


def build_dll(name: str, directory: Path) -> ModelDll:
    """Build one of `MODELS` into a folder, weights from seed 0."""
    toolchain = load_toolchain("windows")
    cpu = toolchain.cpus[toolchain.default_cpu]
    module_class, width = MODELS[name]
    torch.manual_seed(0)
    module = module_class().eval()
    program = torch.export.export(module, (torch.ones(2, width),))
    if name in READY_WRAPPERS:
        wrapper, weights = _ready_wrapper(program, name, cpu.simdlen)
    else:
        wrapper, weights = generate(program, name=name, simdlen=cpu.simdlen, inductor={})
    link = compile_for(wrapper, f"{name}.dll", toolchain.default_cpu)

    def relink(constants: bytes, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        blob_again = write_blob(BytesWeights(constants), folder / blob.path.name)
        return link(blob_again, folder).path

    directory.mkdir(parents=True, exist_ok=True)
    blob = write_blob(weights, directory / f"{name}_weights.blob")
    return ModelDll(name, link(blob, directory).path, blob, wrapper, module, link, relink)


def build_host(source: str, directory: Path) -> Path:
    """Compile a program of hosts/ for Windows."""
    toolchain = load_toolchain("windows")
    zig = find_zig()
    program = directory / Path(source).with_suffix(".exe").name
    language = ["c++", "-std=c++20"] if source.endswith(".cpp") else ["cc"]
    flags = ["-target", toolchain.triple, "-municode", "-O2", "-s", "-DNOMINMAX"]
    includes = [f"-I{toolchain_path('windows/dll')}"]
    zig.run(
        [*language, *flags, *includes, str(HOSTS / source), "-o", str(program)],
        cwd=directory,
        doing=f"compiling {source}",
    )
    return program
