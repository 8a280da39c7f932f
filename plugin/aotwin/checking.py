"""The pipeline of `aotwin check`, apart from that of builds, whose stages it does not need."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from aotwin.adapters.pe.readers import Readers

if TYPE_CHECKING:
    from aotwin.formats.findings import Report


def check(path: str | os.PathLike[str], *, full: bool = False) -> Report:
    """Check a DLL, a folder with built models at any depth, a wheel or a `.pt2`.

    Args:
        full: whether to hash blobs and other large files as well.

    Returns:
        The report; `bool(report)` says whether it passed. Bad input is a finding, not an error.
    """
    (report,) = check_all([path], full=full)
    return report


def check_all(paths: Iterable[str | os.PathLike[str]], *, full: bool) -> Iterator[Report]:
    """One report for each path, as `check` gives it, as soon as it is there."""
    with closing(Readers()) as readers:
        # The longest part of checking one DLL is the import of LIEF: all else comes beside it.
        readers.start()
        from aotwin.stages.check import check_path
        from aotwin.stages.link import installed_sysroots
        from aotwin.target.toolchain import load_toolchain

        sysroots = installed_sysroots(load_toolchain("windows-x86_64"))
        for path in paths:
            yield check_path(Path(path), sysroots, full=full, read=readers.read)
