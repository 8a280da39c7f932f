"""The SDK, the models that its tests open, and host programs compiled with it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.export import Dim, ExportedProgram, export

import aotwin
from aotwin.adapters.tools.zig import find_zig
from aotwin.stages.run import torch_folder
from aotwin.stages.sdk import write_sdk
from aotwin.target.toolchain import load_toolchain
from windows_on_wine import WindowsPython

SDK_HOSTS = Path(__file__).parent / "sdk_hosts"
HOSTS = Path(__file__).parent / "hosts"


class Various(torch.nn.Module):
    """Inputs of several types and orders; outputs that are none, numbers, or one tensor twice."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(8, 4)
        self.register_buffer("calls", torch.zeros(3))

    def forward(self, x: Any, half: Any, image: Any, at: Any) -> dict[str, Any]:
        self.calls.add_(1)
        y = self.linear(x)
        return {
            "y": y,
            "again": y,
            "half": half * 2,
            "image": torch.nn.functional.max_pool2d(image, 2),
            "picked": x[at],
            "nothing": None,
            "five": 5,
            "batch": x.shape[0],
            "calls": self.calls + 0,
        }


class Determinant(torch.nn.Module):
    """An operator without a C shim."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.det(x)


class Classifier(torch.nn.Module):
    """The model that the how-tos speak of."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(64, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) + 1


def classifier_module() -> Classifier:
    torch.manual_seed(0)
    return Classifier().eval()


def various_module() -> Various:
    torch.manual_seed(0)
    return Various().eval()


def various_program() -> ExportedProgram:
    batch = Dim("batch", min=1, max=64)
    image = torch.randn(1, 3, 4, 4).to(memory_format=torch.channels_last)
    return export(
        various_module(),
        (torch.randn(3, 8), torch.randn(3, 8).bfloat16(), image, torch.tensor([1, 0])),
        dynamic_shapes={"x": {0: batch}, "half": {0: batch}, "image": None, "at": None},
    )


def determinant_program() -> ExportedProgram:
    return export(Determinant(), (torch.randn(4, 4),))


@dataclass(frozen=True)
class Sdk:
    """An SDK with models over one run time, and how to compile and run programs with it."""

    windows: WindowsPython
    directory: Path
    #: "own" or "torch"
    runtime: str
    #: model folders
    various: Path
    determinant: Path
    classifier: Path
    #: torch's DLLs with the VC++ run time
    torch: Path

    @property
    def torch_words(self) -> tuple[Path, ...]:
        """What programs of users are told of torch: its folder, or nothing at all."""
        return (self.torch,) if self.runtime == "torch" else ()

    @property
    def named_torch(self) -> Path | str:
        """The same for the hosts here, of which each takes a word for it."""
        return self.torch if self.runtime == "torch" else "-"

    def compile(self, source: Path, folder: Path, *, libraries: str = "aotwin.lib") -> Path:
        """Compile a host program with the SDK's header and import library; aotwin.dll beside it."""
        cpp = source.suffix == ".cpp"
        language = ["c++", "-std=c++20"] if cpp else ["cc", "-std=c11"]
        wide = ["-municode"] if "wmain(" in source.read_text(encoding="utf-8") else []
        program = folder / f"{source.stem}{source.suffix.replace('.', '_')}.exe"
        find_zig().run(
            [
                *language, "-target", load_toolchain("windows").triple, "-mcpu=x86_64", "-O2", "-s",
                *wide, "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-DNOMINMAX",
                # The C run time is then the one that is built for C++ already.
                *(() if cpp else ("-lc++",)),
                f"-I{self.directory / 'include'}", f"-I{HOSTS}", str(source),
                str(self.directory / "lib" / libraries), "-o", str(program),
            ],
            cwd=folder,
            doing=f"compiling {source.name}",
        )  # fmt: skip
        library = folder / "aotwin.dll"
        if not library.exists():
            shutil.copyfile(self.directory / "bin" / "aotwin.dll", library)
        return program

    def run(
        self, program: Path, *arguments: str | os.PathLike[str], **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a program; over torch PATH has its DLLs, as a careless user's would."""
        windows = self.windows if self.runtime == "torch" else self.windows.without_torch
        return windows.exe(program, arguments, check=False, **options)

    def lines(
        self, program: Path, *arguments: str | os.PathLike[str], **options: Any
    ) -> list[list[str]]:
        """The fields of the lines that a program prints; a crash or an error is a failure."""
        done = self.run(program, *arguments, **options)
        assert done.returncode == 0, (done.stdout, done.stderr)
        return [line.split("\t") for line in done.stdout.splitlines()]


def build_sdk(windows: WindowsPython, folder: Path, runtime: str) -> Sdk:
    """Build the models over a run time and write the SDK; the determinant needs torch."""
    classifier_program = export(classifier_module(), (torch.randn(2, 64),))
    various = aotwin.build_model(various_program(), folder, name="demo.various", runtime=runtime)
    classifier = aotwin.build_model(
        classifier_program, folder, name="demo.classifier", runtime=runtime
    )
    determinant = aotwin.build_model(determinant_program(), folder, name="demo.determinant")
    toolchain = load_toolchain("windows")
    return Sdk(
        windows=windows,
        runtime=runtime,
        directory=write_sdk(various.directory, folder / "sdk", toolchain=toolchain, zig=find_zig()),
        various=various.directory,
        determinant=determinant.directory,
        classifier=classifier.directory,
        torch=torch_folder(toolchain, "2.13.0"),
    )


def floats(text: str) -> list[float]:
    return [float(word) for word in text.split()]


def linked(source: Path, folder: Path, names: Sequence[str] | None = None) -> Path:
    """A folder with second names of another's files (all of them by default)."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if names is not None and path.name not in names:
            continue
        if path.is_dir():
            linked(path, folder / path.name)
        else:
            os.link(path, folder / path.name)
    return folder


def patched(model: Path, folder: Path, dll: str, changes: Mapping[bytes, bytes]) -> Path:
    """A copy of a model folder whose DLL has other bytes in some places."""
    shutil.copytree(model, folder)
    path = folder / dll
    data = path.read_bytes()
    for old, new in changes.items():
        assert len(old) == len(new) and old in data
        data = data.replace(old, new)
    path.write_bytes(data)
    return folder
