"""The proof of a model as a page shows it: a verdict, rows, histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aotwin.formats.proof import PARTLY, PROVEN, FoundOutput, Proof


@dataclass(frozen=True)
class Bar:
    """One column of a histogram."""

    label: str
    count: int
    #: 0 to 1, of the highest; what is there at all is seen
    height: float


@dataclass(frozen=True)
class Row:
    """One output of one DLL."""

    cpu: str
    name: str
    dtype: str
    shapes: str
    elements: int
    max_abs: str
    max_rel: str
    allowed: str
    noise: str
    bars: Sequence[Bar]
    #: the histogram in a sentence
    spoken: str


@dataclass(frozen=True)
class ProofView:
    """What a page shows of a proof."""

    #: "good", "mixed" or "none"
    mood: str
    verdict: str
    rows: Sequence[Row]
    unproven: Mapping[str, str]
    proof: Proof | None


def view_of(proof: Proof | None) -> ProofView:
    """The view of a model's proof, or of there being none."""
    if proof is None:
        return ProofView("none", "Not proven", (), {}, None)
    rows = [
        _row(cpu, proof, index, found)
        for cpu, dll in proof.dlls.items()
        for index, found in enumerate(dll.outputs[: len(proof.outputs)])
    ]
    unproven = {cpu: dll.unproven for cpu, dll in proof.dlls.items() if dll.unproven}
    words = {PROVEN: ("good", "Proven"), PARTLY: ("mixed", "Proven in part")}
    mood, verdict = words.get(proof.status, ("none", "Not proven"))
    return ProofView(mood, verdict, rows, unproven, proof)


def _row(cpu: str, proof: Proof, index: int, found: FoundOutput) -> Row:
    expected = proof.outputs[index]
    bars = _bars(found.histogram)
    shapes = dict.fromkeys(str(list(shape)) for shape in expected.shapes[:4])
    more = ", …" if len(expected.shapes) > 4 else ""
    return Row(
        cpu,
        expected.name,
        expected.dtype,
        ", ".join(shapes) + more,
        expected.elements,
        _figure(found.max_abs),
        _figure(found.max_rel),
        f"{expected.atol:.1e} + {expected.rtol:.1e} × |expected|" if expected.rtol else "equal",
        _figure(expected.noise),
        bars,
        "; ".join(f"{bar.count:,} {_spoken(bar.label)}" for bar in bars if bar.count),
    )


def _bars(histogram: Mapping[str, int]) -> list[Bar]:
    if not histogram:
        return []
    exponents = sorted(int(name) for name in histogram if name != "equal")
    # A hole of hundreds of decades would be no picture: only its rims are drawn.
    few = not exponents or exponents[-1] - exponents[0] <= 40
    between = range(exponents[0], exponents[-1] + 1) if exponents and few else exponents
    names = ["equal", *map(str, between)]
    highest = max(histogram.values()) or 1
    counts = {name: histogram.get(name, 0) for name in names}
    return [
        Bar(name, count, max(count / highest, 0.03) if count else 0.0)
        for name, count in counts.items()
    ]


def _spoken(label: str) -> str:
    return "equal" if label == "equal" else f"by 1e{label} or more"


def _figure(value: float | None) -> str:
    return "–" if value is None else "0" if value == 0 else f"{value:.1e}"
