"""Check one file, then print what this process and its children took, as JSON.

python limits_probe.py all|pefile|lief FILE
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from aotwin.adapters.pe.readers import read_with
from aotwin.stages.check.paths import check_path


def peak_nbytes() -> int:
    """This program's peak; ru_maxrss would also count who started it, up to its exec."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (row,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(row.split()[1]) * 1024


def main(what: str, path: Path) -> None:
    """Check a file, or read it with one reader."""
    if what == "all":
        check_path(path, None)
    else:
        read_with(what, path.read_bytes())
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        json.dumps(
            {
                "own_nbytes": peak_nbytes(),
                # of the largest child: with one reader there is one only
                "child_nbytes": children.ru_maxrss * 1024,
                "seconds": own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
