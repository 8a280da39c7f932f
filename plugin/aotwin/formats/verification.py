"""What came of proving models again: values, and versioned JSON (`verification.schema.json`)."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

#: version of the JSON form; raised whenever a reader of the old one would be misled
JSON_VERSION = 1


@dataclass(frozen=True)
class VerifiedOutput:
    """How far one of a DLL's results is from what the build expected, over all samples."""

    name: str
    #: torch's short name
    dtype: str
    elements: int
    #: "values", or "form" where they depend on random numbers: dtype and shape alone
    compared: str
    #: what is allowed: |found - expected| <= atol + rtol * |expected|
    rtol: float
    atol: float
    #: largest differences; None where values were not compared, or differ by no finite number
    max_abs: float | None
    max_rel: float | None


@dataclass(frozen=True)
class VerifiedDll:
    """What came of one DLL."""

    file: str
    #: level that it was compiled for
    cpu: str
    outputs: tuple[VerifiedOutput, ...] = ()
    #: why it does not hold; "" where it does
    problem: str = ""
    #: why it was not run; "" where it was
    unproven: str = ""

    @property
    def status(self) -> str:
        """ "proven", "failed" or "not run"."""
        if self.unproven:
            return "not run"
        return "failed" if self.problem else "proven"


@dataclass(frozen=True)
class VerifiedModel:
    """What came of one model. True if a DLL was run and all that were hold."""

    name: str
    #: calls that each DLL was run with
    samples: int
    dlls: tuple[VerifiedDll, ...]

    def __bool__(self) -> bool:
        """Some DLL was run, and none is off."""
        found = {dll.status for dll in self.dlls}
        return "proven" in found and "failed" not in found


def render_verification(subject: str, models: list[VerifiedModel]) -> str:
    """One JSON object in the form of `verification.schema.json`.

    Args:
        subject: what was proven again, as the user knows it.
    """
    told = {
        "version": JSON_VERSION,
        "subject": subject,
        "passed": all(models),
        "models": [
            {
                "name": model.name,
                "passed": bool(model),
                "samples": model.samples,
                "dlls": [
                    {
                        "file": dll.file,
                        "cpu": dll.cpu,
                        "status": dll.status,
                        "reason": dll.unproven or dll.problem,
                        "outputs": [asdict(output) for output in dll.outputs],
                    }
                    for dll in model.dlls
                ],
            }
            for model in models
        ],
    }
    return json.dumps(told, indent=2, allow_nan=False)


def finite(figure: float | None) -> float | None:
    """A figure that JSON has a number for."""
    return figure if figure is not None and math.isfinite(figure) else None
