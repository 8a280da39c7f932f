"""Several models of one build, generated in forks: the wheel and the messages of a serial build."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from build_place import SHARED, BuildPlace

from project_build import PYPROJECT

LinkedCache = Callable[..., Path]

pytestmark = [pytest.mark.zig, pytest.mark.torch]

#: builds the wheel, and prints how many forks that took
HOOK = """\
import sys
forks = 0
def hook(event, arguments):
    global forks
    forks += event == "os.fork"
sys.addaudithook(hook)
from aotwin import build_meta
build_meta.build_wheel(sys.argv[1], {"target": "windows", "jobs": sys.argv[2]})
print("forks", forks)
"""
PROJECT = f"""\
{PYPROJECT}
[tool.setuptools]
packages = []
"""
MODEL = """
[tool.aotwin.models."demo.{name}"]
program = "{program}"
"""
#: What each function gives depends on what those before it did: numbers that are drawn, a layer
#: that is changed in place.
EXPORT = """\
import sys
import torch
from torch import nn

torch.manual_seed(7)
shared = nn.Linear(64, 64)
exported = []


class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = shared
        self.register_buffer("calls", torch.zeros(3))

    def forward(self, x):
        self.calls.add_(1)
        return self.layer(x) + self.calls.sum() * torch.arange(64.0)


def export(name, model, x):
    exported.append(name)
    print("exporting", *exported, file=sys.stderr, flush=True)
    return torch.export.export(model.eval(), (x,))


def first():
    # Threads of OpenMP are at work before anything is forked.
    torch.randn(1000, 1000) @ torch.randn(1000, 1000)
    return export("first", nn.Sequential(shared, nn.GELU(), nn.Linear(64, 64)), torch.zeros(2, 64))


def second():
    with torch.no_grad():
        shared.weight.data.mul_(2)
    layers = nn.Conv2d(3, 64, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 64, 3)
    return export("second", nn.Sequential(*layers), torch.zeros(1, 3, 20, 20))


def third():
    return export("third", Counts(), torch.zeros(2, 64))
"""
NAMES = ("first", "second", "third")


@dataclass(frozen=True)
class Done:
    """What became of a build."""

    code: int
    forks: int
    stderr: str
    #: sha256 of the wheel; "" without one
    wheel: str


class Place(BuildPlace):
    """A project of several models, and where its builds write."""

    def write(self, text: str, *programs: str) -> None:
        """The project's module, and its models: name=program."""
        (self.project / "export_model.py").write_text(text)
        tables = [
            MODEL.format(name=name, program=program)
            for name, _, program in (each.partition("=") for each in programs)
        ]
        (self.project / "pyproject.toml").write_text("".join((PROJECT, *tables)))

    def command(self, jobs: int) -> list[str]:
        return [sys.executable, "-W", "error", "-c", HOOK, str(self.dist), str(jobs)]

    def build(self, jobs: int, *, forget: tuple[str, ...] = ("wrappers", "programs")) -> Done:
        """Build; what was compiled before is found again, unless it is forgotten."""
        for kind in forget:
            shutil.rmtree(self.cache / "results" / kind, ignore_errors=True)
        for path in self.dist.glob("*.whl"):
            path.unlink()
        done = self.run(self.command(jobs))
        wheels = list(self.dist.glob("*.whl"))
        digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest() if wheels else ""
        counted = [line.split()[1] for line in done.stdout.splitlines() if "forks" in line]
        return Done(done.returncode, int(*counted), done.stderr, digest)

    def require_clean(self) -> None:
        assert list(self.temporary.iterdir()) == []
        assert [path.name for path in self.dist.iterdir() if path.suffix != ".whl"] == []


@pytest.fixture
def place(tmp_path: Path, linked_cache: LinkedCache) -> Place:
    cache = linked_cache("cache", SHARED)
    made = Place(tmp_path / "project", tmp_path / "dist", tmp_path / "temporary", cache)
    for folder in (made.project, made.dist, made.temporary):
        folder.mkdir()
    return made


def in_code(*names: str) -> list[str]:
    return [f"{name}=export_model:{name}" for name in names]


def test_a_wheel_is_the_same_to_the_byte_however_many_models_are_generated_at_a_time(
    place: Place,
) -> None:
    place.write(EXPORT, *in_code(*NAMES))
    alone = place.build(1)
    assert (alone.code, alone.forks) == (0, 0), alone.stderr
    for jobs in (2, 4):
        beside = place.build(jobs)
        assert (beside.code, beside.forks) == (0, 3), beside.stderr
        assert beside.wheel == alone.wheel
        # The project's code ran once, in its order.
        said = [line for line in beside.stderr.splitlines() if line.startswith("exporting")]
        assert said == ["exporting first", "exporting first second", "exporting first second third"]
        for name in NAMES:
            assert f"generate demo.{name} for x86-64-v3" in beside.stderr
    # What the forks remembered serves the next build, which needs none.
    again = place.build(2, forget=())
    assert (again.forks, again.wheel) == (0, alone.wheel)
    assert again.stderr.count("(remembered)") >= 2 * len(NAMES)
    place.require_clean()


@pytest.mark.long
def test_saved_programs_are_generated_beside_each_other_and_remembered(place: Place) -> None:
    saving = "\n".join(f"torch.export.save({name}(), '{name}.pt2')" for name in ("first", "third"))
    (place.project / "save.py").write_text(f"{EXPORT}\n{saving}\n")
    subprocess.run([sys.executable, "save.py"], check=True, cwd=place.project)
    place.write("", "one=first.pt2", "two=third.pt2")
    alone = place.build(1)
    assert (alone.code, alone.forks) == (0, 0), alone.stderr
    # With the digests of their weights, and without.
    for forget in (("wrappers", "programs"), ("wrappers", "programs", "digests")):
        beside = place.build(2, forget=forget)
        assert (beside.code, beside.forks) == (0, 2), beside.stderr
        assert beside.wheel == alone.wheel
    again = place.build(2, forget=())
    assert (again.forks, again.wheel) == (0, alone.wheel)
    place.require_clean()


@pytest.mark.long
def test_models_of_the_same_weights_share_them(place: Place) -> None:
    place.write(EXPORT, *in_code("first", "third"), "same=same_model:third")
    (place.project / "same_model.py").write_text("from export_model import third\n")
    alone, beside = place.build(1), place.build(2)
    assert (alone.code, beside.code, beside.forks) == (0, 0, 3), beside.stderr
    assert beside.wheel == alone.wheel
    assert "demo.same has the same weights as demo.third" in beside.stderr


def test_a_module_that_has_started_a_thread_is_not_forked(place: Place) -> None:
    thread = (
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()"
    )
    place.write(f"{EXPORT}\n{thread}\n", *in_code("first", "third"))
    done = place.build(2)
    assert (done.code, done.forks) == (0, 0), done.stderr


#: what is wrong with the first of two models, what with the second, and what the message says
WRONG = {
    "the first cannot be lowered, the second not be loaded": (
        "return export('first', Writes(), torch.zeros(8))",
        "raise ValueError('of the second')",
        "AOTInductor generated 2 results",
    ),
    "the second cannot be loaded": (
        "return export('first', nn.Linear(8, 8), torch.zeros(2, 8))",
        "raise ValueError('of the second')",
        "of the second",
    ),
    "the second cannot be lowered": (
        "return export('first', nn.Linear(8, 8), torch.zeros(2, 8))",
        "return export('second', Writes(), torch.zeros(8))",
        "AOTInductor generated",
    ),
}
WRITES = """
class Writes(nn.Module):
    def __init__(self):
        super().__init__()
        self.p = nn.Parameter(torch.zeros(64, 8), requires_grad=False)

    def forward(self, x):
        self.p[0].add_(x)
        return self.p.sum()
"""


@pytest.mark.parametrize(("first", "second", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_model_is_said_as_by_a_serial_build(
    first: str, second: str, said: str, place: Place
) -> None:
    head = EXPORT.partition("def first")[0]
    text = f"{head}{WRITES}\n\ndef first():\n    {first}\n\n\ndef second():\n    {second}\n"
    place.write(text, *in_code("first", "second"))
    messages = []
    for jobs in (1, 2):
        done = place.build(jobs)
        assert done.code != 0
        assert "Traceback" not in done.stderr
        messages.append(done.stderr[done.stderr.index("aotwin: error:") :])
        place.require_clean()
    assert messages[0] == messages[1]
    assert said in messages[0]


@pytest.mark.parametrize(
    ("by", "code"),
    [
        ("SIGTERM", 143),
        pytest.param("SIGINT", 130, marks=pytest.mark.long),
        ("SIGKILL", -9),
    ],
)
def test_a_build_that_is_ended_while_forks_generate_leaves_none_of_them(
    by: str, code: int, place: Place
) -> None:
    place.write(EXPORT, *in_code(*NAMES))
    ended = place.end(place.command(2), when="load demo.second", by=by)
    # It has returned: whatever the build had started has ended.
    assert ended.code == code, ended.stderr
    assert "load demo.third" not in ended.stderr
    if by != "SIGKILL":
        place.require_clean()
        return
    assert -signal.SIGKILL in ended.orphans, "no fork was at work"
    # What is left goes with the next build.
    assert place.build(2).code == 0
    place.require_clean()
