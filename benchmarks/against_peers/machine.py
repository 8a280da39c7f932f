"""What this machine can do, whatever runs on it: the arithmetic limit of its cores at the level of
an ordinary PC, AVX2, and how far its first two CPUs are from each other."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

_SOURCE = Path(__file__).with_suffix(".c")


def avx2_limit(threads: int, seconds: float = 0.3) -> float:
    """GFLOPS in float32 of so many threads at the same time, by code for this system itself."""
    rate = _library().aotwin_arithmetic_rate
    rate.restype, rate.argtypes = ctypes.c_double, [ctypes.c_double]
    # ctypes lets go of Python's lock during a call
    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(rate, [seconds] * threads))


def handover() -> float | None:
    """Nanoseconds in which what one CPU wrote comes to another; None where a process has but one.

    About 35 where both have a last cache in common, 175 where they have not (AMD's fourth Zen
    generation). A virtual machine's CPUs can move from the one to the other and back: threads that
    read what others wrote are slower then, and memory is faster.
    """
    cpus = sorted(os.sched_getaffinity(0))[:2]
    if len(cpus) < 2:
        return None
    one_way = _library().aotwin_handover
    one_way.restype = ctypes.c_double
    one_way.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32]
    line = (ctypes.c_uint32 * 64)()

    def run(number: int) -> float:
        os.sched_setaffinity(0, {cpus[number]})  # of this thread
        return float(one_way(ctypes.addressof(line) + 64, number == 0, 50_000))

    with ThreadPoolExecutor(2) as pool:
        return min(pool.map(run, (0, 1)))


@cache
def _library() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "machine.so"
        subprocess.run(
            [sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-O2", "-mavx2", "-mfma",
             "-o", str(library), str(_SOURCE)],
            check=True,
        )  # fmt: skip
        return ctypes.CDLL(str(library))
