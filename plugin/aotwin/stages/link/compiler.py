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
from dataclasses import dataclass
from pathlib import Path

from aotwin.adapters.storage.cache import build_once, cache_dir
from aotwin.adapters.storage.files import storage_errors, temporary_folder
from aotwin.adapters.storage.results import key_of, remembered
from aotwin.adapters.tools.zig import Zig
from aotwin.stages.link.sysroot import Sysroot
from aotwin.stages.link.units import shared_unit, translation_units
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
    flags = compile_flags(toolchain, cpu, definitions_for(wrapper.definitions, toolchain, cpu))
    command = compile_command(flags, sysroot, zig)

    def compiled() -> bytes:
        with temporary_folder() as folder:
            return _compile(units.model, folder, command, zig)

    model = remembered("objects", _object_key(units.model, flags, sysroot, zig), compiled)
    if not units.interface:
        return (model,)
    shared = SharedUnit(units.interface, tuple(flags), sysroot, zig).compiled()
    with storage_errors(shared):
        return model, shared.read_bytes()


@dataclass(frozen=True)
class SharedUnit:
    """The unit that all models of a torch and a CPU level share, compiled once per machine."""

    source: str
    #: free of paths
    flags: tuple[str, ...]
    sysroot: Sysroot
    zig: Zig

    @property
    def object(self) -> Path:
        """Its COFF object in the user cache, compiled or not."""
        key = _object_key(self.source, self.flags, self.sysroot, self.zig)
        return cache_dir() / "objects" / hashlib.sha256(key.encode()).hexdigest()[:32] / _OBJECT

    def compiled(self) -> Path:
        """Its COFF object, compiled if need be; who wants it meanwhile waits.

        Raises:
            ToolError: the compiler failed.
            StorageError: the user cache cannot be written.
        """

        def build(folder: Path) -> None:
            command = compile_command(self.flags, self.sysroot, self.zig)
            _compile(self.source, folder, command, self.zig)
            (folder / _SOURCE).unlink()

        build_once(self.object.parent, build)
        return self.object


def expected_unit(toolchain: Toolchain, cpu: Cpu, sysroot: Sysroot, zig: Zig) -> SharedUnit | None:
    """What models of a sysroot's torch will share, before one of them is generated.

    A wrapper with other definitions, or of another text, has a unit of its own.
    """
    source = shared_unit(sysroot.interface)
    if not source:
        return None
    definitions = definitions_for(toolchain.generated_definitions, toolchain, cpu)
    flags = compile_flags(toolchain, cpu, definitions)
    return SharedUnit(source, tuple(flags), sysroot, zig)


def _compile(source: str, folder: Path, command: list[str], zig: Zig) -> bytes:
    path = folder / _SOURCE
    with storage_errors(path):
        path.write_text(source, encoding="utf-8")
    try:
        # To code generation, which all that is still to be compiled waits for.
        zig.run(command, cwd=folder, doing="compiling the wrapper", gives_way=True)
    finally:
        _keep(path)
    return (folder / _OBJECT).read_bytes()


def definitions_for(generated: Iterable[str], toolchain: Toolchain, cpu: Cpu) -> tuple[str, ...]:
    """Preprocessor definitions: a wrapper's, without the build host's, and the target's.

    In one order, whichever of the target's the wrapper has too: what is compiled is known by it.
    """
    kept = [
        each
        for each in generated
        if each.partition("=")[0] not in toolchain.dropped_definitions
        and each not in toolchain.definitions
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
