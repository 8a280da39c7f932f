"""The manifest of a built model (`aotwin.json`): what was built, from what, with which digests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from aotwin.values import BlobInfo, Constant, RuntimeLibs, SealedDll, TensorSpec, Wrapper
from aotwin.version import __version__

#: raised when a field changes its meaning or goes; readers refuse what they do not know
MANIFEST_VERSION = 1
MANIFEST_NAME = "aotwin.json"


def render_manifest(
    *,
    name: str,
    target: str,
    wrapper: Wrapper,
    dlls: Sequence[SealedDll],
    blob: BlobInfo,
    files: Mapping[str, str],
    torch_version: str,
    torch_sha256: str,
    zig_version: str,
    flags: Mapping[str, Sequence[str]],
    sdk: Mapping[str, str] | None = None,
    libs: RuntimeLibs | None = None,
    runs_with: Sequence[str] = (),
) -> bytes:
    """The manifest as JSON, the same bytes for the same build.

    Args:
        name: dotted package name.
        dlls: in order of preference of `cpu`, the default first.
        files: the model's other files -> sha256, hex.
        torch_sha256: of the wheel that the sysroot was made from.
        flags: cpu -> flags of the compile.
        sdk: files of the SDK, "sdk/bin/aotwin.dll" -> sha256, hex; none where there is no SDK.
        runs_with: versions of torch that a model over torch runs in, `torch_version` among them.
        libs: of a model over aotwin's own run time; None: it is over torch.
    """
    data: dict[str, Any] = {
        "version": MANIFEST_VERSION,
        "name": name,
        "generator": generator_name(),
        "target": target,
        "runtime": "torch" if libs is None else "own",
        "torch": {
            "version": torch_version,
            "generated_by": wrapper.torch_version,
            "sysroot_sha256": torch_sha256,
            **({"runs_with": list(runs_with)} if runs_with else {}),
        },
        "zig": {"version": zig_version},
        "dlls": [
            {
                "cpu": dll.cpu,
                "file": dll.path.name,
                "nbytes": dll.nbytes,
                "sha256": dll.sha256,
                **_authenticode(dll),
                "flags": list(flags[dll.cpu]),
            }
            for dll in dlls
        ],
        "blob": {
            "file": blob.reference,
            "constants_nbytes": blob.constants_nbytes,
            "constants_sha256": blob.digest.hex(),
            "sha256": blob.file_sha256,
        },
        "files": dict(sorted(files.items())),
        **({"sdk": dict(sorted(sdk.items()))} if sdk else {}),
        **({} if libs is None else {"libs": _libs(libs)}),
        **_call(wrapper),
        "inputs": _arguments(wrapper),
        "outputs": _results(wrapper),
        "constants": [_constant(constant) for constant in wrapper.constants],
    }
    return write_manifest(data)


def with_proof(manifest: bytes, proof: Mapping[str, Any], files: Mapping[str, str]) -> bytes:
    """A manifest with what the build found when it ran the model.

    Args:
        manifest: of `render_manifest`.
        proof: of the form that `formats.proof` reads.
        files: what was written for it -> sha256, hex.
    """
    data: dict[str, Any] = json.loads(manifest)
    data["files"] = dict(sorted({**data["files"], **files}.items()))
    constants = data.pop("constants")
    return write_manifest({**data, "proof": dict(proof), "constants": constants})


def write_manifest(data: Mapping[str, Any]) -> bytes:
    """A manifest's JSON as it stands in the file."""
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()


def generator_name() -> str:
    """How a manifest names the aotwin that wrote it."""
    return f"aotwin {__version__}"


def _libs(libs: RuntimeLibs) -> dict[str, Any]:
    return {"library": libs.library, "files": dict(sorted(libs.files.items()))}


def _call(wrapper: Wrapper) -> dict[str, Any]:
    """How arguments and results are nested, for loaders that cannot ask torch's runner."""
    specs = {"in_spec": wrapper.in_spec, "out_spec": wrapper.out_spec}
    known = {key: spec for key, spec in specs.items() if spec}
    return {"call": known} if known else {}


def _authenticode(dll: SealedDll) -> dict[str, Any]:
    """What a signature must cover, and what the build made of the DLL where it signed."""
    row: dict[str, Any] = {}
    if dll.authenticode_sha256:
        row["authenticode_sha256"] = dll.authenticode_sha256
    if dll.signature is not None:
        row["signature"] = asdict(dll.signature)
    return row


def _constant(constant: Constant) -> dict[str, Any]:
    return {
        "name": constant.name,
        "fqn": constant.fqn,
        "kind": constant.kind,
        "mutable": constant.mutable,
        "dtype": constant.dtype,
        "shape": list(constant.shape),
        "stride": list(constant.stride),
        "storage_offset": constant.storage_offset,
        "offset": constant.offset,
        "nbytes": constant.nbytes,
    }


def _arguments(wrapper: Wrapper) -> list[dict[str, Any]]:
    """The flat arguments: tensors, and between them the constants that are baked into the code."""
    rows = [_tensor(spec) for spec in wrapper.inputs]
    for position, value in sorted(wrapper.fixed_inputs.items()):
        rows.insert(position, {"kind": "constant", "name": f"argument {position}", "value": value})
    return rows


def _results(wrapper: Wrapper) -> list[dict[str, Any]]:
    """The flat results: what the DLL gives, and what the exported module gave in its place."""
    rows = []
    for position, spec in enumerate(wrapper.outputs):
        if position in wrapper.fixed_outputs:
            value = wrapper.fixed_outputs[position]
            rows.append({"kind": "constant", "name": spec.name, "value": value})
        elif position in wrapper.number_outputs:
            rows.append({"kind": "number", "name": spec.name})
        else:
            rows.append(_tensor(spec))
    return rows


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {
        "kind": "tensor",
        "name": spec.name,
        "dtype": spec.dtype,
        "shape": None if spec.shape is None else list(spec.shape),
        "dim_order": None if spec.dim_order is None else list(spec.dim_order),
    }
