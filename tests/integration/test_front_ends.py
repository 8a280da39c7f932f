"""`python -m build`, `pip wheel` and `uv build`: each in isolation, one wheel."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from build_place import SHARED

from user_environment import user_variables

REPO = Path(__file__).resolve().parents[2]
PACKAGES = REPO / "tests" / "packages"
WHEEL = "demo-1.0-py3-none-win_amd64.whl"


pytestmark = pytest.mark.zig

FrontEnd = Callable[[Path], list[str]]
#: front end -> its call that builds a wheel for the target into dist/, for the Python of a venv
FRONT_ENDS: Mapping[str, FrontEnd] = {
    "build": lambda python: [
        *(str(python), "-m", "build", "--wheel", "--config-setting", "target=windows")
    ],
    "pip": lambda python: [
        *(str(python), "-m", "pip", "wheel", "--no-deps", "--wheel-dir", "dist"),
        *("--config-settings", "target=windows", "."),
    ],
    "uv": lambda python: [
        *(str(python.with_name("uv")), "build", "--wheel", "--python", str(python)),
        *("--config-setting", "target=windows"),
    ],
}


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the front ends of ci/front-ends.txt, and where it finds wheels."""

    python: Path
    variables: Mapping[str, str]

    def run(self, command: Sequence[str], cwd: Path) -> str:
        """Run a command there; returns what it says."""
        done = subprocess.run(
            command,
            cwd=cwd,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout


@pytest.fixture(scope="module")
def fresh(checkout_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment that has the front ends, and nothing of aotwin."""
    folder = tmp_path_factory.mktemp("fresh")
    wheels = folder / "wheels"
    wheels.mkdir()
    shutil.copy(checkout_wheel, wheels)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    made = Environment(
        folder / "venv" / "bin" / "python", user_variables(wheels, folder / "constraint.txt")
    )
    requirements = str(REPO / "ci" / "front-ends.txt")
    made.run([str(made.python), "-m", "pip", "install", "-q", "-r", requirements], folder)
    return made


def project_of(kind: str, folder: Path, ready_wrapper: Path) -> Path:
    """A project from a ready wrapper, which requires aotwin alone, or from a program."""
    project = folder / kind
    if kind == "wrapper":
        shutil.copytree(PACKAGES / "ready-classifier", project)
        shutil.copyfile(ready_wrapper, project / "classifier.pt2")
        return project
    shutil.copytree(PACKAGES / "one-program", project)
    pyproject = project / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    asked = text.replace('requires = ["aotwin"]', 'requires = ["aotwin", "torch==2.13.0"]')
    assert asked != text
    pyproject.write_text(asked, encoding="utf-8")
    return project


def sha256_of_the_wheel(project: Path) -> str:
    assert [path.name for path in (project / "dist").glob("*.whl")] == [WHEEL]
    digest = hashlib.sha256((project / "dist" / WHEEL).read_bytes()).hexdigest()
    shutil.rmtree(project / "dist")
    return digest


@pytest.mark.long
def test_aotwin_is_installed_by_its_name(fresh: Environment, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    fresh.run([str(python), "-m", "pip", "install", "aotwin"], tmp_path)
    said = fresh.run([str(python.with_name("aotwin")), "doctor"], tmp_path)
    assert "builds for windows-x86_64" in said and "FAIL" not in said
    installed = fresh.run([str(python), "-m", "pip", "list", "--format", "freeze"], tmp_path)
    assert "torch" not in installed and "aotwin==" in installed


@pytest.mark.long
@pytest.mark.torch
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["wrapper", "program"])
def test_every_front_end_gives_one_wheel_in_isolation(
    fresh: Environment, ready_wrapper: Path, warm_cache: Path, tmp_path: Path, kind: str
) -> None:
    project = project_of(kind, tmp_path, ready_wrapper)
    wheels = {}
    for name, command in FRONT_ENDS.items():
        said = fresh.run(command(fresh.python), project)
        assert "CUDA" not in said
        wheels[name] = sha256_of_the_wheel(project)
    assert len(set(wheels.values())) == 1, wheels


@dataclass(frozen=True)
class Second:
    """A project that is built again and again, in isolation, with a cache of its own."""

    environment: Environment
    project: Path
    cache: Path

    def build(self, front_end: str) -> str:
        """The digest of the wheel that a front end builds."""
        self.environment.run(FRONT_ENDS[front_end](self.environment.python), self.project)
        return sha256_of_the_wheel(self.project)

    def fresh(self) -> str:
        """The digest of the wheel where nothing is remembered."""
        variables = {**self.environment.variables, "AOTWIN_NO_CACHE": "1"}
        return replace(self, environment=replace(self.environment, variables=variables)).build("uv")

    def results(self, *kinds: str) -> set[str]:
        """What is remembered of some kinds."""
        return {path.name for kind in kinds for path in (self.cache / "results" / kind).iterdir()}

    def say(self, line: str) -> None:
        """The model's table with one further line; nothing else changes."""
        pyproject = self.project / "pyproject.toml"
        table = '[tool.aotwin.models."demo.classifier"]'
        before, found, _ = pyproject.read_text(encoding="utf-8").partition(table)
        assert found
        program = 'program = "export_model:classifier"'
        pyproject.write_text(f"{before}{table}\n{program}\n{line}\n", encoding="utf-8")


@pytest.mark.long
@pytest.mark.torch
@pytest.mark.timeout(3600)
def test_a_second_isolated_build_makes_what_changed_and_nothing_else(
    fresh: Environment,
    ready_wrapper: Path,
    linked_cache: Callable[..., Path],
    tmp_path: Path,
) -> None:
    cache = linked_cache("cache", SHARED)
    variables = {**fresh.variables, "AOTWIN_CACHE_DIR": str(cache)}
    project = project_of("program", tmp_path, ready_wrapper)
    second = Second(replace(fresh, variables=variables), project, cache)
    second.say("")
    kinds = ("wrappers", "objects", "dlls")
    first = second.build("build")
    known = second.results(*kinds)
    for front_end in ("uv", "pip", "build"):
        assert second.build(front_end) == first
        assert second.results(*kinds) == known, front_end
    digests = {first}
    for line in ("inductor = { size_asserts = false }", 'cpu = ["x86-64-v4"]'):
        second.say(line)
        assert second.build("uv") == second.fresh()
        new = second.results("wrappers") - known, second.results("objects") - known
        assert all(new), line
        known = second.results(*kinds)
        digests.add(second.build("build"))
        assert second.results(*kinds) == known, line
    assert len(digests) == 3
    second.say("")
    assert second.build("pip") == first
    assert second.results(*kinds) == known
