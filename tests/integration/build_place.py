"""A project in a folder, and where builds of it write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from project_build import REPO

#: what a cache of its own shares with the user's: all that is made once per machine
SHARED = ("sysroots", "zig", "runtime", "objects")
_END_WHEN = Path(__file__).with_name("end_when.py")


@dataclass(frozen=True)
class Ended:
    """How a build and what it started ended."""

    code: int
    stderr: str
    orphans: Sequence[int]


@dataclass(frozen=True)
class BuildPlace:
    """A project, and where its builds write."""

    project: Path
    dist: Path
    temporary: Path
    cache: Path

    @property
    def environ(self) -> dict[str, str]:
        """What a build runs with: nothing of the caller's settings, folders of its own."""
        folders = [str(REPO / "plugin"), os.environ.get("PYTHONPATH", "")]
        kept = {name: text for name, text in os.environ.items() if not name.startswith("AOTWIN_")}
        return kept | {
            "AOTWIN_CACHE_DIR": str(self.cache),
            "PYTHONPATH": os.pathsep.join(filter(None, folders)),
            "TMPDIR": str(self.temporary),
            "TORCHINDUCTOR_CACHE_DIR": str(self.project / "inductor"),
        }

    def run(
        self, command: Sequence[str], *, new_session: bool = False
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            check=False,
            cwd=self.project,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=new_session,
        )

    def end(self, command: Sequence[str], *, when: str, by: str) -> Ended:
        """Send signals to a command when its stderr says something."""
        done = self.run([sys.executable, str(_END_WHEN), when, by, *command])
        assert done.returncode == 0, done.stderr
        return Ended(**json.loads(done.stdout.splitlines()[-1]))
