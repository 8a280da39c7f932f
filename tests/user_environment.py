"""The variables of a user who has a wheel of this checkout, and torch for the CPU."""

from __future__ import annotations

import os
from pathlib import Path

#: builds of torch for the CPU; where it cannot be reached, pip goes on with its other indexes
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def user_variables(wheels: Path, constraint: Path) -> dict[str, str]:
    """A user's variables: this checkout's wheel, and torch for the CPU or none at all."""
    hidden = ("AOTWIN_", "PYTHONPATH", "VIRTUAL_ENV", "PIP_CONSTRAINT", "SOURCE_DATE_EPOCH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    constraint.write_text("torch==2.13.0+cpu\n", encoding="utf-8")
    # pip's folders of wheels that this machine has by itself may hold torch already
    folders = [str(wheels), *os.environ.get("PIP_FIND_LINKS", "").split()]
    return kept | {
        "PIP_FIND_LINKS": " ".join(folders),
        "PIP_EXTRA_INDEX_URL": CPU_INDEX,
        "PIP_RETRIES": "0",
        # of `python -m build`, which installs what a project requires; and of pip's own builds
        "PIP_CONSTRAINT": str(constraint),
        "PIP_BUILD_CONSTRAINT": str(constraint),
        "UV_FIND_LINKS": ",".join(folders),
        "UV_BUILD_CONSTRAINT": str(constraint),
    }
