"""A session of Wine whose programs are Windows' Python and what tests start."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import IO

from aotwin.adapters.tools import wine

#: what pytest-cov tells its own child processes, none of which runs in Wine
COVERAGE = "COV_CORE_"


class Session(wine.Session):
    """Adds what a Python on Windows needs."""

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The variables of a program in this session."""
        # UTF-8 in the pipes, and nothing else changed as PYTHONUTF8 would.
        variables = super().environment({"PYTHONIOENCODING": "utf-8", **(extra or {})})
        return {name: text for name, text in variables.items() if not name.startswith(COVERAGE)}

    def relay(self, command: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
        """Run a Windows program, passing on its output as it comes; its exit code."""
        self.start()
        process = subprocess.Popen(
            [str(self.wine.loader), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(env),
        )
        assert process.stdout is not None and process.stderr is not None
        ways = [(process.stdout, sys.stdout.buffer), (process.stderr, sys.stderr.buffer)]
        threads = [threading.Thread(target=_pass_on, args=way) for way in ways]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return process.wait()


def _pass_on(source: IO[bytes], sink: IO[bytes]) -> None:
    with source:
        for line in source:
            sink.write(line.replace(b"\r\n", b"\n"))
            sink.flush()
