"""What the how-to pages say to run, taken from the pages and run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from aotwin import checking
from stub_compiler import COMPILER

REPO = Path(__file__).resolve().parents[2]
PACKAGES = REPO / "tests" / "packages"
HOW_TO = REPO / "docs" / "how-to"
CI_PAGE = (HOW_TO / "use-in-ci.md").read_text(encoding="utf-8")
WHEEL = "demo-1.0-py3-none-win_amd64.whl"
LinkedCache = Callable[..., Path]

pytestmark = pytest.mark.zig


def commands(page: str) -> list[str]:
    """The commands of a page's console blocks, lines that go on joined."""
    text = (HOW_TO / page).read_text(encoding="utf-8").replace("\\\n", " ")
    return [re.sub(r" +", " ", each) for each in re.findall(r"^ *\$ (.*)$", text, re.MULTILINE)]


def blocks(page: str, language: str) -> list[str]:
    text = (HOW_TO / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(script: str, project: Path, environ: Mapping[str, str] | None = None) -> str:
    """Run a page's commands with this environment's programs and this checkout."""
    environment = os.environ | {"PYTHONPATH": str(REPO / "plugin")} | dict(environ or {})
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def ready_project(folder: Path, wrapper: Path) -> Path:
    project = folder / "project"
    shutil.copytree(PACKAGES / "ready-classifier", project)
    shutil.copyfile(wrapper, project / "classifier.pt2")
    return project


def test_builds_without_isolation_are_one_wheel(
    ready_wrapper: Path, warm_cache: Path, tmp_path: Path
) -> None:
    project = ready_project(tmp_path, ready_wrapper)
    page = (HOW_TO / "build-without-cuda.md").read_text(encoding="utf-8")
    (pip,) = re.findall(r"`(pip wheel [^`]*)`", page)
    (build,) = [each for each in commands("build-without-cuda.md") if "--no-isolation" in each]
    run(f"python -m {pip}", project)
    run(f"{build} --skip-dependency-check", project)
    by_pip, by_build = project / WHEEL, project / "dist" / WHEEL
    assert by_pip.read_bytes() == by_build.read_bytes()


def test_the_pre_commit_hook_reads_the_configuration_alone(tmp_path: Path) -> None:
    (block,) = re.findall(r"^  ```yaml\n(.*?)^  ```$", CI_PAGE, re.MULTILINE | re.DOTALL)
    (repo,) = YAML(typ="safe").load(block)["repos"]
    (hook,) = repo["hooks"]
    for name, code in (("without-torch", 0), ("misspelt-key", 1)):
        done = subprocess.run(
            shlex.split(hook["entry"]),
            cwd=shutil.copytree(PACKAGES / name, tmp_path / name),
            env=os.environ | {"PYTHONPATH": str(REPO / "plugin")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert not (tmp_path / name / "dist").exists()


@pytest.mark.torch
@pytest.mark.long
def test_a_wrapper_is_generated_and_built_as_the_page_says(
    warm_cache: Path, tmp_path: Path
) -> None:
    page = "build-a-ready-wrapper.md"
    (generate,) = blocks(page, "python")
    (pyproject,) = blocks(page, "toml")
    project = tmp_path / "project"
    (project / "src" / "demo").mkdir(parents=True)
    (project / "src" / "demo" / "__init__.py").touch()
    head = '[project]\nname = "demo"\nversion = "1.0"\n[tool.setuptools.packages.find]\n'
    (project / "pyproject.toml").write_text(f'{pyproject}\n{head}where = ["src"]\n')
    compiler = tmp_path / "c++"
    compiler.write_text(COMPILER)
    compiler.chmod(0o755)
    module = "torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.GELU()).eval()"
    script = (
        "import torch, torch._inductor\n"
        f"exported_program = torch.export.export({module}, (torch.zeros(2, 8),))\n{generate}"
    )
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=project,
        check=True,
        stdin=subprocess.DEVNULL,
        env=os.environ
        | {"CXX": str(compiler), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "inductor")},
    )
    (build,) = [each for each in commands("build-without-cuda.md") if "--no-isolation" in each]
    run(f"{build} --skip-dependency-check", project)
    report = checking.check(project / "dist" / WHEEL, full=True)
    assert report, report.to_text()
    bill = zipfile.ZipFile(project / "dist" / WHEEL).read(
        "demo-1.0.dist-info/sboms/aotwin.cdx.json"
    )
    assert b'"torch"' in bill


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_build_without_a_network_takes_the_wheels_that_were_fetched_before(
    ready_wrapper: Path, linked_cache: LinkedCache, tmp_path: Path
) -> None:
    project = ready_project(tmp_path, ready_wrapper)
    # before them, those of an archive with everything in it (test_warm_archive.py)
    *_, download, export, build = commands("build-offline.md")
    run(f"python -m {download}", tmp_path)
    named = export.replace("/path/to/wheels", str(tmp_path / "wheels"))
    assert named != export
    # of all that is kept, only the sysroot comes from the wheels
    cache = linked_cache("cache", ("zig", "runtime", "objects", "results"))
    offline = {"AOTWIN_CACHE_DIR": str(cache), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    run(f"{named}\n{build} --skip-dependency-check", project, offline)
    assert list((cache / "sysroots").glob("torch-2.13.0-*"))
    assert (project / "dist" / WHEEL).is_file()
