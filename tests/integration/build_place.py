"""A project in a folder, and where builds of it write."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from project_build import REPO

#: what a cache of its own shares with the user's: all that is made once per machine
SHARED = ("sysroots", "zig", "runtime", "objects")


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
