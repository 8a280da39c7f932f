"""Files that are whole or not there: written beside their place, then renamed."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from aotwin.adapters.storage.claims import Claim, claim_folder, remove_abandoned
from aotwin.errors import StorageError
from aotwin.termination import undisturbed

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` that takes its place when the block ends well.

    Args:
        path: the final name; its folder is created. A file that is there stays until the end.
        durable: flush to the disk before the rename, so that neither a crash nor a disk that fills
            up late leaves a short file under the final name.

    Yields:
        The temporary file, open for reading and writing bytes.

    Raises:
        StorageError: the disk is full, or a file cannot be read or written. Whatever leaves the
            block, Ctrl-C included, takes the temporary file with it.
    """
    with working_folder(path.parent) as folder, storage_errors(path):
        # The name does not depend on the final one, which may be as long as a file system allows.
        temporary = folder / "file"
        with temporary.open("x+b") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)


@contextmanager
def working_folder(parent: Path) -> Iterator[Path]:
    """Make a temporary folder in `parent` that is gone when the block ends, however it ends.

    What killed builds left in `parent` is removed first. The folder holds a lock file of ours.

    Args:
        parent: made with its own parents where it is missing; those that a failing block leaves
            empty are removed again.

    Raises:
        StorageError: a folder cannot be made.
    """
    missing = [each for each in (parent, *parent.parents) if not each.exists()]
    try:
        with ExitStack() as cleanup:
            with undisturbed(), storage_errors(parent):
                parent.mkdir(parents=True, exist_ok=True)
                remove_abandoned(parent)
                claim = claim_folder(parent)
                cleanup.callback(_remove, claim)
            yield claim.folder
    except BaseException:
        with suppress(OSError):
            for each in missing:
                each.rmdir()
        raise


def _remove(claim: Claim) -> None:
    with undisturbed():
        claim.remove()


def temporary_folder() -> AbstractContextManager[Path]:
    """A `working_folder` in the system's folder for temporary files ($TMPDIR, /tmp)."""
    return working_folder(Path(tempfile.gettempdir()))


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says about writing `path` into the user's error.

    Raises:
        StorageError: in place of any OSError.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageError(
                f"the disk is full: {path} cannot be written",
                cause=f"{error.strerror}; {_free(path.parent)}",
                next_step="Make room, or choose another folder, and build again.",
            ) from error
        if error.errno == errno.EFBIG:
            raise StorageError(
                f"{path} becomes larger than the disk or a limit allows",
                cause=error.strerror or str(error),
                next_step="Choose a folder on another disk, or raise the limit (ulimit -f).",
            ) from error
        raise StorageError(
            f"{path} cannot be written",
            cause=str(error),
            next_step="Check that the folder exists and that you may write to it.",
        ) from error


def _free(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder).free:,} bytes are free in {folder} without it"
    except OSError:
        return f"{folder} cannot be asked for its free space"
