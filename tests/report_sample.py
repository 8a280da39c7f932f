"""A wheel to report on: sound parts of model_folder, and all that a manifest may tell."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

from model_folder import HOME, INFO, build_files, manifest_of, wheel_members, write_wheel

from aotwin.progress import Stage

LEAF = {"type": None, "context": None, "children_spec": []}


def spec(positional: int, *keywords: str) -> str:
    """What treespec_dumps writes of a call with so many tensors and some keywords."""
    arguments = {
        "type": "builtins.tuple", "context": "null", "children_spec": [LEAF] * positional,
    }  # fmt: skip
    named = {
        "type": "builtins.dict",
        "context": json.dumps(keywords),
        "children_spec": [LEAF] * len(keywords),
    }
    both = {"type": "builtins.tuple", "context": "null", "children_spec": [arguments, named]}
    return json.dumps([1, both])


def tensor(name: str, dtype: str, *shape: int | str | None) -> dict[str, Any]:
    return {"kind": "tensor", "name": name, "dtype": dtype, "shape": [*shape], "dim_order": None}


def weight(fqn: str, *shape: int) -> dict[str, Any]:
    elements = 1
    for size in shape:
        elements *= size
    return {
        "name": fqn.replace(".", "_"), "fqn": fqn, "kind": "parameter", "mutable": False,
        "dtype": "float32", "shape": [*shape], "offset": 0, "nbytes": 4 * elements,
    }  # fmt: skip


EXPECTED = {
    "position": 0, "name": "logits", "dtype": "float32", "shapes": [[2, 4], [1, 4]],
    "compared": "values", "elements": 12, "rtol": 1.3e-6, "atol": 1e-5, "noise": 2e-7,
}  # fmt: skip
PROOF: dict[str, Any] = {
    "status": "proven", "samples": 2, "source": "export_model:samples", "inputs_sha256": "a" * 64,
    "data": "", "versions": {"torch": "2.13.0", "wine": "wine-8.0"}, "outputs": [EXPECTED],
    "dlls": {
        "x86-64-v3": {
            "outputs": [
                {"max_abs": 2.4e-7, "max_rel": 1e-6, "histogram": {"equal": 9, "-8": 1, "-7": 2}}
            ]
        }
    },
}  # fmt: skip
DETAILS: dict[str, Any] = {
    "generator": "aotwin 0.1.0",
    "torch": {"version": "2.13.0", "generated_by": "2.13.0+cpu", "runs_with": ["2.13.0"]},
    "zig": {"version": "0.17.1"},
    "call": {"in_spec": spec(2, "mask"), "out_spec": ""},
    "inputs": [
        tensor("ids", "int64", "s0", 128),
        tensor("class", "float32"),
        tensor("mask", "bool", None, 128),
    ],
    "outputs": [tensor("logits", "float32", "s0", 4), {"kind": "number", "name": "length"}],
    "constants": [
        weight("embed.weight", 1000, 64),
        weight("encoder.0.linear.weight", 64, 256),
        weight("encoder.1.linear.weight", 64, 256),
        weight("head.bias", 4),
    ],
}
STAGES = (Stage("toolchain", 0.0, 0.2), Stage("compile demo.classifier", 0.2, 12.0))


def write_sample(folder: Path, changes: dict[str, Any] | None = None) -> Path:
    """Write the wheel; `changes` go into the manifest."""
    files = build_files()
    manifest = manifest_of(files) | DETAILS | {"proof": PROOF} | (changes or {})
    members = wheel_members(files)
    members[f"{HOME}aotwin.json"] = json.dumps(manifest).encode()
    return write_wheel(folder, members)


def examples_of(page: Path) -> dict[str, str]:
    """The example calls of a page with one model, by language."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(
        r"<summary>(Python|C|C#)</summary>\s*<pre[^>]*><code>(.*?)</code></pre>", text, re.DOTALL
    )
    return {language: html.unescape(code) for language, code in found}


__all__ = [
    "DETAILS",
    "INFO",
    "PROOF",
    "STAGES",
    "examples_of",
    "spec",
    "tensor",
    "weight",
    "write_sample",
]
