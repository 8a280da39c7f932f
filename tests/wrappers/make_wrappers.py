"""A script: writes the ready wrappers of one torch version, as its users would make them.

    PYTHONPATH=tests python tests/wrappers/make_wrappers.py [NAME ...]

It runs with the torch of that version, on Linux, and fills tests/wrappers/<version>/<name>/: the
files that AOTInductor wrote, and samples.npz with arguments and eager's results. What it imports
beside torch is in every version's own requirements. A CUDA build of torch does as well: nothing of
CUDA ends up in the files.
"""

from __future__ import annotations

import copy
import json
import shutil
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.export import Dim, ExportedProgram, export

from stub_compiler import COMPILER

Arguments = tuple[torch.Tensor, ...]


class Tour(nn.Module):
    """Products, a convolution, attention, reductions, integers; several results."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(4, 8, 3, padding=1)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 5)
        self.embedding = nn.Embedding(11, 8)

    def forward(self, x: torch.Tensor, ids: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = torch.relu(self.convolution(x)).transpose(1, 2) + self.embedding(ids)
        mixed, _ = self.attention(hidden, hidden, hidden, need_weights=False)
        scores = torch.softmax(self.head(hidden + mixed), dim=-1)
        return {"scores": scores, "best": scores.argmax(-1), "sums": ids.cumsum(-1)}


class Counter(nn.Module):
    """A buffer that each call writes, and a size that is free."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(3))
        self.weight = nn.Parameter(torch.randn(3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total.add_(x.sum(0))
        return x @ self.weight + self.total


class Folded(nn.Module):
    """Products of constants alone, which the first run computes."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Parameter(torch.randn(4, 6))
        self.right = nn.Parameter(torch.randn(6, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ (self.left @ self.right)


def tour() -> tuple[ExportedProgram, list[Arguments]]:
    """One call form, calls of one shape."""
    calls = [(torch.randn(2, 4, 6), torch.randint(0, 11, (2, 6))) for _ in range(2)]
    return export(Tour().eval(), calls[0]), calls


def counter() -> tuple[ExportedProgram, list[Arguments]]:
    """Calls of several sizes; the second one sees what the first one wrote."""
    calls = [(torch.randn(size, 3),) for size in (4, 7, 2)]
    return export(Counter(), calls[0], dynamic_shapes=({0: Dim.AUTO},)), calls


def folded() -> tuple[ExportedProgram, list[Arguments]]:
    """With Inductor's constant folding at run time."""
    calls = [(torch.randn(3, 4),) for _ in range(2)]
    return export(Folded(), calls[0]), calls


#: name -> what to write, and settings of Inductor beside the usual ones
MODELS: dict[str, tuple[Callable[[], tuple[ExportedProgram, list[Arguments]]], dict[str, Any]]] = {
    "tour": (tour, {}),
    "counter": (counter, {}),
    "folded": (folded, {"aot_inductor.use_runtime_constant_folding": True}),
}
#: of AOTInductor's files, those that a build reads
_KEPT = ("wrapper.cpp", "_compile_flags.json", "_metadata.json", "_weights.blob", "wrapper.json")


def write(name: str, folder: Path) -> None:
    """Write one model's files."""
    torch.manual_seed(7)
    make, settings = MODELS[name]
    program, calls = make()
    # A copy: what the calls write does not belong into the blob.
    module = copy.deepcopy(program.module())
    with tempfile.TemporaryDirectory() as work, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        compiler = Path(work, "c++")
        compiler.write_text(COMPILER)
        compiler.chmod(0o755)
        archive = Path(work, "m.pt2")
        results = [module(*call) for call in calls]
        torch._inductor.aoti_compile_and_package(
            program,
            package_path=str(archive),
            inductor_configs={
                "aot_inductor.package_cpp_only": True,
                "aot_inductor.package_constants_in_so": False,
                "aot_inductor.package_constants_on_disk_format": "binary_blob",
                "aot_inductor.model_name_for_generated_files": name,
                "aot_inductor.precompile_headers": False,
                "force_disable_caches": True,
                "cpp.simdlen": 256,
                "cpp.vec_isa_ok": True,
                "cpp.cxx": (None, str(compiler)),
                "cpp.dynamic_threads": True,
                **settings,
            },
        )
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with zipfile.ZipFile(archive) as members:
            for member in members.namelist():
                if member.endswith(_KEPT):
                    (folder / PurePosixPath(member).name).write_bytes(members.read(member))
    for flags in folder.glob("*_compile_flags.json"):
        # The definitions are all that a build reads; the rest names folders of this machine.
        definitions = json.loads(flags.read_text())["definitions"]
        flags.write_text(json.dumps({"definitions": definitions}) + "\n")
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for index, (call, result) in enumerate(zip(calls, results, strict=True)):
        for position, tensor in enumerate(call):
            arrays[f"call{index}_argument{position}"] = tensor.numpy()
        for position, tensor in enumerate(torch.utils._pytree.tree_leaves(result)):
            arrays[f"call{index}_result{position}"] = tensor.detach().numpy()
    np.savez_compressed(folder / "samples.npz", **arrays)


def main() -> None:
    """Write the models that are named, or all."""
    version = torch.__version__.partition("+")[0]
    for name in sys.argv[1:] or MODELS:
        folder = Path(__file__).parent / version / name
        write(name, folder)
        print(f"{version}/{name}: {sum(file.stat().st_size for file in folder.iterdir()):,} bytes")


if __name__ == "__main__":
    main()
