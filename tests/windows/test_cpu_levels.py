"""A model for several CPU levels on machines of different levels, whichever level came first.

DLLs and hosts of one fixture are compiled to believe that the machine has x86-64-v3 and no more;
the other ones look at the machine.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from torch.export import export

import aotwin
from aotwin.adapters.tools.zig import find_zig
from aotwin.cli import main
from aotwin.stages.run import torch_folder
from aotwin.stages.sdk import write_sdk
from aotwin.target.toolchain import load_toolchain

if TYPE_CHECKING:
    from sdk_build import Sdk

    from windows_on_wine import WindowsPython

V3, V4 = "x86-64-v3", "x86-64-v4"
#: with the level that it was compiled to see, or the machine's own
MACHINES = {"v3": 3, "this machine": None}

CREATES = """
import ctypes, json, sys
import torch

def refused(path):
    create = ctypes.CDLL(path).AOTInductorModelContainerCreate
    reason = ctypes.CDLL(path).AOTInductorGetLastError
    container, text = ctypes.c_void_p(), ctypes.c_char_p()
    if create(ctypes.byref(container), ctypes.c_size_t(1), True, None) == 0:
        return None
    reason(ctypes.byref(text))
    return text.value.decode()

def refused_by_torch(path):
    try:
        torch._C._aoti.AOTIModelContainerRunnerCpu(path, 1)
    except RuntimeError:
        return True
    return False

print(json.dumps([[refused(path), refused_by_torch(path)] for path in sys.argv[1:]]))
"""


@dataclass(frozen=True)
class Machine:
    """A model whose first DLL is for v4, and what opens it, as on a machine of some level."""

    level: int
    model: Path
    sdk: Sdk
    program: Path

    def without(self, folder: Path, *levels: str) -> Path:
        """The model without its DLLs for some levels; the first one has no suffix."""
        names = {V4: "levels.dll", V3: f"levels.{V3}.dll"}
        gone = shutil.ignore_patterns(*(names[level] for level in levels))
        return Path(shutil.copytree(self.model, folder / "model", ignore=gone))


@pytest.fixture(scope="module", params=MACHINES)
def machine(
    request: pytest.FixtureRequest, windows: WindowsPython, tmp_path_factory: pytest.TempPathFactory
) -> Machine:
    from sdk_build import Sdk, classifier_module

    level = MACHINES[request.param]
    folder = tmp_path_factory.mktemp("levels")
    toolchain = load_toolchain("windows")
    if level is not None:
        flags = (*toolchain.link_flags, f"-DAOTWIN_TEST_CPU_LEVEL={level}")
        toolchain = replace(toolchain, link_flags=flags)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aotwin.pipeline.model.load_toolchain", lambda _: toolchain)
        built = aotwin.build_model(
            export(classifier_module(), (torch.randn(2, 64),)),
            folder,
            name="demo.levels",
            cpu=(V4, V3),
            # What torch's runner makes of it is tested, too.
            runtime="torch",
        )
    directory = write_sdk(built.directory, folder / "sdk", toolchain=toolchain, zig=find_zig())
    model = built.directory
    sdk = Sdk(windows, directory, "torch", model, model, model, torch_folder(toolchain, "2.13.0"))
    example = directory / "share" / "aotwin" / "examples" / "example.c"
    has_v4 = torch.backends.cpu.get_cpu_capability() == "AVX512"
    return Machine(level or (4 if has_v4 else 3), model, sdk, sdk.compile(example, folder))


def fitting(machine: Machine) -> str:
    """The DLL for the machine's level."""
    return "levels.dll" if machine.level >= 4 else f"levels.{V3}.dll"


def test_a_c_program_gets_the_dll_that_fits(machine: Machine) -> None:
    done = machine.sdk.run(machine.program, machine.model, machine.sdk.torch)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].partition(",")[0].endswith(f"\\{fitting(machine)}")
    assert "result 0: float32, 32 bytes, the first element is" in done.stdout


def test_aotwin_run_gets_the_dll_that_fits(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", machine.model, "--describe", "--json", "--sdk", machine.sdk.directory]
    assert main([*map(str, words)]) == 0
    assert json.loads(capsys.readouterr().out)["model"].endswith(f"/{fitting(machine)}")


@pytest.mark.parametrize("opened", ["folder", "DLL"])
def test_where_no_dll_fits_that_is_what_is_said(
    machine: Machine, tmp_path: Path, opened: str
) -> None:
    model = machine.without(tmp_path, V3)
    path = model if opened == "folder" else model / "levels.dll"
    done = machine.sdk.run(machine.program, path, machine.sdk.torch)
    if machine.level >= 4:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 1, done.stdout
        assert f"CPUs of the level {V4}, which this machine's CPU does not have" in done.stderr


def test_no_host_gets_a_model_whose_code_would_crash(
    machine: Machine, windows: WindowsPython
) -> None:
    dlls = [windows.path(machine.model / name) for name in ("levels.dll", f"levels.{V3}.dll")]
    done = windows.python(["-c", CREATES, *dlls])
    v4, v3 = json.loads(done.stdout.splitlines()[-1])
    assert v3 == [None, False]
    if machine.level >= 4:
        assert v4 == [None, False]
    else:
        reason = (
            f"this DLL was compiled for CPUs of the level {V4}, which this machine's CPU does "
            "not have"
        )
        assert v4 == [reason, True]


def test_a_machine_below_every_level_is_refused_before_a_dll_is_loaded(
    sdk: Sdk, tmp_path: Path
) -> None:
    toolchain = load_toolchain("windows")
    toolchain = replace(toolchain, link_flags=(*toolchain.link_flags, "-DAOTWIN_TEST_CPU_LEVEL=2"))
    directory = write_sdk(sdk.various, tmp_path / "sdk", toolchain=toolchain, zig=find_zig())
    old = replace(sdk, directory=directory)
    program = old.compile(directory / "share" / "aotwin" / "examples" / "example.c", tmp_path)
    done = old.run(program, sdk.various, *sdk.torch_words)
    assert done.returncode == 1, done.stdout
    assert f"for CPUs of the level {V3} or higher, which this machine's CPU" in done.stderr
