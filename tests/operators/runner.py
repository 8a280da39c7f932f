"""Calls a library's C functions with the cases of a file, and says where results differ.

    python runner.py LIBRARY CASES.npz REPORT.jsonl [FIRST] [--only NAME,NAME] [--torch]

Needs nothing but numpy and ctypes: it runs in a Windows Python without torch, and on Linux. The
report gets a line per case, [number, status, C function, dtype, detail]; the line of a case is
written when it is done, and the file REPORT.jsonl.at holds the number of the one under way, so
that a driver knows which one ended the process and where to go on. With --torch the library is
torch's own, which does not check what handles are.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import case_file
from handle_checks import handle_checks
from library import Library, MismatchError
from running import Run
from service_checks import service_checks
from tensor_checks import tensor_checks

#: seconds without progress after which the process ends itself
_PATIENCE = 120


class Report:
    """The lines of the report, and which case is under way."""

    def __init__(self, path: Path) -> None:
        self.lines = path.open("a", encoding="utf-8", newline="\n")
        self.at = os.open(f"{path}.at", os.O_CREAT | os.O_WRONLY, 0o644)

    def begin(self, number: int, name: str, dtype: str) -> None:
        os.lseek(self.at, 0, os.SEEK_SET)
        os.write(self.at, f"{number:8d} {name} {dtype}".ljust(160).encode())

    def end(self, number: int, status: str, name: str, dtype: str, detail: str) -> None:
        self.lines.write(json.dumps([number, status, name, dtype, detail]) + "\n")
        self.lines.flush()

    def close(self) -> None:
        self.begin(-1, "done", "")
        self.lines.close()


Check = tuple[str, str, Callable[[], str]]


def jobs(
    library: Library, document: dict[str, Any], data: bytes, torchs: bool
) -> Iterator[tuple[str, str, Callable[[int], str]]]:
    """All that is done, in an order that is always the same: name, dtype, what to do."""
    for case in document["cases"]:

        def one(number: int, case: dict[str, Any] = case) -> str:
            running = Run(library, case, data, number)
            try:
                return running.run(document["shims"][case["shim"]])
            finally:
                running.close()

        yield case["shim"], case["dtype"], one
    for name, what, check in tensor_checks(library, torchs):
        yield name, what, lambda _, check=check: check()
    for name, what, check in service_checks(
        library, document["shims"], document["cases"], data, torchs
    ):
        yield name, what, lambda _, check=check: check()
    if not torchs:
        for name, what, check in handle_checks(library, document["shims"], document["cases"], data):
            yield name, what, lambda _, check=check: check()


def main(arguments: list[str]) -> int:
    torchs = "--torch" in arguments
    only: set[str] = set()
    if "--only" in arguments:
        place = arguments.index("--only")
        only = set(arguments[place + 1].split(","))
        del arguments[place : place + 2]
    words = [word for word in arguments if word != "--torch"]
    path, cases, report_path = words[:3]
    first = int(words[3]) if len(words) > 3 else 0
    document, data = case_file.read(Path(cases))
    library = Library(path)
    report = Report(Path(report_path))
    stacks = Path(f"{report_path}.stack").open("a")  # noqa: SIM115
    faulthandler.enable(stacks)
    for number, (name, what, check) in enumerate(jobs(library, document, data, torchs)):
        if number < first or (only and not any(part in name for part in only)):
            continue
        if number % 64 == 0:
            faulthandler.dump_traceback_later(_PATIENCE, exit=True, file=stacks)
        report.begin(number, name, what)
        if not library.has(name):
            report.end(number, "absent", name, what, "")
            continue
        try:
            remark = check(number)
            status = "passed"
        except MismatchError as mismatch:
            remark, status = str(mismatch), "failed"
        except Exception as error:
            remark, status = f"{type(error).__name__}: {error}", "failed"
        report.end(number, status, name, what, remark)
    report.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
