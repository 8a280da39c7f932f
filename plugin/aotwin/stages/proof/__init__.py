"""Stage proof: each DLL is run under Wine with samples, and its results are compared with eager's.

Comparing is the payload's code (`payload/comparing.py`), so that a package on Windows judges itself
as the build did. Needs numpy and Wine.
"""

from aotwin.stages.proof.again import verify_folder
from aotwin.stages.proof.host import DllRun, Ran, build_host, run_dlls
from aotwin.stages.proof.judging import expected_arrays, expected_rows, found_arrays
from aotwin.stages.proof.keeping import keep_samples, samples_digest

__all__ = [
    "DllRun",
    "Ran",
    "build_host",
    "expected_arrays",
    "expected_rows",
    "found_arrays",
    "keep_samples",
    "run_dlls",
    "samples_digest",
    "verify_folder",
]
