"""Read a ready wrapper: what AOTInductor wrote with `package_cpp_only`, as archive or folder.

The layout is `<root>/data/aotinductor/<model>/` (torch/export/pt2_archive/constants.py) with
`<name>.wrapper.cpp`, `<name>.wrapper_compile_flags.json`, `<name>.wrapper_metadata.json`,
`<name>.wrapper_weights.blob` and, where operators fall back to the proxy executor,
`<name>.wrapper.json`. The same files may lie flat in a folder. No torch is needed.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from aotwin.adapters.archives.folder_reader import FolderMembers
from aotwin.adapters.archives.zip_reader import ZipMembers
from aotwin.errors import StorageError, WrapperError
from aotwin.stages.wrapper.llp64 import strip_commands
from aotwin.stages.wrapper.mutability import written_names
from aotwin.stages.wrapper.operators import operator_warnings, refuse_packed_operators
from aotwin.stages.wrapper.source import SourceFacts, parse_source
from aotwin.stages.wrapper.threads import bound_threads
from aotwin.values import Wrapper
from aotwin.weights_source import MemoryWeights, WeightSource

_SOURCE_SUFFIX = "wrapper.cpp"
_GENERATE = (
    "Generate it with aot_inductor.package_cpp_only=True, package_constants_in_so=False and "
    'package_constants_on_disk_format="binary_blob".'
)


class _Members(Protocol):
    path: Path

    def names(self) -> list[str]: ...
    def nbytes(self, name: str) -> int: ...
    def read(self, name: str) -> bytes: ...
    def weights(self, name: str) -> WeightSource: ...


@dataclass(frozen=True)
class _Files:
    """The members of one model: `stem` is their common start, folder included."""

    members: _Members
    stem: str

    def name(self, ending: str) -> str | None:
        name = self.stem + ending
        return name if name in self.members.names() else None

    def siblings(self) -> list[str]:
        folder = str(PurePosixPath(self.stem).parent)
        return [name for name in self.members.names() if str(PurePosixPath(name).parent) == folder]


def is_wrapper(path: Path) -> bool:
    """Say whether a file or folder holds generated C++, as opposed to an exported program.

    Args:
        path: anything; what is neither a folder nor a zip archive is no wrapper.

    Raises:
        WrapperError: an archive that is not safe to read.
        StorageError: it cannot be read.
    """
    if not path.is_dir() and not (path.is_file() and zipfile.is_zipfile(path)):
        return False
    return any(name.endswith(_SOURCE_SUFFIX) for name in _members(path).names())


def read_wrapper(path: Path) -> tuple[Wrapper, WeightSource]:
    """Read the generated C++ of one model, and where its weights are.

    Without a program there is no telling what a buffer is for, so all buffers, tensor constants
    and constants of unknown kind count as mutable, parameters where the code may write them.

    Args:
        path: a `.pt2` archive, or a folder of its files, flat or nested.

    Raises:
        WrapperError: hostile, incomplete, several models, not generated with a binary blob, for
            another device, or with constants packed for the build host's CPU.
        StorageError: a file cannot be read.
    """
    members = _members(path)
    files = _only_model(members)
    source = strip_commands(_text(files, ".cpp"))
    kernels = _kernel_source(files)
    if kernels:
        source = f"{source}\n{kernels}"
    facts = parse_source(source)
    flags = _json(files, "_compile_flags.json")
    metadata = _json(files, "_metadata.json")
    _refuse_other_device(files, metadata)
    weights = _weights(files, facts)
    refuse_packed_operators(source)
    source, bound = bound_threads(source)
    extern = files.name(".json")
    extern_nodes = members.read(extern) if extern else None
    warnings = operator_warnings(source, extern_nodes)
    if bound:
        warnings += (
            f"The wrapper's accumulators are made for {bound} threads of the build host; its "
            "parallel regions are bound to as many. Generate it with cpp.dynamic_threads=True.",
        )
    wrapper = Wrapper(
        source=source,
        definitions=_definitions(files, flags),
        constants=facts.constants,
        metadata={key: str(value) for key, value in metadata.items()},
        extern_nodes=extern_nodes,
        inputs=facts.inputs,
        outputs=facts.outputs,
        warnings=warnings,
        in_spec=facts.in_spec,
        out_spec=facts.out_spec,
    )
    return with_mutability(wrapper), weights


def _members(path: Path) -> _Members:
    if path.is_dir():
        return FolderMembers(path)
    if path.exists():
        return ZipMembers(path)
    raise StorageError(
        f"{path} does not exist",
        cause="there is no such file or folder",
        next_step="Check the path, which is `wrapper` in [tool.aotwin.models].",
    )


def with_mutability(wrapper: Wrapper) -> Wrapper:
    """Mark the constants that may be written, as far as the code alone can tell."""
    written = written_names(wrapper.source, [constant.name for constant in wrapper.constants])
    return replace(
        wrapper,
        constants=tuple(
            replace(constant, mutable=constant.kind != "parameter" or constant.name in written)
            for constant in wrapper.constants
        ),
    )


def _only_model(members: _Members) -> _Files:
    sources = [name for name in members.names() if name.endswith(_SOURCE_SUFFIX)]
    if not sources:
        raise WrapperError(
            f"{members.path} holds no wrapper",
            cause=f"no file in it ends with {_SOURCE_SUFFIX}",
            next_step=f"{_GENERATE} A program saved with torch.export.save goes under `program`.",
        )
    if len(sources) > 1:
        raise WrapperError(
            f"{members.path} holds {len(sources)} models",
            cause="they are " + ", ".join(sources),
            next_step="Give each model an archive or folder of its own.",
        )
    return _Files(members, sources[0].removesuffix(".cpp"))


def _kernel_source(files: _Files) -> str:
    """Return kernels that were not inlined into the wrapper, to be one translation unit with it."""
    kernels = [name for name in files.siblings() if name.endswith("kernel.cpp")]
    return "\n".join(strip_commands(_decoded(files, name)) for name in kernels)


def _text(files: _Files, ending: str) -> str:
    name = files.name(ending)
    if name is None:
        raise WrapperError(
            f"{files.members.path} holds no {PurePosixPath(files.stem).name}{ending}",
            cause="it was not generated with package_cpp_only, or a file was left out",
            next_step=_GENERATE,
        )
    return _decoded(files, name)


def _decoded(files: _Files, name: str) -> str:
    try:
        return files.members.read(name).decode("utf-8")
    except UnicodeDecodeError as error:
        raise WrapperError(
            f"{name} of {files.members.path} is no text", cause=str(error), next_step=_GENERATE
        ) from error


def _json(files: _Files, ending: str) -> dict[str, Any]:
    text = _text(files, ending)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        value = error
    if not isinstance(value, dict):
        raise WrapperError(
            f"{files.stem}{ending} of {files.members.path} is no JSON object",
            cause=str(value)[:200],
            next_step=_GENERATE,
        )
    return value


def _definitions(files: _Files, flags: dict[str, Any]) -> tuple[str, ...]:
    names = flags.get("definitions", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise WrapperError(
            f"the definitions of {files.members.path} are no list of names",
            cause=f"{files.stem}_compile_flags.json says {names!r}"[:300],
            next_step=_GENERATE,
        )
    # Inductor writes some with a leading blank
    return tuple(name.strip() for name in names if name.strip())


def _refuse_other_device(files: _Files, metadata: dict[str, Any]) -> None:
    device = metadata.get("AOTI_DEVICE_KEY", "cpu")
    if device != "cpu":
        raise WrapperError(
            f"{files.members.path} was generated for {device}",
            cause="only models for the CPU can be built for Windows",
            next_step="Move the model to the CPU, export and generate it again.",
        )


def _weights(files: _Files, facts: SourceFacts) -> WeightSource:
    expected = sum(constant.nbytes for constant in facts.constants)
    blob = files.name("_weights.blob")
    if blob is None:
        if not facts.constants and not facts.include_weights:
            return MemoryWeights((), None)
        raise _no_blob(files, facts)
    found = files.members.nbytes(blob)
    if found != expected:
        raise WrapperError(
            f"{blob} of {files.members.path} has the wrong size",
            cause=f"the wrapper's constants need {expected} bytes, the blob has {found}",
            # with a name for the generated files, Inductor leaves a wrapper.cpp of other settings
            # in its cache as it is, and writes only the blob anew
            next_step="Generate both again, with an empty folder as TORCHINDUCTOR_CACHE_DIR.",
        )
    return files.members.weights(blob)


def _no_blob(files: _Files, facts: SourceFacts) -> WrapperError:
    if facts.include_weights:
        cause = "its weights are part of the shared library (package_constants_in_so=True)"
    elif any("weights_config.json" in name for name in files.members.names()):
        cause = 'its weights are pickled (package_constants_on_disk_format="pickle_weights")'
    else:
        cause = f"there is no {PurePosixPath(files.stem).name}_weights.blob beside the wrapper"
    return WrapperError(
        f"{files.members.path} was not generated with a binary blob",
        cause=cause,
        next_step=_GENERATE,
    )
