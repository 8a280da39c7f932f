"""What a proof expects of each output, and what a DLL was found to give."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from aotwin.payload.comparing import NOISE_FACTOR, TOLERANCES
from aotwin.proof_samples import ExpectedResult, Samples, read_tensor
from aotwin.stages.proof.host import Ran

#: dtype -> the largest part of a result's largest element that rounding may be allowed: where
#: eager is further off than that (a rounding that decides between two ways, say), the tolerance
#: does not follow it
_LARGEST_NOISE = {
    "float32": 1e-4,
    "complex64": 1e-4,
    "float64": 1e-10,
    "complex128": 1e-10,
    "float16": 2e-2,
    "complex32": 2e-2,
    "bfloat16": 1e-1,
}


def expected_rows(
    samples: Samples, tolerance: tuple[float, float] | None
) -> tuple[dict[str, Any], ...]:
    """The proof's `outputs`.

    Args:
        tolerance: (rtol, atol) that the user asked for; None: by dtype and rounding.
    """
    rows = []
    for index, output in enumerate(samples.outputs):
        shapes = [list(results[index].shape) for results in samples.results]
        rtol, atol = tolerance_of(output, tolerance)
        rows.append(
            {
                "position": output.position,
                "name": output.name,
                "dtype": output.dtype,
                "shapes": shapes,
                "compared": "form" if output.is_random else "values",
                "elements": sum(map(prod, shapes)),
                "rtol": rtol,
                "atol": atol,
                "noise": None if output.is_random else output.noise,
            }
        )
    return tuple(rows)


def tolerance_of(output: ExpectedResult, asked: tuple[float, float] | None) -> tuple[float, float]:
    """(rtol, atol) of one output.

    By dtype they are torch's. A network of many layers rounds more often than they are made for:
    as far as eager is from float64 itself, a DLL that rounds elsewhere may be from eager.
    """
    if output.dtype not in TOLERANCES:
        return 0.0, 0.0
    if asked is not None:
        return asked
    rtol, atol = TOLERANCES[output.dtype]
    most = _LARGEST_NOISE.get(output.dtype, 0.0) * output.largest
    return rtol, max(atol, min(NOISE_FACTOR * (output.noise or 0.0), most))


def expected_arrays(samples: Samples) -> Iterator[list[Any]]:
    """What is expected, one sample at a time."""
    for results in samples.results:
        yield [read_tensor(samples.results_file, each) for each in results]


def found_arrays(ran: Ran) -> Iterator[list[Any]]:
    """The results of a DLL, one sample at a time."""
    for results in ran.results:
        yield [None if each is None else read_tensor(ran.file, each) for each in results]
