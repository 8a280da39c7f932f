"""The arithmetic limit of this machine's cores at the level of an ordinary PC, AVX2."""

from __future__ import annotations

import ctypes
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


@cache
def _library() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "arithmetic.so"
        subprocess.run(
            [sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-O2", "-mavx2", "-mfma",
             "-o", str(library), str(_SOURCE)],
            check=True,
        )  # fmt: skip
        return ctypes.CDLL(str(library))
