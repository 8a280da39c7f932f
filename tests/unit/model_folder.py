"""A sound built model and its wheel, put together from parts, for rules to be broken on."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pe_image import IMAGE_BASE, build_image

from aotwin.stages.check.rules.policy import load_policy, load_sdk_policies
from aotwin.stages.pack.components import Component
from aotwin.stages.pack.sbom import SBOM_PATH, ModelContents, render_sbom
from aotwin.stages.weights import trailer

CONSTANTS = bytes(range(64)) * 3
DIGEST = hashlib.sha256(CONSTANTS).digest()
HOME = "demo/classifier/"
WHEEL = "demo_project-1.0-py3-none-win_amd64.whl"
INFO = "demo_project-1.0.dist-info"


def build_dll(
    *,
    digest: bytes = DIGEST,
    blob_name: str = "classifier_weights.blob",
    mutable: bytes = b"\0\1",
    pairings: int = 1,
) -> bytes:
    """A sound DLL with what the link stage writes into it (aotwin_pairing.h)."""
    policy = load_policy("windows-x86_64")
    image = build_image(sorted(policy.exports.required))
    start = image.peek(image.section(".extra"), "I", offset=20)
    rva = image.rva[".extra"]
    name = blob_name.encode("utf-16-le") + b"\0\0"
    row = struct.pack(
        "<IIQ32sQQ", 1, len(mutable), len(CONSTANTS), digest,
        IMAGE_BASE + rva + 256, IMAGE_BASE + rva + 256 + len(name),
    )  # fmt: skip
    content = (row * pairings).ljust(256, b"\0") + name + mutable + b"\0"
    image.data[start : start + len(content)] = content
    return image.finish()


def build_files() -> dict[str, bytes]:
    """The files of a sound model, the manifest left out."""
    return {
        "__init__.py": b"model = 1\n",
        "classifier.dll": build_dll(),
        "classifier_metadata.json": b"{}",
        "classifier_weights.blob": CONSTANTS + trailer(len(CONSTANTS), DIGEST),
    }


def build_sdk_library(**options: Any) -> bytes:
    """A sound aotwin.dll."""
    exports = sorted(load_sdk_policies()["aotwin.dll"].exports.required)
    imports = {"KERNEL32.dll": ("LoadLibraryExW",)}
    return build_image(exports, **{"imports": imports, **options}).finish()


def build_sdk_program(**options: Any) -> bytes:
    """A sound aotwin-run.exe: not marked as a DLL, and without exports."""
    imports = {"aotwin.dll": ("aotwin_open_w",), "KERNEL32.dll": ("CloseHandle",)}
    image = build_image([], **{"imports": imports, **options})
    image.poke("Characteristics", "H", 0x22).poke("directory 0", "II", 0, 0)
    return image.finish()


def build_files_with_sdk() -> dict[str, bytes]:
    """The files of a sound model that has the SDK in it."""
    return {
        **build_files(),
        "sdk/bin/aotwin-run.exe": build_sdk_program(),
        "sdk/bin/aotwin.dll": build_sdk_library(),
        "sdk/include/aotwin.h": b"#define AOTWIN_H\n",
        "sdk/lib/cmake/aotwin/models/classifier.cmake": b"\n",
    }


def manifest_of(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The manifest that the build would write for these files."""
    blob = files["classifier_weights.blob"]
    sdk = {name: sha256(content) for name, content in files.items() if name.startswith("sdk/")}
    return {
        **({"sdk": sdk} if sdk else {}),
        "version": 1,
        "name": "demo.classifier",
        "target": "windows-x86_64",
        "torch": {"version": "2.13.0"},
        "dlls": [
            {
                "cpu": "x86-64-v3",
                "file": "classifier.dll",
                "nbytes": len(files["classifier.dll"]),
                "sha256": sha256(files["classifier.dll"]),
            }
        ],
        "blob": {
            "file": "classifier_weights.blob",
            "constants_nbytes": len(CONSTANTS),
            "constants_sha256": DIGEST.hex(),
            "sha256": sha256(blob),
        },
        "files": {
            name: sha256(content)
            for name, content in files.items()
            if name in ("__init__.py", "__main__.py", "classifier_metadata.json")
        },
        "constants": [
            {"name": "weight", "mutable": False, "offset": 0, "nbytes": 128},
            {"name": "calls", "mutable": True, "offset": 128, "nbytes": 64},
        ],
    }


def write_sharing_model(folder: Path) -> Path:
    """Write a model whose DLL uses the blob of the model in ../classifier."""
    reference = "../classifier/classifier_weights.blob"
    files = build_files()
    files["classifier.dll"] = build_dll(blob_name=reference.replace("/", "\\"))
    manifest = manifest_of(files)
    manifest["blob"]["file"] = reference
    del files["classifier_weights.blob"]
    return write_model(folder, files, manifest)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write_model(
    folder: Path, files: Mapping[str, bytes], manifest: Mapping[str, Any] | None = None
) -> Path:
    """Write a model into a folder; its manifest is right unless another one is given."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    tree = manifest_of(files) if manifest is None else manifest
    (folder / "aotwin.json").write_text(json.dumps(tree), encoding="utf-8")
    return folder


def wheel_members(files: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    """The members of a sound wheel, RECORD left out."""
    files = build_files() if files is None else dict(files)
    manifest = manifest_of(files)
    metadata = "Metadata-Version: 2.1\nName: demo-project\nVersion: 1.0\n"
    contents = ModelContents(
        HOME.rstrip("/"),
        tuple((dll["file"], dll["sha256"]) for dll in manifest["dlls"]),
        (manifest["blob"]["file"], manifest["blob"]["sha256"]),
        tuple(row for row in manifest.get("sdk", {}).items() if "/bin/" in row[0]),
    )
    components = [Component(each, each, "1", "", license_id="MIT") for each in ("aotwin", "zig")]
    bill = render_sbom(metadata, [contents], components, generated_by="", epoch=0)
    return {
        **{HOME + name: content for name, content in files.items()},
        f"{HOME}aotwin.json": json.dumps(manifest).encode(),
        f"{INFO}/METADATA": metadata.encode(),
        f"{INFO}/WHEEL": (b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-win_amd64\n"),
        f"{INFO}/{SBOM_PATH}": bill,
    }


def record_of(members: Mapping[str, bytes]) -> bytes:
    """RECORD for some members."""
    rows = []
    for name, content in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(content)}\n")
    return "".join([*rows, f"{INFO}/RECORD,,\n"]).encode()


def write_wheel(
    folder: Path,
    members: Mapping[str, bytes],
    *,
    record: bytes | None = None,
    name: str = WHEEL,
    deflated: bool = False,
) -> Path:
    """Write a wheel; its RECORD is right unless another one is given."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    method = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        for member, content in members.items():
            archive.writestr(zip_info(member, method), content)
        archive.writestr(
            zip_info(f"{INFO}/RECORD", method), record_of(members) if record is None else record
        )
    return path


def zip_info(name: str, method: int = zipfile.ZIP_STORED, mode: int = 0o100644) -> zipfile.ZipInfo:
    """A member's header with a mode."""
    info = zipfile.ZipInfo(name, (2022, 2, 2, 2, 2, 2))
    info.compress_type = method
    info.external_attr = mode << 16
    return info
