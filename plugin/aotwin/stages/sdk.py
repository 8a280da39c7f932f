"""Stage sdk: what C and C++ programs are built with, and the program aotwin-run.

    include/    aotwin.h, aotwin.hpp
    bin/        aotwin.dll, aotwin-run.exe: the programs' folder on Windows needs the first
    lib/        import libraries of aotwin.dll and of the models, for MSVC (.lib) and for MinGW
                and zig (.dll.a); cmake/aotwin/, pkgconfig/
    share/      examples

aotwin.dll is the same for all models: the run time of our own with the SDK's C API.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from aotwin.adapters.pe.checksum import set_checksum
from aotwin.adapters.pe.exports import exported_names
from aotwin.adapters.storage.cache import build_once, cache_dir
from aotwin.adapters.storage.files import replacing, storage_errors, temporary_folder
from aotwin.adapters.tools.index import file_sha256
from aotwin.adapters.tools.zig import Zig
from aotwin.errors import ConfigurationError, LoadError
from aotwin.formats.manifest import MANIFEST_NAME
from aotwin.formats.manifest_reader import MAX_MANIFEST_NBYTES, ManifestError, parse_manifest
from aotwin.model_spec import SDK_STEMS
from aotwin.stages.link import definition_file, import_library_command, runtime_flags
from aotwin.stages.runtime import LIBRARY, build_library
from aotwin.target.toolchain import Toolchain, toolchain_path
from aotwin.version import __version__

RUN_PROGRAM = "aotwin-run.exe"
#: folder of toolchains/ -> files of it, where they go in the SDK
_FILES = {
    "windows/sdk/include/aotwin.h": "include/aotwin.h",
    "windows/sdk/include/aotwin.hpp": "include/aotwin.hpp",
    "windows/sdk/cmake/aotwin-config.cmake": "lib/cmake/aotwin/aotwin-config.cmake",
    "windows/sdk/cmake/aotwin-config-version.cmake": "lib/cmake/aotwin/aotwin-config-version.cmake",
    "windows/sdk/pkgconfig/aotwin.pc": "lib/pkgconfig/aotwin.pc",
    "windows/sdk/examples/CMakeLists.txt": "share/aotwin/examples/CMakeLists.txt",
    "windows/sdk/examples/example.c": "share/aotwin/examples/example.c",
    "windows/sdk/examples/example.cpp": "share/aotwin/examples/example.cpp",
}
_VERSION = b"@AOTWIN_VERSION@"
#: folders of toolchains/ that the programs include headers from
_INCLUDED = ("windows/sdk/include", "windows/sdk/src", "windows/dll")
#: our own sources are free of undefined behaviour by care, not by traps; -Werror keeps them so
_WARNINGS = ("-Wall", "-Wextra", "-Werror", "-fno-sanitize=undefined", "-DNOMINMAX")


def write_sdk(model_directory: Path, output_dir: Path, *, toolchain: Toolchain, zig: Zig) -> Path:
    """Write the SDK, with import libraries of one model's DLL, into a folder.

    A folder that holds the SDK of another model already then serves both.

    Args:
        model_directory: a built model's folder.
        output_dir: the SDK's folder; files that are not its own stay as they are.

    Returns:
        `output_dir`.

    Raises:
        LoadError: the folder holds no built model, or its DLL is not the one that was built.
        ConfigurationError: the model's name is that of the SDK's own library.
        ToolError: zig failed.
    """
    write_sdk_of(default_dll(model_directory), output_dir, toolchain=toolchain, zig=zig)
    return output_dir


def write_sdk_of(
    dll: Path, output_dir: Path, *, toolchain: Toolchain, zig: Zig
) -> Mapping[str, str]:
    """Write the SDK, with import libraries of a model's DLL, into a folder.

    Args:
        dll: was built here, or its seal was compared.

    Returns:
        What was written: paths in the folder with forward slashes -> sha256, hex.

    Raises:
        ConfigurationError: the model's name is that of the SDK's own library.
        ToolError: zig failed.
    """
    if dll.stem.lower() in SDK_STEMS:
        raise ConfigurationError(
            f"{dll.parent} holds a model named {dll.stem}, as the SDK's own library is",
            cause="both would have the same import library",
            next_step="Build it under another name.",
        )
    files = {
        place: toolchain_path(source).read_bytes().replace(_VERSION, __version__.encode())
        for source, place in _FILES.items()
    }
    programs = sdk_programs(toolchain, zig)
    for path in programs.glob("*/*"):
        files[path.relative_to(programs).as_posix()] = path.read_bytes()
    library = model_import_library(dll, toolchain, zig)
    files[f"lib/{dll.stem}.lib"] = files[f"lib/{dll.stem}.dll.a"] = library
    target = f'aotwin_add_model("{dll.stem}")\n'
    files[f"lib/cmake/aotwin/models/{dll.stem}.cmake"] = target.encode()
    for place, content in sorted(files.items()):
        _write(output_dir / place, content)
    return {place: hashlib.sha256(content).hexdigest() for place, content in files.items()}


def default_dll(model_directory: Path) -> Path:
    """The first DLL of a built model, its bytes compared with the seal.

    Raises:
        LoadError: the folder holds no built model, or its DLL is not the one that was built.
    """
    path = model_directory / MANIFEST_NAME
    try:
        with path.open("rb") as file:
            manifest = parse_manifest(file.read(MAX_MANIFEST_NBYTES))
        listed = manifest.dlls[0]
        dll = model_directory / listed.file
        found = file_sha256(dll)
    except (OSError, ManifestError) as error:
        raise LoadError(
            f"{model_directory} holds no built model",
            cause=str(error),
            next_step="Name the folder that aotwin build printed.",
        ) from error
    if found != listed.shipped_sha256:
        raise LoadError(
            f"{dll} is not the DLL that was built",
            cause=f"expected sha256 {listed.shipped_sha256}, found {found}",
            next_step="Build the model again.",
        )
    return dll


def build_run_program(toolchain: Toolchain, zig: Zig) -> Path:
    """The Windows program aotwin-run in the user cache, aotwin.dll beside it.

    Raises:
        ToolError: zig failed.
    """
    return sdk_programs(toolchain, zig) / "bin" / RUN_PROGRAM


def sdk_programs(toolchain: Toolchain, zig: Zig) -> Path:
    """aotwin.dll, its import libraries and aotwin-run.exe in the user cache: bin/ and lib/.

    Raises:
        ToolError: zig failed.
    """
    own_library = build_library(toolchain, zig, jobs=len(os.sched_getaffinity(0)))

    def build(folder: Path) -> None:
        for name in ("bin", "lib"):
            (folder / name).mkdir()
        shutil.copyfile(own_library, folder / "bin" / LIBRARY)
        library = model_import_library(folder / "bin" / LIBRARY, toolchain, zig)
        (folder / "lib" / "aotwin.lib").write_bytes(library)
        (folder / "lib" / "libaotwin.dll.a").write_bytes(library)
        zig.run(
            run_program_command(toolchain, folder / "lib" / "aotwin.lib"),
            cwd=folder / "bin",
            doing=f"building {RUN_PROGRAM}",
        )
        set_checksum(folder / "bin" / RUN_PROGRAM)

    key = _programs_key(own_library, toolchain, zig)
    return build_once(cache_dir() / "runtime" / f"sdk-{key}", build)


def run_program_command(toolchain: Toolchain, import_library: Path) -> list[str]:
    """The `zig c++` call that builds aotwin-run.exe."""
    flags = [flag for flag in runtime_flags(toolchain) if flag != "-shared"]
    return [
        *flags,
        "-municode",
        "-std=c++17",
        *_WARNINGS,
        *_includes(),
        str(toolchain_path("windows/run/aotwin_run.cpp")),
        str(import_library),
        "-o",
        RUN_PROGRAM,
    ]


def model_import_library(dll: Path, toolchain: Toolchain, zig: Zig) -> bytes:
    """An import library of all that a DLL exports: MSVC, MinGW and zig read the same format.

    Args:
        dll: a DLL that was built here, or whose seal was compared.

    Raises:
        ToolError: zig failed.
    """
    with temporary_folder() as folder:
        definition = folder / "library.def"
        definition.write_text(definition_file(dll.name, exported_names(dll)), encoding="utf-8")
        zig.run(
            import_library_command(definition.name, "library.lib", toolchain.triple),
            cwd=folder,
            doing=f"making the import library of {dll.name}",
        )
        return (folder / "library.lib").read_bytes()


def _includes() -> list[str]:
    return [f"-I{toolchain_path(name)}" for name in _INCLUDED]


def _programs_key(library: Path, toolchain: Toolchain, zig: Zig) -> str:
    digest = hashlib.sha256("\0".join([zig.version, *runtime_flags(toolchain)]).encode())
    digest.update(library.read_bytes())
    folders = (*_INCLUDED, "windows/run")
    for path in (path for name in folders for path in sorted(toolchain_path(name).iterdir())):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()[:24]


def _write(path: Path, content: bytes) -> None:
    with storage_errors(path), replacing(path) as file:
        file.write(content)
