"""Stage compile: the wrapper's C++ and the DLL's run-time part become one COFF object.

One translation unit: the run-time part needs the generated model class for shapes and strides,
and replaces some of the generated entry points. What was compiled once is not compiled again:
objects are kept among the results, under a digest of everything that went in.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from aotwin.adapters.storage.files import storage_errors, temporary_folder
from aotwin.adapters.storage.results import key_of, remembered
from aotwin.adapters.tools.zig import Zig
from aotwin.stages.link.sysroot import Sysroot
from aotwin.stages.wrapper import to_llp64
from aotwin.target.toolchain import Cpu, Toolchain, toolchain_path
from aotwin.values import Wrapper

_OBJECT = "model.obj"
_SOURCE = "model.cpp"


def compile_wrapper(
    wrapper: Wrapper, *, toolchain: Toolchain, cpu: Cpu, sysroot: Sysroot, zig: Zig
) -> bytes:
    """Compile a wrapper for one CPU level of the target.

    Returns:
        The COFF object.

    Raises:
        ToolError: the compiler failed; the cause is its first error.
        StorageError: there is no room for the source and the object.
    """
    source = translation_unit(wrapper)
    flags = compile_flags(toolchain, cpu, definitions_for(wrapper, toolchain, cpu))

    def compiled() -> bytes:
        with temporary_folder() as folder:
            path = folder / _SOURCE
            with storage_errors(path):
                path.write_text(source, encoding="utf-8")
            try:
                zig.run(
                    compile_command(flags, sysroot, zig), cwd=folder, doing="compiling the wrapper"
                )
            finally:
                _keep(path)
            return (folder / _OBJECT).read_bytes()

    return remembered("objects", _object_key(source, flags, sysroot, zig), compiled)


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
    return key_of(source, "\0".join(flags), *identity_of(sysroot, zig), *own_sources())


def identity_of(sysroot: Sysroot, zig: Zig) -> tuple[str, ...]:
    """What tells a sysroot and a zig from others, wherever they lie."""
    # The folder of a sysroot is named for what was put into it, that of zig's lib for its files.
    return (sysroot.directory.name, zig.version, zig.lib_dir.parent.name)


def own_sources() -> tuple[bytes, ...]:
    """Names and contents of what of ours is compiled into a DLL."""
    files = [path for path in sorted(toolchain_path("windows/dll").iterdir()) if path.is_file()]
    return tuple(part for path in files for part in (path.name.encode(), path.read_bytes()))


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
