"""The last words of a build: what was made, how large, proven or not, and what to type next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aotwin.formats.manifest_reader import Manifest, parse_manifest
from aotwin.formats.proof import PROVEN, UNPROVEN


def read_manifest(path: Path) -> Manifest:
    """The manifest that this build wrote."""
    return parse_manifest(path.read_bytes())


def outcome(made: str, nbytes: int, manifests: Sequence[Manifest], next_step: str) -> list[str]:
    """Lines that end a build.

    Args:
        made: what was made, as the user knows it.
        nbytes: of it.
        manifests: of the models in it.
        next_step: a command, or what else comes next.
    """
    return [
        f"{made}, {megabytes(nbytes)}",
        *(line for each in manifests for line in (_contents(each), _proof(each))),
        f"next: {next_step}",
    ]


def megabytes(nbytes: int) -> str:
    """A size as people say it, in units of 1000: "3.4 kB", "90.9 MB"."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if nbytes >= size:
            return f"{nbytes / size:,.1f} {unit}"
    return f"{nbytes} bytes"


def _contents(manifest: Manifest) -> str:
    dlls = ", ".join(f"{dll.file} {megabytes(dll.nbytes)} ({dll.cpu})" for dll in manifest.dlls)
    weights = megabytes(manifest.blob.constants_nbytes)
    if manifest.runtime == "own":
        needs = "over aotwin's own run time"
    else:
        needs = f"over torch {' or '.join(manifest.runs_with) or manifest.torch_version}"
    return f"{manifest.name}: {dlls}, weights {weights}, {needs}"


def _proof(manifest: Manifest) -> str:
    proof = manifest.proof
    if proof is None:
        return 'not proven: nothing was run; check = "run" runs it and compares with eager torch'
    reasons = "; ".join(f"{cpu}: {dll.unproven}" for cpu, dll in proof.dlls.items() if dll.unproven)
    if proof.status == UNPROVEN:
        return f"not proven: {reasons}"
    differences = [
        output.max_abs
        for dll in proof.dlls.values()
        for output in dll.outputs
        if output.max_abs is not None
    ]
    calls = "1 call" if proof.samples == 1 else f"{proof.samples} calls"
    largest = f", largest difference {max(differences):.1e}" if differences else ""
    said = f"{calls} compared with eager torch{largest}"
    return f"proven: {said}" if proof.status == PROVEN else f"proven in part: {said}; {reasons}"
