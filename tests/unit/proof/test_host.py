"""What aotwin-prove is told, and what is made of what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from aotwin.errors import ToolError
from aotwin.proof_samples import ExpectedResult, Samples, StoredTensor
from aotwin.stages.proof.host import DllRun, Ran, _ran, host_command, job_lines, read_said
from aotwin.target.toolchain import load_toolchain

INPUT = StoredTensor("bfloat16", (2, 3), 64, 12)
NUMBER = StoredTensor("int64", (), 76, 8)
SAMPLES = Samples(
    "e", Path("/w/inputs"), Path("/w/results"), ((INPUT, NUMBER),), ((INPUT,),),
    (ExpectedResult(0, "y", "bfloat16"),),
)  # fmt: skip


def ran(text: str, count: int = 1) -> Ran:
    return _ran(read_said(text, count)[count - 1], Path("/w/found0"), 5)


def test_a_job_names_library_dll_inputs_and_calls() -> None:
    run = DllRun(Path("/m/a.dll"), Path("/l/aotwin.dll"), Path("/torch/lib"), SAMPLES, 3)
    assert list(job_lines(run, "found0")) == [
        "job",
        r"library Z:\l\aotwin.dll",
        r"torch Z:\torch\lib",
        r"inputs Z:\w\inputs",
        r"open found0 Z:\m\a.dll",
        "input 4 64 12 2 2 3",
        "input 8 76 8 0",
        "run 3",
        "end",
    ]


def test_a_path_of_two_lines_is_refused() -> None:
    run = DllRun(Path("/m/a\nb.dll"), Path("/l/aotwin.dll"), None, SAMPLES, 1)
    with pytest.raises(ToolError, match="it has a line break"):
        list(job_lines(run, "found0"))


def test_results_are_read_call_by_call() -> None:
    text = "job\nopened\nresult 1 0 8 1 2\nresult 0 8 0 0\nran\nresult 13 8 1 0\nran\ndone\n"
    first = (StoredTensor("float32", (2,), 0, 8), None)
    assert ran(text) == Ran((first, (StoredTensor("bool", (), 8, 1),)), Path("/w/found0"))


def test_a_cpu_that_lacks_something_is_no_failure_of_the_model() -> None:
    found = ran("job\nfailed open 4 the CPU has no AVX-512\ndone\n")
    assert found.wrong_cpu
    assert not ran("job\nfailed open 6 the weights are damaged\ndone\n").wrong_cpu


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        ("job\nfailed open 6 no weights\n", "it cannot be opened: no weights"),
        ("job\nopened\nfailed run 12 index 9 is out of range\n",
         "it ran and failed: index 9 is out of range"),
        ("job\nopened\nresult 1 0 4 0\nran\ncrashed 0xc0000005\n",
         "it crashed in call 1 (exception 0xc0000005)"),
        ("job\ncrashed 0xc000001d\n", "it crashed while it was opened (exception 0xc000001d)"),
        ("job\nopened\nresult 1 0 4 0\n", "the process ended with exit code 5"),
        ("", "the process ended with exit code 5"),
    ],
)  # fmt: skip
def test_what_went_wrong_is_told(said: str, failure: str) -> None:
    assert ran(said).failure == failure


def test_jobs_are_told_apart() -> None:
    text = "job\nfailed load 0 x\njob\nopened\nresult 1 0 4 0\nran\ndone\n"
    assert ran(text, 2).failure == ""
    assert [bool(lines) for lines in read_said("job\nopened\n", 3)] == [True, False, False]


def test_the_program_is_no_dll() -> None:
    command = host_command(load_toolchain("windows"))
    assert "-shared" not in command
    assert command[-1] == "aotwin-prove.exe"
