"""One build in a process of its own: how far its resident memory rises. Prints one JSON object.

    python build_peak.py aotwin|torch WEIGHTS_NBYTES FOLDER

The program is exported first, with its weights in memory. Then the kernel's record of the peak is
reset (5 into /proc/self/clear_refs, see proc(5)) and the build runs, its imports included: the
figure is the highest resident set during the build less the resident set before it. Compilers are
other processes and do not count, for either way.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from pathlib import Path

from synthetic import export_stack
from torch.export import ExportedProgram


def status(field: str) -> int:
    """A field of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def with_aotwin(program: ExportedProgram, folder: Path) -> None:
    """Program to model folder, DLL included."""
    import aotwin

    aotwin.build_model(program, folder, name="peak")


def with_torch(program: ExportedProgram, folder: Path) -> None:
    """Program to wrapper archive, as torch's documentation says, short of compiling it."""
    from torch._inductor import aoti_compile_and_package

    warnings.simplefilter("ignore")
    aoti_compile_and_package(
        program,
        package_path=str(folder / "peak.pt2"),
        inductor_configs={
            "aot_inductor.package_cpp_only": True,
            "aot_inductor.package_constants_in_so": False,
            "aot_inductor.package_constants_on_disk_format": "binary_blob",
        },
    )


def main() -> None:
    way, nbytes, folder = sys.argv[1:]
    # of a build that makes everything itself
    os.environ["AOTWIN_NO_CACHE"] = "1"
    program = export_stack(int(nbytes))
    weights = sum(tensor.nbytes for tensor in program.state_dict.values())
    Path("/proc/self/clear_refs").write_text("5")
    before, start = status("VmRSS"), time.perf_counter()
    {"aotwin": with_aotwin, "torch": with_torch}[way](program, Path(folder))
    seconds = time.perf_counter() - start
    rise = status("VmHWM") - before
    figures = {"weights": weights, "before": before, "rise": rise, "seconds": seconds}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
