"""Runs all cases through a library, going on after each one that ends the process.

python tests/operators/oracle.py LIBRARY CASES.npz REPORT.jsonl [--only NAME,NAME] [--torch]
python tests/operators/oracle.py --summary REPORT.jsonl
"""

from __future__ import annotations

import collections
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RUNNER = Path(__file__).with_name("runner.py")
#: crashes after which the rest is given up
_MOST_CRASHES = 300
#: values whose errors tell something: of two equally good sums of 8 values, one in a hundred has an
#: error 2.5 times that of the other, of 64 values none
_MANY = 64

#: runs a Python with arguments, and says its exit code
Start = Callable[[Sequence[str]], int]


@dataclass(frozen=True)
class Line:
    """What the report says of one case."""

    number: int
    status: str
    shim: str
    dtype: str
    detail: str


def run_all(
    start: Start,
    library: str,
    cases: str,
    report: Path,
    more: Sequence[str] = (),
    *,
    spelled: Callable[[Path], str] = str,
) -> None:
    """Run the runner until it has come to the end; a case that ends it is written down as such.

    Args:
        start: runs a Python with arguments.
        library: as that Python spells the path.
        cases: as that Python spells the path.
        report: is written anew.
        more: further arguments of the runner.
        spelled: how that Python spells a path of here.
    """
    at = Path(f"{report}.at")
    for file in (report, at, Path(f"{report}.stack")):
        file.unlink(missing_ok=True)
    first = 0
    for _ in range(_MOST_CRASHES):
        code = start([str(RUNNER), library, cases, spelled(report), str(first), *more])
        number, name, *what = at.read_text("utf-8").split() if at.exists() else ["", "", ""]
        if number == "-1":
            return
        if not number:
            raise RuntimeError(f"the runner ended with {code} before its first case")
        crash = [int(number), "crashed", name, " ".join(what), f"the process ended with {code}"]
        with report.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(crash) + "\n")
        first = int(number) + 1
        at.unlink()


def lines(report: Path) -> list[Line]:
    return [Line(*json.loads(text)) for text in report.read_text("utf-8").splitlines()]


def summary(report: Path) -> str:
    """One line per function that is not all right, then the totals."""
    by_shim: dict[str, list[Line]] = collections.defaultdict(list)
    for line in lines(report):
        by_shim[line.shim].append(line)
    text, totals = [], collections.Counter[str]()
    for shim, found in sorted(by_shim.items()):
        counts = collections.Counter(line.status for line in found)
        totals.update(counts)
        wrong = [line for line in found if line.status in ("failed", "crashed")]
        if wrong:
            text.append(f"{shim}: {counts['passed']} passed, {len(wrong)} wrong")
            seen = collections.Counter(f"{line.dtype}" for line in wrong)
            text.append("    " + " ".join(f"{dtype}:{count}" for dtype, count in seen.items()))
            text += [f"    #{one.number} {one.dtype}: {one.detail[:230]}" for one in wrong[:3]]
    worst = _ratios(by_shim)
    absent = [shim for shim, found in by_shim.items() if all(x.status == "absent" for x in found)]
    counted = " ".join(f"{status} {count}" for status, count in totals.items())
    return "\n".join([*text, *worst, f"absent: {len(absent)} functions", counted])


def _ratios(by_shim: dict[str, list[Line]]) -> list[str]:
    return [
        f"error against float64, torch's = 1: {which}: {each}"
        for which, each in ratios(by_shim).items()
    ]


@dataclass(frozen=True)
class Ratios:
    """Errors against float64 as multiples of torch's, of the cases of one function and dtype."""

    #: case by case
    all: Sequence[float]
    #: those of cases with many values: errors of a few are chance
    of_many: Sequence[float]

    @property
    def mean(self) -> float:
        return statistics.mean(self.all)

    @property
    def worst(self) -> float:
        return max(self.of_many, default=0.0)

    def __str__(self) -> str:
        return f"mean {self.mean:.2f}, worst {self.worst:.2f} of {len(self.all)}"


def ratios(by_shim: Mapping[str, Sequence[Line]]) -> dict[str, Ratios]:
    """Errors of products, by function and dtype."""
    found: dict[str, list[tuple[float, int]]] = collections.defaultdict(list)
    for shim, each in sorted(by_shim.items()):
        for line in each:
            for part in line.detail.split("; "):
                if line.status == "passed" and part.startswith("ratio="):
                    ratio, _, values = part.removeprefix("ratio=").partition(" of ")
                    found[f"{shim} {line.dtype}"].append((float(ratio), int(values)))
    return {
        which: Ratios(
            [ratio for ratio, _ in each], [ratio for ratio, values in each if values >= _MANY]
        )
        for which, each in found.items()
    }


def start_here(arguments: Sequence[str]) -> int:
    return subprocess.run([sys.executable, *arguments], check=False).returncode


def main(arguments: list[str]) -> int:
    if arguments[0] == "--summary":
        print(summary(Path(arguments[1])))
        return 0
    library, cases, report, *more = arguments
    run_all(start_here, library, cases, Path(report), more)
    print(summary(Path(report)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
