"""The manifest says what was built; what is read of it is what was written."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from generated_wrapper import BUFFER, WEIGHT, archive, files, source

from aotwin.formats.manifest import MANIFEST_VERSION, render_manifest
from aotwin.formats.manifest_reader import ManifestError, parse_manifest
from aotwin.stages.wrapper.reader import read_wrapper
from aotwin.values import BlobInfo, DllSignature, RuntimeLibs, SealedDll, TensorSpec, Wrapper

BLOB = BlobInfo(Path("/build/clf_weights.blob"), 128, bytes(32), "b" * 64)
DLLS = (
    SealedDll(Path("/build/clf.dll"), "x86-64-v3", "c" * 64, 1000),
    SealedDll(Path("/build/clf.x86-64-v4.dll"), "x86-64-v4", "d" * 64, 1001),
)


@pytest.fixture
def wrapper(tmp_path: Path) -> Wrapper:
    found, _ = read_wrapper(
        archive(tmp_path / "m.pt2", files(source((WEIGHT, BUFFER)), bytes(128)))
    )
    return found


def render(wrapper: Wrapper, **changes: Any) -> bytes:
    values: dict[str, Any] = {
        "name": "demo.clf",
        "target": "windows-x86_64",
        "wrapper": wrapper,
        "dlls": DLLS,
        "blob": BLOB,
        "files": {"b": "1" * 64, "a": "2" * 64},
        "torch_version": "2.13.0",
        "torch_sha256": "e" * 64,
        "zig_version": "0.17.1",
        "flags": {"x86-64-v3": ["-O3"], "x86-64-v4": ["-O3", "-DX"]},
    }
    return render_manifest(**{**values, **changes})


def test_dlls_stand_in_order_of_preference_with_seal_and_flags(wrapper: Wrapper) -> None:
    data = json.loads(render(wrapper))
    assert data["version"] == MANIFEST_VERSION
    assert [(row["file"], row["sha256"], row["flags"]) for row in data["dlls"]] == [
        ("clf.dll", "c" * 64, ["-O3"]),
        ("clf.x86-64-v4.dll", "d" * 64, ["-O3", "-DX"]),
    ]
    assert list(data["files"]) == ["a", "b"]


def test_what_signing_made_of_a_dll_is_read_as_it_was_written(wrapper: Wrapper) -> None:
    signature = DllSignature("a" * 64, 2000, "b" * 64)
    signed = dataclasses.replace(DLLS[0], authenticode_sha256="f" * 64, signature=signature)
    first, second = parse_manifest(render(wrapper, dlls=(signed, DLLS[1]))).dlls
    assert (first.sha256, first.authenticode_sha256, first.signature) == (
        "c" * 64, "f" * 64, signature,
    )  # fmt: skip
    assert (first.shipped_sha256, signed.shipped_sha256) == ("a" * 64, "a" * 64)
    assert (second.signature, second.shipped_sha256) == (None, "d" * 64)


def test_no_folder_of_this_machine_is_in_it(wrapper: Wrapper) -> None:
    assert b"/build" not in render(wrapper)


def test_constants_say_where_they_lie_and_who_may_write_them(wrapper: Wrapper) -> None:
    weight, buffer = json.loads(render(wrapper))["constants"]
    assert (weight["offset"], weight["nbytes"], weight["mutable"]) == (0, 64, False)
    assert (buffer["offset"], buffer["nbytes"], buffer["mutable"]) == (64, 64, True)
    assert (weight["shape"], weight["stride"]) == ([4, 4], [4, 1])


def test_constants_among_the_arguments_stand_at_their_place(wrapper: Wrapper) -> None:
    called = dataclasses.replace(
        wrapper,
        inputs=(TensorSpec("x", "float32", ("s0", 3)), TensorSpec("y", "int64", ())),
        fixed_inputs={2: None, 1: 5},
    )
    rows = json.loads(render(called))["inputs"]
    assert [row.get("value", row["name"]) for row in rows] == ["x", 5, None, "y"]
    assert rows[0]["shape"] == ["s0", 3]


def test_results_that_are_no_tensors_say_so(wrapper: Wrapper) -> None:
    called = dataclasses.replace(
        wrapper,
        outputs=(TensorSpec("a", "float32", (2,)), TensorSpec("b"), TensorSpec("c")),
        fixed_outputs={1: 7},
        number_outputs=(2,),
    )
    rows = json.loads(render(called))["outputs"]
    assert [row["kind"] for row in rows] == ["tensor", "constant", "number"]
    assert rows[1]["value"] == 7


def test_what_is_read_is_what_was_written(wrapper: Wrapper) -> None:
    read = parse_manifest(render(wrapper))
    assert [(dll.file, dll.cpu, dll.nbytes, dll.sha256) for dll in read.dlls] == [
        (dll.path.name, dll.cpu, dll.nbytes, dll.sha256) for dll in DLLS
    ]
    assert read.blob is not None
    assert (read.blob.file, read.blob.sha256) == ("clf_weights.blob", "b" * 64)
    assert [constant.mutable for constant in read.constants] == [False, True]


LIBS = RuntimeLibs(
    "../../demo.libs/aotwin-1a2b3c4d.dll",
    {"../../demo.libs/aotwin-1a2b3c4d.dll": "a" * 64, "../../demo.libs/dnnl-5e6f.dll": "b" * 64},
)


def test_a_model_over_aotwins_own_run_time_names_its_dlls(wrapper: Wrapper) -> None:
    read = parse_manifest(render(wrapper, libs=LIBS))
    assert (read.runtime, read.libs) == ("own", LIBS)
    read = parse_manifest(render(wrapper))
    assert (read.runtime, read.libs) == ("torch", None)


def test_a_manifest_of_an_earlier_aotwin_is_over_torch(wrapper: Wrapper) -> None:
    tree = json.loads(render(wrapper))
    del tree["runtime"]
    assert parse_manifest(json.dumps(tree).encode()).runtime == "torch"


def test_how_a_model_is_called_is_written_as_torch_spells_it(wrapper: Wrapper) -> None:
    assert json.loads(render(wrapper))["call"] == {
        "in_spec": wrapper.in_spec,
        "out_spec": wrapper.out_spec,
    }
    unknown = dataclasses.replace(wrapper, in_spec="", out_spec="")
    assert "call" not in json.loads(render(unknown))


DAMAGED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown run time": ({"runtime": "later"}, "run time 'later'"),
    "no libs": ({"libs": None}, "`libs` is missing"),
    "libs of torch": ({"runtime": "torch"}, "`libs` belongs to models over aotwin's own"),
    "library elsewhere": ({"libs": {"library": "a.dll", "files": {}}}, "not among the `files`"),
    "absolute path": (
        {"libs": {"library": "/a.dll", "files": {"/a.dll": "a" * 64}}}, "it is an absolute path",
    ),
    "names that clash": (
        {"libs": {"library": "a.dll", "files": {"a.dll": "a" * 64, "A.dll": "a" * 64}}}, "clash",
    ),
    "no digest": ({"libs": {"library": "a.dll", "files": {"a.dll": "x"}}}, "no sha256"),
    "call that is no text": ({"call": {"in_spec": [1]}}, "'in_spec' that is no text"),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_manifest_of_a_run_time_is_refused(wrapper: Wrapper, what: str) -> None:
    changes, message = DAMAGED[what]
    tree = json.loads(render(wrapper, libs=LIBS)) | changes
    with pytest.raises(ManifestError, match=message):
        parse_manifest(json.dumps(tree).encode())
