"""What aotwin-prove is told, and what is made of what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aotwin.errors import ToolError
from aotwin.proof_samples import ExpectedResult, Samples, StoredTensor
from aotwin.stages.proof.host import (
    DllRun,
    Ending,
    Ran,
    _ran,
    host_command,
    job_lines,
    patience_for,
    read_said,
)
from aotwin.target.toolchain import load_toolchain

INPUT = StoredTensor("bfloat16", (2, 3), 64, 12)
NUMBER = StoredTensor("int64", (), 76, 8)
SAMPLES = Samples(
    "e", Path("/w/inputs"), Path("/w/results"), ((INPUT, NUMBER),), ((INPUT,),),
    (ExpectedResult(0, "y", "bfloat16"),),
)  # fmt: skip


#: why a watch ended the program
SILENT = "said nothing and used no processor time for 5 minutes"


def ran(text: str, job: int = 0, calls: int = 2, hung: str = "") -> Ran:
    lines = read_said(text, 3)[job]
    return _ran(lines, calls, Path("/w/found0"), Ending(text, exit_code=5, hung=hung))


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
    text = (
        "job\nopened\nresult 1 0 8 1 2\nresult 0 8 0 0\nran\nresult 13 8 1 0\nran\nclosed\ndone\n"
    )
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
        ("job\nopened\nresult 1 0 4 0\n", "the process ended in call 0 (exit code 5)"),
        ("job\nopened\n", "the process ended in call 0 (exit code 5)"),
        ("job\n", "the process ended while it was opened (exit code 5)"),
        ("", "it was not run: one before it ended the process"),
    ],
)  # fmt: skip
def test_what_went_wrong_is_told(said: str, failure: str) -> None:
    assert ran(said).failure == failure


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ("job\n", "while it was opened"),
        ("job\nopened\n", "in call 0"),
        ("job\nopened\nresult 1 0 4 0\nran\nresult 1 4 4 0\n", "in call 1"),
        ("job\nopened\nran\nran\n", "while it was closed"),
        ("job\nopened\nran\nran\nclosed\ndone\n", "when all was done"),
    ],
)
def test_it_is_told_where_a_model_hung(said: str, where: str) -> None:
    failure = ran(said, hung=SILENT).failure
    assert failure == f"it hung {where}: aotwin-prove.exe {SILENT}, and was ended"


def test_jobs_are_told_apart() -> None:
    text = "job\nfailed load 0 x\njob\nopened\nresult 1 0 4 0\nran\nclosed\njob\n"
    assert ran(text, 0, hung=SILENT).failure == "its run time cannot be loaded: x"
    assert ran(text, 1, calls=1, hung=SILENT).failure == ""
    assert "it hung while it was opened" in ran(text, 2, hung=SILENT).failure
    assert [bool(lines) for lines in read_said("job\nopened\n", 3)] == [True, False, False]


def test_a_model_that_is_slow_in_eager_gets_more_time() -> None:
    run = DllRun(Path("/m/a.dll"), Path("/l/aotwin.dll"), None, SAMPLES, 1)
    slow = replace(run, samples=replace(SAMPLES, seconds=600.0))
    assert patience_for([run]).computing == 3600
    assert patience_for([run, slow]).computing == 60_000
    assert patience_for([slow]).waiting == patience_for([run]).waiting == 300


def test_the_program_is_no_dll() -> None:
    command = host_command(load_toolchain("windows"))
    assert "-shared" not in command
    assert command[-1] == "aotwin-prove.exe"
