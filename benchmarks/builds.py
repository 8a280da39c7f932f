"""Whole builds, each beside its reference of the same run, in turns: wall, CPU and memory.

    python benchmarks/builds.py [--cases native many ...] [--repeats 5] [--work FOLDER]
        [--json FILE] [--page FOLDER]

A figure is of a whole process and all that it starts (compilers, readers). Each process is a new
one, as frontends start them; the toolchain is warm but in the cold cases, results are kept in a
folder of the run's own. Results go to the JSON file case by case: what was not run stays as it is.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from results import table
from whole_builds import again, cold, first, page, scaling
from whole_builds.cost import Cost
from whole_builds.place import Place

#: case -> what measures it, and what of the machine's cache it has
CASES: Mapping[str, Callable[[Place, int], dict[str, list[Cost]]]] = {
    "in-code": again.in_code,
    "other-weights": again.other_weights,
    "saved": again.saved,
    "saved-base": again.saved_base,
    "wrapper": again.wrapper,
    "native": first.native,
    "many": first.many,
    "many-small": first.many_small,
    "nothing": first.nothing,
    "cold-zig": cold.zig,
    "cold": cold.first_build,
    "imported": cold.imported,
    **scaling.CASES,
}
#: case -> what of the machine's cache it has, where that is not all of the toolchain
_WARM: Mapping[str, tuple[str, ...]] = {
    "cold-zig": (),
    "cold": (),
    # The archive has zig's run time compiled anew, by its path in the cache of the place.
    "imported": ("sysroots", "runtime", "objects"),
}


def main() -> int:
    """Measure; 1 where a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--work", type=Path, help="a folder for projects and caches: 20 GB")
    parser.add_argument("--json", type=Path, default=Path("builds.json"))
    parser.add_argument("--page", type=Path, help="write builds.md's table and builds.svg there")
    options = parser.parse_args()
    for name in options.cases:
        with tempfile.TemporaryDirectory(dir=options.work) as folder:
            place = Place(Path(folder) / name, **({"warm": _WARM[name]} if name in _WARM else {}))
            page.merge(options.json, name, CASES[name](place, options.repeats))
    whole = page.costs_in(page.read(options.json))
    rows = page.rows(whole)
    print(table(rows))
    if options.page:
        page.write_page(options.page / "builds.md", whole)
        scaling.draw(whole, options.page / "builds.svg")
    return 0 if all(row.reached for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
