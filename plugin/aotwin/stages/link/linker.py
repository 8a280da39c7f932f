"""Stage link: a wrapper's object, its pairing with the blob and the libraries become a PE DLL.

The digest of the weights comes in here, in a small C source of its own: the object does not
depend on the weights' values, so new weights for the same model cost a link and no compile.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from aotwin.adapters.pe.authenticode import authenticode_sha256
from aotwin.adapters.pe.checksum import set_checksum
from aotwin.adapters.pe.pairing import BLOB_NAME_UNITS, blob_name
from aotwin.adapters.storage.files import replacing, storage_errors
from aotwin.adapters.storage.results import key_of, remembered
from aotwin.adapters.tools.zig import Zig
from aotwin.own_code import own_code_digest
from aotwin.stages.link.binding import NUMBERS
from aotwin.stages.link.compiler import identity_of, own_sources
from aotwin.stages.link.description import description_source
from aotwin.stages.link.sysroot import Sysroot
from aotwin.target.toolchain import Cpu, Toolchain, toolchain_path
from aotwin.values import BlobInfo, Constant, SealedDll, Wrapper

#: our own entry points (toolchains/windows/dll: aotwin_description.h, aotwin_info_exports.h)
OWN_EXPORTS: tuple[str, ...] = ("AotwinBindRuntime", "AotwinDescribe", "AotwinWeightsInfo")
#: entry points that toolchains/windows/dll defines for every torch, where later versions than the
#: wrapper's generate them
SUPPLIED_EXPORTS: tuple[str, ...] = (
    "AOTInductorGetLastError",
    "AOTInductorModelContainerCreateWithExternalConstants",
    "AOTInductorModelContainerDidCallLoadConstants",
    "AOTInductorModelContainerExtractConstantsMapEntries",
    "AOTInductorModelContainerUpdateConstantBufferFromCpu",
    "AOTInductorModelContainerUpdateConstantBufferFromCpuPairs",
    "AOTInductorModelContainerUpdateConstantBufferPairs",
    "AOTInductorModelContainerUpdateInactiveConstantBufferPairs",
    "AOTInductorModelContainerUpdateUserManagedConstantBufferPairs",
    "AOTInductorModelCreateV2",
    "AOTInductorModelUpdateConstantsMapV2",
)
_PAIRING = "aotwin_pairing.c"
_DESCRIPTION = "aotwin_description.c"
_BINDING = "aotwin_binding.c"
_DEFINITION = "model.def"
#: the wrapper's, in the order of `compile_wrapper`
_OBJECTS = ("model.obj", "interface.obj")
#: definitions of the C API in a generated wrapper, at the start of a line
_ENTRY_POINT = re.compile(r"^AOTIRuntimeError\s+(AOTInductor\w+)\s*\(", re.MULTILINE)


def link_model(
    compiled: Sequence[bytes],
    wrapper: Wrapper,
    blob: BlobInfo,
    *,
    dll_name: str,
    output_dir: Path,
    toolchain: Toolchain,
    cpu: Cpu,
    sysroot: Sysroot,
    zig: Zig,
    binding: str = "",
    runs_with: Sequence[str] = (),
) -> SealedDll:
    """Link one DLL and seal it: the digest is taken right after the last byte was written.

    Args:
        compiled: the wrapper's objects.
        blob: the weights that the DLL will accept, under the name that it will look for.
        dll_name: file name of the DLL.
        output_dir: where the DLL goes.
        runs_with: versions of torch that the DLL runs in, besides the sysroot's.
        binding: `binding_source`, for a model over the run time of our own; "" over torch.

    Raises:
        ToolError: the linker failed.
        StorageError: the disk is full, or the folder cannot be written.
    """
    path = output_dir / dll_name
    files = {
        **dict(zip(_OBJECTS, compiled, strict=False)),
        _PAIRING: pairing_source(blob, wrapper.constants).encode(),
        _DESCRIPTION: description_source(
            wrapper,
            cpu=cpu.name,
            torch_version=sysroot.torch_version,
            run_time="own" if binding else "torch",
            runs_with=runs_with,
        ).encode(),
        **({_BINDING: binding.encode()} if binding else {}),
        _DEFINITION: definition_file(dll_name, exported_names(wrapper)).encode(),
    }
    objects = _OBJECTS[: len(compiled)]
    command = link_command(dll_name, objects, toolchain, sysroot, own=bool(binding))

    def linked() -> bytes:
        with tempfile.TemporaryDirectory(prefix=".link-", dir=output_dir) as folder:
            work = Path(folder)
            for name, content in files.items():
                (work / name).write_bytes(content)
            zig.run(command, cwd=work, doing=f"linking {dll_name}")
            set_checksum(work / dll_name)
            return (work / dll_name).read_bytes()

    with storage_errors(path):
        data = remembered("dlls", _dll_key(files, command, sysroot, zig), linked)
        with replacing(path) as file:
            file.write(data)
    return seal(path, cpu.name)


def _dll_key(files: Mapping[str, bytes], command: Sequence[str], sysroot: Sysroot, zig: Zig) -> str:
    """The name of a DLL among the results: all that decides its bytes, and no path."""
    places = {str(sysroot.directory): "sysroot", str(toolchain_path(".")): "aotwin"}
    arguments = "\0".join(command)
    for place, name in places.items():
        arguments = arguments.replace(place, name)
    parts = [part for name, content in files.items() for part in (name, content)]
    return key_of(*parts, arguments, *identity_of(sysroot, zig), *own_sources(), own_code_digest())


def seal(path: Path, cpu: str) -> SealedDll:
    """Take the digests of a DLL as the linker, and nobody else, has left it."""
    with storage_errors(path):
        data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return SealedDll(path, cpu, digest, len(data), authenticode_sha256(data))


def exported_names(wrapper: Wrapper) -> tuple[str, ...]:
    """What the DLL exports: the C API, which the wrapper or the run-time part defines, and ours."""
    return tuple(sorted({*_ENTRY_POINT.findall(wrapper.source), *SUPPLIED_EXPORTS, *OWN_EXPORTS}))


def definition_file(dll_name: str, names: Iterable[str]) -> str:
    """A module definition file: without one, the DLL would export the C run time as well."""
    return f"LIBRARY {dll_name}\nEXPORTS\n" + "".join(f"    {name}\n" for name in names)


def link_command(
    dll_name: str,
    objects: Sequence[str],
    toolchain: Toolchain,
    sysroot: Sysroot,
    *,
    own: bool = False,
) -> list[str]:
    """The `zig c++` call that links, to be run in the folder of the objects.

    Args:
        own: whether the model calls our own run time, so that nothing is imported from torch.
    """
    of_torch = [
        str(toolchain_path("windows/dll") / "aotwin_binding_torch.c"),
        str(sysroot.import_dir / "libtorch_cpu.a"),
        str(sysroot.import_dir / "liblibiomp5md.a"),
    ]
    return [
        *runtime_flags(toolchain),
        *objects,
        _PAIRING,
        _DESCRIPTION,
        str(toolchain_path("windows/dll") / "locale_support.c"),
        str(toolchain_path("windows/dll") / "msvc_support.c"),
        _DEFINITION,
        f"-I{toolchain_path('windows/dll')}",
        *([_BINDING, str(toolchain_path(NUMBERS))] if own else of_torch),
        str(sysroot.lib_dir / "sleef.lib"),
        "-o",
        dll_name,
    ]


def runtime_flags(toolchain: Toolchain) -> list[str]:
    """The part of a link that decides which libc++ and C run time zig builds."""
    return ["c++", "-target", toolchain.triple, *toolchain.link_flags]


def pairing_source(blob: BlobInfo, constants: Sequence[Constant]) -> str:
    """`aotwin_pairing.c`: the template in toolchains/windows/dll/aotwin_pairing.h, filled in."""
    name = blob_name(blob.reference)
    units = [int.from_bytes(name[at : at + 2], "little") for at in range(0, len(name), 2)]
    room = max(len(units), BLOB_NAME_UNITS)
    mutable = [int(constant.mutable) for constant in constants]
    return "\n".join(
        (
            '#include "aotwin_pairing.h"',
            f"static const uint16_t blob_name[{room}] = {{{_row(units)}}};",
            f"static const uint8_t may_be_written[] = {{{_row((*mutable, 0))}}};",
            "const AotwinPairing aotwin_pairing = {",
            "    .format_version = AOTWIN_PAIRING_VERSION,",
            f"    .num_constants = {len(constants)},",
            f"    .constants_size = UINT64_C({blob.constants_nbytes}),",
            f"    .sha256 = {{{_row(blob.digest)}}},",
            "    .blob_name = blob_name,",
            "    .may_be_written = may_be_written,",
            "};",
            f"AOTWIN_DEFINE_CONSTANTS_BIN({blob.constants_nbytes})",
            "",
        )
    )


def _row(numbers: Iterable[int]) -> str:
    return ", ".join(str(number) for number in numbers)
