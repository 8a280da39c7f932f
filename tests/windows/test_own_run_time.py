"""Models over the run time of our own: wheels on a Windows Python that has never seen torch."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aotwin import checking
from project_build import REPO, build_wheel
from windows_on_wine import WindowsPython

pytestmark = [pytest.mark.torch, pytest.mark.zig]

PACKAGES = REPO / "tests" / "packages"
PROJECT = PACKAGES / "without-torch"
ANOTHER_LIBRARY = Path(__file__).with_name("build_with_another_library.py")

#: what programs below start with: `show` prints what they found as one line of JSON
PRELUDE = """
import json, sys
sys.path.insert(0, sys.argv[1])
import numpy, calls

def message(call):
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"

def show(**found):
    print(json.dumps(found | {"torch": "torch" in sys.modules}))
"""


@dataclass(frozen=True)
class Site:
    """Where Windows' pip has installed wheels."""

    windows: WindowsPython
    folder: Path

    def call(self, program: str, *arguments: str | Path, more: list[Path] | None = None) -> Any:
        """What a program prints as JSON in the end; what it says on stderr is under "stderr"."""
        done = self.windows.python(
            ["-c", PRELUDE + program, PROJECT, *arguments],
            pythonpath=[self.folder, *(more or [])],
        )
        return json.loads(done.stdout.splitlines()[-1]) | {"stderr": done.stderr}

    @property
    def library(self) -> Path:
        """The run time's DLL of the wheel `free`."""
        (library,) = (self.folder / "free.libs").glob("aotwin-*.dll")
        return library


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """free.nested, free.half and free.flat."""
    project = tmp_path_factory.mktemp("project") / "free"
    shutil.copytree(PROJECT, project)
    return build_wheel(project)[0]


def classifier_project(folder: Path) -> Path:
    return Path(shutil.copytree(PACKAGES / "one-program", folder / "classifier"))


@pytest.fixture(scope="module")
def torch_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """demo.classifier over torch."""
    project = classifier_project(tmp_path_factory.mktemp("project"))
    return build_wheel(project, "runtime=torch")[0]


@pytest.fixture(scope="module")
def other_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """demo.classifier over a run time of another build."""
    project = classifier_project(tmp_path_factory.mktemp("project"))
    (project / "dist").mkdir()
    subprocess.run(
        [sys.executable, str(ANOTHER_LIBRARY), str(project / "dist")],
        cwd=project, check=True, stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(REPO / "plugin"), *sys.path])},
    )  # fmt: skip
    (built,) = (project / "dist").iterdir()
    return built


Installed = Callable[..., Site]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Installs wheels for a Python into a new folder whose name has blanks and other letters."""

    def install(windows: WindowsPython, *wheels: Path) -> Site:
        folder = tmp_path_factory.mktemp("windows") / "Program Files" / "Ünïcode 模型"
        windows.install(wheels, folder)
        return Site(windows, folder)

    return install


@pytest.fixture(scope="module")
def site(wheel: Path, without_torch: WindowsPython, installed: Installed) -> Site:
    return installed(without_torch, wheel)


@pytest.fixture
def copied(site: Site, tmp_path: Path) -> Site:
    """What was installed, to be damaged."""
    return Site(site.windows, Path(shutil.copytree(site.folder, tmp_path / "sïte")))


# --- called with numpy ------------------------------------------------------------------------

CALLS = """
import free.nested, free.flat, free.half
nested, flat = free.nested.model, free.flat.model
(points, scale), keywords = calls.nested_call(3)
first = nested(points, scale, **keywords)
second = nested(*calls.nested_call(9)[0], **calls.nested_call(9)[1])
x = calls.wave(2, 8)

class Given:
    '''Something of another library that keeps to DLPack.'''
    def __dlpack__(self, **options):
        return x.__dlpack__(**options)
    def __dlpack_device__(self):
        return x.__dlpack_device__()

wide = numpy.zeros((2, 16), numpy.float32)
wide[:, ::2] = x
locked = x.copy()
locked.flags.writeable = False
show(
    first=calls.listed(first), second=calls.listed(second), kinds=calls.kinds(first),
    flat=flat(x).tolist(),
    alike={
        "columns first": flat(numpy.asfortranarray(x)).tolist(),
        "with gaps": flat(wide[:, ::2]).tolist(),
        "read only": flat(locked).tolist(),
        "through DLPack": flat(Given()).tolist(),
        "one thread": free.flat.load(num_threads=1)(x).tolist(),
        "three runners": free.flat.load(num_runners=3)(x).tolist(),
    },
    fresh=calls.listed(free.nested.load()(points, scale, **keywords))["rest"][5],
    repr=repr(nested),
    errors={
        "wrong dtype": message(lambda: flat(x.astype(numpy.float64))),
        "wrong shape": message(lambda: flat(calls.wave(2, 9))),
        "wrong rank": message(lambda: flat(calls.wave(8))),
        "no tensor": message(lambda: flat(1.0)),
        "another nesting": message(lambda: nested([points["x"]], scale, **keywords)),
        "missing keyword": message(lambda: nested(points, scale, at=keywords["at"])),
        "sizes that disagree": message(
            lambda: nested(points, scale, **keywords | {"mask": calls.wave(4, 32)})
        ),
        "no threads": message(lambda: free.flat.load(num_threads=0)),
        "bfloat16 without ml_dtypes": message(lambda: free.half.model(calls.wave(2, 16))),
    },
    after_errors=flat(x).tolist(),
)
"""


@pytest.fixture(scope="module")
def answers(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = site.call(CALLS)
    return found


@pytest.fixture(scope="module")
def eager() -> dict[str, Any]:
    """The same calls on Linux, by eager torch."""
    import torch

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PROJECT))
        calls = runpy.run_path(str(PROJECT / "calls.py"))
        networks = runpy.run_path(str(PROJECT / "export_models.py"))

    def tensors(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: tensors(each) for key, each in value.items()}
        if isinstance(value, tuple):
            return tuple(tensors(each) for each in value)
        return None if value is None else torch.from_numpy(value)

    nested = networks["nested_network"]()
    found = {}
    with torch.no_grad():
        for name, rows in (("first", 3), ("second", 9)):
            args, kwargs = calls["nested_call"](rows)
            found[name] = calls["listed"](nested(*tensors(args), **tensors(kwargs)))
        found["flat"] = networks["flat_network"]()(tensors(calls["wave"](2, 8))).tolist()
        half = tensors(calls["wave"](2, 16)).bfloat16()
        found["half"] = networks["half_network"]()(half).float().tolist()
    return found


def flattened(value: Any) -> list[float]:
    if isinstance(value, list):
        return [number for each in value for number in flattened(each)]
    return [value]


def near(expected: Any, tolerance: float = 1e-5) -> Any:
    return pytest.approx(flattened(expected), rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("call", ["first", "second"])
def test_results_are_those_of_eager_torch(
    answers: dict[str, Any], eager: dict[str, Any], call: str
) -> None:
    found, expected = answers[call], eager[call]
    assert list(found) == list(expected)
    assert flattened(found["y"]) == near(expected["y"])
    total, nothing, chosen, at, positive, calls, seven = found["rest"]
    assert total == pytest.approx(expected["rest"][0], rel=1e-4)
    assert (nothing, seven) == (None, 7)
    assert flattened(chosen) == near(expected["rest"][2])
    assert [at, positive, calls] == [expected["rest"][place] for place in (3, 4, 5)]


def test_results_are_arrays_of_the_types_that_eager_torch_gives(answers: dict[str, Any]) -> None:
    array = "numpy.ndarray"
    assert answers["kinds"] == {
        "y": f"{array} float32",
        "rest": [
            f"{array} float32", "builtins.NoneType", f"{array} float64", f"{array} int64",
            f"{array} bool", f"{array} float32", "builtins.int",
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    "way",
    ["columns first", "with gaps", "read only", "through DLPack", "one thread", "three runners"],
)
def test_another_way_to_call_gives_the_same_result(
    answers: dict[str, Any], eager: dict[str, Any], way: str
) -> None:
    assert flattened(answers["flat"]) == near(eager["flat"])
    assert flattened(answers["alike"][way]) == near(answers["flat"], 1e-6)


def test_a_fresh_instance_has_buffers_of_its_own(answers: dict[str, Any]) -> None:
    assert answers["second"]["rest"][5] == [2.0] * 16
    assert answers["fresh"] == [1.0] * 16


def test_torch_is_neither_there_nor_asked_for(answers: dict[str, Any], site: Site) -> None:
    assert answers["torch"] is False
    listed = site.windows.python(["-m", "pip", "list"], pythonpath=[site.folder]).stdout
    packages = {line.split()[0] for line in listed.splitlines()[2:]}
    assert packages == {"free", "numpy", "pip", "tokenizers"}


ERRORS = {
    "wrong dtype": "TypeError: free.flat: x must be float32, got float64",
    "wrong shape": "ValueError: free.flat: x must have the shape [2, 8], got [2, 9]",
    "wrong rank": "ValueError: free.flat: x must have the shape [2, 8], got [8]",
    "no tensor": "TypeError: free.flat: x must be a tensor, got float",
    "another nesting": "TypeError: free.nested must be called as the exported module was: expected",
    "missing keyword": "TypeError: free.nested takes the keyword arguments ['at', 'mask'], got",
    "sizes that disagree": "ValueError: free.nested: input 2 'mask' must have the shape [",
    "no threads": "ValueError: num_threads must be a number from 1 to 4096, got 0",
    "bfloat16 without ml_dtypes": "TypeError: free.half: x must be bfloat16, got float32. numpy has"
    " no bfloat16: pass torch tensors, or install ml_dtypes: pip install ml_dtypes",
}


@pytest.mark.parametrize("mistake", ERRORS)
def test_a_wrong_call_is_one_clear_message(answers: dict[str, Any], mistake: str) -> None:
    assert answers["errors"][mistake].startswith(ERRORS[mistake])


def test_after_wrong_calls_a_right_one_works(answers: dict[str, Any]) -> None:
    assert answers["after_errors"] == answers["flat"]


OUT_OF_RANGE = """
from free.nested import model
(points, scale), keywords = calls.nested_call(3)
wrong = keywords | {"at": keywords["at"] + 100}
errors = [message(lambda: model(points, scale, **wrong)) for _ in range(3)]
show(errors=errors, after=calls.listed(model(points, scale, **keywords))["y"])
"""


def test_an_index_out_of_range_is_an_error(site: Site, eager: dict[str, Any]) -> None:
    found = site.call(OUT_OF_RANGE)
    assert len(found["errors"]) == 3
    for error in found["errors"]:
        assert error.startswith("RuntimeError: free.nested: ")
        assert "index" in error
    assert flattened(found["after"]) == near(eager["first"]["y"])


HALF = """
import ml_dtypes
from free.half import model
y = model(calls.wave(2, 16).astype(ml_dtypes.bfloat16))
show(y=y.astype(numpy.float32).tolist(), dtype=str(y.dtype))
"""


def test_bfloat16_comes_and_goes_through_ml_dtypes(site: Site, eager: dict[str, Any]) -> None:
    found = site.call(HALF, more=[site.windows.ml_dtypes])
    assert found["dtype"] == "bfloat16"
    assert flattened(found["y"]) == near(eager["half"], 0.02)
    assert found["torch"] is False


# --- beside other wheels, and beside torch ----------------------------------------------------

TWO_BUILDS = """
import ctypes
from free.flat import model as flat
from demo.classifier import model as classifier
x, ones = calls.wave(2, 8), numpy.ones((2, 4), numpy.float32)
before = flat(x).tolist(), classifier(ones).tolist()
find = ctypes.windll.kernel32.GetModuleHandleW
find.restype = ctypes.c_void_p
show(
    before=before, after=[flat(x).tolist(), classifier(ones).tolist()],
    modules=[find(name) for name in sys.argv[2:]],
)
"""


def classified() -> list[float]:
    """What demo.classifier gives for ones, by eager torch."""
    import torch

    torch.manual_seed(0)
    with torch.no_grad():
        answer: list[float] = torch.nn.Linear(4, 2)(torch.ones(2, 4)).flatten().tolist()
    return answer


def test_wheels_of_two_builds_live_in_one_process(
    wheel: Path,
    other_wheel: Path,
    without_torch: WindowsPython,
    installed: Installed,
    eager: dict[str, Any],
) -> None:
    both = installed(without_torch, wheel, other_wheel)
    (other,) = (both.folder / "demo.libs").glob("aotwin-*.dll")
    assert other.name != both.library.name
    found = both.call(TWO_BUILDS, both.library.name, other.name)
    first, second = found["modules"]
    assert first and second and first != second
    assert found["before"] == found["after"]
    assert flattened(found["before"][0]) == near(eager["flat"])
    assert flattened(found["before"][1]) == near(classified())
    report = checking.check(both.folder, full=True)
    assert report, report.to_text()


WITH_TORCH = """
order = sys.argv[2]
if order == "before":
    import torch
from free.flat import model as flat
from free.nested import model as nested
array = flat(calls.wave(2, 8))
import torch
from demo.classifier import model as classifier
x = torch.from_numpy(calls.wave(2, 8))
kept = x.clone()
tensor = flat(x)
args, keywords = calls.nested_call(3)
given = torch.utils._pytree.tree_map_only(numpy.ndarray, torch.from_numpy, (args, keywords))
result = nested(*given[0], **given[1])
product = torch.ones(256, 256) @ torch.ones(256, 256)
show(
    array=array.tolist(), tensor=tensor.tolist(), untouched=torch.equal(x, kept),
    kinds=[type(array).__module__, calls.kinds(tensor), calls.kinds(result)],
    y=result["y"].tolist(), classified=classifier(torch.ones(2, 4)).tolist(),
    columns=flat(x.t().contiguous().t()).tolist(),
    product=[product.min().item(), product.max().item()],
    half=__import__("free.half").half.model(torch.ones(2, 16).bfloat16()).dtype.__str__(),
    wrong=message(lambda: flat(x.double())),
)
"""


@pytest.fixture(scope="module")
def beside_torch(
    wheel: Path, torch_wheel: Path, windows: WindowsPython, installed: Installed
) -> Site:
    """A wheel over our own run time and one over torch, where torch is installed."""
    return installed(windows, wheel, torch_wheel)


@pytest.mark.parametrize("order", ["before", "after"])
def test_torch_may_be_imported_in_the_same_process(
    beside_torch: Site, eager: dict[str, Any], order: str
) -> None:
    found = beside_torch.call(WITH_TORCH, order)
    assert "OMP" not in found["stderr"]
    assert flattened(found["array"]) == near(eager["flat"])
    assert flattened(found["tensor"]) == near(eager["flat"])
    assert flattened(found["columns"]) == near(eager["flat"])
    assert flattened(found["y"]) == near(eager["first"]["y"])
    assert flattened(found["classified"]) == near(classified())
    assert found["product"] == [256, 256]
    assert found["untouched"]


def test_torch_tensors_give_torch_tensors(beside_torch: Site) -> None:
    found = beside_torch.call(WITH_TORCH, "after")
    array, tensor, nested = found["kinds"]
    assert (array, tensor) == ("numpy", "torch.Tensor torch.float32")
    assert nested["rest"][:4] == [
        "torch.Tensor torch.float32", "builtins.NoneType", "torch.Tensor torch.float64",
        "torch.Tensor torch.int64",
    ]  # fmt: skip
    assert found["half"] == "torch.bfloat16"
    assert found["wrong"] == "TypeError: free.flat: x must be float32, got float64"


TORCHS_RUNNER = """
import torch
from pathlib import Path
dll = Path(sys.argv[2])
def run():
    runner = torch._C._aoti.AOTIModelContainerRunnerCpu(str(dll), 1)
    return runner.run([torch.ones(2, 8)])
first = message(run)
from free.flat import model
show(first=first, second=message(run), still=model(calls.wave(2, 8)).tolist())
"""


def test_torchs_own_runner_gets_an_error_with_a_next_step(
    beside_torch: Site, eager: dict[str, Any]
) -> None:
    dll = beside_torch.folder / "free" / "flat" / "flat.dll"
    found = beside_torch.call(TORCHS_RUNNER, dll)
    for message in (found["first"], found["second"]):
        assert message.startswith("RuntimeError")
        assert "load it with the loader of its package or with aotwin.dll" in message
    assert flattened(found["still"]) == near(eager["flat"])


# --- without Python ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_run_time_host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from model_dlls import build_host

    return build_host("own_run_time_host.c", tmp_path_factory.mktemp("hosts"))


def host_lines(site: Site, host: Path, cwd: Path) -> dict[str, list[str]]:
    dll = site.folder / "free" / "flat" / "flat.dll"
    # Whether it is there or not.
    manifest = json.loads(dll.with_name("aotwin.json").read_text("utf-8"))
    library = manifest["libs"]["library"].rpartition("/")[2]
    done = site.windows.exe(host, [dll, library, "8"], cwd=cwd, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    return {first: rest for first, *rest in lines}


def test_a_host_that_opens_the_dll_alone_gets_its_run_time_with_it(
    site: Site, own_run_time_host: Path, tmp_path: Path
) -> None:
    import torch

    found = host_lines(site, own_run_time_host, tmp_path)
    assert (found["before"][0], found["after"][0]) == ("0", "1")
    network = runpy.run_path(str(PROJECT / "export_models.py"))["flat_network"]()
    with torch.no_grad():
        expected = network(torch.ones(2, 8)).flatten().tolist()
    assert [float(word) for word in found["result"][0].split()] == near(expected)


def test_a_host_is_told_which_run_time_is_missing(
    copied: Site, own_run_time_host: Path, tmp_path: Path
) -> None:
    library = copied.library
    library.rename(library.with_name("elsewhere.dll"))
    code, reason = host_lines(copied, own_run_time_host, tmp_path)["create"]
    assert code != "0"
    assert "runs over aotwin's own run time, which cannot be loaded from" in reason
    assert copied.windows.path(library) in reason
    assert "keep its folder beside the model" in reason


# --- checked ----------------------------------------------------------------------------------

OPEN = """
import free.flat
show(error=message(free.flat.load))
"""


def test_a_missing_folder_of_the_run_time_is_named(copied: Site) -> None:
    library = copied.library
    library.parent.rename(library.parent.with_name("moved.libs"))
    error = copied.call(OPEN)["error"]
    assert error.startswith("ModelError: the run time ")
    assert f"{copied.windows.path(library)} is missing. Reinstall the package." in error


def damaged(library: Path) -> None:
    """Change a byte of the code, where no header tells of it."""
    content = bytearray(library.read_bytes())
    content[len(content) // 2] ^= 0xFF
    library.write_bytes(content)


def test_the_package_checks_its_run_time(copied: Site) -> None:
    check = ["-m", "free.flat", "--check"]
    done = copied.windows.python(check, pythonpath=[copied.folder])
    assert "the files are the ones that were built" in done.stdout
    library = copied.library
    damaged(library)
    done = copied.windows.python(check, pythonpath=[copied.folder], check=False)
    assert done.returncode == 1
    assert f"{library.name}: changed: sha256" in done.stdout
    library.unlink()
    done = copied.windows.python(check, pythonpath=[copied.folder], check=False)
    assert done.returncode == 1
    assert f"{library.name}: cannot be read" in done.stdout


def test_the_wheel_passes_the_check_and_is_small(wheel: Path) -> None:
    report = checking.check(wheel, full=True)
    assert report, report.to_text()
    with zipfile.ZipFile(wheel) as archive:
        libs = [each for each in archive.infolist() if each.filename.startswith("free.libs/")]
        metadata = archive.read("free-1.0.dist-info/METADATA").decode()
    assert sum(each.file_size for each in libs) < 45 << 20
    assert "Requires-Dist: torch" not in metadata


def test_a_changed_run_time_is_found_by_the_check(copied: Site) -> None:
    report = checking.check(copied.folder)
    assert report, report.to_text()
    damaged(copied.library)
    findings = {finding.id for finding in checking.check(copied.folder).findings}
    assert "MODEL-LIBS" in findings
    copied.library.unlink()
    missing = [
        finding for finding in checking.check(copied.folder).findings if finding.id == "MODEL-LIBS"
    ]
    assert len(missing) == 3
    assert all("is missing" in str(finding) for finding in missing)
