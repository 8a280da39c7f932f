"""Read a folder with the same face as an archive; links that lead out of it are refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from aotwin.adapters.archives.zip_reader import MAX_MEMBERS, MAX_TEXT_NBYTES
from aotwin.adapters.storage.file_digest import settled_identity
from aotwin.errors import StorageError, WrapperError
from aotwin.weights_source import StreamWeights, WeightSource


class FolderMembers:
    """The files below one folder.

    Args:
        path: the folder.

    Raises:
        WrapperError: a link that leads out of the folder, or more than `MAX_MEMBERS` files.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: dict[str, Path] = {}
        root = path.resolve()
        for directory, folders, files in os.walk(path):
            folders.sort()
            for entry in (*folders, *files):
                file = Path(directory, entry)
                if file.is_symlink() and not file.resolve().is_relative_to(root):
                    raise WrapperError(
                        f"{file} leads out of {path}",
                        cause=f"it is a symbolic link to {file.resolve()}",
                        next_step="Copy the file into the folder.",
                    )
            for entry in files:
                file = Path(directory, entry)
                if file.is_file():
                    self._files[file.relative_to(path).as_posix()] = file
            if len(self._files) > MAX_MEMBERS:
                raise WrapperError(
                    f"{path} has more than {MAX_MEMBERS} files",
                    cause="no generated model has so many",
                    next_step="Give the folder that holds one generated model.",
                )

    def names(self) -> list[str]:
        """Return the files' paths below the folder, with forward slashes, sorted."""
        return sorted(self._files)

    def nbytes(self, name: str) -> int:
        """Return the size of a file in bytes."""
        with _storage_errors(self._files[name]):
            return self._files[name].stat().st_size

    def read(self, name: str) -> bytes:
        """Read a text file whole.

        Raises:
            WrapperError: larger than `MAX_TEXT_NBYTES`.
            StorageError: it cannot be read.
        """
        file = self._files[name]
        if self.nbytes(name) > MAX_TEXT_NBYTES:
            raise WrapperError(
                f"{file} is too large to be generated text",
                cause=f"it has {self.nbytes(name)} bytes",
                next_step="Give the folder that AOTInductor wrote with package_cpp_only.",
            )
        with _storage_errors(file):
            return file.read_bytes()

    def weights(self, name: str) -> WeightSource:
        """Return a source that streams a file."""
        file = self._files[name]
        size = self.nbytes(name)

        def wrong_size(found: int | None) -> WrapperError:
            return WrapperError(
                f"{file} changed while it was read",
                cause=f"it had {size} bytes, now {'more' if found is None else found}",
                next_step="Build again when nothing else writes the file.",
            )

        return StreamWeights(
            size, lambda: _opened(file), wrong_size, lambda: settled_identity(file)
        )


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    with _storage_errors(file), file.open("rb") as stream:
        yield stream


@contextmanager
def _storage_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{file} cannot be read", cause=str(error), next_step="Check the file's permissions."
        ) from error
