"""Models over the fake run time of fake_aotwin.c, and the fixtures that make and load them."""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import aotwin.payload
from aotwin.assembly import _PAYLOAD
from aotwin.payload import Model
from aotwin.payload.c_api import Tensor

SOURCE = Path(__file__).with_name("fake_aotwin.c")
PAYLOAD = Path(aotwin.payload.__file__).parent


def compile_fake(output: Path, *definitions: str) -> Path:
    """Compile the fake library for this machine."""
    flags = ("-O1", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", *definitions)
    command = [sys.executable, "-m", "ziglang", "cc", *flags, str(SOURCE), "-o", str(output)]
    subprocess.run(command, check=True)
    return output


class Options(ctypes.Structure):
    """aotwin_open_options."""

    _fields_ = (
        ("struct_size", ctypes.c_uint32),
        ("num_runners", ctypes.c_uint32),
        ("torch_directory", ctypes.c_char_p),
        ("torch_directory_w", ctypes.c_wchar_p),
        ("num_threads", ctypes.c_uint32),
    )


class Fake:
    """What the fake library saw, and how many of its objects live."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._library = ctypes.CDLL(str(path))

    @property
    def models(self) -> int:
        return ctypes.c_int32.in_dll(self._library, "fake_models").value

    @property
    def results(self) -> int:
        return ctypes.c_int32.in_dll(self._library, "fake_results").value

    @property
    def options(self) -> Options:
        return Options.in_dll(self._library, "fake_options")

    def input(self, index: int) -> Tensor:
        return (Tensor * 16).in_dll(self._library, "fake_inputs")[index]

    def strides(self, index: int) -> list[int]:
        """Of an input that has some."""
        rank = self.input(index).rank
        return list((ctypes.c_int64 * 64 * 16).in_dll(self._library, "fake_strides")[index])[:rank]


def tensor(name: str, dtype: str = "float32", shape: Any = (2, 3), order: Any = None) -> Any:
    """A row of a manifest."""
    size = None if shape is None else list(shape)
    return {"kind": "tensor", "name": name, "dtype": dtype, "shape": size, "dim_order": order}


def constant(value: Any) -> Any:
    return {"kind": "constant", "name": "argument", "value": value}


#: how a model with an argument and a keyword argument is called, and its one result
CALL = {
    "in_spec": '[1, {"type": "builtins.tuple", "context": "null", "children_spec": ['
    '{"type": "builtins.tuple", "context": "null", "children_spec": ['
    '{"type": null, "context": null, "children_spec": []}]}, '
    '{"type": "builtins.dict", "context": "[\\"b\\"]", "children_spec": ['
    '{"type": null, "context": null, "children_spec": []}]}]}]',
    "out_spec": '[1, {"type": null, "context": null, "children_spec": []}]',
}
NUMBER = {"kind": "number", "name": "rows"}


def manifest_of(
    library: Path, inputs: Sequence[Any], outputs: Sequence[Any], call: dict[str, str] | None
) -> dict[str, Any]:
    """A manifest as the build writes it for a model over aotwin's own run time."""
    return {
        "version": 1,
        "name": "demo.fake",
        "runtime": "own",
        "libs": {"library": f"libs/{library.name}", "files": {}},
        "torch": {"version": "2.13.0"},
        "dlls": [{"cpu": "x86-64-v3", "file": "fake.dll"}],
        "blob": {"file": "fake_weights.blob"},
        "inputs": list(inputs),
        "outputs": list(outputs),
        **({"call": call} if call else {}),
    }


def write_model(
    folder: Path,
    library: Path,
    does: Sequence[str],
    *,
    inputs: Sequence[Any] = (tensor("x"),),
    outputs: Sequence[Any] | None = None,
    call: dict[str, str] | None = None,
    **changes: Any,
) -> Path:
    """Write a model.

    Args:
        does: what it does for each output, as fake_aotwin.c spells it.
        outputs: rows; by default tensors of which nothing is known.
        changes: keys of the manifest.
    """
    if outputs is None:
        outputs = [tensor(f"y{index}", "", None) for index in range(len(does))]
    (folder / "libs").mkdir(parents=True)
    shutil.copyfile(library, folder / "libs" / library.name)
    (folder / "fake_weights.blob").write_bytes(b"")
    takes = sum(row["kind"] == "tensor" for row in inputs)
    (folder / "fake.txt").write_text("\n".join([str(takes), *does]) + "\n")
    manifest = manifest_of(library, inputs, outputs, call) | changes
    (folder / "aotwin.json").write_text(json.dumps(manifest))
    return folder


def write_package(folder: Path, run_time: str) -> None:
    """Put the Python of a model's package into its folder, as the build does."""
    for name in _PAYLOAD[run_time]:
        shutil.copyfile(PAYLOAD / name, folder / name)


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Fake libraries by what is odd about them."""
    folder = tmp_path_factory.mktemp("fake_libraries")
    return {
        name: compile_fake(folder / f"aotwin-{name}.so", *definitions)
        for name, definitions in {
            "plain": ("-DAPI_VERSION=1",),
            "newer": ("-DAPI_VERSION=2",),
            "without_memory": ("-DAPI_VERSION=1", "-DWITHOUT_MEMORY"),
        }.items()
    }


class Maker:
    """Writes models into folders of their own and loads them."""

    def __init__(self, folder: Path, libraries: dict[str, Path]) -> None:
        self.folder = folder
        self.libraries = libraries
        self.count = 0

    def write(self, *does: str, library: str = "plain", **model: Any) -> Path:
        self.count += 1
        folder = self.folder / f"model{self.count}"
        return write_model(folder, self.libraries[library], does, **model)

    def load(self, *does: str, num_threads: int | None = None, **model: Any) -> Model:
        return Model(self.write(*does, **model), num_threads=num_threads)

    def load_folder(self, folder: Path) -> Model:
        return Model(folder)

    def fake(self, model: Model) -> Fake:
        """The library of a loaded model."""
        return Fake(model.directory / model.manifest["libs"]["library"])


@pytest.fixture
def make(tmp_path: Path, libraries: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Maker:
    monkeypatch.setattr(aotwin.payload, "_require_windows", lambda name, platform: None)
    return Maker(tmp_path, libraries)
