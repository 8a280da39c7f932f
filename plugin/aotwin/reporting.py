"""The pipeline of `aotwin report`: what lies at a path is checked, read and told on one page."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from aotwin.adapters.pe.readers import Readers, Readings
from aotwin.adapters.storage.files import replacing
from aotwin.errors import UsageError
from aotwin.progress import Progress, Stage, parse_timings, render_timings
from aotwin.stages.report import read_subject, render_page, require_libraries

_MAX_TIMINGS_NBYTES = 1 << 20

__all__ = ["read_timings", "require_libraries", "write_report", "write_timings"]


def write_report(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    stages: Sequence[Stage] = (),
    total: float = 0.0,
    full: bool = False,
) -> bool:
    """Write a page about a DLL, a folder with built models, a wheel or a `.pt2`.

    Args:
        output: the page; a file of that name is replaced.
        stages: of the build, where they were kept.
        total: seconds of the build.
        full: whether the check hashes blobs and other large files as well.

    Returns:
        Whether the check passed. Bad input is on the page, and no error.

    Raises:
        ToolError: jinja2 or squarify is not installed.
        StorageError: the page cannot be written.
        UsageError: there is nothing at the path.
    """
    require_libraries()
    if not Path(path).exists():
        raise UsageError(
            f"there is no {os.fspath(path)}",
            cause="a report is about a built model's folder, a wheel, a DLL or a .pt2",
            next_step="Name one of these, such as dist/demo-1.0-py3-none-win_amd64.whl.",
        )
    with closing(Readers()) as readers:
        readers.start()
        from aotwin.stages.check import check_path
        from aotwin.stages.link import installed_sysroots
        from aotwin.target.toolchain import load_toolchain

        known: dict[bytes, Readings] = {}

        def read(data: bytes) -> Readings:
            # The check and the page look at the same DLLs.
            digest = hashlib.sha256(data).digest()
            if digest not in known:
                known[digest] = readers.read(data)
            return known[digest]

        sysroots = installed_sysroots(load_toolchain("windows-x86_64"))
        report = check_path(Path(path), sysroots, full=full, read=read)
        subject = read_subject(Path(path), read)
    page = render_page(subject, report, stages, total)
    with replacing(Path(output).absolute()) as file:
        # Names of files may have what is no character.
        file.write(page.encode("utf-8", "replace"))
    return bool(report)


def read_timings(path: Path) -> tuple[Sequence[Stage], float]:
    """The stages that a build kept with `--timings`.

    Raises:
        UsageError: the file is none of these.
    """
    try:
        with path.open("rb") as file:
            return parse_timings(file.read(_MAX_TIMINGS_NBYTES))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} holds no timings",
            cause=str(error)[:300],
            next_step="Give the file that aotwin build --timings FILE wrote, or leave it out.",
        ) from error


def write_timings(path: Path, progress: Progress) -> None:
    """Write the seconds of each stage so far as JSON.

    Raises:
        StorageError: the file cannot be written.
    """
    with replacing(path.absolute()) as file:
        file.write(render_timings(progress.stages, time.monotonic() - progress.began))
