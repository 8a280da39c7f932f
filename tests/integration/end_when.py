"""Run a command, send it signals when its stderr says something, and see how all of it ends.

python end_when.py TEXT SIGNAL[,SIGNAL...] COMMAND...

Signals go to the command's own process, not to those that it started. Prints JSON on stdout: its
exit code (negative for a signal), its stderr, and how those of its processes ended that it did not
wait for itself. Returns when the last of them has ended.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence

#: <linux/prctl.h>: orphans below this process become its children
PR_SET_CHILD_SUBREAPER = 36


def main(text: str, signals: Sequence[str], command: Sequence[str]) -> None:
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit("this process cannot wait for orphans")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The command inherits what is ignored; under nohup or `&` that is some of them.
        signal.signal(number, signal.SIG_DFL)
    said = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if text in line:
                for name in signals:
                    process.send_signal(signal.Signals[name])
            if process.poll() is not None:
                # What it started may hold the pipe open.
                said += process.stderr
        code = process.wait()
    print(json.dumps({"code": code, "stderr": "".join(said), "orphans": list(orphans())}))


def orphans() -> Iterator[int]:
    """Exit codes, one for each process, as they end."""
    while True:
        try:
            _, status = os.wait()
        except ChildProcessError:
            return
        yield os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2].split(","), sys.argv[3:])
