"""The tutorial, its files and commands taken from the page, in a fresh environment."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from windows_on_wine import ensure

REPO = Path(__file__).parents[2]
PAGE = (REPO / "docs" / "tutorial" / "first-model.md").read_text(encoding="utf-8")
#: "`name`...:" and then the file as a block
_FILE = re.compile(r"^`([\w./]+)`[^\n]*:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: on Linux, that is: blocks of Windows have another prompt
_COMMAND = re.compile(r"^\$ (.*)$", re.MULTILINE)
#: what is typed into Python on Windows, and what it answers
_SESSION = re.compile(r"^> python\n(>>> .*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_has_what_the_test_takes_from_it() -> None:
    assert [name for name, _ in _FILE.findall(PAGE)] == ["pyproject.toml", "export_model.py"]
    commands = _COMMAND.findall(PAGE)
    assert commands[-1].startswith("python -m build") and "cd demo" in commands
    (session,) = _SESSION.findall(PAGE)
    assert session.endswith("(3, 10)\n")


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_its_commands_give_a_wheel_that_does_on_windows_what_it_says(tmp_path: Path) -> None:
    project = tmp_path / "demo"
    (project / "src" / "demo").mkdir(parents=True)
    (project / "src" / "demo" / "__init__.py").touch()
    for name, text in _FILE.findall(PAGE):
        (project / name).write_text(text, encoding="utf-8")
    (tmp_path / "aotwin").symlink_to(REPO)
    # Where an index cannot be reached, pip goes on with the others, at once.
    environment = {**os.environ, "PIP_RETRIES": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    for name in ("PYTHONPATH", "VIRTUAL_ENV"):
        environment.pop(name, None)
    script = "\n".join(["set -e", *_COMMAND.findall(PAGE)])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (named,) = set(re.findall(r"`(dist/demo-[^`]*\.whl)`", PAGE))
    assert (project / named).is_file()
    python, site = ensure().without_torch, tmp_path / "site"
    python.install([project / named], site)
    (session,) = _SESSION.findall(PAGE)
    typed = tmp_path / "session.txt"
    typed.write_text(session, encoding="utf-8")
    said = python.python(["-m", "doctest", "-v", typed], pythonpath=[site])
    assert "3 passed" in said.stdout, said.stdout
