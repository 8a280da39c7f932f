"""The proof of a build's models, when all of them are linked and described: `check = "run"`.

Part of the pipeline, above `assembly`. One process under Wine runs all DLLs; what was found goes
into the manifests.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aotwin.adapters.storage.files import storage_errors
from aotwin.adapters.tools.wine import find_wine
from aotwin.assembly import Job, payload_file
from aotwin.errors import CheckError
from aotwin.formats.manifest import MANIFEST_NAME, with_proof
from aotwin.formats.proof import PROOF_DATA_NAME, proof_status
from aotwin.payload.comparing import judge
from aotwin.proof_samples import Samples
from aotwin.session import Session
from aotwin.stages.proof import (
    DllRun,
    Ran,
    build_host,
    expected_arrays,
    expected_rows,
    found_arrays,
    keep_samples,
    run_dlls,
    samples_digest,
)
from aotwin.stages.run import torch_folder
from aotwin.stages.runtime import build_library
from aotwin.values import SealedDll
from aotwin.version import __version__

#: files of payload/ that a package needs to prove itself
_PAYLOAD = ("comparing.py", "verify.py")
_TORCHS_RUNNER = "it has operators that only torch's own runner can call"

Finished = Sequence[tuple[Job, Sequence[SealedDll]]]


def prove(finished: Finished, session: Session) -> None:
    """Run every DLL with its model's samples and write what was found into the manifests.

    Args:
        finished: models in their complete folders, our run time's DLLs in theirs.

    Raises:
        CheckError: a DLL does not give what is expected.
        ToolError: Wine or zig failed.
    """
    runnable = [(job, dll) for job, dlls in finished for dll in dlls if not _unproven(job)]
    # Over our own run time first: torch's DLLs are not in the process yet.
    runnable.sort(key=lambda each: each[0].run_time is None)
    found: dict[Path, Ran] = {}
    if runnable:
        host = build_host(session.toolchain, session.zig)
        runs = [_run_of(job, dll, session) for job, dll in runnable]
        folder = session.work / "proof"
        with session.progress.stage(f"run {_count(len(runs), 'DLL')} under Wine") as step:
            step.expect(len(runs), "DLLs")
            # A file of results is begun when its DLL is opened.
            step.follow(lambda: max(0, sum(1 for _ in folder.glob("found*")) - 1))
            ran = run_dlls(runs, host, folder)
        for (job, dll), each in zip(runnable, ran, strict=True):
            # In the order of the runs: behind one that crashed, none has run.
            if each.failure and not each.wrong_cpu:
                raise _failed(
                    job,
                    dll,
                    each.failure,
                    "Nothing was written. check=static leaves the proof out.",
                )
        found = {run.dll: each for run, each in zip(runs, ran, strict=True)}
    versions = {"aotwin": __version__, "numpy": np.__version__, "wine": find_wine().version()}
    for job, dlls in finished:
        _describe(job, dlls, found, versions, session)


def _run_of(job: Job, dll: SealedDll, session: Session) -> DllRun:
    assert job.samples is not None
    results = len(next(iter(job.wrappers.values())).outputs)
    if job.run_time is not None:
        return DllRun(dll.path, session.libs / job.run_time.library, None, job.samples, results)
    library = build_library(session.toolchain, session.zig, jobs=len(os.sched_getaffinity(0)))
    torch = torch_folder(session.toolchain, session.pin.torch_version)
    return DllRun(dll.path, library, torch, job.samples, results)


def _unproven(job: Job) -> str:
    if any(wrapper.extern_nodes is not None for wrapper in job.wrappers.values()):
        return _TORCHS_RUNNER
    return ""


def _describe(
    job: Job,
    dlls: Sequence[SealedDll],
    found: dict[Path, Ran],
    versions: dict[str, str],
    session: Session,
) -> None:
    samples = job.samples
    assert samples is not None
    outputs = expected_rows(samples, job.spec.proof_tolerance)
    rows = {dll.cpu: _judged(job, dll, outputs, found.get(dll.path), samples) for dll in dlls}
    _tell(job, dlls, rows, outputs, session)
    files = _kept(job, samples)
    proof = {
        "status": proof_status(rows),
        "samples": len(samples.inputs),
        "source": samples.source,
        "inputs_sha256": samples_digest(samples),
        "data": PROOF_DATA_NAME if files else "",
        "versions": {**versions, **samples.versions},
        "outputs": list(outputs),
        "dlls": rows,
    }
    path = job.directory / MANIFEST_NAME
    with storage_errors(path):
        path.write_bytes(with_proof(path.read_bytes(), proof, files))


def _judged(
    job: Job, dll: SealedDll, outputs: Sequence[dict[str, Any]], ran: Ran | None, samples: Samples
) -> dict[str, Any]:
    """A row of the proof's `dlls`."""
    if ran is None:
        return {"unproven": _unproven(job)}
    if ran.wrong_cpu:
        return {"unproven": f"this machine's CPU is not {dll.cpu}"}
    rows, mismatch = judge(outputs, found_arrays(ran), expected_arrays(samples))
    if mismatch is not None:
        raise _failed(
            job,
            dll,
            str(mismatch),
            "Nothing was written. Where such a difference is no mistake, say what is allowed in "
            "the model's table: proof-tolerance = { rtol = 1e-4, atol = 1e-4 }. Else please report "
            "it; AOTWIN_KEEP_SOURCES=<folder> keeps the sources.",
        )
    return {"outputs": rows}


def _failed(job: Job, dll: SealedDll, cause: str, next_step: str) -> CheckError:
    return CheckError(
        f"{job.spec.name}: {dll.path.name}, for {dll.cpu}, does not give under Wine what is "
        "expected of it",
        cause=cause,
        next_step=next_step,
    )


def _kept(job: Job, samples: Samples) -> dict[str, str]:
    """Files that were written so that the package can prove itself -> sha256, hex."""
    data = job.directory / PROOF_DATA_NAME
    if not keep_samples(samples, data, job.spec.proof_data):
        return {}
    files = {data.name: hashlib.sha256(data.read_bytes()).hexdigest()}
    for name in _PAYLOAD:
        content = payload_file(name)
        with storage_errors(job.directory / name):
            (job.directory / name).write_bytes(content)
        files[name] = hashlib.sha256(content).hexdigest()
    return files


def _tell(
    job: Job,
    dlls: Sequence[SealedDll],
    rows: dict[str, dict[str, Any]],
    outputs: Sequence[dict[str, Any]],
    session: Session,
) -> None:
    """Say what was not done; what was, the last lines of a build say."""
    for dll in dlls:
        if reason := rows[dll.cpu].get("unproven"):
            session.progress.warn(f"{dll.path.name} is not proven: {reason}")
    if random := [row["name"] for row in outputs if row["compared"] == "form"]:
        session.progress.warn(
            f"{job.spec.name}: {', '.join(random)} depends on random numbers, so dtype and shape "
            "alone were compared"
        )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
