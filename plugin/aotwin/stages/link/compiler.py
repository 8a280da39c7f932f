"""Stage compile: the wrapper's C++ and the DLL's run-time part become one COFF object.

One translation unit: the run-time part needs the generated model class for shapes and strides,
and replaces some of the generated entry points. What was compiled once on this machine is not
compiled again: objects are kept in the user cache under a digest of everything that went in.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from aotwin.adapters.storage.cache import build_once, cache_dir
from aotwin.adapters.tools.zig import Zig
from aotwin.errors import ToolError
from aotwin.stages.link.sysroot import Sysroot
from aotwin.stages.wrapper import to_llp64
from aotwin.target.toolchain import Cpu, Toolchain, toolchain_path
from aotwin.values import Wrapper

_OBJECT = "model.obj"
_SOURCE = "model.cpp"


def compile_wrapper(
    wrapper: Wrapper, *, toolchain: Toolchain, cpu: Cpu, sysroot: Sysroot, zig: Zig
) -> Path:
    """Compile a wrapper for one CPU level of the target.

    Returns:
        Path of the COFF object in the user cache. The caller must not change it.

    Raises:
        ToolError: the compiler failed; the cause is its first error.
    """
    source = translation_unit(wrapper)
    definitions = definitions_for(wrapper, toolchain, cpu)
    flags = compile_flags(toolchain, cpu, definitions)
    key = _object_key(source, flags, sysroot, zig)
    directory = cache_dir() / "objects" / key

    def build(folder: Path) -> None:
        (folder / _SOURCE).write_text(source, encoding="utf-8")
        command = compile_command(flags, sysroot, zig)
        try:
            zig.run(command, cwd=folder, doing="compiling the wrapper")
        except ToolError:
            _keep(folder / _SOURCE)
            raise
        _keep(folder / _SOURCE)
        (folder / _SOURCE).unlink()

    return build_once(directory, build) / _OBJECT


def translation_unit(wrapper: Wrapper) -> str:
    """The C++ that is compiled: run-time part, wrapper made LLP64-safe, run-time part."""
    return "\n".join(
        ('#include "aotwin_before.h"', to_llp64(wrapper.source), '#include "aotwin_after.h"', "")
    )


def definitions_for(wrapper: Wrapper, toolchain: Toolchain, cpu: Cpu) -> tuple[str, ...]:
    """Preprocessor definitions: the wrapper's, without the build host's, and the target's."""
    kept = [
        each
        for each in wrapper.definitions
        if each.partition("=")[0] not in toolchain.dropped_definitions
        and not each.startswith("CPU_CAPABILITY_")
    ]
    return tuple(dict.fromkeys((*kept, cpu.capability, *toolchain.definitions)))


def compile_flags(toolchain: Toolchain, cpu: Cpu, definitions: Iterable[str]) -> list[str]:
    """Flags that decide what the object holds, free of paths."""
    return [
        "-target",
        toolchain.triple,
        f"-mcpu={cpu.mcpu}",
        *toolchain.compile_flags,
        *(f"-D{each}" for each in definitions),
    ]


def compile_command(flags: Iterable[str], sysroot: Sysroot, zig: Zig) -> list[str]:
    """The `zig c++` call, to be run in the folder of the source.

    Headers spell their own path into check messages, so the folders of this machine are mapped
    to fixed names: the object must not depend on where the user's cache lies.
    """
    return [
        "c++",
        "-c",
        _SOURCE,
        "-o",
        _OBJECT,
        *flags,
        f"-I{toolchain_path('windows/dll')}",
        *(f"-isystem{folder}" for folder in sysroot.include_dirs),
        f"-ffile-prefix-map={sysroot.directory}=sysroot",
        f"-ffile-prefix-map={zig.lib_dir}=zig",
        f"-ffile-prefix-map={toolchain_path('windows/dll')}=aotwin",
    ]


def _object_key(source: str, flags: Iterable[str], sysroot: Sysroot, zig: Zig) -> str:
    digest = hashlib.sha256()
    for part in (source, "\0".join(flags), sysroot.directory.name, zig.version):
        digest.update(part.encode() + b"\0\0")
    for path in sorted(toolchain_path("windows/dll").iterdir()):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:32]


def _keep(source: Path) -> None:
    """`$AOTWIN_KEEP_SOURCES`: a folder that gets a copy of each source that is compiled."""
    chosen = os.environ.get("AOTWIN_KEEP_SOURCES")
    if not chosen:
        return
    folder = Path(chosen).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix="model-", suffix=".cpp", dir=folder)
    os.close(handle)
    shutil.copyfile(source, name)
