"""The bill of materials of a wheel: CycloneDX 1.4 as JSON, the same bytes for the same build.

It goes to `sboms/` in the wheel's dist-info folder, as PEP 770 says.
"""

from __future__ import annotations

import json
import posixpath
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from typing import Any
from urllib.parse import quote

from aotwin.stages.pack.components import Component

#: path within dist-info
SBOM_PATH = "sboms/aotwin.cdx.json"
_SPEC_VERSION = "1.4"
#: what the SDK's programs and our run time are made of: nothing of torch is compiled or linked in
_OURS = frozenset(f"linked:{key}" for key in ("aotwin", "libcxx", "mingw", "zig"))
_LICENSE_CLASSIFIER = "License :: "


@dataclass(frozen=True)
class ModelContents:
    """The files of one model that the bill lists."""

    #: path of its folder in the wheel: "demo/classifier"
    folder: str
    #: DLL -> sha256, hex
    dlls: tuple[tuple[str, str], ...]
    #: file, from the folder, and its sha256, hex; the file may be another model's
    blob: tuple[str, str]
    #: the SDK's programs: path in the folder and sha256, hex
    sdk: tuple[tuple[str, str], ...] = ()
    #: the run time that its DLLs are bound to, where that is our own: path in the wheel and sha256,
    #: hex; models share it
    libs: tuple[tuple[str, str], ...] = ()

    @property
    def blob_path(self) -> str:
        """Path of the blob in the wheel."""
        return posixpath.normpath(f"{self.folder}/{self.blob[0]}")


def billed_programs(sdk: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Of the files of an SDK, each with its sha256, those that a bill lists."""
    return tuple(row for row in sorted(sdk.items()) if row[0].endswith((".dll", ".exe")))


def render_sbom(
    metadata: str,
    models: Sequence[ModelContents],
    components: Sequence[Component],
    *,
    generated_by: str,
    epoch: int,
) -> bytes:
    """The bill of materials.

    Args:
        metadata: the METADATA of the wheel: the primary component.
        models: what was built.
        components: what every DLL is made of, aotwin and zig among them.
        generated_by: torch that generated the C++, as far as that is known.
        epoch: time of the build, in seconds since 1970.
    """
    package = HeaderParser().parsestr(metadata)
    primary = _primary(package)
    software = [_component(each) for each in components]
    # Two models may have one blob.
    files = list({file["bom-ref"]: file for model in models for file in _files(model)}.values())
    links = _links(primary, models, software, files)
    bill: dict[str, Any] = {
        "$schema": f"http://cyclonedx.org/schema/bom-{_SPEC_VERSION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": _SPEC_VERSION,
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch)),
            "tools": _tools(components, generated_by),
            "component": primary,
        },
        "components": [*software, *files],
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(parts)} for ref, parts in sorted(links.items())
        ],
    }
    # A serial number that the content decides: another bill has another one.
    content = json.dumps(bill, sort_keys=True)
    bill["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}"
    return (json.dumps(bill, indent=1, ensure_ascii=False) + "\n").encode()


def _links(
    primary: dict[str, Any],
    models: Sequence[ModelContents],
    software: Sequence[dict[str, Any]],
    files: Sequence[dict[str, Any]],
) -> dict[str, list[str]]:
    """What consists of, or needs, what: bom-ref -> bom-refs."""
    return {
        primary["bom-ref"]: [file["bom-ref"] for file in files],
        **{
            f"file:{model.folder}/{dll}": [
                f"file:{model.blob_path}", *(each["bom-ref"] for each in software),
                *(f"file:{path}" for path, _ in model.libs),
            ]
            for model in models
            for dll, _ in model.dlls
        },
        **{
            f"file:{path}": [each["bom-ref"] for each in software if each["bom-ref"] in _OURS]
            for model in models
            for path in (
                *(f"{model.folder}/{program}" for program, _ in model.sdk),
                *(library for library, _ in model.libs),
            )
        },
    }  # fmt: skip


def _primary(package: Message[str, str]) -> dict[str, Any]:
    name, version = str(package["Name"]), str(package["Version"])
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": "package",
        "name": name,
        "version": version,
        "purl": _purl("pkg:pypi/" + name.lower().replace("_", "-"), version),
    }
    if licenses := _package_licenses(package):
        component["licenses"] = licenses
    return component


def _package_licenses(package: Message[str, str]) -> list[dict[str, Any]]:
    """What METADATA says: an SPDX expression, else the licence in words, else classifiers."""
    if expression := package["License-Expression"]:
        return [{"expression": str(expression).strip()}]
    words = str(package["License"] or "").strip()
    # The field may hold a whole licence's text, which is no name.
    if words and "\n" not in words:
        return [{"license": {"name": words}}]
    classifiers = [str(each) for each in package.get_all("Classifier", [])]
    return [
        {"license": {"name": each.rpartition(" :: ")[2]}}
        for each in classifiers
        if each.startswith(_LICENSE_CLASSIFIER)
    ]


def _component(component: Component) -> dict[str, Any]:
    row: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"linked:{component.key}",
        "name": component.name,
        "version": component.version,
        "description": component.description,
        "licenses": _licenses(component),
    }
    if component.sha256:
        row["hashes"] = _hashes(component.sha256)
    if component.purl:
        row["purl"] = _purl(component.purl, component.version)
    if component.url:
        row["externalReferences"] = [{"type": "website", "url": component.url}]
    return row


def _licenses(component: Component) -> list[dict[str, Any]]:
    if component.expression:
        return [{"expression": component.expression}]
    if component.license_id:
        return [{"license": {"id": component.license_id}}]
    return [{"license": {"name": component.license_name}}]


def _files(model: ModelContents) -> list[dict[str, Any]]:
    rows = [
        (f"{model.folder}/{name}", digest, description)
        for files, description in (
            (model.dlls, "The compiled model."),
            (model.sdk, "A program of the SDK."),
        )
        for name, digest in files
    ]
    rows.append((model.blob_path, model.blob[1], "The model's weights."))
    rows += [(path, digest, "The run time of the models.") for path, digest in model.libs]
    return [
        {
            "type": "file",
            "bom-ref": f"file:{path}",
            "name": path,
            "description": description,
            "hashes": _hashes(digest),
        }
        for path, digest, description in rows
    ]


def _tools(components: Sequence[Component], generated_by: str) -> list[dict[str, str]]:
    """What made the DLLs: torch generated C++, zig compiled it, aotwin did the rest."""
    versions = {each.key: each.version for each in components}
    rows = [("aotwin", versions["aotwin"]), ("torch", generated_by), ("zig", versions["zig"])]
    return [{"name": name, "version": version} for name, version in rows if version]


def _hashes(sha256: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": sha256}]


def _purl(package: str, version: str) -> str:
    return f"{package}@{quote(version, safe='.-_~')}" if version else package
