"""A machine that has built nothing yet, without and with an archive of what it would compile."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from results import Row

from whole_builds.cost import Cost, median
from whole_builds.place import BUILD, MINILM, Place

#: zig's run time alone, in a cache of its own, with the machine to itself
_ZIG = """
import sys
from dataclasses import replace
from pathlib import Path
from aotwin.adapters.tools.zig import WARM_UP_SOURCE, find_zig
from aotwin.stages.link import runtime_flags
from aotwin.target.toolchain import load_toolchain

work = Path(sys.argv[1])
(work / "warm_up.cpp").write_text(WARM_UP_SOURCE)
zig = replace(find_zig(), cache_dir=work / "cache")
command = [*runtime_flags(load_toolchain("windows")), "warm_up.cpp", "-o", "warm_up.dll"]
zig.run(command, cwd=work, doing="the C++ run time")
"""
_TOOLCHAIN = [sys.executable, "-m", "aotwin", "toolchain"]
Costs = Mapping[str, list[Cost]]


def zig(place: Place, _: int) -> dict[str, list[Cost]]:
    """zig's own cold time."""
    return {"zig": [place.run(_ZIG)]}


def first_build(place: Place, _: int) -> dict[str, list[Cost]]:
    """The first build on a machine whose cache is empty: the sysroot is fetched, too."""
    place.one_model(MINILM)
    return {"cold": [place.run(BUILD)], "warm": [place.run(BUILD, AOTWIN_NO_CACHE="1")]}


def imported(place: Place, repeats: int) -> dict[str, list[Cost]]:
    """An empty cache that is given an archive of a warm one, and the first build then.

    The sysroot, which is fetched and not compiled, is there.
    """
    archive = place.folder / "toolchain.tar.xz"
    place.command([*_TOOLCHAIN, "export", str(archive)])
    place.one_model(MINILM)
    costs: dict[str, list[Cost]] = {"import": [], "first": [], "warm": []}
    for _ in range(repeats):
        for kind in ("zig", "runtime", "objects", "results"):
            _forget(place.cache / kind)
        costs["import"].append(place.command([*_TOOLCHAIN, "import", str(archive)]))
        costs["first"].append(place.run(BUILD))
        costs["warm"].append(place.run(BUILD, AOTWIN_NO_CACHE="1"))
    return costs


def _forget(folder: Path) -> None:
    """Take a folder out of the cache, where it may be the machine's own, by link."""
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def rows(whole: Mapping[str, Costs]) -> list[Row]:
    """The lines of those of the three that were measured."""
    found = []
    if {"cold-zig", "cold"} <= whole.keys():
        zig_alone = median(whole["cold-zig"]["zig"])
        cold, warm = (median(whole["cold"][name]) for name in ("cold", "warm"))
        what = ("cold machine", "first build")
        one_by_one = zig_alone + warm
        reached = cold < one_by_one
        found.append(Row(*what, cold, one_by_one, "s", "zig, then the build", "less", reached))
    if "imported" in whole:
        first, taken, warm = (
            median(whole["imported"][name]) for name in ("first", "import", "warm")
        )
        what, name, near = "cold machine, archive imported", "a warm build", first <= warm + 2
        found += [
            Row(what, "import", taken, warm, "s", name, "10 s", taken <= 10),
            Row(what, "first build", first, warm, "s", name, "2 s more", near),
        ]
    return found
