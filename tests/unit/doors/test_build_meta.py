"""The hooks of PEP 517 and PEP 660, called as a frontend calls them; only the models are fake."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import aotwin
from aotwin import build_meta
from aotwin.configuration.settings import Settings
from aotwin.errors import CheckError
from aotwin.stages.pack.wheel import PackedFile, PackedModel, pack_wheel

PACKAGES = Path(__file__).parents[2] / "packages"
WHEEL = "demo-1.0-py3-none-win_amd64.whl"
WINDOWS = {"target": "windows"}

Enter = Callable[[str], Path]


@pytest.fixture
def enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Enter:
    """Copies a sample project and makes it the working folder, as a frontend does."""
    for variable in list(os.environ):
        if variable.startswith("AOTWIN_") or variable == "SOURCE_DATE_EPOCH":
            monkeypatch.delenv(variable)

    def copy(name: str) -> Path:
        project = tmp_path / name
        shutil.copytree(PACKAGES / name, project)
        monkeypatch.chdir(project)
        return project

    return copy


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Puts small files in place of what the stages build; returns what they were asked for."""
    asked: list[Settings] = []

    def fake(settings: Settings, pure_wheel: Path, wheel_directory: Path, **_: object) -> str:
        asked.append(settings)
        models = [_fake_model(model.name) for model in settings.models]
        return pack_wheel(pure_wheel, models, wheel_directory, wheel_tag="win_amd64").name

    monkeypatch.setattr("aotwin.pipeline.wheel.build_wheel", fake)
    return asked


def _fake_model(name: str) -> PackedModel:
    home = name.replace(".", "/")
    return PackedModel(
        name,
        (
            PackedFile(f"{home}/__init__.py", b""),
            PackedFile(f"{home}/model.dll", b"MZ", hashlib.sha256(b"MZ").hexdigest()),
        ),
    )


def message_of(capfd: pytest.CaptureFixture[str], hook: Callable[..., str], *args: object) -> str:
    """The one message on stderr of a hook that ends with exit code 1."""
    capfd.readouterr()
    with pytest.raises(SystemExit) as caught:
        hook(*args)
    assert caught.value.code == 1
    stderr = capfd.readouterr().err
    assert stderr.count("aotwin: error: ") == 1
    assert "Traceback" not in stderr
    return stderr.partition("aotwin: error: ")[2]


def names_in(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


def files_in(sdist: Path) -> list[str]:
    with tarfile.open(sdist) as archive:
        return [member.name for member in archive.getmembers()]


def test_a_target_gives_a_wheel_with_the_models(
    enter: Enter, built: list[Settings], tmp_path: Path
) -> None:
    enter("one-program")
    assert build_meta.build_wheel(str(tmp_path / "dist"), WINDOWS) == WHEEL
    assert [p.name for p in (tmp_path / "dist").iterdir()] == [WHEEL]
    names = names_in(tmp_path / "dist" / WHEEL)
    assert {"demo/__init__.py", "demo/classifier/model.dll"} <= set(names)
    assert "export_model.py" not in names
    (settings,) = built
    assert (settings.target, settings.models[0].cpu) == ("windows-x86_64", ("x86-64-v3",))


def test_without_a_target_the_wheel_is_that_of_setuptools_and_one_line_says_so(
    enter: Enter, built: list[Settings], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    enter("ready-wrapper")
    name = build_meta.build_wheel(str(tmp_path / "dist"))
    assert name == "demo-1.0-py3-none-any.whl"
    assert "demo/__init__.py" in names_in(tmp_path / "dist" / name)
    assert built == []
    assert [line for line in capfd.readouterr().err.splitlines() if line.startswith("aotwin")] == [
        "aotwin: left out 2 models (demo.classifier, demo.regressor); "
        "--config-setting target=windows builds them"
    ]


def test_a_project_without_models_hears_nothing(
    enter: Enter, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    enter("no-model")
    assert build_meta.build_wheel(str(tmp_path / "dist")) == "demo-1.0-py3-none-any.whl"
    assert "aotwin" not in capfd.readouterr().err


def test_two_builds_in_two_folders_with_two_umasks_give_the_same_bytes(
    enter: Enter, built: list[Settings], tmp_path: Path
) -> None:
    results = []
    for umask, name in ((0o022, "a"), (0o077, "b")):
        before = os.umask(umask)
        try:
            project = enter("one-program")
            (project / "build" / "lib" / "demo").mkdir(parents=True)
            (project / "build" / "lib" / "demo" / f"left_by_{name}.py").touch()
            os.utime(project / "src" / "demo" / "__init__.py", (umask, umask))
            out = tmp_path / name
            build_meta.build_wheel(str(out), WINDOWS)
            build_meta.build_sdist(str(out), WINDOWS)
        finally:
            os.umask(before)
        results.append({path.name: path.read_bytes() for path in out.iterdir()})
        project.rename(tmp_path / f"project-{name}")
    assert len(results[0]) == 2
    assert results[0] == results[1]


def test_prepared_metadata_is_the_metadata_of_the_wheel(
    enter: Enter, built: list[Settings], tmp_path: Path
) -> None:
    pyproject = enter("one-program") / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("demo.classifier", "another.classifier"))
    prepared = tmp_path / "metadata"
    prepared.mkdir()
    name = build_meta.prepare_metadata_for_build_wheel(str(prepared), WINDOWS)
    build_meta.build_wheel(str(tmp_path), WINDOWS, str(prepared / name))
    archive = zipfile.ZipFile(tmp_path / WHEEL)
    assert archive.read(f"{name}/top_level.txt") == b"another\ndemo\n"
    for file in (prepared / name).iterdir():
        assert archive.read(f"{name}/{file.name}") == file.read_bytes()


def test_requirements_are_those_of_setuptools(enter: Enter) -> None:
    enter("one-program")
    assert build_meta.get_requires_for_build_wheel(WINDOWS) == []
    assert build_meta.get_requires_for_build_sdist(WINDOWS) == []
    assert build_meta.get_requires_for_build_editable({}) == []


def test_a_build_that_runs_its_models_asks_for_numpy(enter: Enter) -> None:
    enter("one-program")
    run = {**WINDOWS, "check": "run"}
    assert build_meta.get_requires_for_build_wheel(run) == ["numpy>=1.26"]
    assert build_meta.get_requires_for_build_wheel({"check": "run"}) == []
    assert build_meta.get_requires_for_build_sdist(run) == []


def test_an_sdist_holds_what_the_models_are_proven_with(enter: Enter, tmp_path: Path) -> None:
    enter("proven")
    name = build_meta.build_sdist(str(tmp_path / "dist"), WINDOWS)
    with tarfile.open(tmp_path / "dist" / name) as sdist:
        assert "proven-1.0/samples_of_steps.py" in sdist.getnames()


def test_settings_of_setuptools_reach_it(
    enter: Enter, built: list[Settings], tmp_path: Path
) -> None:
    enter("one-program")
    said = {**WINDOWS, "--build-option": "--build-number=7"}
    name = build_meta.build_wheel(str(tmp_path / "dist"), said)
    assert name == "demo-1.0-7-py3-none-win_amd64.whl"


def test_editable_installs_work_without_a_target(
    enter: Enter, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    enter("one-program")
    (tmp_path / "m").mkdir()
    info = build_meta.prepare_metadata_for_build_editable(str(tmp_path / "m"), {"target": "none"})
    assert info == "demo-1.0.dist-info"
    name = build_meta.build_editable(str(tmp_path / "dist"))
    assert name.startswith("demo-1.0-0.editable")
    assert "aotwin: left out 1 model (demo.classifier)" in capfd.readouterr().err


@pytest.mark.parametrize(
    "hook",
    [
        pytest.param(lambda out: build_meta.build_editable(out, WINDOWS), id="build"),
        pytest.param(
            lambda out: build_meta.prepare_metadata_for_build_editable(out, WINDOWS), id="prepare"
        ),
        pytest.param(
            lambda out: str(build_meta.get_requires_for_build_editable(WINDOWS)), id="requires"
        ),
    ],
)
def test_editable_installs_with_a_target_are_refused_by_name(
    enter: Enter, tmp_path: Path, capfd: pytest.CaptureFixture[str], hook: Callable[[str], str]
) -> None:
    enter("one-program")
    message = message_of(capfd, hook, str(tmp_path / "dist"))
    assert message.startswith("an editable install cannot be built for target windows-x86_64\n")
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize(
    ("package", "settings", "fact", "next_step"),
    [
        pytest.param(
            "no-model", WINDOWS, "no model is configured", "tool.aotwin.models", id="no-model"
        ),
        pytest.param(
            "misspelt-key",
            WINDOWS,
            'unknown key tool.aotwin.models."demo.classifier".progam',
            "Did you mean program?",
            id="misspelt-key",
        ),
        pytest.param(
            "name-of-a-device",
            WINDOWS,
            'tool.aotwin.models."demo.aux" cannot be imported',
            "Name the model",
            id="name-of-a-device",
        ),
        pytest.param(
            "wrapper-out-of-the-project",
            WINDOWS,
            """tool.aotwin.models."demo.classifier".wrapper is '../wrapper.pt2'""",
            "Move the file into the project",
            id="wrapper-out-of-the-project",
        ),
        pytest.param(
            "extension-module",
            WINDOWS,
            "the project's own wheel demo-1.0-cp3",
            "Leave extension modules out",
            id="extension-module",
        ),
        pytest.param(
            "model-in-place-of-a-module",
            WINDOWS,
            "the wheel would hold 'demo/classifier/__init__.py'",
            "Rename one of them",
            id="model-in-place-of-a-module",
        ),
        pytest.param(
            "one-program",
            {"target": "windows-arm64"},
            "unknown target 'windows-arm64'",
            "Did you mean windows",
            id="unknown-target",
        ),
        pytest.param(
            "one-program",
            {**WINDOWS, "job": "2"},
            "unknown config setting 'job'",
            "Did you mean jobs?",
            id="unknown-setting",
        ),
    ],
)
def test_a_defect_is_one_message_and_no_wheel(
    enter: Enter,
    built: list[Settings],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    package: str,
    settings: dict[str, str],
    fact: str,
    next_step: str,
) -> None:
    enter(package)
    dist = tmp_path / "dist"
    dist.mkdir()
    message = message_of(capfd, build_meta.build_wheel, str(dist), settings)
    assert message.startswith(fact)
    assert next_step in message
    assert list(dist.iterdir()) == []


def test_an_error_of_a_stage_passes_the_same_boundary(
    enter: Enter, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> str:
        raise CheckError("the DLL imports kernel33.dll", cause="no rule", next_step="Mend it.")

    monkeypatch.setattr("aotwin.pipeline.wheel.build_wheel", fails)
    enter("one-program")
    message = message_of(capfd, build_meta.build_wheel, str(tmp_path / "dist"), WINDOWS)
    assert message == "the DLL imports kernel33.dll\nno rule\nMend it.\n"


@pytest.mark.parametrize("hook", [build_meta.build_wheel, build_meta.build_sdist])
def test_a_malformed_source_date_epoch_is_one_message(
    enter: Enter,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    hook: Callable[..., str],
) -> None:
    enter("one-program")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    message = message_of(capfd, hook, str(tmp_path / "dist"))
    assert message.startswith("environment variable SOURCE_DATE_EPOCH is 'yesterday'\n")


def test_a_full_disk_under_setuptools_is_one_message(
    enter: Enter, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    project = enter("one-program")
    (project / "setup.py").write_text(
        "import setuptools\n"
        "from setuptools.command.build_py import build_py\n"
        "class Full(build_py):\n"
        "    def run(self):\n"
        "        with open('/dev/full', 'w') as full:\n"
        "            full.write('x')\n"
        "setuptools.setup(cmdclass={'build_py': Full})\n"
    )
    message = message_of(capfd, build_meta.build_wheel, str(tmp_path / "dist"), WINDOWS)
    assert message.startswith("the disk is full: setuptools cannot build the project\n")


@pytest.mark.parametrize(
    ("package", "brought"),
    [
        pytest.param(
            "one-program",
            ["export_model.py", "layers/__init__.py", "layers/classifier.py"],
            id="a module and its imports",
        ),
        pytest.param(
            "ready-wrapper", ["regressor.pt2", "wrapper/nested/model.wrapper.cpp"], id="files"
        ),
        pytest.param(
            "program-in-a-package",
            [
                "demo/__init__.py",
                "demo/paths.py",
                "demo/training/__init__.py",
                "demo/training/data.py",
                "demo/training/export.py",
                "demo/training/weights.txt",
            ],
            id="a package",
        ),
    ],
)
def test_an_sdist_holds_what_the_models_are_built_from(
    enter: Enter, built: list[Settings], tmp_path: Path, package: str, brought: list[str]
) -> None:
    enter(package)
    name = build_meta.build_sdist(str(tmp_path / "dist"), WINDOWS)
    assert name == "demo-1.0.tar.gz"
    files = files_in(tmp_path / "dist" / name)
    assert len(set(files)) == len(files)
    assert {f"demo-1.0/{file}" for file in [*brought, "PKG-INFO", "pyproject.toml"]} <= set(files)
    assert not any("__pycache__" in file for file in files)


def test_a_wheel_from_the_sdist_is_the_wheel_from_the_project(
    enter: Enter, built: list[Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter("one-program")
    build_meta.build_wheel(str(tmp_path / "direct"), WINDOWS)
    build_meta.build_sdist(str(tmp_path), WINDOWS)
    with tarfile.open(tmp_path / "demo-1.0.tar.gz") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    monkeypatch.chdir(tmp_path / "unpacked" / "demo-1.0")
    build_meta.build_wheel(str(tmp_path / "through"), WINDOWS)
    direct, through = (tmp_path / each / WHEEL for each in ("direct", "through"))
    assert direct.read_bytes() == through.read_bytes()


def test_members_of_an_sdist_belong_to_nobody(enter: Enter, tmp_path: Path) -> None:
    project = enter("one-program")
    (project / "export_model.py").chmod(0o775)
    build_meta.build_sdist(str(tmp_path))
    with tarfile.open(tmp_path / "demo-1.0.tar.gz") as archive:
        members = archive.getmembers()
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {
        (0, 0, "", "", 315_532_800)
    }
    gzip_time = (tmp_path / "demo-1.0.tar.gz").read_bytes()[4:8]
    assert int.from_bytes(gzip_time, "little") == 315_532_800
    modes = {member.name: oct(member.mode) for member in members}
    assert modes.pop("demo-1.0/export_model.py") == "0o755"
    assert set(modes.values()) == {"0o644"}


def test_a_second_sdist_from_the_same_folder_is_the_first(enter: Enter, tmp_path: Path) -> None:
    enter("program-in-a-package")
    first, second = (
        tmp_path.joinpath(out, build_meta.build_sdist(str(tmp_path / out))).read_bytes()
        for out in ("first", "second")
    )
    assert first == second


def test_a_missing_source_stops_the_sdist(
    enter: Enter, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    project = enter("ready-wrapper")
    (project / "regressor.pt2").unlink()
    message = message_of(capfd, build_meta.build_sdist, str(tmp_path / "dist"))
    assert "regressor.pt2 does not exist, though a model is built from it" in message
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize(
    ("package", "link", "fact"),
    [
        pytest.param(
            "one-program", "layers/classifier.py", "lies outside of the project", id="a module"
        ),
        pytest.param(
            "ready-wrapper", "wrapper/more", "is a link to a folder", id="a folder of a wrapper"
        ),
    ],
)
def test_a_source_that_is_a_link_out_of_the_project_stops_the_sdist(
    enter: Enter,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    package: str,
    link: str,
    fact: str,
) -> None:
    project = enter(package)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").touch()
    (project / link).unlink(missing_ok=True)
    (project / link).symlink_to(outside if fact.endswith("folder") else outside / "secret.py")
    assert fact in message_of(capfd, build_meta.build_sdist, str(tmp_path / "dist"))


def test_a_program_from_a_requirement_brings_nothing(enter: Enter, tmp_path: Path) -> None:
    project = enter("one-program")
    pyproject = project / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("export_model:", "model_zoo.export:"))
    build_meta.build_sdist(str(tmp_path))
    files = files_in(tmp_path / "demo-1.0.tar.gz")
    assert "demo-1.0/export_model.py" not in files


def test_a_module_that_is_no_python_is_packed_all_the_same(enter: Enter, tmp_path: Path) -> None:
    project = enter("one-program")
    (project / "export_model.py").write_text("this is no Python\n")
    build_meta.build_sdist(str(tmp_path))
    with tarfile.open(tmp_path / "demo-1.0.tar.gz") as archive:
        packed = archive.extractfile("demo-1.0/export_model.py") or io.BytesIO()
        assert packed.read() == b"this is no Python\n"


def test_importing_the_hooks_loads_nothing_heavy() -> None:
    program = (
        "import sys, aotwin.build_meta\n"
        "heavy = {'setuptools', 'distutils', 'torch', 'lief', 'pefile', 'pip', 'aotwin.pipeline'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    # The folder of the package itself: without site, an editable install is not found.
    package = str(Path(aotwin.__file__).parents[1])
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([package, *sys.path])}
    command = [sys.executable, "-S", "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    assert (result.stdout, result.stderr) == ("[]\n", "")


def test_the_hooks_are_all_there_are() -> None:
    assert set(build_meta.__all__) == {
        f"{verb}_{kind}"
        for kind in ("wheel", "sdist", "editable")
        for verb in ("build", "get_requires_for_build", "prepare_metadata_for_build")
    } - {"prepare_metadata_for_build_sdist"}
