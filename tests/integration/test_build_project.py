"""`python -m build` of small projects, as a user runs it: real torch, real zig, real sysroot."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from installer.sources import WheelFile

from aotwin import checking
from aotwin.adapters.tools.zig import find_zig
from aotwin.progress import parse_timings

LinkedCache = Callable[..., Path]

REPO = Path(__file__).resolve().parents[2]
PACKAGES = REPO / "tests" / "packages"
WHEEL = "demo-1.0-py3-none-win_amd64.whl"
REPORT = "demo-1.0-py3-none-win_amd64.html"
SDIST = "demo-1.0.tar.gz"
#: what the pipeline says before the one cold wait of a machine
COLD = "once for this machine"

pytestmark = pytest.mark.zig


def build(
    project: Path,
    *arguments: str,
    cache: Path | None = None,
    path: Sequence[Path] = (),
    environ: Mapping[str, str] | None = None,
    umask: int = 0o022,
    runtime: str | None = None,
) -> str:
    """Run `python -m build` for the target; returns what it says on stderr.

    Args:
        cache: `AOTWIN_CACHE_DIR`.
        path: folders for the front of the import path.
        runtime: the config setting; the project's own, or the default, without it.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AOTWIN_") and name != "SOURCE_DATE_EPOCH"
    }
    environment |= environ or {}
    if cache is not None:
        environment["AOTWIN_CACHE_DIR"] = str(cache)
    if "--no-isolation" in arguments:
        folders = [*map(str, path), str(REPO / "plugin"), os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, folders))
    settings = ["target=windows", *([f"runtime={runtime}"] if runtime else [])]
    words = [word for each in settings for word in ("--config-setting", each)]
    result = subprocess.run(
        [sys.executable, "-m", "build", *arguments, *words],
        cwd=project,
        env=environment,
        umask=umask,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stderr


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


NOT_ISOLATED = ("--no-isolation", "--skip-dependency-check")


@pytest.fixture(scope="module", params=["own", "torch"])
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def program_project(
    runtime: str, warm_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """tests/packages/one-program, built into its dist/ with a cache of its own."""
    folder = tmp_path_factory.mktemp("first")
    project = folder / "one-program"
    shutil.copytree(PACKAGES / "one-program", project)
    cache = folder / "cache"
    cache.mkdir()
    for kind in ("sysroots", "zig", "runtime"):
        (cache / kind).symlink_to(warm_cache / kind)
    words = ("timings=stages.json", "report=true", "verbose=1")
    settings = [word for each in words for word in ("--config-setting", each)]
    said = build(project, *NOT_ISOLATED, *settings, cache=cache, runtime=runtime)
    (project / "said.txt").write_text(said)
    return project


@pytest.mark.torch
def test_a_program_becomes_an_sdist_and_a_wheel_made_from_it(
    program_project: Path, runtime: str
) -> None:
    dist = program_project / "dist"
    assert {path.name for path in dist.iterdir()} == {WHEEL, SDIST, REPORT, "stages.json"}
    with tarfile.open(dist / SDIST) as sdist:
        assert "demo-1.0/layers/classifier.py" in sdist.getnames()
    archive = zipfile.ZipFile(dist / WHEEL)
    home = "demo/classifier"
    names = {name for name in archive.namelist() if name.startswith(f"{home}/")}
    assert {
        f"{home}/{name}"
        for name in (
            "__init__.py",
            "aotwin.json",
            "classifier.dll",
            "classifier_metadata.json",
            "classifier_weights.blob",
        )
    } <= names
    manifest = json.loads(archive.read(f"{home}/aotwin.json"))
    sealed = manifest["dlls"][0]["sha256"]
    assert hashlib.sha256(archive.read(f"{home}/classifier.dll")).hexdigest() == sealed
    assert manifest["runtime"] == runtime
    libs = [name for name in archive.namelist() if name.startswith("demo.libs/")]
    assert bool(libs) == (runtime == "own")


@pytest.mark.torch
def test_a_build_says_what_it_does_and_what_it_made(program_project: Path) -> None:
    stages, total = parse_timings((program_project / "dist/stages.json").read_bytes())
    titles = [stage.title for stage in stages]
    assert {"generate demo.classifier for x86-64-v3", "link classifier.dll", "pack"} <= set(titles)
    assert all(0 <= stage.start <= total for stage in stages)
    said = (program_project / "said.txt").read_text()
    assert re.search(r"^\$ \S+/zig c\+\+ .*classifier\.dll", said, re.MULTILINE)
    made = said[said.index(f"{WHEEL}, ") :].splitlines()
    assert made[1].startswith("  demo.classifier: classifier.dll ")
    assert made[-1] == f"  next: py -m pip install {WHEEL}, on Windows"


@pytest.mark.torch
def test_the_report_beside_the_wheel_is_about_it(program_project: Path, runtime: str) -> None:
    page = (program_project / "dist" / REPORT).read_text(encoding="utf-8")
    assert '<span class="value">Passed</span>' in page
    needs = "No torch" if runtime == "own" else "torch"
    assert f'<span class="value">{needs}</span>' in page
    assert "link classifier.dll" in page
    assert "from demo.classifier import model" in page
    # who brings what it calls, and the licences of what is linked into it
    assert ("aotwin&#39;s own run time, in the package" in page) == (runtime == "own")
    assert ("torch_cpu.dll" in page) == (runtime == "torch")
    assert "Apache-2.0" in page


@pytest.mark.torch
def test_the_run_time_is_in_the_wheel_sealed_and_listed(
    program_project: Path, runtime: str
) -> None:
    archive = zipfile.ZipFile(program_project / "dist" / WHEEL)
    manifest = json.loads(archive.read("demo/classifier/aotwin.json"))
    libs = manifest.get("libs", {"files": {}})["files"]
    found = {name for name in archive.namelist() if name.startswith("demo.libs/")}
    assert {name.removeprefix("../../") for name in libs} == found
    bill = archive.read("demo-1.0.dist-info/sboms/aotwin.cdx.json").decode()
    for name, digest in libs.items():
        content = archive.read(name.removeprefix("../../"))
        assert hashlib.sha256(content).hexdigest() == digest
        assert digest in bill


@pytest.mark.torch
def test_the_wheel_passes_the_check_and_that_of_others(program_project: Path, runtime: str) -> None:
    wheel = program_project / "dist" / WHEEL
    report = checking.check(wheel)
    assert report, report.to_text()
    checker = [sys.executable, "-m", "check_wheel_contents", "--no-config", str(wheel)]
    if runtime == "own":
        # demo.libs/ holds DLLs alone, as the folders that delvewheel and auditwheel make.
        checker += ["--ignore", "W009,W010"]
    others = subprocess.run(checker, check=False, capture_output=True, text=True)
    assert others.returncode == 0, others.stdout
    with WheelFile.open(wheel) as source:
        source.validate_record()


@pytest.mark.torch
def test_another_folder_umask_and_cache_give_the_same_bytes(
    program_project: Path, runtime: str, linked_cache: LinkedCache, tmp_path: Path
) -> None:
    project = tmp_path / "another földer" / "one-program"
    shutil.copytree(PACKAGES / "one-program", project)
    cache = linked_cache("another cache")
    environ = {"PYTHONHASHSEED": "7"}
    build(project, *NOT_ISOLATED, cache=cache, umask=0o077, environ=environ, runtime=runtime)
    kinds = {path.parent.name for path in (cache / "results").glob("*/*")}
    assert {"wrappers", "objects", "dlls"} <= kinds, "all of it was made again"
    first = digests(program_project / "dist")
    assert digests(project / "dist") == {name: first[name] for name in (WHEEL, SDIST)}


@pytest.mark.torch
def test_a_ready_wrapper_is_built_where_torch_cannot_be_imported(
    ready_project: Path, tmp_path: Path, warm_cache: Path
) -> None:
    stub = tmp_path / "without-torch" / "torch"
    stub.mkdir(parents=True)
    (stub / "__init__.py").write_text('raise ImportError("there is no torch here")\n')
    build(ready_project, "--wheel", *NOT_ISOLATED, path=[stub.parent])
    archive = zipfile.ZipFile(ready_project / "dist" / WHEEL)
    assert archive.getinfo("demo/classifier/classifier_weights.blob").file_size > 4 << 20
    assert "demo/classifier/classifier.dll" in archive.namelist()


@pytest.mark.torch
def test_a_build_of_what_did_not_change_leaves_the_wheel_that_is_there(
    ready_project: Path, warm_cache: Path
) -> None:
    wheel = ready_project / "dist" / WHEEL
    # A file is known by its times once it has lain still.
    time.sleep(2.1)
    build(ready_project, "--wheel", *NOT_ISOLATED)
    first, content = wheel.stat(), wheel.read_bytes()
    said = build(ready_project, "--wheel", *NOT_ISOLATED)
    assert "weights demo.classifier (remembered)" in said
    assert "pack (remembered)" in said
    second = wheel.stat()
    assert (second.st_ino, second.st_ctime_ns) == (first.st_ino, first.st_ctime_ns)
    assert hashlib.sha256(content).hexdigest() in said
    (ready_project / "src/demo/__init__.py").write_text("CHANGED = True\n")
    build(ready_project, "--wheel", *NOT_ISOLATED)
    assert zipfile.ZipFile(wheel).read("demo/__init__.py") == b"CHANGED = True\n"
    blob = "demo/classifier/classifier_weights.blob"
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(wheel) as after:
        assert after.read(blob) == before.read(blob)
    assert checking.check(wheel, full=True)


@pytest.fixture(scope="module")
def sdk_project(
    ready_wrapper: Path, warm_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Two models with the SDK, built into dist/: an sdist, and a wheel from it."""
    project = tmp_path_factory.mktemp("sdk") / "project"
    shutil.copytree(PACKAGES / "ready-classifier", project)
    shutil.copyfile(ready_wrapper, project / "classifier.pt2")
    text = (project / "pyproject.toml").read_text("utf-8") + "sdk = true\n"
    other = text[text.index("[tool.aotwin.models") :].replace("demo.classifier", "demo.other")
    (project / "pyproject.toml").write_text(text + other, encoding="utf-8")
    build(project, *NOT_ISOLATED)
    return project


PROGRAMS = ("sdk/bin/aotwin-run.exe", "sdk/bin/aotwin.dll")


@pytest.mark.torch
def test_an_sdk_is_in_the_wheel_sealed_and_listed(sdk_project: Path) -> None:
    wheel = sdk_project / "dist" / WHEEL
    archive = zipfile.ZipFile(wheel)
    bill = archive.read("demo-1.0.dist-info/sboms/aotwin.cdx.json").decode()
    for home in ("demo/classifier/", "demo/other/"):
        sealed = json.loads(archive.read(f"{home}aotwin.json"))["sdk"]
        inside = {name for name in archive.namelist() if name.startswith(f"{home}sdk/")}
        assert inside == {home + name for name in sealed}
        stem = home.split("/")[1]
        assert {*PROGRAMS, "sdk/include/aotwin.h", f"sdk/lib/{stem}.lib"} <= sealed.keys()
        for name, digest in sealed.items():
            assert hashlib.sha256(archive.read(home + name)).hexdigest() == digest
        for name in PROGRAMS:
            assert f'"{home}{name}"' in bill and sealed[name] in bill
    report = checking.check(wheel, full=True)
    assert report, report.to_text()
    with WheelFile.open(wheel) as source:
        source.validate_record()


@pytest.mark.torch
def test_an_sdk_compiled_again_elsewhere_gives_the_same_wheel(
    sdk_project: Path, linked_cache: LinkedCache, tmp_path: Path
) -> None:
    project = tmp_path / "another földer" / "project"
    shutil.copytree(sdk_project, project, ignore=shutil.ignore_patterns("dist", "*.egg-info"))
    cache = linked_cache("another cache", ("sysroots", "zig", "objects", "results"))
    build(project, "--wheel", *NOT_ISOLATED, cache=cache, umask=0o077)
    assert list((cache / "runtime").glob("sdk-*/bin/aotwin.dll")), "it was not compiled again"
    assert digests(project / "dist")[WHEEL] == digests(sdk_project / "dist")[WHEEL]


def test_headers_and_libraries_that_a_user_s_variables_name_stay_out(
    ready_project: Path, warm_cache: Path, tmp_path: Path
) -> None:
    build(ready_project, "--wheel", *NOT_ISOLATED, cache=warm_cache)
    expected = digests(ready_project / "dist")
    strange = tmp_path / "strange"
    strange.mkdir()
    for name in ("omp.h", "iostream", "stddef.h", "aotwin_cpu.h"):
        (strange / name).write_text("#error a stranger's header\n")
    for name in ("libkernel32.a", "kernel32.lib", "libucrtbase.a"):
        (strange / name).write_text("no library\n")
    names = ("CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "INCLUDE", "LIB")
    environ = dict.fromkeys(names, str(strange)) | {"AOTWIN_NO_CACHE": "1"}
    build(ready_project, "--wheel", *NOT_ISOLATED, cache=warm_cache, environ=environ)
    assert digests(ready_project / "dist") == expected


@pytest.mark.torch
@pytest.mark.alone
def test_isolated_builds_share_one_warm_zig(
    ready_project: Path, checkout_wheel: Path, linked_cache: LinkedCache, tmp_path: Path
) -> None:
    """Each isolated build has zig at a new path, and builds libc++ no second time."""
    cache = linked_cache("cache")
    constraint = tmp_path / "constraint.txt"
    constraint.write_text(f"aotwin @ {checkout_wheel.as_uri()}\n")
    zig = find_zig()
    before = _runtimes(zig.cache_dir), _entries(cache / "zig")
    markers = {path: path.stat().st_mtime_ns for path in zig.lib_dir.parent.glob("warm-*")}
    assert markers
    results = []
    for _ in range(2):
        said = build(
            ready_project, "--wheel", cache=cache, environ={"PIP_CONSTRAINT": str(constraint)}
        )
        assert COLD not in said
        assert "link classifier.dll" in said
        results.append(digests(ready_project / "dist"))
    assert (_runtimes(zig.cache_dir), _entries(cache / "zig")) == before
    assert markers == {path: path.stat().st_mtime_ns for path in markers}
    assert results[0] == results[1]


@pytest.mark.torch
@pytest.mark.long
def test_the_speech_example_builds_in_isolation_from_what_it_requires(
    checkout_wheel: Path, tmp_path: Path
) -> None:
    project = tmp_path / "speech"
    ignored = shutil.ignore_patterns("dist", "build", "*.egg-info")
    shutil.copytree(REPO / "examples" / "speech", project, ignore=ignored)
    constraint = tmp_path / "constraint.txt"
    constraint.write_text(f"aotwin @ {checkout_wheel.as_uri()}\n")
    build(project, "--wheel", environ={"PIP_CONSTRAINT": str(constraint)})
    (wheel,) = (project / "dist").iterdir()
    report = checking.check(wheel, full=True)
    assert report, report.to_text()
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("audio_encoder", "token_embedding", "text_decoder"):
        assert f"speech/{name}/{name}.dll" in names


@pytest.mark.long
@pytest.mark.parametrize("torch", ["2.10.0", "2.12.1"])
def test_a_wheel_of_an_older_torch_holds_the_licences_too(tmp_path: Path, torch: str) -> None:
    project = tmp_path / "project"
    shutil.copytree(PACKAGES / "ready-classifier", project)
    shutil.copytree(REPO / "tests" / "wrappers" / torch / "counter", project / "classifier.pt2")
    with (project / "pyproject.toml").open("a") as file:
        file.write(f'torch = "{torch}"\n')
    build(project, "--wheel", *NOT_ISOLATED)
    report = checking.check(project / "dist" / WHEEL, full=True)
    assert report, report.to_text()
    archive = zipfile.ZipFile(project / "dist" / WHEEL)
    folder = "demo-1.0.dist-info/licenses/aotwin"
    assert b"sleef" in archive.read(f"{folder}/torch.txt").lower()
    bill = json.loads(archive.read("demo-1.0.dist-info/sboms/aotwin.cdx.json"))
    assert {"name": "torch", "version": torch} in bill["metadata"]["tools"]


def _runtimes(zig_cache: Path) -> list[Path]:
    """Every libc++ that zig has built on this machine."""
    return sorted(zig_cache.glob("o/*/c++.lib"))


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())
