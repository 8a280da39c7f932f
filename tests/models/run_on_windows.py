"""Runs built networks, in one process of the Windows Python.

    python run_on_windows.py FOLDER RUNTIME STEM...

FOLDER holds what build_networks.py wrote. Writes <stem>.results.npz, and prints one JSON object:
what went wrong with each network, "" where nothing did; and whether torch was imported.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from pathlib import Path
from typing import Any

import exchange
import numpy as np


def main(folder: Path, runtime: str, stems: list[str]) -> None:
    sys.path.insert(0, str(folder))
    problems = {}
    for stem in stems:
        print(stem, file=sys.stderr, flush=True)
        try:
            run(folder, runtime, stem)
            problems[stem] = ""
        except Exception:
            problems[stem] = traceback.format_exc()
    print(json.dumps({"problems": problems, "torch": "torch" in sys.modules}))


def run(folder: Path, runtime: str, stem: str) -> None:
    over_torch = runtime == "torch"
    args, kwargs = exchange.load(folder / f"{stem}.inputs.npz", as_is if over_torch else bfloat16)
    model = importlib.import_module(f"built.{stem}").load()
    if over_torch:
        args, kwargs = mapped((args, kwargs), tensor_of)
    results = mapped(model(*args, **kwargs), array_of)
    exchange.save(folder / f"{stem}.results.npz", results)


def as_is(bits: Any) -> Any:
    return exchange.Bits(bits)


def bfloat16(bits: Any) -> Any:
    import ml_dtypes

    return bits.view(ml_dtypes.bfloat16)


def mapped(value: Any, change: Any) -> Any:
    """Nested containers with what is in them changed."""
    if isinstance(value, dict):
        return {key: mapped(each, change) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(mapped(each, change) for each in value)
    return change(value)


def tensor_of(value: Any) -> Any:
    import torch

    if isinstance(value, exchange.Bits):
        return torch.from_numpy(value.array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def array_of(value: Any) -> Any:
    """An array from whatever a model gave."""
    if isinstance(value, np.ndarray):
        return exchange.Bits(value.view(np.uint16)) if value.dtype.name == "bfloat16" else value
    if not hasattr(value, "dtype"):
        return value
    import torch

    tensor = value.contiguous()
    if tensor.dtype == torch.bfloat16:
        return exchange.Bits(tensor.view(torch.int16).numpy().view(np.uint16))
    return tensor.numpy()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
