"""Fetch pinned wheels through pip, from the index that the user's pip is configured for."""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from pathlib import Path

from aotwin.adapters.storage.files import storage_errors
from aotwin.adapters.tools.process import run
from aotwin.errors import SysrootError
from aotwin.progress import Step
from aotwin.target.toolchain import PinnedFile

_CHUNK = 1 << 20


def download_command(python: str, pinned: PinnedFile, directory: Path) -> list[str]:
    """The pip call that downloads one wheel of another platform."""
    return [
        python,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary=:all:",
        "--platform",
        pinned.platform,
        "--python-version",
        pinned.python_version,
        "--implementation",
        "cp",
        "--abi",
        pinned.abi,
        "--dest",
        str(directory),
        pinned.requirement,
    ]


def fetch(
    pinned: PinnedFile, directory: Path, *, local: Path | None = None, step: Step | None = None
) -> Path:
    """One pinned wheel, from a local file or folder or else from pip's index, its hash checked.

    Args:
        pinned: what to fetch.
        directory: where pip puts it.
        local: a folder that may hold the wheel (offline builds), asked first.
        step: gets to know how many bytes are there.

    Returns:
        Path of the wheel.

    Raises:
        SysrootError: it cannot be had, or its sha256 is not the pinned one.
    """
    if local is not None:
        candidate = local / pinned.filename
        if not candidate.is_file():
            raise SysrootError(
                f"{pinned.filename} is not in {local}",
                cause="AOTWIN_SYSROOT names this folder, so nothing is fetched",
                next_step="Put the wheel there, or unset AOTWIN_SYSROOT to fetch it with pip.",
            )
        verify(candidate, pinned)
        return candidate
    problem = _download(pinned, directory, step)
    path = directory / pinned.filename
    if problem or not path.is_file():
        raise SysrootError(
            f"{pinned.requirement} for {pinned.platform} cannot be fetched",
            cause=problem or "pip found no wheel",
            next_step="Check the network and pip's index (pip config list), or put "
            f"{pinned.filename} into a folder and set AOTWIN_SYSROOT to it.",
        )
    verify(path, pinned)
    return path


def fetch_unpinned(wanted: PinnedFile, directory: Path, *, local: Path | None = None) -> Path:
    """A wheel that is about to be pinned: whatever pip's index, or a local folder, has for it.

    Args:
        wanted: its requirement, platform, Python and ABI count.
        directory: an empty one, where pip puts it.
        local: a folder that has it, asked instead.

    Returns:
        Path of the wheel.

    Raises:
        SysrootError: it cannot be had.
    """
    name, _, version = wanted.requirement.partition("==")
    problem = "" if local is not None else _download(wanted, directory)
    pattern = f"{name.replace('-', '_')}-{version}-*{wanted.abi}-{wanted.platform}.whl"
    found = sorted((local or directory).glob(pattern))
    if problem or not found:
        raise SysrootError(
            f"{wanted.requirement} for {wanted.platform} cannot be fetched",
            cause=problem or f"there is no {pattern}" + (f" in {local}" if local else ""),
            next_step="Check that there is such a release, the network, and pip's index and "
            "constraints (pip config list).",
        )
    return found[-1]


def _download(pinned: PinnedFile, directory: Path, step: Step | None = None) -> str:
    """Have pip fetch a wheel; returns what it says where it fails, else ""."""
    # pip's own folder for what has not arrived wholly, so that it can be measured.
    arriving = directory / "arriving"
    with storage_errors(arriving):
        arriving.mkdir(exist_ok=True)
    if step is not None:
        step.expect(pinned.nbytes, "bytes")
        step.follow(lambda: min(_nbytes_below(arriving), pinned.nbytes))
    result = run(
        download_command(sys.executable, pinned, directory),
        tool="pip",
        env={"PIP_NO_INPUT": "1", "PYTHONWARNINGS": "ignore", "TMPDIR": str(arriving)},
    )
    if result.returncode == 0:
        return ""
    errors = [line for line in result.stderr.splitlines() if "ERROR" in line]
    return errors[0] if errors else (result.stderr.strip()[-300:] or "pip found no wheel")


def _nbytes_below(folder: Path) -> int:
    """Bytes of all files in a folder that another program writes to."""
    nbytes = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            nbytes += path.stat().st_size if path.is_file() else 0
    return nbytes


def verify(path: Path, pinned: PinnedFile) -> None:
    """Check a wheel against its pin.

    Raises:
        SysrootError: its sha256 is another, or it cannot be read.
    """
    try:
        found = file_sha256(path)
    except OSError as error:
        raise SysrootError(
            f"{path} cannot be read",
            cause=str(error),
            next_step="Check that you may read it.",
        ) from error
    if found != pinned.sha256:
        raise SysrootError(
            f"{path.name} is not the pinned file",
            cause=f"expected sha256 {pinned.sha256}, found {found}",
            next_step="Remove it and fetch it again; if it comes from your index like that, "
            "the index serves another file than PyPI does.",
        )


def file_sha256(path: Path) -> str:
    """sha256 of a file as hex, read as a stream."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def offline_folder() -> Path | None:
    """`$AOTWIN_SYSROOT`: a folder with the pinned wheels (or one of them by its own path)."""
    chosen = os.environ.get("AOTWIN_SYSROOT")
    if not chosen:
        return None
    path = Path(chosen).expanduser().absolute()
    return path.parent if path.is_file() else path
