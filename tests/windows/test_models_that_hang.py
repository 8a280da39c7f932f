"""The proof of a model that never answers ends, and says where; that of a slow one goes on."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

import aotwin
from aotwin.adapters.tools import process
from aotwin.adapters.tools.patience import NoProgressError, Patience
from aotwin.errors import CheckError
from aotwin.stages.proof import host
from project_build import REPO

pytestmark = [pytest.mark.torch, pytest.mark.zig]

#: a ready wrapper with three calls to prove it
WRAPPER = REPO / "tests" / "wrappers" / "2.13.0" / "counter"
CALL = "    __check_inputs_outputs(input_handles, output_handles);\n"
WAITS = "    static int call; if (call++ == 1) Sleep(0xFFFFFFFF);\n"
SPINS = "    for (volatile unsigned i = 0;; i = i + 1) {}\n"
#: the first call computes for eight seconds, the others pause; times are counted in 100 ns
SLOW = """\
    FILETIME none, begun, used;
    static int call;
    if (call++ > 0) Sleep(3000);
    else for (GetThreadTimes(GetCurrentThread(), &none, &none, &none, &begun);;) {
      for (volatile int i = 0; i < 100000000; i = i + 1) {}
      GetThreadTimes(GetCurrentThread(), &none, &none, &none, &used);
      if (used.dwLowDateTime - begun.dwLowDateTime >= 80000000u) break;
    }
"""


def wrapper_that(code: str, folder: Path) -> Path:
    """The wrapper, which does something more in each call."""
    copy = Path(shutil.copytree(WRAPPER, folder / "counter"))
    source = copy / "counter.wrapper.cpp"
    text = source.read_text(encoding="utf-8")
    assert text.count(CALL) == 1
    source.write_text(text.replace(CALL, CALL + code), encoding="utf-8")
    return copy


def processes_of(folder: Path) -> list[bytes]:
    """Command lines that name something in a folder, as Linux or Windows spells it."""
    names = [str(folder).encode(), str(folder).replace("/", "\\").encode()]
    lines = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            lines.append((entry / "cmdline").read_bytes())
    return [line for line in lines if any(name in line for name in names)]


def build(code: str, tmp_path: Path) -> aotwin.BuiltModel:
    return aotwin.build_model(
        wrapper_that(code, tmp_path), tmp_path / "out", name="counter", check="run",
        proof=WRAPPER / "samples.npz",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("code", "patience", "cause"),
    [
        (WAITS, Patience(waiting=5),
         "it hung in call 1: aotwin-prove.exe said nothing and used no processor time for 5 "
         "seconds, and was ended"),
        (SPINS, Patience(computing=10),
         "it hung in call 0: aotwin-prove.exe said nothing for 10 seconds, and computed all the "
         "while, and was ended"),
    ],
    ids=["waits", "spins"],
)  # fmt: skip
def test_a_model_that_hangs_is_ended_and_named(
    code: str,
    patience: Patience,
    cause: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running: list[bytes] = []

    class NotedError(NoProgressError):
        def __init__(self, *args: str) -> None:
            running.extend(processes_of(tmp_path))
            super().__init__(*args)

    monkeypatch.setattr(process, "NoProgressError", NotedError)
    monkeypatch.setattr(host, "patience_for", lambda _: patience)
    with pytest.raises(CheckError) as caught:
        build(code, tmp_path)
    assert caught.value.fact.startswith("counter: counter.dll, for x86-64-v3, does not give")
    assert caught.value.cause == cause
    assert "Nothing was written. check=static leaves the proof out." in caught.value.next_step
    assert len(running) == 1
    assert processes_of(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["counter"]


def test_a_model_that_is_slow_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "patience_for", lambda _: Patience(waiting=5))
    built = build(SLOW, tmp_path)
    proof = json.loads(built.manifest.read_text(encoding="utf-8"))["proof"]
    assert (proof["status"], proof["samples"]) == ("proven", 3)
