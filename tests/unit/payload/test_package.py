"""The files that the build puts into a model's package work there, and import little."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fake_model import write_package

from aotwin.payload.arrays import DTYPES
from aotwin.payload.c_api import Tensor, _loadable

if TYPE_CHECKING:
    from fake_model import Maker

HEADER = (
    Path(__file__).resolve().parents[3] / "toolchains" / "windows" / "sdk" / "include" / "aotwin.h"
)


def python(code: str, folder: Path) -> list[str]:
    """Lines that a fresh Python prints, which has no aotwin."""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def package(make: Maker) -> Path:
    """`demo.fake`; returns the folder that holds `demo`."""
    make.folder = make.folder / "site" / "demo"
    folder = make.write("copy 0").rename(make.folder / "fake")
    write_package(folder, "own")
    (make.folder / "__init__.py").write_bytes(b"")
    return folder.parents[1]


CALL = """
import sys
import numpy
import demo.fake
demo.fake._require_windows = lambda name, platform: None
from demo.fake import model
y, = model(numpy.ones((2, 3), "f4"))
print(y.sum(), demo.fake.model is model, repr(model).split(" from ")[0])
print({"torch", "ml_dtypes"} & sys.modules.keys())
"""


def test_a_model_is_called_from_its_package_without_torch(package: Path) -> None:
    assert python(CALL, package) == ["6.0 True <aotwin model 'demo.fake'", "set()"]


def test_importing_the_package_imports_nothing_that_takes_time(package: Path) -> None:
    code = "import sys, demo.fake; print(sorted({{}} & sys.modules.keys()))"
    slow = {"numpy", "torch", "ctypes", "json", "dataclasses", "inspect", "importlib.metadata"}
    assert python(code.replace("{}", repr(sorted(slow))[1:-1]), package) == ["[]"]


def test_on_another_system_it_says_where_it_runs(package: Path) -> None:
    code = "import demo.fake\ntry: demo.fake.model\nexcept demo.fake.ModelError as e: print(e)"
    assert python(code, package) == [
        "demo.fake was built for Windows and cannot be loaded on linux. "
        "Install the wheel on Windows."
    ]


def test_a_package_without_the_half_of_a_model_says_so(package: Path) -> None:
    manifest = package / "demo" / "fake" / "aotwin.json"
    manifest.write_text(manifest.read_text().replace('"own"', '"torch"'))
    code = CALL.replace("from demo.fake import model\n", "")
    code = code.partition("y, =")[0] + (
        "try: demo.fake.load()\nexcept demo.fake.ModelError as error: print(error)"
    )
    assert python(code, package) == [
        "demo.fake was built over the run time 'torch', which this code does not call. "
        "Use the loader that came with the model."
    ]


# --- what must agree with aotwin.h ------------------------------------------------------------


def enum(name: str) -> dict[str, int]:
    """An enum of the header: name in lower case -> number."""
    body = re.search(rf"typedef enum {name} {{(.*?)}} {name};", HEADER.read_text(), re.DOTALL)
    assert body is not None
    pairs = re.findall(r"AOTWIN_(\w+) = (\d+)", body[1])
    return {key.lower(): int(number) for key, number in pairs}


def test_element_types_have_the_numbers_of_the_header() -> None:
    known = {name: dtype.number for name, dtype in DTYPES.items()}
    assert known == {name: n for name, n in enum("aotwin_dtype").items() if name != "dtype_none"}


def test_a_tensor_has_the_layout_of_the_header() -> None:
    body = re.search(r"typedef struct aotwin_tensor {(.*?)}", HEADER.read_text(), re.DOTALL)
    assert body is not None
    fields = re.findall(r"^ +[\w ]+\*? ?\b(\w+);", body[1], re.MULTILINE)
    assert fields == [name for name, *_ in Tensor._fields_]
    assert ctypes.sizeof(Tensor) == 40


@pytest.mark.parametrize(
    ("path", "loaded"),
    [
        ("C:\\models\\a.dll", "C:\\models\\a.dll"),
        ("C:\\" + "x" * 300, "\\\\?\\C:\\" + "x" * 300),
        ("\\\\server\\share\\" + "x" * 300, "\\\\?\\UNC\\server\\share\\" + "x" * 300),
        ("\\\\?\\C:\\" + "x" * 300, "\\\\?\\C:\\" + "x" * 300),
    ],
    ids=["short", "long", "long-share", "verbatim"],
)
def test_long_paths_are_loaded_in_the_verbatim_form(path: str, loaded: str) -> None:
    assert _loadable(path) == loaded
