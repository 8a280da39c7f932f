"""The DLLs of our run time as they go into a package: named for their content, sealed.

A process may load the packages of several builds, and Windows takes a loaded DLL for another of the
same name: so each name carries a piece of its file's sha256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aotwin.adapters.storage.files import replacing, storage_errors
from aotwin.adapters.tools.zig import Zig
from aotwin.stages.runtime.library import LIBRARY, build_library
from aotwin.target.toolchain import Toolchain

#: the folder of a model that was built by itself; of a wheel, `<name>.libs`
LIBS_FOLDER = "libs"
#: hex digits of a file's sha256 in its name
_NAME_DIGITS = 8


@dataclass(frozen=True)
class RunTime:
    """The run time of our own, ready in the user cache."""

    #: file name in a package -> the file
    files: Mapping[str, Path]
    #: file name in a package -> sha256, hex
    digests: Mapping[str, str]
    #: which of them models are bound to
    library: str

    def write(self, folder: Path) -> None:
        """Copy the files into a folder, which is made if need be.

        Raises:
            StorageError: the folder cannot be written.
        """
        for name, source in sorted(self.files.items()):
            with storage_errors(folder / name):
                folder.mkdir(parents=True, exist_ok=True)
                with replacing(folder / name) as file:
                    file.write(source.read_bytes())


def packed_name(sha256: str) -> str:
    """What the library is called in a package, by its sha256 in hex."""
    stem, _, suffix = LIBRARY.partition(".")
    return f"{stem}-{sha256[:_NAME_DIGITS]}.{suffix}"


def prepare_run_time(
    toolchain: Toolchain, zig: Zig, *, jobs: int, compiled: Callable[[], None] = lambda: None
) -> RunTime:
    """The run time, compiled once per machine.

    Args:
        jobs: compilers at a time.
        compiled: called for each of its sources that is compiled.

    Raises:
        ToolError: zig failed.
    """
    library = build_library(toolchain, zig, jobs=jobs, compiled=compiled)
    digest = hashlib.sha256(library.read_bytes()).hexdigest()
    name = packed_name(digest)
    return RunTime({name: library}, {name: digest}, name)
