"""A probe model: what AOTInductor of a torch would generate, made from its sysroot alone."""

from __future__ import annotations

import json
from pathlib import Path

from aotwin.errors import SysrootError
from aotwin.stages.link import Sysroot
from aotwin.stages.wrapper import VERSION_KEY
from aotwin.target.toolchain import Cpu, Toolchain, toolchain_path
from aotwin.values import BLOB_ALIGNMENT

_PROBE = "windows/probe/model.cpp"


def write_probe(sysroot: Sysroot, folder: Path, toolchain: Toolchain, cpu: Cpu) -> None:
    """Write the probe model of a torch as a ready wrapper.

    Args:
        sysroot: of that torch.
        folder: an empty one.
        cpu: the CPU level that it is for.

    Raises:
        SysrootError: it lacks what AOTInductor puts in front of each model.
    """
    if not sysroot.interface:
        raise SysrootError(
            f"the wheel of torch {sysroot.torch_version} does not hold AOTInductor's interface.cpp",
            cause="it lies elsewhere than in other versions",
            next_step="See where this torch keeps what its generated models begin with, and name "
            "that in aotwin.stages.link.sysroot.",
        )
    model = toolchain_path(_PROBE).read_text(encoding="utf-8")
    texts = {
        "probe.wrapper.cpp": f"{sysroot.interface}\n{model}",
        "probe.wrapper_compile_flags.json": json.dumps(
            {"definitions": [*toolchain.generated_definitions, cpu.capability]}
        ),
        "probe.wrapper_metadata.json": json.dumps(
            {"AOTI_DEVICE_KEY": "cpu", VERSION_KEY: sysroot.torch_version}
        ),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "probe.wrapper_weights.blob").write_bytes(bytes(BLOB_ALIGNMENT))
