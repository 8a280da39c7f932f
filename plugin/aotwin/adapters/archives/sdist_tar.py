"""Write sdists as streams, the same bytes every time.

The format is the PyPA specification "Source distribution format": `<name>-<version>.tar.gz` with
one folder `<name>-<version>` in it, in the pax format of POSIX.1-2001.
"""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from aotwin.adapters.storage.files import replacing
from aotwin.errors import StorageError


def write_sdist(
    source: Path, path: Path, *, project_dir: Path, additions: Sequence[str], epoch: int
) -> None:
    """Write an sdist again, with files added, under a temporary name that is renamed at the end.

    Args:
        source: the sdist that setuptools made.
        path: the result.
        project_dir: where the additions are.
        additions: paths relative to `project_dir`; what the sdist has already stays as it is.
        epoch: time of all members, in seconds since 1970.

    Raises:
        StorageError: the disk is full, or a file cannot be read or written.
    """
    top = source.name.removesuffix(".tar.gz")
    with _open(source) as old, replacing(path, durable=True) as file:
        had = {member.name: member for member in old.getmembers() if not member.isdir()}
        added = {f"{top}/{name}": project_dir / name for name in additions}
        with (
            gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=epoch) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
        ):
            for name in _in_order(had, added):
                if name in had:
                    _copy(old, had[name], new, epoch)
                else:
                    _add(added[name], name, new, epoch)


def _in_order(had: Mapping[str, object], added: Mapping[str, object]) -> list[str]:
    """Folder by folder, which is setuptools' order: gzip can only be read forwards."""
    return sorted({*had, *added}, key=lambda name: name.split("/"))


def _copy(old: tarfile.TarFile, member: tarfile.TarInfo, new: tarfile.TarFile, epoch: int) -> None:
    if member.issym():
        link = _info(member.name, 0, executable=True, epoch=epoch)
        link.type, link.linkname = tarfile.SYMTYPE, member.linkname
        new.addfile(link)
        return
    # For a hard link to another member this is that member's content.
    content = old.extractfile(member)
    if content is not None:
        with content:
            nbytes = content.seek(0, 2)
            content.seek(0)
            executable = bool(member.mode & 0o100)
            new.addfile(_info(member.name, nbytes, executable=executable, epoch=epoch), content)


def _add(file: Path, name: str, new: tarfile.TarFile, epoch: int) -> None:
    status = file.stat()
    executable = bool(status.st_mode & 0o100)
    with file.open("rb") as content:
        new.addfile(_info(name, status.st_size, executable=executable, epoch=epoch), content)


def _info(name: str, nbytes: int, *, executable: bool, epoch: int) -> tarfile.TarInfo:
    """A member that belongs to no one: `TarInfo` starts with owner 0 and no names."""
    info = tarfile.TarInfo(name)
    info.size = nbytes
    info.mode = 0o755 if executable else 0o644
    info.mtime = epoch
    return info


def _open(source: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(source, "r:gz")
    except (OSError, tarfile.TarError) as error:
        raise StorageError(
            f"the project's sdist {source} cannot be read",
            cause=str(error),
            next_step="Build again, and leave the build's folders alone meanwhile.",
        ) from error
