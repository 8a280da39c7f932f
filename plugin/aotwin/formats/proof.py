"""The manifest's `proof`: what a build compared when it ran a model on the target.

docs/reference/files.md describes the form. Rows of outputs are made where results are compared, by
`payload/comparing.py`, on Windows as well; here is what a reader knows of them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PROOF_DATA_NAME = "proof.npz"
#: how far a model is proven
PROVEN, PARTLY, UNPROVEN = "proven", "partly", "unproven"
#: what of an output was compared: its values, or (of random ones) dtype and shape only
COMPARED = ("values", "form")
#: entries of a list or table that can be
_MANY = 100_000
_TEXT = 10_000
_MAX_RANK = 64
#: a float's
_LARGEST = sys.float_info.max


class ProofError(ValueError):
    """A manifest's `proof` is not of the form; the text says where."""


@dataclass(frozen=True)
class ExpectedOutput:
    """One of the flat results that is a tensor or a number, over all samples."""

    #: among the flat results
    position: int
    name: str
    #: torch's short name
    dtype: str
    #: a shape each sample
    shapes: tuple[tuple[int, ...], ...]
    #: of `COMPARED`
    compared: str
    #: elements of all samples
    elements: int
    #: what is allowed: |found - expected| <= atol + rtol * |expected|
    rtol: float
    atol: float
    #: eager's own largest difference to the same program in float64; None where it is not known
    noise: float | None


@dataclass(frozen=True)
class FoundOutput:
    """How far a DLL was from it."""

    #: largest differences; None where values were not compared
    max_abs: float | None
    max_rel: float | None
    #: "equal": elements without a difference; "-7": those that differ by 1e-7 to below 1e-6
    histogram: Mapping[str, int]


@dataclass(frozen=True)
class DllProof:
    """What was found of one DLL."""

    #: one for each of the proof's outputs
    outputs: tuple[FoundOutput, ...] = ()
    #: why it was not run; "" where it was
    unproven: str = ""


@dataclass(frozen=True)
class Proof:
    """What was compared, and with what."""

    #: calls of the model, in their order
    samples: int
    #: where they come from: "example inputs", "export_model:samples", "samples.npz", "arguments"
    source: str
    #: of the samples' inputs, hex
    inputs_sha256: str
    #: file in the package that holds inputs and expected results; "" where there is none
    data: str
    #: of what took part: "aotwin", "torch", "numpy", "wine"
    versions: Mapping[str, str]
    outputs: tuple[ExpectedOutput, ...] = ()
    #: cpu -> what was found
    dlls: Mapping[str, DllProof] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """`PROVEN`, `PARTLY` where a DLL was not run, or `UNPROVEN` where none was."""
        unproven = sum(1 for dll in self.dlls.values() if dll.unproven)
        if unproven == len(self.dlls):
            return UNPROVEN
        return PARTLY if unproven else PROVEN


def proof_status(dlls: Mapping[str, Mapping[str, Any]]) -> str:
    """The `status` of a proof whose `dlls` are rows of JSON."""
    unproven = sum(1 for row in dlls.values() if row.get("unproven"))
    if unproven == len(dlls):
        return UNPROVEN
    return PARTLY if unproven else PROVEN


def parse_proof(tree: object) -> Proof:
    """Read a manifest's `proof`, which may be anybody's.

    Args:
        tree: as JSON gives it.

    Raises:
        ProofError: it is not of the form.
    """
    dlls, versions = _table(tree, "dlls"), _table(tree, "versions")
    proof = Proof(
        samples=_count(tree, "samples"),
        source=_text(tree, "source"),
        inputs_sha256=_text(tree, "inputs_sha256"),
        data=_text(tree, "data"),
        versions={_spelled(name): _text(versions, name) for name in versions},
        outputs=tuple(_expected(row) for row in _list(tree, "outputs")),
        dlls={_spelled(cpu): _dll(row) for cpu, row in dlls.items()},
    )
    if (status := _text(tree, "status")) != proof.status:
        raise ProofError(f"`status` is {status[:40]!r}, its dlls are {proof.status}")
    for dll in proof.dlls.values():
        if not dll.unproven and len(dll.outputs) != len(proof.outputs):
            raise ProofError("a DLL has another number of `outputs` than the proof")
    return proof


def _expected(row: object) -> ExpectedOutput:
    compared = _text(row, "compared")
    if compared not in COMPARED:
        raise ProofError(f"`compared` is {compared[:40]!r}")
    return ExpectedOutput(
        position=_count(row, "position"),
        name=_text(row, "name"),
        dtype=_text(row, "dtype"),
        shapes=tuple(_shape(shape) for shape in _list(row, "shapes")),
        compared=compared,
        elements=_count(row, "elements"),
        rtol=_figure(row, "rtol"),
        atol=_figure(row, "atol"),
        noise=_optional_figure(row, "noise"),
    )


def _dll(row: object) -> DllProof:
    if isinstance(row, dict) and "unproven" in row:
        reason = _text(row, "unproven")
        if not reason:
            raise ProofError("`unproven` gives no reason")
        return DllProof(unproven=reason)
    return DllProof(tuple(_found(each) for each in _list(row, "outputs")))


def _found(row: object) -> FoundOutput:
    histogram = _table(row, "histogram")
    return FoundOutput(
        max_abs=_optional_figure(row, "max_abs"),
        max_rel=_optional_figure(row, "max_rel"),
        histogram={_exponent(name): _count(histogram, name) for name in histogram},
    )


def _get(row: object, key: str) -> object:
    return row.get(key) if isinstance(row, dict) else None


def _table(row: object, key: str) -> dict[str, Any]:
    value = _get(row, key)
    if not isinstance(value, dict) or len(value) > _MANY:
        raise ProofError(f"`{key}` is missing, or no table")
    return value


def _list(row: object, key: str) -> list[Any]:
    value = _get(row, key)
    if not isinstance(value, list) or len(value) > _MANY:
        raise ProofError(f"`{key}` is missing, or no list")
    return value


def _text(row: object, key: str) -> str:
    value = _get(row, key)
    if value is None:
        raise ProofError(f"`{key[:80]}` is missing")
    return _spelled(value)


def _spelled(text: object) -> str:
    if not isinstance(text, str) or len(text) > _TEXT:
        raise ProofError("a text is none, or too long")
    return text


def _count(row: object, key: str) -> int:
    return _number_of(_get(row, key), key)


def _number_of(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise ProofError(f"`{where[:80]}` is missing, or no number of things")
    return value


def _figure(row: object, key: str) -> float:
    value = _get(row, key)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= _LARGEST:  # type: ignore[operator]
        raise ProofError(f"`{key}` is missing, or no figure")
    return float(value)  # type: ignore[arg-type]


def _optional_figure(row: object, key: str) -> float | None:
    return None if _get(row, key) is None else _figure(row, key)


def _shape(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, list) or len(shape) > _MAX_RANK:
        raise ProofError("a shape is no list of sizes")
    return tuple(_number_of(size, "shapes") for size in shape)


def _exponent(name: object) -> str:
    text = _spelled(name)
    if text != "equal" and not re.fullmatch(r"-?[0-9]{1,3}", text):
        raise ProofError(f"`histogram` has {text[:40]!r}")
    return text
