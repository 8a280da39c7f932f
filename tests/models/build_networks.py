"""Builds networks of the table for Windows, and says what eager torch makes of them.

    python build_networks.py OUTPUT RUNTIME NAME-DTYPE...

A process of its own: transformers and its warnings stay out of the tests'. Writes, for each
network, the package built.<name>_<dtype>, <name>_<dtype>.inputs.npz, .eager.npz and, where float64
works, .exact.npz. Prints one JSON object: network -> why it was not built, "" where it was.
"""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import exchange
import torch
from networks import example, exported
from torch.utils import _pytree as pytree

import aotwin
from aotwin.errors import AotwinError


def main(output: Path, runtime: str, networks: list[str]) -> None:
    warnings.simplefilter("ignore")
    problems = {}
    for network in networks:
        name, _, dtype = network.rpartition("-")
        stem = f"{name}_{dtype}"
        try:
            aotwin.build_model(exported(name, dtype), output, name=f"built.{stem}", runtime=runtime)
            write_reference(name, dtype, output / stem)
            problems[network] = ""
        except AotwinError as error:
            problems[network] = str(error)
        except Exception:
            problems[network] = traceback.format_exc()
        print(f"· {network} {problems[network][:200]}", file=sys.stderr, flush=True)
    print(json.dumps(problems))


def write_reference(name: str, dtype: str, stem: Path) -> None:
    """What goes in, what eager torch gives, and what it gives in float64."""
    module, args, kwargs = example(name, dtype)
    exchange.save(stem.with_suffix(".inputs.npz"), arrays_of((args, kwargs)))
    with torch.no_grad():
        exchange.save(stem.with_suffix(".eager.npz"), arrays_of(module(*args, **kwargs)))
        # Anew: a module may have written its buffers.
        module, args, kwargs = pytree.tree_map_only(torch.Tensor, doubled, example(name, dtype))
        try:
            exact = module.double()(*args, **kwargs)
        except (RuntimeError, TypeError):
            return
        exchange.save(stem.with_suffix(".exact.npz"), arrays_of(exact))


def doubled(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor


def arrays_of(value: Any) -> Any:
    return pytree.tree_map_only(torch.Tensor, array_of, value)


def array_of(tensor: torch.Tensor) -> Any:
    tensor = tensor.detach().contiguous()
    if tensor.dtype == torch.bfloat16:
        return exchange.Bits(tensor.view(torch.uint16).numpy())
    return tensor.numpy()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
