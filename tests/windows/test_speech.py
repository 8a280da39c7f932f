"""The speech example: three models of one wheel answer a recording as eager torch on Linux does.

Over our own run time there is no torch on Windows.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aotwin.adapters.tools.zig import find_zig
from project_build import build_wheel
from windows_on_wine import WindowsPython
from windows_on_wine.environment import Argument

pytestmark = [pytest.mark.torch, pytest.mark.zig, pytest.mark.long]

REPO = Path(__file__).resolve().parents[2]
EXAMPLE = REPO / "examples" / "speech"
NAMES = ("audio_encoder", "token_embedding", "text_decoder")
TOKENS = 10
#: the decoder writes its keys and values: two layers of 2 heads, 1280 tokens, 64 numbers, 2 bytes
COPIED_BYTES = {"audio_encoder": 0, "token_embedding": 0, "text_decoder": 2 * 2 * 2 * 1280 * 64 * 2}
#: float32 and float64 sums of the same transform, after the logarithm
MEL_TOLERANCE = 1e-3

ON_WINDOWS = """
import json, sys
from speech import Voxtral
voxtral = Voxtral()
print(json.dumps([voxtral.answer(sys.argv[1], "Describe.") for _ in range(2)]))
"""


@dataclass(frozen=True)
class Speech:
    """The installed wheel, the C++ program and the recording."""

    windows: WindowsPython
    site: Path
    program: Path
    recording: Path
    runtime: str

    @property
    def models(self) -> Path:
        return self.site / "speech"

    def run(
        self, models: Path, recording: Path, *options: Argument
    ) -> subprocess.CompletedProcess[str]:
        folders = []
        if self.runtime == "torch":
            folders = [self.windows.torch_lib, self.windows.folder]
        dlls = [word for folder in folders for word in ("--dlls", folder)]
        return self.windows.exe(self.program, [models, recording, *dlls, *options], check=False)


def run_here(arguments: Sequence[str | Path], cwd: Path) -> str:
    """A program of the example in a process of its own, which keeps transformers out of ours."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(REPO / "plugin"), *sys.path])},
    )
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("project") / "speech"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("dist", "build", "*.egg-info"))
    return copy


@pytest.fixture(scope="module", params=["own", "torch"])
def speech(
    request: pytest.FixtureRequest,
    project: Path,
    windows: WindowsPython,
    tmp_path_factory: pytest.TempPathFactory,
) -> Speech:
    runtime = str(request.param)
    python = windows if runtime == "torch" else windows.without_torch
    shutil.rmtree(project / "dist", ignore_errors=True)
    wheel, _ = build_wheel(project, f"runtime={runtime}")
    site = tmp_path_factory.mktemp("windows") / "Wörter und Töne"
    python.install([wheel], site)
    run_here(["make_audio.py", "speech.wav"], project)
    program = project / "main_voxtral.exe"
    find_zig().run(
        ["c++", "-target", "x86_64-windows-gnu", "-std=c++20", "-O2", "-Wall", "-Werror",
         "-municode", "-s", "host/main_voxtral.cpp", "-o", program.name],
        cwd=project,
        doing="compiling main_voxtral.cpp",
    )  # fmt: skip
    return Speech(python, site, program, project / "speech.wav", runtime)


@pytest.fixture(scope="module")
def dump(speech: Speech, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dump")


@pytest.fixture(scope="module")
def lines(speech: Speech, dump: Path) -> list[str]:
    """What the C++ program prints."""
    done = speech.run(speech.models, speech.recording, "--dump", dump)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def reference(project: Path, dump: Path, lines: list[str]) -> dict[str, Any]:
    """What eager torch says, and how far what the program wrote is from it."""
    answer = run_here(["-W", "ignore", "reference.py", "speech.wav", "--dump", dump], project)
    figures: dict[str, Any] = json.loads(answer)
    return figures


def tokens_in(output: str | list[str]) -> list[int]:
    last = (output.splitlines() if isinstance(output, str) else output)[-1]
    tokens: list[int] = json.loads(last)
    return tokens


def test_the_program_prints_load_and_run_latency_of_each_model_in_order(
    lines: list[str],
) -> None:
    shapes = {
        "audio_encoder": (1, 1125, 256),
        "token_embedding": (1, 1138, 256),
        "text_decoder": (1, 1138, 4096),
    }
    expected = []
    for name in NAMES:
        mapped = rf"\([1-9]\d+ bytes mapped, {COPIED_BYTES[name]} copied\)"
        expected += [
            rf"Loaded .*\\{name}\.dll",
            rf"Loading weights from .*\\{name}_weights\.blob {mapped}",
        ]
    expected.append(r"Load latency \(ms\)")
    for name in NAMES:
        expected += [
            rf"  {name}: \d+\.\d",
            r"    archive extraction: 0\.0 \(there is no archive\)",
            r"    \.so loading: \d+\.\d",
        ]
    expected.append(r"Run latency \(ms\)")
    for name, (batch, rows, columns) in shapes.items():
        shape, numel = rf"\[{batch}, {rows}, {columns}\]", batch * rows * columns
        expected += [
            rf"  {name}: \d+\.\d",
            rf"    output 0: dtype bfloat16, shape {shape}, numel {numel}",
        ]
    expected += ["Tokens", r"  \[.*\]"]
    assert len(lines) == len(expected)
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line)


def test_the_tokens_are_those_of_eager_torch(lines: list[str], reference: dict[str, Any]) -> None:
    assert len(reference["tokens"]) == TOKENS
    assert len(set(reference["tokens"])) > TOKENS / 2  # no model that repeats itself
    assert tokens_in(lines) == reference["tokens"]


def test_the_best_token_leads_by_many_times_what_bfloat16_rounds_away(
    reference: dict[str, Any],
) -> None:
    assert reference["lead"] > 6 * reference["rounding"]


def test_the_logits_are_as_near_to_eager_torch_as_bfloat16_is_to_float32(
    reference: dict[str, Any],
) -> None:
    assert reference["logits_difference"] < 2 * reference["rounding"]


def test_the_frames_are_those_of_transformers(reference: dict[str, Any]) -> None:
    assert reference["mel_difference"] < MEL_TOLERANCE


def test_python_gives_the_same_tokens_twice_in_a_row(
    speech: Speech, reference: dict[str, Any]
) -> None:
    folders = [speech.site, speech.windows.ml_dtypes]
    answer = speech.windows.python(["-c", ON_WINDOWS, speech.recording], pythonpath=folders)
    assert json.loads(answer.stdout.splitlines()[-1]) == [reference["tokens"]] * 2


def test_weights_copied_from_a_blob_elsewhere_give_the_same_tokens(
    speech: Speech, reference: dict[str, Any], tmp_path: Path
) -> None:
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    for name in NAMES:
        (tmp_path / "speech" / name).mkdir(parents=True)
        source = speech.models / name
        shutil.copyfile(source / f"{name}.dll", tmp_path / "speech" / name / f"{name}.dll")
        shutil.copyfile(source / f"{name}_weights.blob", blobs / f"{name}_weights.blob")
    if speech.runtime == "own":
        shutil.copytree(speech.site / "speech.libs", tmp_path / "speech.libs")
    without = speech.run(tmp_path / "speech", speech.recording)
    assert without.returncode == 1
    assert "audio_encoder_weights.blob is missing" in without.stderr
    done = speech.run(tmp_path / "speech", speech.recording, "--blobs", blobs)
    assert tokens_in(done.stdout) == reference["tokens"]


def test_silence_gets_another_answer(
    speech: Speech, reference: dict[str, Any], tmp_path: Path
) -> None:
    done = speech.run(speech.models, recording(tmp_path / "silence.wav", rate=16000, seconds=1))
    assert tokens_in(done.stdout) != reference["tokens"]


@pytest.mark.parametrize(
    ("rate", "seconds", "message"),
    [(16000, 91, "longer than 90 s"), (8000, 1, "must be 16 kHz"), (0, 0, "is no .wav")],
    ids=["too-long", "another-rate", "no-wav"],
)
def test_a_recording_that_does_not_fit_is_a_message(
    speech: Speech, tmp_path: Path, rate: int, seconds: int, message: str
) -> None:
    path = tmp_path / "recording.wav"
    if rate:
        recording(path, rate=rate, seconds=seconds)
    else:
        path.write_bytes(b"nothing that a microphone would say")
    done = speech.run(speech.models, path)
    assert done.returncode == 1
    assert message in done.stderr


def recording(path: Path, *, rate: int, seconds: int) -> Path:
    """A silent .wav."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(bytes(2 * rate * seconds))
    return path
