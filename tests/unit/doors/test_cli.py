"""The command line: data on stdout, talk on stderr, exit codes 0, 1 and 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from model_folder import build_files, write_model

from aotwin import cli
from aotwin.cli.build import default_name
from aotwin.errors import UsageError
from aotwin.progress import Progress, parse_timings
from aotwin.values import BuiltModel
from aotwin.version import __version__

NAMES = {
    "module:attribute": ("export_model:net", "net"),
    "dotted attribute": ("export_model:Zoo.net", "net"),
    "archive": ("models/image-classifier.pt2", "image_classifier"),
    "folder": ("wrappers/clf", "clf"),
    "name with two endings": ("clf.wrapper.pt2", "clf"),
}


@pytest.mark.parametrize(("source", "name"), NAMES.values(), ids=NAMES)
def test_a_package_is_named_after_a(source: str, name: str) -> None:
    assert default_name(source) == name


@pytest.mark.parametrize("source", ["1.pt2", "a b.pt2", ""])
def test_a_source_that_gives_no_name_is_wrong_usage(source: str) -> None:
    with pytest.raises(UsageError, match="no package name") as error:
        default_name(source)
    assert error.value.exit_code == 2
    assert "--name" in error.value.next_step


def test_python_m_aotwin_is_the_command() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "aotwin", "--version"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert (result.stdout, result.stderr) == (f"aotwin {__version__}\n", "")


def test_what_was_built_is_printed_on_stdout_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[dict[str, object]] = []

    def build(source: str, output: Path, **options: object) -> BuiltModel:
        asked.append({"source": source, "output": output, **options})
        progress = options["progress"]
        assert isinstance(progress, Progress)
        with progress.stage("link"):
            pass
        model = write_model(tmp_path / "net", build_files())
        return BuiltModel(model, {}, model / "b", model / "aotwin.json")

    monkeypatch.setattr("aotwin.pipeline.model.build_model", build)
    command = ["build", "m:net", "-o", "out", "--cpu", "x86-64-v4", "--cpu", "x86-64-v3"]
    code = cli.main([*command, "--timings", str(tmp_path / "logs" / "stages.json")])
    assert code == 0
    said = capsys.readouterr()
    assert said.out == f"{tmp_path / 'net'}\n"
    assert "not proven" in said.err
    assert said.err.splitlines()[-1].startswith("  next: aotwin run ")
    stages, _ = parse_timings((tmp_path / "logs" / "stages.json").read_bytes())
    assert [stage.title for stage in stages] == ["link"]
    (options,) = asked
    assert (options["name"], options["cpu"]) == ("net", ("x86-64-v4", "x86-64-v3"))
    assert options["target"] == "windows-x86_64"


def test_an_interrupt_is_one_line_and_exit_code_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> BuiltModel:
        raise KeyboardInterrupt

    monkeypatch.setattr("aotwin.pipeline.model.build_model", interrupted)
    with pytest.raises(SystemExit) as ended:
        cli.main(["build", "m:net", "-o", "out"])
    assert ended.value.code == 130
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_a_check_that_fails_is_exit_code_1_and_its_report_is_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "m.dll").write_bytes(b"MZ and nothing else")
    assert cli.main(["check", "--json", str(tmp_path / "m.dll")]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["passed"] is False
    assert said.err == ""


def test_what_is_cached_is_listed_and_cleaned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(tmp_path))
    (tmp_path / "objects" / "0123").mkdir(parents=True)
    (tmp_path / "objects" / "0123" / "model.obj").write_bytes(bytes(3 << 20))
    assert cli.main(["toolchain", "list"]) == 0
    assert capsys.readouterr().out == "      3 MB  objects/0123\n"
    assert cli.main(["toolchain", "clean"]) == 0
    assert capsys.readouterr().out == "3 MB removed\n"
    assert cli.main(["toolchain", "list"]) == 0
    assert capsys.readouterr().out == ""


def test_a_reader_of_stdout_that_has_gone_is_no_traceback(tmp_path: Path) -> None:
    package = str(Path(cli.__file__).parents[2])
    command = [sys.executable, "-m", "aotwin", "check", *[str(tmp_path / "none")] * 50]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([package, *sys.path])},
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait() == 1
    process.stderr.close()
