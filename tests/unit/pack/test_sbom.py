"""The bill of materials keeps to CycloneDX 1.4, and says what was really linked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from model_folder import INFO
from test_pack import model, pure_wheel

from aotwin.stages.pack.components import Component, dotted, libcxx_version, linked_components
from aotwin.stages.pack.sbom import SBOM_PATH, ModelContents, render_sbom
from aotwin.stages.pack.wheel import pack_wheel
from aotwin.target.toolchain import load_toolchain

METADATA = "Metadata-Version: 2.4\nName: Demo_Project\nVersion: 1.0+local\n"
MODELS = [
    ModelContents("demo/classifier", (("classifier.dll", "a" * 64),), ("c_weights.blob", "b" * 64)),
    ModelContents("demo/other", (("other.dll", "c" * 64),), ("other_weights.blob", "d" * 64)),
]


@pytest.fixture
def components(tmp_path: Path) -> tuple[Component, ...]:
    """As for a build, with headers of our own."""
    toolchain = load_toolchain("windows")
    include = tmp_path / "include"
    mingw = tmp_path / "zig/libc/include/any-windows-any"
    libcxx = tmp_path / "zig/libcxx/include"
    for folder in (include, mingw, libcxx):
        folder.mkdir(parents=True)
    (include / "sleef.h").write_text(
        "#define SLEEF_VERSION_MAJOR 3\n#define SLEEF_VERSION_MINOR 8\n"
        "#define SLEEF_VERSION_PATCHLEVEL 0\n"
    )
    (mingw / "_mingw_mac.h").write_text(
        "#define __MINGW64_VERSION_MAJOR 15\n#define __MINGW64_VERSION_MINOR 0\n"
    )
    (libcxx / "__config").write_text("// _LIBCPP_VERSION is\n#  define _LIBCPP_VERSION 220108\n")
    return linked_components(
        toolchain.sysroot(toolchain.newest_torch),
        sysroot_include=include,
        zig_lib=tmp_path / "zig",
        zig_version="0.17.1",
    )


def bill(components: tuple[Component, ...], **changes: Any) -> dict[str, Any]:
    arguments = {"generated_by": "2.13.0+cpu", "epoch": 1_700_000_000, "metadata": METADATA}
    arguments |= changes
    models = arguments.pop("models", MODELS)
    text = render_sbom(arguments.pop("metadata"), models, components, **arguments)
    problem = JsonStrictValidator(SchemaVersion.V1_4).validate_str(text.decode())
    assert problem is None, problem
    return dict(json.loads(text))


def test_it_keeps_to_the_schema_and_names_the_project_first(
    components: tuple[Component, ...],
) -> None:
    metadata = bill(components)["metadata"]
    assert metadata["timestamp"] == "2023-11-14T22:13:20Z"
    primary = metadata["component"]
    assert (primary["name"], primary["version"]) == ("Demo_Project", "1.0+local")
    assert primary["purl"] == "pkg:pypi/demo-project@1.0%2Blocal"
    assert {"name": "torch", "version": "2.13.0+cpu"} in metadata["tools"]


def test_models_that_share_a_run_time_need_one_file_that_is_ours(
    components: tuple[Component, ...],
) -> None:
    library = ("demo.libs/aotwin-1a2b3c4d.dll", "e" * 64)
    models = [replace(each, libs=(library,)) for each in MODELS]
    found = bill(components, models=models)
    ref = "file:demo.libs/aotwin-1a2b3c4d.dll"
    (row,) = (each for each in found["components"] if each["bom-ref"] == ref)
    assert row["hashes"] == [{"alg": "SHA-256", "content": "e" * 64}]
    needs = {each["ref"]: each["dependsOn"] for each in found["dependencies"]}
    assert ref in needs["file:demo/classifier/classifier.dll"]
    assert ref in needs["file:demo/other/other.dll"]
    assert "linked:libcxx" in needs[ref]
    assert "linked:torch" not in needs[ref]
    assert ref in needs["package"]


def test_it_lists_what_is_linked_with_the_versions_of_the_headers(
    components: tuple[Component, ...],
) -> None:
    rows = {row["name"]: row for row in bill(components)["components"]}
    versions = {name: row.get("version") for name, row in rows.items()}
    assert versions["SLEEF"] == "3.8.0"
    assert versions["libc++"] == "22.1.8"
    assert versions["mingw-w64"] == "15.0"
    assert versions["torch"] == load_toolchain("windows").newest_torch
    assert rows["libc++"]["licenses"] == [{"expression": "Apache-2.0 WITH LLVM-exception"}]
    assert rows["SLEEF"]["licenses"] == [{"license": {"id": "BSL-1.0"}}]
    assert all(row["licenses"] for row in rows.values() if row["type"] == "library")


def test_it_lists_each_dll_and_blob_with_its_digest(components: tuple[Component, ...]) -> None:
    tree = bill(components)
    files = {row["name"]: row for row in tree["components"] if row["type"] == "file"}
    assert {name: row["hashes"][0]["content"][0] for name, row in files.items()} == {
        "demo/classifier/classifier.dll": "a",
        "demo/classifier/c_weights.blob": "b",
        "demo/other/other.dll": "c",
        "demo/other/other_weights.blob": "d",
    }
    links = {row["ref"]: row["dependsOn"] for row in tree["dependencies"]}
    assert links["package"] == sorted(row["bom-ref"] for row in files.values())
    assert {"file:demo/other/other_weights.blob", "linked:torch"} <= set(
        links["file:demo/other/other.dll"]
    )
    known = {"package"} | {row["bom-ref"] for row in tree["components"]}
    assert {ref for refs in links.values() for ref in refs} <= known


@pytest.mark.parametrize(
    ("fields", "licenses"),
    [
        pytest.param("License-Expression: MIT OR Apache-2.0\n", "MIT OR Apache-2.0", id="spdx"),
        pytest.param("License: Do as you like\n", "Do as you like", id="words"),
        pytest.param(
            "Classifier: License :: OSI Approved :: MIT License\nClassifier: Typing :: Typed\n",
            "MIT License",
            id="classifier",
        ),
        pytest.param("", None, id="none"),
    ],
)
def test_the_projects_licence_is_the_one_in_its_metadata(
    components: tuple[Component, ...], fields: str, licenses: str | None
) -> None:
    primary = bill(components, metadata=METADATA + fields)["metadata"]["component"]
    if licenses is None:
        assert "licenses" not in primary
    elif fields.startswith("License-Expression"):
        assert primary["licenses"] == [{"expression": licenses}]
    else:
        assert primary["licenses"] == [{"license": {"name": licenses}}]


def test_it_lists_the_programs_of_an_sdk_and_what_is_in_them(
    components: tuple[Component, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    sdk = (("sdk/bin/aotwin.dll", "e" * 64),)
    monkeypatch.setitem(globals(), "MODELS", [replace(MODELS[0], sdk=sdk)])
    tree = bill(components)
    files = {row["name"]: row for row in tree["components"] if row["type"] == "file"}
    program = files["demo/classifier/sdk/bin/aotwin.dll"]
    assert program["hashes"] == [{"alg": "SHA-256", "content": "e" * 64}]
    links = {row["ref"]: row["dependsOn"] for row in tree["dependencies"]}
    assert program["bom-ref"] in links["package"]
    assert links[program["bom-ref"]] == [
        "linked:aotwin", "linked:libcxx", "linked:mingw", "linked:zig",
    ]  # fmt: skip


def test_an_unknown_generator_is_left_out(components: tuple[Component, ...]) -> None:
    tools = bill(components, generated_by="")["metadata"]["tools"]
    assert [tool["name"] for tool in tools] == ["aotwin", "zig"]


def test_the_same_build_gives_the_same_bytes_and_another_one_another_serial_number(
    components: tuple[Component, ...],
) -> None:
    assert bill(components) == bill(components)
    assert bill(components)["serialNumber"] != bill(components, epoch=0)["serialNumber"]


def test_a_version_that_a_header_does_not_tell_is_empty(tmp_path: Path) -> None:
    header = tmp_path / "header.h"
    header.write_text("#define MAJOR 3\n")
    assert (dotted(header, "MAJOR"), dotted(header, "MAJOR", "MINOR")) == ("3", "")
    assert libcxx_version(tmp_path / "missing") == ""


def test_it_lies_in_the_wheel_where_pep_770_says(
    components: tuple[Component, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")

    def sbom(metadata: str, epoch: int) -> bytes:
        return render_sbom(metadata, MODELS, components, generated_by="", epoch=epoch)

    path = pack_wheel(
        pure_wheel(tmp_path / "pure"), [model(tmp_path)], tmp_path, wheel_tag="win_amd64", sbom=sbom
    )
    with ZipFile(path) as archive:
        tree = json.loads(archive.read(f"{INFO}/{SBOM_PATH}"))
        assert f"{INFO}/{SBOM_PATH},sha256=" in archive.read(f"{INFO}/RECORD").decode()
    assert tree["metadata"]["component"]["name"] == "demo-project"
    assert tree["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"


def test_a_blob_that_two_models_share_is_listed_once(components: tuple[Component, ...]) -> None:
    shared = ModelContents(
        "demo/deep/second",
        (("second.dll", "e" * 64),),
        ("../../classifier/c_weights.blob", "b" * 64),
    )
    text = render_sbom(METADATA, [MODELS[0], shared], components, generated_by="", epoch=0)
    tree = json.loads(text)
    blob = "demo/classifier/c_weights.blob"
    assert [each["name"] for each in tree["components"]].count(blob) == 1
    needs = {each["ref"]: each["dependsOn"] for each in tree["dependencies"]}
    for dll in ("demo/classifier/classifier.dll", "demo/deep/second/second.dll"):
        assert f"file:{blob}" in needs[f"file:{dll}"]
    assert JsonStrictValidator(SchemaVersion.V1_4).validate_str(text.decode()) is None
