"""What is in the wheel works on Windows: installed by Windows' pip, called from Windows' Python."""

from __future__ import annotations

import json
import runpy
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from aotwin.stages.pack.pt2 import write_pt2
from project_build import build_wheel
from windows_on_wine import WindowsPython

REPO = Path(__file__).resolve().parents[2]
PROJECT = REPO / "tests" / "packages" / "many-call-forms"

CALLS = """
import json, sys
sys.path.insert(0, sys.argv[1])
import torch
import export_forms
from forms.nested import model as nested
from forms.fallback import model as fallback
from forms.levels import model as levels
from forms.bare import model as bare
from forms.nested import load
import forms.nested

def message(call):
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"

args, kwargs = export_forms.nested_call(3)
points = args[0]
result = export_forms.answers(nested, fallback, levels, bare)
result["errors"] = {
    "wrong dtype": message(lambda: bare(torch.zeros(16, 16, dtype=torch.float64))),
    "wrong size": message(lambda: bare(torch.zeros(16, 17))),
    "no tensor": message(lambda: bare([1.0])),
    "missing keyword": message(lambda: nested(*args, mask=kwargs["mask"])),
    "other nesting": message(lambda: nested(points["x"], None, **kwargs)),
    "fixed argument": message(lambda: nested(*args, mask=kwargs["mask"], power=3)),
    "another package folder": message(lambda: load(sys.argv[1])),
}
fresh = load(num_runners=2)
result["calls of a fresh instance"] = fresh(*args, **kwargs)["rest"][2].tolist()
result["dll of levels"] = levels.dll.name
result["supports v4"] = torch.cpu._is_avx512_supported()
result["repr"] = repr(nested)
result["same object"] = forms.nested.model is nested
transposed = export_forms.square().t()
difference = bare(transposed) - torch.softmax(transposed, -1)
result["a transposed input"] = difference.abs().max().item()
print(json.dumps(result))
"""


@pytest.fixture(scope="module", params=["auto", "torch"])
def run_times(request: pytest.FixtureRequest) -> dict[str, str]:
    """The setting `runtime`, and the run time that each model of the project gets for it."""
    own = "own" if request.param == "auto" else "torch"
    return {
        "setting": request.param,
        "nested": own,
        # It has an operator that only torch can run.
        "fallback": "torch",
        "levels": own,
        "bare": own,
    }


@pytest.fixture(scope="module")
def wheel(run_times: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("project") / "forms"
    shutil.copytree(PROJECT, project)
    return build_wheel(project, f"runtime={run_times['setting']}")[0]


@pytest.fixture(scope="module")
def result(
    wheel: Path, windows: WindowsPython, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    site = tmp_path_factory.mktemp("site") / "Program Files" / "Ünïcode 模型"
    windows.install([wheel], site)
    done = windows.python(["-c", CALLS, windows.path(PROJECT)], pythonpath=[site])
    answers: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    answers: dict[str, Any] = runpy.run_path(str(PROJECT / "export_forms.py"))["reference"]()
    return answers


@pytest.mark.parametrize(
    "answer",
    [
        "y",
        "y of another size",
        "sum",
        "calls",
        "step",
        "position",
        "determinant",
        "singular values",
        "image",
        "softmax",
    ],
)
def test_a_result_is_that_of_eager_torch(
    answer: str, result: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert flat(result[answer]) == pytest.approx(flat(expected[answer]), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("answer", ["keys", "none", "rows", "constant"])
def test_what_is_no_tensor_comes_back_as_the_exported_module_gave_it(
    answer: str, result: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert result[answer] == expected[answer]


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("wrong dtype", "TypeError: forms.bare: input must be float32, got float64"),
        ("wrong size", "ValueError: forms.bare: input must have the shape [16, 16], got [16, 17]"),
        ("no tensor", "TypeError: forms.bare must be called as the exported module was"),
        ("missing keyword", "TypeError: forms.nested takes the keyword arguments"),
        ("other nesting", "TypeError: forms.nested must be called as the exported module was"),
        ("fixed argument", "is fixed to 2 since the export, got 3"),
        ("another package folder", "ModelError:"),
    ],
)
def test_a_wrong_call_is_one_clear_message(
    mistake: str, message: str, result: dict[str, Any]
) -> None:
    assert message in result["errors"][mistake]


def test_an_instance_has_buffers_of_its_own(result: dict[str, Any]) -> None:
    assert result["calls of a fresh instance"] == [1.0] * 16
    assert result["calls"] == [2.0] * 16


def test_the_dll_is_that_of_the_highest_level_of_the_cpu(result: dict[str, Any]) -> None:
    best = "levels.x86-64-v4.dll" if result["supports v4"] else "levels.dll"
    assert result["dll of levels"] == best


def test_model_is_loaded_once(result: dict[str, Any]) -> None:
    assert result["same object"]
    assert "forms.nested" in result["repr"]


def test_an_input_of_another_memory_layout_is_taken(result: dict[str, Any]) -> None:
    assert result["a transposed input"] < 1e-6


def test_each_model_has_the_run_time_that_the_setting_gives_it(
    wheel: Path, run_times: dict[str, str]
) -> None:
    archive = zipfile.ZipFile(wheel)
    for name in ("nested", "fallback", "levels", "bare"):
        manifest = json.loads(archive.read(f"forms/{name}/aotwin.json"))
        assert manifest["runtime"] == run_times[name], name


def test_two_levels_share_one_blob(wheel: Path) -> None:
    names = sorted(zipfile.ZipFile(wheel).namelist())
    assert [name for name in names if "levels" in name and name.endswith((".dll", ".blob"))] == [
        "forms/levels/levels.dll",
        "forms/levels/levels.x86-64-v4.dll",
        "forms/levels/levels_weights.blob",
    ]


def flat(value: Any) -> list[float]:
    if isinstance(value, list):
        return [number for each in value for number in flat(each)]
    return [value]


PT2 = """
import json, sys
sys.path.insert(0, sys.argv[1])
import torch
import export_forms
model = torch._inductor.aoti_load_package(sys.argv[2])
determinant, values = model(export_forms.square())
print(json.dumps({"determinant": determinant.tolist(), "singular values": values.tolist()}))
"""


def test_the_same_model_as_pt2_runs_in_torchs_own_loader(
    wheel: Path, windows: WindowsPython, tmp_path: Path, expected: dict[str, Any]
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    archive_path = tmp_path / "fallback.pt2"
    write_pt2(tmp_path / "forms" / "fallback", archive_path)
    done = windows.python(["-c", PT2, windows.path(PROJECT), windows.path(archive_path)])
    answers = json.loads(done.stdout.splitlines()[-1])
    for name, value in answers.items():
        assert flat(value) == pytest.approx(flat(expected[name]), rel=1e-4, abs=1e-5)
