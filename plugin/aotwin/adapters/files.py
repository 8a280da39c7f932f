"""Files that are whole or not there: written beside their place, then renamed."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from aotwin.errors import StorageError

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
    # The name does not depend on the final one, which may be as long as the file system allows.
    temporary = path.with_name(f".aotwin-{secrets.token_hex(8)}.part")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("x+b") as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


@contextmanager
def working_folder(parent: Path) -> Iterator[Path]:
    """Make a temporary folder in `parent` that is gone when the block ends, however it ends.

    Args:
        parent: made with its own parents where it is missing; those that a failing block leaves
            empty are removed again.

    Raises:
        StorageError: a folder cannot be made.
    """
    missing = [each for each in (parent, *parent.parents) if not each.exists()]
    try:
        with storage_errors(parent):
            parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=".aotwin-", dir=parent))
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except BaseException:
        with suppress(OSError):
            for each in missing:
                each.rmdir()
        raise


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
