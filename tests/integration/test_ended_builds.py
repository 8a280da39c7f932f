"""A build that is told to end leaves nothing; one that is killed, nothing that is in the way."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from build_place import BuildPlace

LinkedCache = Callable[..., Path]

pytestmark = [pytest.mark.zig, pytest.mark.torch]

WORDS = {143: "terminated", 129: "ended with its terminal", 130: "interrupted"}
HOOK = """\
import sys
from aotwin import build_meta
print(build_meta.build_wheel(sys.argv[1], {"target": "windows"}))
"""
EXPORT = """\
import sys
import torch

def program():
    print("exporting", file=sys.stderr, flush=True)
    model = torch.nn.Sequential(*(torch.nn.Linear(64, 64) for _ in range(20)))
    return torch.export.export(model, (torch.zeros(2, 64),))
"""


class Place(BuildPlace):
    """A project, and where its build writes."""

    @property
    def hook(self) -> list[str]:
        return [sys.executable, "-W", "error", "-c", HOOK, str(self.dist)]

    def command_line(self, source: str) -> list[str]:
        aotwin = [sys.executable, "-W", "error", "-m", "aotwin", "build", source]
        return [*aotwin, "--name", "demo.classifier", "-o", str(self.dist)]

    def left_behind(self) -> list[str]:
        """Everything in dist/, in the temporary folder and among the remembered objects."""
        objects = self.cache / "results" / "objects"
        inside = objects.iterdir() if objects.is_dir() else ()
        left = [*self.dist.iterdir(), *self.temporary.iterdir()]
        return [path.name for path in (*left, *inside) if path.suffix != ".lock"]


@pytest.fixture
def place(ready_project: Path, tmp_path: Path, linked_cache: LinkedCache) -> Place:
    (ready_project / "export_model.py").write_text(EXPORT)
    made = Place(ready_project, tmp_path / "dist", tmp_path / "temporary", linked_cache("cache"))
    made.dist.mkdir()
    made.temporary.mkdir()
    return made


@pytest.mark.parametrize("how", ["hook", "command line"])
@pytest.mark.parametrize(
    "signals",
    ["SIGTERM", "SIGHUP", "SIGINT", "SIGTERM,SIGTERM,SIGINT,SIGTERM,SIGHUP,SIGTERM"],
    ids=lambda signals: signals if "," not in signals else "several in a row",
)
def test_a_build_that_is_ended_while_it_compiles_leaves_nothing(
    how: str, signals: str, place: Place
) -> None:
    command = place.hook if how == "hook" else place.command_line("classifier.pt2")
    # The blob is written; the compile was started before it.
    ended = place.end(command, when="weights demo.classifier", by=signals)
    # Of several, the system delivers which it likes first.
    codes = [128 + signal.Signals[name] for name in signals.split(",")]
    assert ended.code in codes, ended.stderr
    assert ended.stderr.endswith(f"\naotwin: {WORDS[ended.code]}; nothing half-written was left\n")
    assert "compile demo.classifier" not in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list((place.cache / "results" / "locks").iterdir()), "no compile was under way"
    assert set(ended.orphans) <= {-signal.SIGKILL}
    assert place.left_behind() == []


@pytest.mark.parametrize("how", ["hook", "command line"])
def test_a_build_that_is_ended_while_it_generates_code_leaves_nothing(
    how: str, place: Place
) -> None:
    if how == "hook":
        project = place.project / "pyproject.toml"
        text = project.read_text().replace(
            'wrapper = "classifier.pt2"', 'program = "export_model:program"'
        )
        project.write_text(text)
    command = place.hook if how == "hook" else place.command_line("export_model:program")
    ended = place.end(command, when="exporting", by="SIGTERM")
    assert ended.code == 143, ended.stderr
    assert ended.stderr.endswith("\naotwin: terminated; nothing half-written was left\n")
    assert "generate demo.classifier" not in ended.stderr
    assert place.left_behind() == []


def test_a_model_that_is_there_stays_when_its_next_build_is_ended(place: Place) -> None:
    model = place.dist / "demo" / "classifier"
    model.mkdir(parents=True)
    (model / "aotwin.json").write_text("{}")
    command = place.command_line("classifier.pt2")
    ended = place.end(command, when="weights demo.classifier", by="SIGTERM")
    assert ended.code == 143, ended.stderr
    assert [path.name for path in model.iterdir()] == ["aotwin.json"]
    assert [path.name for path in model.parent.iterdir()] == ["classifier"]


def test_what_a_killed_build_left_is_removed_by_the_next(
    place: Place, ready_project: Path, warm_cache: Path
) -> None:
    killed = place.end(place.hook, when="sysroot", by="SIGKILL")
    assert killed.code == -signal.SIGKILL, killed.stderr
    left = [*place.dist.iterdir(), *place.temporary.iterdir()]
    assert len(left) == 2
    assert all(path.name.startswith(".aotwin-") and (path / "lock").exists() for path in left)
    shutil.rmtree(place.cache / "results", ignore_errors=True)
    done = subprocess.run(
        place.hook,
        check=True,
        cwd=ready_project,
        # with the objects that other tests have compiled
        env=place.environ | {"AOTWIN_CACHE_DIR": str(warm_cache)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert [path.name for path in place.dist.iterdir()] == [done.stdout.split()[-1]]
    assert list(place.temporary.iterdir()) == []
