"""Stage compile: the wrapper's C++ and the DLL's run-time part become COFF objects.

The run-time part is compiled with the generated entry points, some of which it replaces. What was
compiled once is not compiled again: a model's object is kept among the results, and that of the
entry points, which all models of a torch share, beside aotwin's own run time; each under a digest
of everything that went in.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from aotwin.adapters.storage.cache import build_once, cache_dir
from aotwin.adapters.storage.files import storage_errors, temporary_folder
from aotwin.adapters.storage.results import key_of, remembered
from aotwin.adapters.tools.zig import Zig
from aotwin.stages.link.sysroot import Sysroot
from aotwin.stages.link.units import translation_units
from aotwin.target.toolchain import Cpu, Toolchain, toolchain_path
from aotwin.values import Wrapper

_OBJECT = "model.obj"
_SOURCE = "model.cpp"


def compile_wrapper(
    wrapper: Wrapper, *, toolchain: Toolchain, cpu: Cpu, sysroot: Sysroot, zig: Zig
) -> tuple[bytes, ...]:
    """Compile a wrapper for one CPU level of the target.

    Returns:
        COFF objects: the model's, and, where the entry points are not in it, theirs.

    Raises:
        ToolError: the compiler failed; the cause is its first error.
        StorageError: there is no room for a source or an object.
    """
    units = translation_units(wrapper)
    flags = compile_flags(toolchain, cpu, definitions_for(wrapper, toolchain, cpu))
    command = compile_command(flags, sysroot, zig)

    def compiled() -> bytes:
        with temporary_folder() as folder:
            return _compile(units.model, folder, command, zig)

    model = remembered("objects", _object_key(units.model, flags, sysroot, zig), compiled)
    if not units.interface:
        return (model,)

    def build(folder: Path) -> None:
        _compile(units.interface, folder, command, zig)
        (folder / _SOURCE).unlink()

    key = _object_key(units.interface, flags, sysroot, zig)
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    shared = build_once(cache_dir() / "objects" / name, build)
    with storage_errors(shared):
        return model, (shared / _OBJECT).read_bytes()


def _compile(source: str, folder: Path, command: list[str], zig: Zig) -> bytes:
    path = folder / _SOURCE
    with storage_errors(path):
        path.write_text(source, encoding="utf-8")
    try:
        zig.run(command, cwd=folder, doing="compiling the wrapper")
    finally:
        _keep(path)
    return (folder / _OBJECT).read_bytes()


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
        f"-I{toolchain_path('windows/dll/standard')}",
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
    root = toolchain_path("windows/dll")
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    names = [path.relative_to(root).as_posix() for path in files]
    return tuple(
        part
        for name, path in zip(names, files, strict=True)
        for part in (name.encode(), path.read_bytes())
    )


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
