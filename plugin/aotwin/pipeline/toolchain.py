"""What builds need once per machine, fetched and compiled before they do."""

from __future__ import annotations

import os
from pathlib import Path

from aotwin.adapters.storage.files import temporary_folder
from aotwin.progress import Progress
from aotwin.session import open_session, result_of, run_time_of
from aotwin.target.toolchain import load_toolchain


def fetch_toolchain(target: str, *, torch: str = "", progress: Progress) -> Path:
    """Fetch a target's sysroot and compile what builds need once per machine, before they do.

    Args:
        torch: whose sysroot, "2.12.1"; by default the newest torch's that is pinned.

    Returns:
        The sysroot's folder.
    """
    toolchain = load_toolchain(target)
    with (
        temporary_folder() as folder,
        open_session(
            toolchain,
            torch or toolchain.newest_torch,
            folder,
            progress=progress,
            jobs=len(os.sched_getaffinity(0)),
            check="static",
            libs=folder,
            own_run_time=True,
            levels=toolchain.cpus,
        ) as session,
    ):
        with progress.stage("C++ run time of the target") as step:
            session.warm_up.wait(step)
        run_time_of(session)
        for each in session.shared:
            result_of(each)
        return session.sysroot.directory
