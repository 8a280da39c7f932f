"""The program of the how-to for C#, compiled and run by .NET on Windows with a real model."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from sdk_build import classifier_module, floats

from aotwin.reporting import write_report
from report_sample import examples_of

if TYPE_CHECKING:
    from dotnet import Dotnet
    from sdk_build import Sdk

    from windows_on_wine import WindowsPython

pytestmark = [pytest.mark.torch, pytest.mark.zig]

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "use-from-csharp.md"


@pytest.fixture(scope="module")
def runtime(windows: WindowsPython) -> Dotnet:
    from dotnet import dotnet

    return dotnet(windows)


@pytest.fixture(scope="module")
def program(torch_sdk: Sdk, runtime: Dotnet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("csharp")
    text = HOW_TO.read_text(encoding="utf-8")
    (code,) = re.findall(r"^```csharp\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    source = folder / "program.cs"
    source.write_text(code, encoding="utf-8")
    shutil.copyfile(torch_sdk.directory / "bin" / "aotwin.dll", folder / "aotwin.dll")
    return runtime.compile(source, folder)


def test_the_program_of_the_how_to_gives_the_models_answer(
    sdk: Sdk, runtime: Dotnet, program: Path
) -> None:
    done = runtime.run(program, sdk.classifier, *sdk.torch_words)
    assert done.returncode == 0, done.stderr
    with torch.no_grad():
        expected = classifier_module()(torch.zeros(2, 64)).flatten().tolist()
    assert floats(done.stdout) == pytest.approx(expected, rel=1e-4)


def test_the_example_of_a_report_runs(own_sdk: Sdk, runtime: Dotnet, tmp_path: Path) -> None:
    write_report(own_sdk.various, tmp_path / "report.html")
    source = tmp_path / "example.cs"
    source.write_text(examples_of(tmp_path / "report.html")["C#"], encoding="utf-8")
    shutil.copyfile(own_sdk.directory / "bin" / "aotwin.dll", tmp_path / "aotwin.dll")
    done = runtime.run(runtime.compile(source, tmp_path), own_sdk.various)
    assert done.returncode == 0, done.stderr
    assert "result 0: 32 bytes" in done.stdout


def test_an_error_of_the_library_is_an_exception_with_its_reason(
    sdk: Sdk, runtime: Dotnet, program: Path
) -> None:
    done = runtime.run(program, sdk.various, *sdk.torch_words)
    assert done.returncode != 0
    assert "InvalidOperationException: aotwin error 1: the model takes 4 inputs" in done.stderr


def test_the_library_is_taken_from_beside_the_program_alone(
    own_sdk: Sdk, runtime: Dotnet, program: Path, tmp_path: Path
) -> None:
    for suffix in (".dll", ".runtimeconfig.json"):
        shutil.copyfile(program.with_suffix(suffix), tmp_path / f"program{suffix}")
    done = runtime.windows.exe(
        runtime.directory / "dotnet.exe",
        [tmp_path / "program.dll", own_sdk.classifier],
        cwd=program.parent,
        check=False,
    )
    assert done.returncode != 0
    assert "Unable to load DLL 'aotwin.dll'" in done.stderr
