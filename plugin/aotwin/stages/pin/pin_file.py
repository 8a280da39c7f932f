"""A pin as the text of its file: what `aotwin.target.toolchain.read_pin` reads."""

from __future__ import annotations

import json
from dataclasses import asdict

from aotwin.target.toolchain import PinnedFile, SysrootPin

_HEAD = """\
# Headers, import libraries and DLLs of the target, from the target's own torch wheel.
# The Python version of the wheel does not matter to a model: it holds the same torch_cpu.dll.
# Written by `aotwin toolchain pin {requirement}`.
"""
_OPENMP = "# omp.h only: the OpenMP that models link with is torch's own libiomp5md.dll."
_LIBRARIES = """\
# DLL -> names that models may import from it, as glob patterns. torch_cpu.dll exports some 60,000
# C++ names of MSVC's ABI besides: none of them can be called from here, so none is offered."""
_RUNNER = "# What torch's own runner looks for in a model's DLL."
_SHIMS = """\
# C functions that torch_cpu.dll exports -> digest of their signatures in torch's headers, "" where
# these declare none: what models of other versions can call, and what is another under its name."""


def render_pin(pin: SysrootPin) -> str:
    """The text of a pin file (TOML)."""
    libraries = [
        f"{json.dumps(dll)} = {json.dumps(list(patterns))}"
        for dll, patterns in pin.import_libraries.items()
    ]
    return "\n".join(
        (
            _HEAD.format(requirement=pin.torch.requirement),
            f"torch_version = {json.dumps(pin.torch_version)}",
            "",
            "[wheel.torch]",
            *_rows(pin.torch),
            "",
            _OPENMP,
            "[wheel.openmp]",
            *_rows(pin.openmp),
            "",
            _LIBRARIES,
            "[import_libraries]",
            *libraries,
            "",
            _RUNNER,
            "[runner]",
            "entry_points = [",
            *(f"    {json.dumps(name)}," for name in sorted(pin.runner)),
            "]",
            "",
            _SHIMS,
            "[shims]",
            *(f"{name} = {json.dumps(digest)}" for name, digest in sorted(pin.shims.items())),
            "",
        )
    )


def _rows(pinned: PinnedFile) -> list[str]:
    # JSON's strings and numbers are TOML's, too.
    return [f"{key} = {json.dumps(value)}" for key, value in asdict(pinned).items()]
