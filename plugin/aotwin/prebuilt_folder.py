"""The folder of a model that `aotwin build` made elsewhere: what it says, and whether that fits.

Part of the pipeline. A folder may be anybody's: Python in it is aotwin's own, byte for byte, and
what else could be run is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from aotwin.adapters.archives.untrusted_files import DamagedFileError, FolderFiles, read_file
from aotwin.assembly import payload_file, payload_of
from aotwin.errors import CheckError, ConfigurationError
from aotwin.formats.manifest import MANIFEST_NAME, generator_name
from aotwin.formats.manifest_reader import (
    MAX_MANIFEST_NBYTES,
    Manifest,
    ManifestError,
    parse_manifest,
)
from aotwin.model_spec import ModelSpec
from aotwin.stages.runtime import LIBS_FOLDER, packed_name
from aotwin.target.toolchain import Toolchain

#: what AOTInductor and aotwin write beside the code: data, which nothing runs
_DATA_SUFFIXES = frozenset({".json", ".npz"})


@dataclass(frozen=True)
class Prebuilt:
    """A built model's folder whose manifest fits the project."""

    spec: ModelSpec
    directory: Path
    manifest: Manifest
    #: the manifest's JSON
    content: Mapping[str, Any]


def open_prebuilt(spec: ModelSpec, toolchain: Toolchain) -> Prebuilt:
    """Read the manifest of a model's folder, before anything is built.

    Args:
        spec: a model with `prebuilt`.

    Raises:
        ConfigurationError: it holds no built model, another model, or one for another target.
    """
    assert spec.prebuilt is not None
    directory = spec.prebuilt
    try:
        files = FolderFiles(directory, recursive=False)
        if MANIFEST_NAME not in files.names():
            found = files.odd().get(MANIFEST_NAME, "no such file")
            raise DamagedFileError(f"{MANIFEST_NAME}: {found}")
        data = read_file(files, MANIFEST_NAME, MAX_MANIFEST_NBYTES)
        manifest = parse_manifest(data)
    except (DamagedFileError, ManifestError) as error:
        raise ConfigurationError(
            f"{directory} holds no built model",
            cause=str(error),
            next_step=f"Name the folder with {MANIFEST_NAME} in it: aotwin build -o models --name "
            f"{spec.name} writes models/{spec.name.replace('.', '/')}.",
        ) from error
    made = Prebuilt(spec, directory, manifest, json.loads(data))
    _require_fitting(made, toolchain)
    _require_own_python(made, files)
    return made


def _require_fitting(model: Prebuilt, toolchain: Toolchain) -> None:
    """The model that the project means, and one that this aotwin knows how to pack."""
    spec, manifest = model.spec, model.manifest
    if manifest.name != spec.name:
        raise ConfigurationError(
            f"{model.directory} holds the model {manifest.name}, not {spec.name}",
            cause="a model's name is compiled into its DLL and stands in its manifest",
            next_step=f'Name the table [tool.aotwin.models."{manifest.name}"], or build the model '
            f"again with --name {spec.name}.",
        )
    if manifest.target != toolchain.name:
        raise ConfigurationError(
            f"{spec.name} was built for the target {manifest.target[:80]}",
            cause=f"this wheel is for {toolchain.name}",
            next_step=f"Build it again with --target {toolchain.name}.",
        )
    generator = str(model.content.get("generator", ""))
    if generator != generator_name():
        raise ConfigurationError(
            f"{spec.name} was built by another version: {generator[:80] or 'an unknown one'}",
            cause=f"this is {generator_name()}, and models of one wheel share the code that opens "
            "them",
            next_step="Build and pack with one version of aotwin.",
        )
    libs = {} if manifest.libs is None else manifest.libs.files
    abroad = [manifest.blob.file] if "/" in manifest.blob.file else []
    abroad += [name for name, each in libs.items() if name != f"{LIBS_FOLDER}/{packed_name(each)}"]
    if abroad:
        raise ConfigurationError(
            f"{spec.name} is no folder of aotwin build: it needs {abroad[0][:200]}",
            cause="such a folder has weights and run time of its own; this one was taken out of a "
            "wheel, or was changed",
            next_step="Name a folder that aotwin build made.",
        )


def _require_own_python(model: Prebuilt, files: FolderFiles) -> None:
    """Refuse Python that is not aotwin's, and whatever else could be run."""
    needed = payload_of(model.manifest.runtime)
    for name in sorted(needed.keys() | model.manifest.files.keys()):
        problem = ""
        # A proven model has a few more of them than it needs to run.
        if ours := payload_file(name):
            problem = "" if _is(files, name, ours) else "it is not that of this aotwin"
        elif PurePosixPath(name).suffix.lower() not in _DATA_SUFFIXES:
            problem = "aotwin build writes no such file"
        if problem:
            raise CheckError(
                f"{model.spec.name} is not packed for its file {name}",
                cause=problem,
                next_step="Build the model again, with the aotwin that packs it, and leave its "
                "folder as it is.",
            )


def _is(files: FolderFiles, name: str, content: bytes) -> bool:
    try:
        return name in files.names() and read_file(files, name, len(content)) == content
    except DamagedFileError:
        return False
