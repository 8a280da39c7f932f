"""Write the file of cases: calls of operators with inputs of torch's own samples, and its answers.

    python tests/operators/generate.py OUTPUT.npz [C FUNCTION ...]

Runs on Linux with torch; takes some minutes for all functions.
"""

from __future__ import annotations

import collections
import itertools
import sys
import time
import types
import unittest
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import case_file
import hand_written
import torch
from own_samples import own_calls
from recording import Call, Candidates, Recorder
from replay import Data, SkipError, as_case, short
from shims import Shim, shims
from sources import DIRECT, OPINFOS, PRODUCTS, UNTESTED
from torch.utils._pytree import tree_flatten

DTYPES = (
    torch.float32,
    torch.float64,
    torch.bfloat16,
    torch.float16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
    torch.complex64,
)
#: samples of one entry that are run, cases of one C function and dtype that are kept
_SAMPLES = 60
_CASES = {torch.float32: 24, torch.int64: 14}
_OTHER_CASES = 10
_ERRORS = 8
_SECONDS = 1.5


def op_database() -> dict[str, Any]:
    """torch's OpInfo entries by name and variant."""
    if "expecttest" not in sys.modules:
        # torch's test library imports it for a class that is not used here
        stand_in: Any = types.ModuleType("expecttest")
        stand_in.TestCase = unittest.TestCase
        sys.modules["expecttest"] = stand_in
    from torch.testing._internal.common_methods_invocations import op_db

    return {
        f"{op.name}.{op.variant_test_name}" if op.variant_test_name else op.name: op for op in op_db
    }


def overrides(op: Any) -> dict[torch.dtype, tuple[float, float]]:
    """The tolerances that torch's own tests of an entry use where they are wider."""
    found: dict[torch.dtype, tuple[float, float]] = {}
    for decorator in op.decorators or ():
        if getattr(decorator, "device_type", None) not in (None, "cpu"):
            continue
        for inner in getattr(decorator, "decorators", (decorator,)):
            for dtype, tolerance in getattr(inner, "d", {}).items():
                if not hasattr(tolerance, "rtol"):
                    continue
                before = found.get(dtype, (0.0, 0.0))
                found[dtype] = (
                    max(before[0], tolerance.rtol),
                    max(before[1], tolerance.atol),
                )
    return found


def record(wanted: Sequence[Shim], candidates: Candidates) -> list[str]:
    """Run the samples of the entries that reach the wanted functions; the problems."""
    database, problems = op_database(), []
    by_entry: dict[str, list[Shim]] = collections.defaultdict(list)
    for shim in wanted:
        for entry in OPINFOS.get(short(shim.name), ()):
            by_entry[entry].append(shim)
    for entry, reached in by_entry.items():
        op = database.get(entry)
        if op is None:
            problems.append(f"torch has no OpInfo entry {entry}")
            continue
        recorder = Recorder(reached, candidates)
        for dtype in DTYPES:
            if dtype in op.supported_dtypes("cpu"):
                _record_samples(op, entry, dtype, recorder, reached)
        _record_errors(op, entry, recorder, reached)
    return problems


def _record_samples(
    op: Any, entry: str, dtype: torch.dtype, recorder: Recorder, reached: Sequence[Shim]
) -> None:
    recorder.dtype = str(dtype).removeprefix("torch.")
    recorder.tolerance = overrides(op).get(dtype)
    recorder.expects_error = False
    backward = any("backward" in shim.name for shim in reached)
    grad = backward and op.supports_autograd and dtype.is_floating_point
    start = time.monotonic()
    torch.manual_seed(7)
    for number, sample in enumerate(_samples(op, dtype, grad)):
        if number >= _SAMPLES or time.monotonic() - start > _SECONDS:
            break
        recorder.source = f"{entry} sample {number}"
        _record_direct(sample, recorder, reached)
        try:
            with recorder:
                _run(op, sample, grad)
        except Exception:  # a sample that eager refuses is no case
            continue


def _samples(op: Any, dtype: torch.dtype, grad: bool) -> Iterator[Any]:
    try:
        plain = op.sample_inputs("cpu", dtype, requires_grad=grad)
        yield from itertools.islice(plain, _SAMPLES)
    except Exception:
        return


def _run(op: Any, sample: Any, grad: bool) -> None:
    result = op(sample.input, *sample.args, **sample.kwargs)
    if not grad:
        return
    differentiable = [
        one
        for one in tree_flatten(result)[0]
        if isinstance(one, torch.Tensor) and one.requires_grad
    ]
    if differentiable:
        torch.autograd.backward(differentiable, [torch.randn_like(one) for one in differentiable])


def _record_direct(sample: Any, recorder: Recorder, reached: Sequence[Shim]) -> None:
    for shim in reached:
        if short(shim.name) in DIRECT:
            args = [sample.input, *sample.args]
            recorder.direct(shim, args, sample.kwargs)


def _record_errors(op: Any, entry: str, recorder: Recorder, reached: Sequence[Shim]) -> None:
    if op.error_inputs_func is None:
        return
    recorder.expects_error = True
    recorder.dtype = "error"
    recorder.tolerance = None
    try:
        for number, error in enumerate(op.error_inputs("cpu")):
            sample = error.sample_input
            recorder.source = f"{entry} error {number}"
            _record_direct(sample, recorder, reached)
            try:
                with recorder:
                    op(sample.input, *sample.args, **sample.kwargs)
            except Exception:  # it is what is waited for
                continue
    except Exception as problem:
        print(f"error inputs of {entry}: {problem}", file=sys.stderr)


def chosen(calls: list[Call], dtype: str, product: bool) -> list[Call]:
    """Some of the candidates, evenly taken from all sources; own samples all."""
    errors = [call for call in calls if call.error]
    own = [call for call in calls if not call.error and call.source.startswith("own")]
    others = [call for call in calls if not call.error and not call.source.startswith("own")]
    most = _CASES.get(getattr(torch, dtype, None), _OTHER_CASES) + (8 if product else 0)
    return [*own, *_spread(others, most), *_spread(errors, _ERRORS)]


def _spread(calls: list[Call], most: int) -> list[Call]:
    if len(calls) <= most:
        return calls
    return [calls[place * len(calls) // most] for place in range(most)]


def main(output: Path, names: Sequence[str]) -> int:
    warnings.simplefilter("ignore")
    torch.set_num_threads(2)
    start = time.monotonic()
    known = shims()
    wanted = [
        shim
        for name, shim in known.items()
        if short(name) not in UNTESTED and (not names or name in names or short(name) in names)
    ]
    candidates = Candidates()
    for call in own_calls(wanted, DTYPES):
        candidates.add(call)
    problems = record(wanted, candidates)
    recorded = time.monotonic()
    data, cases, skipped = Data(), [], collections.Counter[str]()
    for (name, dtype), calls in candidates.calls.items():
        for call in chosen(calls, dtype, short(name) in PRODUCTS):
            try:
                cases.append(as_case(call, data))
            except SkipError as reason:
                skipped[f"{short(name)} {dtype}: {reason}"] += 1
    made = hand_written.cases(data, DTYPES)
    cases += [case for case in made if not names or case["shim"] in names]
    cases.sort(key=lambda case: case["shim"])
    document = {
        "torch": str(torch.__version__),
        "shims": {**{shim.name: shim.kinds for shim in known.values()}, **hand_written.KINDS},
        "cases": cases,
        "problems": problems,
        "skipped": dict(skipped),
    }
    case_file.write(output, document, bytes(data.content))
    covered = {case["shim"] for case in cases}
    missing = sorted(short(shim.name) for shim in wanted if shim.name not in covered)
    print(
        f"{len(cases)} cases of {len(covered)} functions, {len(data.content) / 1e6:.1f} MB of data,"
        f" {output.stat().st_size / 1e6:.1f} MB on disk; recorded in {recorded - start:.0f} s, "
        f"run again in {time.monotonic() - recorded:.0f} s; {sum(skipped.values())} skipped"
    )
    print("no case for:", " ".join(missing) or "-", *problems, sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
