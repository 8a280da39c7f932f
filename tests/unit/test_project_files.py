"""Files that describe the project agree: dependencies and pins, Pythons and the workflow."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from aotwin.target.toolchain import load_toolchain

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPO = Path(__file__).resolve().parents[2]
PYPROJECT: dict[str, Any] = tomllib.loads((REPO / "pyproject.toml").read_text("utf-8"))
WORKFLOW = (REPO / ".github" / "workflows" / "ci.yml").read_text("utf-8")


def pins() -> dict[str, str]:
    """The version of each package of ci/requirements.txt."""
    lines = (REPO / "ci" / "requirements.txt").read_text("utf-8").splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def needs() -> list[Requirement]:
    """What the project and its dependency groups need for the full tests, which run on 3.11."""
    groups = PYPROJECT["dependency-groups"].values()
    members = [member for group in groups for member in group if isinstance(member, str)]
    all_needs = map(Requirement, [*PYPROJECT["project"]["dependencies"], *members])
    environment = {"python_version": "3.11"}
    return [need for need in all_needs if not need.marker or need.marker.evaluate(environment)]


@pytest.mark.parametrize("need", needs(), ids=str)
def test_what_the_project_needs_is_pinned_to_a_version_that_it_allows(need: Requirement) -> None:
    assert need.specifier.contains(pins()[canonicalize_name(need.name)])


def test_nothing_is_pinned_that_the_project_does_not_need() -> None:
    assert set(pins()) == {canonicalize_name(need.name) for need in needs()}


def test_the_workflow_tests_the_oldest_python_and_every_one_that_is_claimed() -> None:
    (matrix,) = re.findall(r"^ +python: \[(.*)\]$", WORKFLOW, re.MULTILINE)
    tested = re.findall(r"3\.\d+", matrix)
    claimed = [text.rpartition(" ")[2] for text in PYPROJECT["project"]["classifiers"]]
    assert set(tested) >= {text for text in claimed if text.startswith("3.")}
    supported = SpecifierSet(PYPROJECT["project"]["requires-python"])
    assert supported == SpecifierSet(f">={tested[0]}")


@pytest.mark.parametrize("script", re.findall(r"run: \./(\S+)", WORKFLOW))
def test_the_workflow_calls_scripts_of_the_repository(script: str) -> None:
    assert (REPO / script).stat().st_mode & 0o111


def test_the_newest_torch_is_the_newest_that_can_be_built_for() -> None:
    lines = (REPO / "ci" / "newest-torch.txt").read_text("utf-8").splitlines()
    assert f"torch=={load_toolchain('windows').newest_torch}" in lines


def test_front_ends_are_those_of_the_other_pins_where_both_name_them() -> None:
    lines = (REPO / "ci" / "front-ends.txt").read_text("utf-8").splitlines()
    named = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert {"build", "pip", "uv"} == named.keys()
    pinned = pins()
    for name in named.keys() & pinned.keys():
        assert named[name] == str(pinned[canonicalize_name(name)])
