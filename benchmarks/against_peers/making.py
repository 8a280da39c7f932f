"""Makes one network for all that run it: models of ours, ONNX, a saved program, eager's result.

    python -m against_peers.making NETWORK FOLDER PART...

A process of its own, which takes its memory with it. FOLDER/NETWORK gets, of each PART: "reference"
input<n>.npy, eager.npz and reference.json; "onnx" model.onnx; "own-float32" the package
own/NETWORK_float32; "torch-bfloat16" the package torch/NETWORK_bfloat16; "program-float32"
program_float32.pt2.
"""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

import aotwin
from against_peers.networks import Example, example

#: what eager torch's result is called in the file, and the engine's in one of its own
RESULT = "result"


def main(name: str, data: Path, parts: list[str]) -> None:
    warnings.simplefilter("ignore")
    folder = data / name
    folder.mkdir(parents=True, exist_ok=True)
    if "reference" in parts:
        write_reference(example(name), folder)
    for part in parts:
        kind, _, dtype = part.partition("-")
        if kind == "onnx":
            make_onnx(example(name), folder / "model.onnx")
        elif kind == "program":
            torch.export.save(exported(name, dtype), folder / f"program_{dtype}.pt2")
        elif kind in ("own", "torch"):
            aotwin.build_model(
                exported(name, dtype), folder / kind, name=f"{name}_{dtype}", runtime=kind
            )


#: torch's counter knows attention of other devices only
_ATTENTION = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu


def _attention_flops(
    query: torch.Size, key: torch.Size, value: torch.Size, *_: Any, **__: Any
) -> int:
    """Of shapes [batch, heads, rows, size]: two products of queries and keys."""
    batch, heads, rows, size = query
    return 2 * batch * heads * rows * key[2] * (size + value[3])


def write_reference(example: Example, folder: Path) -> None:
    """What goes in, what eager torch gives, and how many operations that takes."""
    module, args = example
    for index, arg in enumerate(args):
        np.save(folder / f"input{index}.npy", arg.numpy())
    counter = FlopCounterMode(display=False, custom_mapping={_ATTENTION: _attention_flops})
    # oneDNN's LSTM is one operator, whose products nobody counts.
    with torch.no_grad(), torch.backends.mkldnn.flags(enabled=False), counter:
        result = module(*args)
    np.savez(folder / "eager.npz", **{RESULT: result.numpy()})
    text = json.dumps({"flops": counter.get_total_flops()})
    (folder / "reference.json").write_text(text + "\n", encoding="utf-8")


def exported(name: str, dtype: str) -> torch.export.ExportedProgram:
    """Export a network in one dtype."""
    module, args = example(name)
    kind = getattr(torch, dtype)
    with torch.no_grad():
        cast = tuple(each.to(kind) if each.is_floating_point() else each for each in args)
        return torch.export.export(module.to(kind), cast, strict=False)


def make_onnx(example: Example, path: Path) -> None:
    """Export with torch's exporter, weights in a file of their own."""
    module, args = example
    unfinished = path.parent / "onnx.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    with torch.no_grad():
        torch.onnx.export(
            module, args, str(unfinished / path.name), dynamo=True, external_data=True,
            verbose=False,
        )  # fmt: skip
    for file in unfinished.iterdir():
        file.replace(path.parent / file.name)
    unfinished.rmdir()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
