"""`python -m build` of a project for the target, by this checkout, for tests of what comes out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
#: of a project `demo` that is built by aotwin; what it packs and its models follow
PYPROJECT = """\
[build-system]
requires = ["aotwin"]
build-backend = "aotwin.build_meta"

[project]
name = "demo"
version = "1.0"
"""


def build_wheel(project: Path, *settings: str) -> tuple[Path, str]:
    """Build a project's wheel in this environment, without isolation.

    Args:
        settings: further config settings, "check=wine".

    Returns:
        The only file in its `dist/`, and what the build said on stderr.
    """
    words = [word for each in ("target=windows", *settings) for word in ("--config-setting", each)]
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--skip-dependency-check",
         *words],
        cwd=project,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(REPO / "plugin"), *sys.path])},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (project / "dist").iterdir()
    return wheel, done.stderr
