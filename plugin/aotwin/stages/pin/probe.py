"""A probe model: what AOTInductor of a torch would generate, made from its Windows wheel alone."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from aotwin.errors import SysrootError
from aotwin.stages.wrapper import VERSION_KEY
from aotwin.target.toolchain import Cpu, toolchain_path
from aotwin.values import BLOB_ALIGNMENT

#: what every generated model begins with, kept in the wheel for AOTInductor's sake
_INTERFACE = "torch/_inductor/codegen/aoti_runtime/interface.cpp"
_PROBE = "windows/probe/model.cpp"
#: as AOTInductor defines them, whatever the version
_DEFINITIONS = ("TORCH_INDUCTOR_CPP_WRAPPER", "STANDALONE_TORCH_HEADER")


def write_probe(wheel: Path, folder: Path, cpu: Cpu, torch_version: str) -> None:
    """Write the probe model of a torch as a ready wrapper.

    Args:
        wheel: torch's wheel, of any platform.
        folder: an empty one.
        cpu: the CPU level that it is for.
        torch_version: the wheel's.

    Raises:
        SysrootError: the wheel lacks AOTInductor's interface.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            interface = archive.read(_INTERFACE).decode("utf-8")
    except (KeyError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise SysrootError(
            f"{wheel.name} does not hold {_INTERFACE}",
            cause=str(error),
            next_step="See where this torch keeps what its generated models begin with, and name "
            "that in aotwin.stages.pin.probe.",
        ) from error
    model = toolchain_path(_PROBE).read_text(encoding="utf-8")
    texts = {
        "probe.wrapper.cpp": f"{interface}\n{model}",
        "probe.wrapper_compile_flags.json": json.dumps(
            {"definitions": [*_DEFINITIONS, cpu.capability]}
        ),
        "probe.wrapper_metadata.json": json.dumps(
            {"AOTI_DEVICE_KEY": "cpu", VERSION_KEY: torch_version}
        ),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "probe.wrapper_weights.blob").write_bytes(bytes(BLOB_ALIGNMENT))
