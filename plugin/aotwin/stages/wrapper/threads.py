"""Keep a kernel's threads within the arrays that it was generated with.

On a machine where the thread count equals the number of cores, Inductor writes a parallel region
without a thread count, but sizes its per-thread accumulators by the build host's cores
(`WorkSharing.parallel` and `_gen_parallel_reduction_buffers` in torch/_inductor/codegen/cpp.py).
On a target with more cores the extra threads would write past the arrays. The wrappers that
aotwin generates ask for `cpp.dynamic_threads`, which sizes the arrays at run time; this is for
ready wrappers.
"""

from __future__ import annotations

import itertools
import re

_KERNEL = re.compile(r'^extern "C"', re.MULTILINE)
_FIXED_ARRAY = re.compile(r"\b\w+_arr\[(\d+)\];")
_OPEN_REGION = re.compile(r"^([ \t]*#pragma omp parallel)[ \t]*$", re.MULTILINE)


def bound_threads(source: str) -> tuple[str, int]:
    """Give open parallel regions the thread count that their kernel's arrays were made for.

    Args:
        source: the wrapper's C++.

    Returns:
        The source, and the smallest count that was written into it (0: nothing to do).
    """
    starts = [0, *(match.start() for match in _KERNEL.finditer(source)), len(source)]
    bounds: list[int] = []
    kernels: list[str] = []
    for start, end in itertools.pairwise(starts):
        kernel = source[start:end]
        sizes = [int(size) for size in _FIXED_ARRAY.findall(kernel)]
        if sizes and _OPEN_REGION.search(kernel):
            bounds.append(min(sizes))
            kernel = _OPEN_REGION.sub(rf"\1 num_threads({min(sizes)})", kernel)
        kernels.append(kernel)
    return "".join(kernels), min(bounds, default=0)
