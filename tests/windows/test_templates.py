"""The templates for CI services: the commands in them, run job after job as the service would."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from project_build import PYPROJECT, REPO
from user_environment import user_variables
from windows_on_wine import WindowsPython

TEMPLATES = REPO / "ci" / "templates"
WHEEL = "demo-1.0-py3-none-win_amd64.whl"
MODELS = ("demo.classifier", "demo.encoder")
IN_SRC = f"""{PYPROJECT}
[tool.setuptools.packages.find]
where = ["src"]
"""
EXPORT = """
import torch
def classifier():
    torch.manual_seed(0)
    return torch.export.export(torch.nn.Linear(8, 4).eval(), (torch.randn(2, 8),))
def encoder():
    torch.manual_seed(1)
    return torch.export.export(torch.nn.LayerNorm(8).eval(), (torch.randn(2, 8),))
"""


def read(name: str) -> Any:
    return YAML(typ="safe").load((TEMPLATES / name).read_text(encoding="utf-8"))


def matrix_of(name: str) -> list[dict[str, str]]:
    if name == "github-actions.yml":
        rows: list[dict[str, str]] = read(name)["jobs"]["model"]["strategy"]["matrix"]["include"]
        return rows
    return [dict(row) for row in read(name)["model"]["parallel"]["matrix"]]


def steps(name: str, job: str, row: Mapping[str, str]) -> list[tuple[str, dict[str, str]]]:
    """The commands of a job, each with the variables of its own."""
    if name == "gitlab-ci.yml":
        return [("\n".join(read(name)[job]["script"]), dict(row))]

    def filled(text: str) -> str:
        return re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda found: row[found[1]], text)

    return [
        (step["run"], {key: filled(value) for key, value in step.get("env", {}).items()})
        for step in read(name)["jobs"][job]["steps"]
        if "run" in step
    ]


def variables(name: str) -> dict[str, str]:
    return dict(read(name)["env" if name == "github-actions.yml" else "variables"])


def without_apt(script: str) -> str:
    return "\n".join(line for line in script.splitlines() if "apt-get" not in line)


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_a_template_tries_each_model_that_it_builds(name: str) -> None:
    rows = matrix_of(name)
    assert tuple(row.get("name", row.get("NAME")) for row in rows) == MODELS
    (tried,) = [script for script, _ in steps(name, "windows", {})][-1:]
    assert re.findall(r"python? -m (demo\.\w+) --verify|-m (demo\.\w+) --verify", tried)
    assert [each for each in MODELS if f"-m {each} --verify" in tried] == list(MODELS)


def project_at(folder: Path) -> Path:
    (folder / "src" / "demo").mkdir(parents=True)
    (folder / "src" / "demo" / "__init__.py").touch()
    (folder / "export_model.py").write_text(EXPORT)
    tables = [
        f'[tool.aotwin.models."{name}"]\nprebuilt = "models/{name.replace(".", "/")}"'
        for name in MODELS
    ]
    (folder / "pyproject.toml").write_text("\n".join([IN_SRC, *tables, ""]))
    return folder


def run(scripts: Iterable[tuple[str, dict[str, str]]], cwd: Path, environ: dict[str, str]) -> None:
    for script, own in scripts:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", without_apt(script)],
            cwd=cwd,
            env=environ | own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout[-4000:]}"


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_the_jobs_of_a_template_give_a_wheel_that_proves_itself_on_windows(
    windows: WindowsPython, tmp_path: Path, name: str
) -> None:
    wheels = tmp_path / "wheels"
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--wheel-dir", str(wheels), str(REPO)],
        check=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    environ = variables(name) | user_variables(wheels, tmp_path / "constraint.txt")
    environ["PATH"] = os.pathsep.join([str(tmp_path / "venv" / "bin"), environ["PATH"]])
    # this machine's cache is warm; where it lies is the template's own affair
    environ.pop("AOTWIN_CACHE_DIR", None)
    environ.setdefault("AOTWIN", "aotwin")
    artifacts = tmp_path / "artifacts"
    for row in matrix_of(name):
        job = project_at(tmp_path / f"job-{next(iter(row.values()))}")
        run(steps(name, "model", row), job, environ)
        shutil.copytree(job / "models", artifacts, dirs_exist_ok=True)
    job = project_at(tmp_path / "job-wheel")
    shutil.copytree(artifacts, job / "models")
    run(steps(name, "wheel", {}), job, environ)
    site = tmp_path / "site"
    python = windows.without_torch
    python.install([job / "dist" / WHEEL], site)
    script = "\n".join(text for text, _ in steps(name, "windows", {}))
    proofs = [line for line in script.splitlines() if "--verify" in line]
    assert len(proofs) == len(MODELS)
    for line in proofs:
        words = shlex.split(line)
        python.python(words[words.index("-m") :], pythonpath=[site])


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_commands_of_the_builder_image_make_an_environment_that_builds(
    tmp_path: Path,
) -> None:
    """Docker's own engine is not at hand: its instructions are followed by hand."""
    text = (TEMPLATES / "Dockerfile").read_text(encoding="utf-8")
    wheels = tmp_path / "wheels"
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--wheel-dir", str(wheels), str(REPO)],
        check=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    environ = dict(re.findall(r"^ARG (\w+)=(.*)$", text, re.MULTILINE))
    environ |= user_variables(wheels, tmp_path / "constraint.txt")
    environ["PATH"] = os.pathsep.join([str(tmp_path / "venv" / "bin"), environ["PATH"]])
    there = text.replace("--find-links /wheels", f"--find-links {wheels}")
    for command in re.findall(r"^RUN (.*)$", there, re.MULTILINE):
        run([(command.partition(" && chmod")[0], {})], tmp_path, environ)
    project = project_at(tmp_path / "project")
    plain = IN_SRC + '[tool.aotwin.models."demo.classifier"]\nprogram = "export_model:classifier"\n'
    (project / "pyproject.toml").write_text(plain)
    (command,) = re.findall(r"^CMD \[(.*)\]$", text, re.MULTILINE)
    run([(shlex.join(re.findall(r'"([^"]*)"', command)), {})], project, environ)
    assert (project / "dist" / WHEEL).is_file()
