"""Whole builds beside each other, and killed: the next gives the right wheel, and nothing is left.

A build is killed by SIGKILL, with its process group, at moments that are chosen and not waited
for. What it started in groups of its own (compilers) lives a little longer, as it would.
"""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from build_place import SHARED, BuildPlace

from aotwin.adapters.storage import results
from aotwin.adapters.storage.seals import opened
from project_build import REPO

KILLED_BUILD = Path(__file__).with_name("killed_build.py")
WHEEL = "demo-1.0-py3-none-win_amd64.whl"
LinkedCache = Callable[..., Path]

pytestmark = pytest.mark.zig

EXPORT = """\
import torch


def program():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.Tanh(), torch.nn.Linear(64, 2))
    return torch.export.export(model.eval(), (torch.zeros(2, 64),))
"""


class Place(BuildPlace):
    """A project, and where its builds write."""

    @classmethod
    def make(cls, folder: Path, project: Path, cache: Path) -> Place:
        made = cls(folder / "project", folder / "dist", folder / "temporary", cache)
        shutil.copytree(project, made.project, dirs_exist_ok=True)
        made.dist.mkdir(parents=True)
        made.temporary.mkdir()
        return made

    def attempt(self, *moment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(KILLED_BUILD), str(self.dist), *moment]
        return self.run(command, new_session=True)

    def build(self) -> tuple[bytes, list[str]]:
        """The wheel of a build that nobody disturbs, and what were its moments."""
        done = self.attempt()
        assert done.returncode == 0, done.stdout + done.stderr
        *moments, name = done.stdout.splitlines()
        return (self.dist / name).read_bytes(), moments

    def kill(self, *moment: str) -> None:
        done = self.attempt(*moment)
        assert done.returncode == -signal.SIGKILL, f"no such moment: {moment}\n{done.stderr}"

    def require_clean(self) -> None:
        """Nothing is there but the wheel and whole results."""
        assert [path.name for path in self.dist.iterdir()] == [WHEEL]
        assert list(self.temporary.iterdir()) == []
        require_sound(self.cache)


def require_sound(cache: Path) -> None:
    """Every file among the results is a whole result, and nothing else lies there."""
    for kind in (cache / "results").iterdir():
        if kind.name == "locks":
            continue
        for path in kind.iterdir():
            content = opened(path.read_bytes(), kind.name, path.name)
            assert content is not None, path


def results_of(cache: Path) -> Mapping[str, str]:
    """What a build takes from the results, with digests; some are of one place alone."""
    return {
        str(path.relative_to(cache)): hashlib.sha256(path.read_bytes()).hexdigest()
        for kind in results.KINDS
        if kind not in results.OF_THIS_MACHINE
        for path in sorted((cache / "results" / kind).glob("*"))
        if path.is_file()
    }


@dataclass(frozen=True)
class Undisturbed:
    """A project, and what its build makes where nothing is known yet."""

    project: Path
    wheel: bytes
    cache: Path
    moments: Sequence[str]


@pytest.fixture(scope="module")
def undisturbed(
    ready_wrapper: Path, warm_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    source = folder / "source"
    shutil.copytree(REPO / "tests" / "packages" / "ready-classifier", source)
    shutil.copyfile(ready_wrapper, source / "classifier.pt2")
    return _undisturbed(folder, source, warm_cache)


@pytest.fixture(scope="module")
def undisturbed_program(warm_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("program")
    source = folder / "source"
    shutil.copytree(REPO / "tests" / "packages" / "ready-classifier", source)
    (source / "export_model.py").write_text(EXPORT)
    project = source / "pyproject.toml"
    project.write_text(
        project.read_text().replace(
            'wrapper = "classifier.pt2"', 'program = "export_model:program"'
        )
    )
    return _undisturbed(folder, source, warm_cache)


def _undisturbed(folder: Path, source: Path, warm_cache: Path) -> Undisturbed:
    cache = folder / "cache"
    cache.mkdir()
    for kind in SHARED:
        (cache / kind).symlink_to(warm_cache / kind)
    place = Place.make(folder, source, cache)
    wheel, moments = place.build()
    place.require_clean()
    return Undisturbed(source, wheel, cache, moments)


#: moment -> what of an undisturbed build's results is there before, and the moment
MOMENTS: Mapping[str, tuple[Sequence[str], tuple[str, str, str]]] = {
    "an object gets its name": ((), ("os.rename", r"results/objects/\w+", "1")),
    "the linker is about to start": (("objects",), ("subprocess.Popen", r"model\.def", "1")),
    "a DLL gets its name among the results": (
        ("objects",),
        ("os.rename", r"results/dlls/\w+", "1"),
    ),
    "a DLL gets its name in the package": (
        ("objects", "dlls"),
        ("os.rename", r"demo/classifier/classifier\.dll", "1"),
    ),
    "the wheel is half written": (("objects", "dlls"), ("open", r"classifier\.dll rb?\b", "3")),
    "the wheel gets its name": (("objects", "dlls"), ("os.rename", r"win_amd64\.whl", "1")),
}


@pytest.mark.parametrize(("known", "moment"), MOMENTS.values(), ids=MOMENTS)
def test_a_build_that_is_killed_spoils_no_later_one(
    known: Sequence[str],
    moment: tuple[str, str, str],
    undisturbed: Undisturbed,
    linked_cache: LinkedCache,
    tmp_path: Path,
) -> None:
    cache = linked_cache("cache", SHARED)
    for kind in known:
        shutil.copytree(undisturbed.cache / "results" / kind, cache / "results" / kind)
    place = Place.make(tmp_path, undisturbed.project, cache)
    place.kill(*moment)
    assert not list(place.dist.glob("*.whl"))
    wheel, _ = place.build()
    assert wheel == undisturbed.wheel
    place.require_clean()
    assert results_of(cache) == results_of(undisturbed.cache)


def test_four_builds_at_once_give_one_wheel_and_compile_once(
    undisturbed: Undisturbed, linked_cache: LinkedCache, tmp_path: Path
) -> None:
    cache = linked_cache("cache", SHARED)
    places = [Place.make(tmp_path / str(n), undisturbed.project, cache) for n in range(4)]
    assert all(wheel == undisturbed.wheel for wheel in _built_at_once(places, "verbose=1"))
    said = [(place.project / "said.txt").read_text() for place in places]
    assert sum(text.count(" -c model.cpp") for text in said) == 1
    require_sound(cache)
    assert results_of(cache) == results_of(undisturbed.cache)


def _built_at_once(places: Sequence[Place], *settings: str) -> list[bytes]:
    """`python -m build` in all places, all started before the first is waited for."""
    words = [word for each in ("target=windows", *settings) for word in ("--config-setting", each)]
    command = [sys.executable, "-m", "build", "--no-isolation", "--skip-dependency-check", *words]
    started = []
    for place in places:
        said = (place.project / "said.txt").open("w")
        started.append(
            subprocess.Popen(
                [*command, "--outdir", str(place.dist)],
                cwd=place.project,
                env=place.environ,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        )
        said.close()
    codes = [process.wait() for process in started]
    assert codes == [0] * len(places), (places[0].project / "said.txt").read_text()
    return [(place.dist / WHEEL).read_bytes() for place in places]


@pytest.mark.torch
@pytest.mark.long
@pytest.mark.timeout(3600)
def test_four_builds_of_a_program_at_once_give_one_wheel(
    undisturbed_program: Undisturbed, linked_cache: LinkedCache, tmp_path: Path
) -> None:
    cache = linked_cache("cache", SHARED)
    places = [Place.make(tmp_path / str(n), undisturbed_program.project, cache) for n in range(4)]
    assert all(wheel == undisturbed_program.wheel for wheel in _built_at_once(places))
    require_sound(cache)
    assert results_of(cache) == results_of(undisturbed_program.cache)


@pytest.mark.torch
@pytest.mark.long
@pytest.mark.timeout(3600)
def test_kills_all_over_a_build_of_a_program_spoil_nothing(
    undisturbed_program: Undisturbed, linked_cache: LinkedCache, tmp_path: Path
) -> None:
    """One cache, killed at each tenth of everything that a build does to the disk, in turn."""
    cache = linked_cache("cache", SHARED)
    place = Place.make(tmp_path, undisturbed_program.project, cache)
    names = [moment.partition(" ")[0] for moment in undisturbed_program.moments]
    assert len(names) > 50
    for part in range(1, 10):
        index = len(names) * part // 10
        event = names[index]
        number = names[: index + 1].count(event)
        done = place.attempt(event, "", str(number))
        # Results that were kept before have made the build shorter.
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        if part % 3 == 0:
            shutil.rmtree(cache / "results", ignore_errors=True)
    wheel, _ = place.build()
    assert wheel == undisturbed_program.wheel
    place.require_clean()
    assert results_of(cache) == results_of(undisturbed_program.cache)
