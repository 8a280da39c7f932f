"""aotwin-run, and `aotwin run` on Linux (through Wine) and on Windows, run models on .npy files."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from sdk_build import linked, various_module

from aotwin.cli import main

if TYPE_CHECKING:
    from sdk_build import Sdk

    from windows_on_wine import WindowsPython

REPO = Path(__file__).resolve().parents[2]
BATCH = 5


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray[Any, Any]]:
    generator = np.random.default_rng(0)
    half = generator.standard_normal((BATCH, 8), dtype=np.float32)
    return {
        "x": generator.standard_normal((BATCH, 8), dtype=np.float32),
        # The upper half of a float32's bits is a bfloat16.
        "half": (half.view(np.uint32) >> 16).astype(np.uint16).view("V2"),
        "image": generator.standard_normal((1, 3, 4, 4), dtype=np.float32),
        "at": np.array([4, 1], dtype=np.int64),
    }


@pytest.fixture(scope="module")
def files(
    arrays: dict[str, np.ndarray[Any, Any]], tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    folder = tmp_path_factory.mktemp("inputs")
    paths = [folder / f"{name}.npy" for name in arrays]
    for path, array in zip(paths, arrays.values(), strict=True):
        np.save(path, array)
    return paths


def inputs(files: list[Path]) -> list[str | Path]:
    return [word for path in files for word in ("--input", path)]


def eager(arrays: dict[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    half = torch.tensor(arrays["half"].view(np.int16)).view(torch.bfloat16)
    others = {name: torch.tensor(arrays[name]) for name in ("x", "image", "at")}
    with torch.no_grad():
        return dict(various_module()(others["x"], half, others["image"], others["at"]))


def require_right(folder: Path, arrays: dict[str, np.ndarray[Any, Any]], calls: float) -> None:
    """The files in a folder hold what eager torch gives."""
    expected = eager(arrays)
    found = {int(path.name.partition("_")[0]): np.load(path) for path in folder.iterdir()}
    assert sorted(found) == [0, 1, 2, 3, 4, 6, 7, 8]
    np.testing.assert_allclose(found[0], expected["y"].numpy(), atol=1e-5)
    np.testing.assert_array_equal(found[0], found[1])
    assert found[2].dtype == np.dtype("V2")
    half = expected["half"].view(torch.int16).numpy()
    np.testing.assert_array_equal(found[2].view(np.int16), half)
    np.testing.assert_array_equal(found[3], expected["image"].numpy())
    np.testing.assert_array_equal(found[4], expected["picked"].numpy())
    assert (found[6].item(), found[7].item()) == (5, BATCH)
    np.testing.assert_array_equal(found[8], np.full(3, calls, dtype=np.float32))


def assert_torch_is_told(report: dict[str, Any], sdk: Sdk) -> None:
    """A report speaks of torch where the model runs over it."""
    assert report["run_time"] == sdk.runtime
    assert report["torch"]["version"] == "2.13.0"
    assert (report["load_ms"]["torch"] > 0) == (sdk.runtime == "torch")


def test_on_linux_results_are_those_of_eager_torch(
    sdk: Sdk,
    arrays: dict[str, np.ndarray[Any, Any]],
    files: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "results of ä run"
    words = ["run", sdk.various, *inputs(files), "-o", output, "--json", "--threads", "4"]
    code = main([*map(str, words), "--repeat", "25"])
    report = json.loads(capsys.readouterr().out)
    assert code == 0
    require_right(output, arrays, calls=1)
    assert report["version"] == 1
    assert report["model"] == str(sdk.various / "various.dll")
    assert (report["threads"], report["run_ms"]["calls"]) == (4, 100)
    assert report["run_ms"]["min"] <= report["run_ms"]["median"] <= report["run_ms"]["max"]
    assert_torch_is_told(report, sdk)
    assert [row["dtype"] for row in report["outputs"][4:8]] == ["float32", None, "int64", "int64"]
    assert report["outputs"][2] == {
        "name": "mul", "dtype": "bfloat16", "shape": [BATCH, 8], "numel": 40,
        "file": str(output / "2_mul.npy"),
    }  # fmt: skip


def test_on_windows_the_sdk_and_the_installed_torch_if_need_be_are_used(
    sdk: Sdk,
    windows: WindowsPython,
    arrays: dict[str, np.ndarray[Any, Any]],
    files: list[Path],
    tmp_path: Path,
) -> None:
    output = tmp_path / "results"
    python = windows if sdk.runtime == "torch" else windows.without_torch
    done = python.python(
        ["-m", "aotwin", "run", sdk.various, *inputs(files), "-o", output, "--sdk", sdk.directory],
        pythonpath=[REPO / "plugin"],
    )
    require_right(output, arrays, calls=1)
    first, second, third, fourth, *rows = done.stdout.splitlines()
    assert first == f"Loaded {windows.path(sdk.various / 'various.dll')}"
    weights = sdk.various / "various_weights.blob"
    assert second == f"Loading weights from {windows.path(weights)}"
    assert third.startswith("Load latency (ms): ")
    assert ("torch: " in third) == (sdk.runtime == "torch")
    assert fourth.startswith("Run latency (ms): ")
    assert rows[0].startswith("  linear: dtype float32, shape [5, 4], numel 20 -> ")


def test_on_windows_without_an_sdk_the_message_says_how_to_get_one(
    own_sdk: Sdk, windows: WindowsPython
) -> None:
    done = windows.python(
        ["-m", "aotwin", "run", own_sdk.various], pythonpath=[REPO / "plugin"], check=False
    )
    assert done.returncode == 1
    assert "aotwin-run.exe is not there" in done.stderr
    assert "--sdk" in done.stderr


def test_a_model_is_described_without_being_run(
    sdk: Sdk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(sdk.various), "--describe", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in report["inputs"]] == ["x", "half", "image", "at"]
    assert report["inputs"][2] == {"name": "image", "dtype": "float32", "shape": [1, 3, 4, 4]}
    free, eight = report["inputs"][0]["shape"]
    assert isinstance(free, str)
    assert (eight, report["inputs"][1]["shape"][0]) == (8, free)
    assert report["outputs"][5] == {"name": "output5", "dtype": None, "shape": None}


@pytest.fixture(scope="module")
def program(torch_sdk: Sdk) -> Path:
    """It is the same in every SDK."""
    return torch_sdk.directory / "bin" / "aotwin-run.exe"


def torch_words(sdk: Sdk) -> list[str | Path]:
    return [word for folder in sdk.torch_words for word in ("--torch", folder)]


def test_a_column_major_array_is_the_same_input(
    sdk: Sdk,
    program: Path,
    arrays: dict[str, np.ndarray[Any, Any]],
    files: list[Path],
    tmp_path: Path,
) -> None:
    columns = tmp_path / "x.npy"
    np.save(columns, np.asfortranarray(arrays["x"]))
    assert b"'fortran_order': True" in columns.read_bytes()
    words = inputs([columns, *files[1:]])
    done = sdk.run(program, sdk.various, *words, "-o", tmp_path / "out", *torch_words(sdk))
    assert done.returncode == 0, done.stderr
    require_right(tmp_path / "out", arrays, calls=1)


def test_torch_beside_the_program_needs_no_naming(
    torch_sdk: Sdk, program: Path, files: list[Path], tmp_path: Path
) -> None:
    folder = linked(torch_sdk.torch, tmp_path / "program")
    linked(program.parent, folder)
    done = torch_sdk.run(folder / program.name, torch_sdk.various, *inputs(files))
    assert done.returncode == 0, done.stderr


# --- refused ----------------------------------------------------------------------------------


def header(text: str, *, magic: bytes = b"\x93NUMPY\x01\x00") -> bytes:
    return magic + struct.pack("<H", len(text)) + text.encode()


def good(shape: str = "(5, 8)", descr: str = "<f4") -> str:
    return f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n"


SPOILT: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is no .npy file"),
    "no npy": (lambda: b"PK\x03\x04" * 10, "is no .npy file"),
    "version 4": (lambda: header(good(), magic=b"\x93NUMPY\x04\x00"), "of version 1, 2 or 3"),
    "cut header": (lambda: header(good())[:30], "ends within its header"),
    "cut elements": (lambda: header(good()) + b"\0" * 100, "ends before the last"),
    "objects": (lambda: header(good(descr="|O")), "a type that is not read: |O"),
    "big endian": (lambda: header(good(descr=">f4")), "a type that is not read: >f4"),
    "records": (
        lambda: header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }"),
        "records are not read",
    ),
    "huge shape": (lambda: header(good("(4611686018427387904, 8)")), "a size above all memory"),
    "huge product": (lambda: header(good("(99999999999, 99999999999)")), "than all memory"),
    "negative shape": (lambda: header(good("(-5, 8)")), "no usable shape"),
    "endless shape": (lambda: header(good("(" + "1," * 65 + ")")), "no usable shape"),
    "unclosed": (lambda: header("{'descr': '<f4', 'fortran_order': "), "no True or False"),
    "unknown key": (lambda: header("{'colour': 'red'}"), "unknown key colour"),
    "float64": (lambda: header(good(descr="<f8")) + b"\0" * 320, "must be float32, got float64"),
    "raw bytes": (lambda: header(good(descr="|V2")) + b"\0" * 80, "its elements are raw bytes"),
    "other shape": (lambda: header(good("(5, 7)")) + b"\0" * 140, "got [5, 7]"),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILT)
def test_a_spoilt_input_is_named(
    own_sdk: Sdk, program: Path, files: list[Path], tmp_path: Path, case: str
) -> None:
    data, fragment = SPOILT[case]
    spoilt = tmp_path / "spoilt.npy"
    spoilt.write_bytes(data())
    words = inputs([spoilt, *files[1:]])
    done = own_sdk.run(program, own_sdk.various, *words)
    assert done.returncode == 1, done.stdout
    assert done.stderr.startswith("aotwin-run: error: ")
    assert fragment in done.stderr


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["--colour"], "unknown argument --colour"),
        ([], "no model is named"),
        (["model", "--repeat", "0"], "--repeat takes a number from 1 to 1000000"),
        (["model", "--threads", "99999999999999999999999"], "--threads takes a number from 1 to"),
        (["model", "--input"], "--input takes a value"),
    ],
    ids=["unknown", "nothing", "zero", "huge", "no value"],
)
def test_a_wrong_command_line_is_exit_code_2(
    own_sdk: Sdk, program: Path, words: list[str], fragment: str
) -> None:
    done = own_sdk.run(program, *words)
    assert done.returncode == 2
    assert fragment in done.stderr


def test_too_few_inputs_are_named(sdk: Sdk, program: Path, files: list[Path]) -> None:
    done = sdk.run(program, sdk.various, *inputs(files[:1]), *torch_words(sdk))
    assert done.returncode == 2
    assert "takes 4 inputs (x, half, image, at), given are 1" in done.stderr


def test_a_folder_that_is_no_model_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(tmp_path / "none")]) == 1
    assert f"there is no {tmp_path / 'none'}" in capsys.readouterr().err
    assert main(["run", str(tmp_path)]) == 1
    assert "holds no built model" in capsys.readouterr().err
