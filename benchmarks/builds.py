"""Whole builds, each beside its reference of the same run, in turns: wall and CPU seconds.

    build/venv/bin/python benchmarks/builds.py --json builds.json [--cases unchanged,native]

A figure is of a whole process and all that it starts (compilers, readers). Each process is a new
one, as frontends start them; the toolchain is warm, results are kept in a folder of the run's own.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from results import Row, finish

from aotwin.adapters.storage.cache import cache_dir

#: what is warm in every build
_TOOLCHAIN = ("sysroots", "zig", "runtime", "objects")

EXPORT = """
import torch
from transformers import BertConfig, BertModel


class Encoder(torch.nn.Module):
    def __init__(self, layers, hidden):
        super().__init__()
        config = BertConfig(num_hidden_layers=layers, hidden_size=hidden, num_attention_heads=12,
                            intermediate_size=4 * hidden)
        self.bert = BertModel(config, add_pooling_layer=False)

    def forward(self, input_ids, attention_mask):
        return self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def program(layers=LAYERS, hidden=HIDDEN, seed=SEED):
    torch.manual_seed(seed)
    ids = torch.randint(0, 30522, (1, 128))
    return torch.export.export(Encoder(layers, hidden).eval(), (ids, torch.ones_like(ids)))
"""
#: of the size of MiniLM, and BERT-base
SMALL, BASE = (6, 384), (12, 768)

PROJECT = """
[build-system]
requires = ["aotwin"]
build-backend = "aotwin.build_meta"

[project]
name = "demo"
version = "1.0"

[tool.setuptools]
packages = ["demo"]
"""
MODEL = """
[tool.aotwin.models."demo.{name}"]
{source}
cpu = {cpu}
"""

HOOK = """
import sys
from aotwin import build_meta
print(build_meta.build_wheel(sys.argv[1], {"target": "windows"}))
"""
PLAIN_HOOK = """
import sys
from BACKEND import build_meta
build_meta.build_wheel(sys.argv[1])
"""
NATIVE = """
import export_model, torch._inductor, warnings
warnings.simplefilter("ignore")
torch._inductor.aoti_compile_and_package(export_model.program(), package_path="native.pt2")
"""
EXPORT_ALONE = "import export_model; export_model.program()"
SAVE = 'import export_model, torch; torch.export.save(export_model.program(), "model.pt2")'


@dataclass(frozen=True)
class Cost:
    """What one process and all that it started have taken."""

    wall: float
    cpu: float


class Place:
    """A project in a folder of its own, with a cache of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.cache.mkdir(parents=True)
        for kind in _TOOLCHAIN:
            (self.cache / kind).symlink_to(cache_dir() / kind, target_is_directory=True)
        self.project = folder / "project"
        (self.project / "demo").mkdir(parents=True)
        (self.project / "demo" / "__init__.py").write_text("")

    def write(self, *models: tuple[str, str, list[str]]) -> None:
        """The project's configuration: name, source and CPU levels of its models."""
        tables = [MODEL.format(name=name, source=source, cpu=cpu) for name, source, cpu in models]
        (self.project / "pyproject.toml").write_text("".join((PROJECT, *tables)))

    def module(self, size: tuple[int, int], seed: int = 0) -> None:
        """The module that exports a program."""
        text = EXPORT.replace("LAYERS", str(size[0])).replace("HIDDEN", str(size[1]))
        (self.project / "export_model.py").write_text(text.replace("SEED", str(seed)))

    def run(self, script: str, **environ: str) -> Cost:
        """Run Python in the project."""
        target = self.folder / "dist"
        shutil.rmtree(target, ignore_errors=True)
        shutil.rmtree(self.project / "build", ignore_errors=True)
        target.mkdir()
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", script, str(target)],
            check=True,
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ
            | {"AOTWIN_CACHE_DIR": str(self.cache), "TMPDIR": str(self.folder)}
            | {"PYTHONDONTWRITEBYTECODE": "1"}
            | environ,
        )
        wall = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Cost(wall, cpu)


def in_turns(ways: Mapping[str, Callable[[], Cost]], repeats: int) -> dict[str, list[Cost]]:
    """Costs of each way, measured in turns."""
    found: dict[str, list[Cost]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            found[name].append(way())
    return found


def wall(costs: list[Cost]) -> float:
    return statistics.median(cost.wall for cost in costs)


def cpu(costs: list[Cost]) -> float:
    return statistics.median(cost.cpu for cost in costs)


def row(
    what: tuple[str, str],
    figures: tuple[float, float],
    names: tuple[str, str],
    costs: Mapping[str, list[Cost]],
    *,
    reached: bool,
) -> Row:
    """A line of the table: what and its case, measured and reference, its name and the target."""
    samples = {name: [each.__dict__ for each in listed] for name, listed in costs.items()}
    return Row(*what, *figures, "s", *names, reached, samples)


def unchanged(place: Place, repeats: int) -> list[Row]:
    """The second build of a program in code, of a saved one, and with other weights."""
    place.module(SMALL)
    place.write(("model", 'program = "export_model:program"', ["x86-64-v3"]))
    place.run(HOOK)
    costs = in_turns(
        {
            "export": lambda: place.run(EXPORT_ALONE),
            "second": lambda: place.run(HOOK),
            "without": lambda: place.run(HOOK, AOTWIN_NO_CACHE="1"),
        },
        repeats,
    )
    beyond = wall(costs["second"]) - wall(costs["export"])
    rows = [
        row(
            ("unchanged, program in code", "beyond the export"),
            (beyond, wall(costs["without"]) - wall(costs["export"])),
            ("no cache", "1.5 s"),
            costs,
            reached=beyond <= 1.5,
        )
    ]

    seeds = iter(range(1, 100))

    def other_weights() -> Cost:
        place.module(SMALL, next(seeds))
        return place.run(HOOK)

    costs = in_turns(
        {"other": other_weights, "without": lambda: place.run(HOOK, AOTWIN_NO_CACHE="1")}, repeats
    )
    rows.append(
        row(
            ("other weights, program in code", "wall"),
            (wall(costs["other"]), wall(costs["without"])),
            ("no cache", "less"),
            costs,
            reached=wall(costs["other"]) < wall(costs["without"]),
        )
    )
    return rows


def saved(place: Place, repeats: int) -> list[Row]:
    """The second build of a program that lies in a file."""
    rows = []
    for name, size in (("MiniLM's size", SMALL), ("BERT-base's size", BASE)):
        place.module(size)
        place.run(SAVE)
        place.write(("model", 'program = "model.pt2"', ["x86-64-v3"]))
        # Only a file that has lain still for a while is known by its times.
        time.sleep(3)
        place.run(HOOK)
        costs = in_turns(
            {
                "second": lambda: place.run(HOOK),
                "without": lambda: place.run(HOOK, AOTWIN_NO_CACHE="1"),
            },
            repeats,
        )
        second, reference = wall(costs["second"]), wall(costs["without"])
        rows.append(
            row(
                ("unchanged .pt2", name),
                (second, reference),
                ("no cache", "2 s"),
                costs,
                reached=second <= 2,
            )
        )
    return rows


def native(place: Place, repeats: int) -> list[Row]:
    """BERT-base from program to checked wheel, beside torch's own compile with g++."""
    place.module(BASE)
    place.write(("model", 'program = "export_model:program"', ["x86-64-v3"]))
    costs = in_turns(
        {
            "export": lambda: place.run(EXPORT_ALONE),
            "aotwin": lambda: place.run(HOOK, AOTWIN_NO_CACHE="1"),
            "native": lambda: place.run(
                NATIVE, TORCHINDUCTOR_CACHE_DIR=tempfile.mkdtemp(dir=place.folder)
            ),
        },
        repeats,
    )
    rows = []
    for name, of in (("wall", wall), ("CPU", cpu)):
        export = of(costs["export"])
        ours, theirs = of(costs["aotwin"]) - export, of(costs["native"]) - export
        rows.append(
            row(
                ("BERT-base, nothing remembered, beyond the export", name),
                (ours, theirs),
                ("g++", "0.6 of it"),
                costs,
                reached=ours <= 0.6 * theirs,
            )
        )
    return rows


def many(place: Place, repeats: int) -> list[Row]:
    """Three models for two CPU levels: how far the cores are used."""
    place.module(SMALL)
    for name in ("one", "two", "three"):
        text = (place.project / "export_model.py").read_text()
        layers = {"one": 2, "two": 3, "three": 4}[name]
        (place.project / f"export_{name}.py").write_text(
            text.replace(f"layers={SMALL[0]}", f"layers={layers}")
        )
    levels = ["x86-64-v3", "x86-64-v4"]
    place.write(
        *((name, f'program = "export_{name}:program"', levels) for name in ("one", "two", "three"))
    )
    costs = in_turns({"all": lambda: place.run(HOOK, AOTWIN_NO_CACHE="1")}, repeats)
    cores = len(os.sched_getaffinity(0))
    measured, ideal = wall(costs["all"]), cpu(costs["all"]) / cores
    return [
        row(
            ("three models x two levels", f"wall on {cores} cores"),
            (measured, ideal),
            ("CPU / cores", "1.2 times it"),
            costs,
            reached=measured <= 1.2 * ideal,
        )
    ]


def nothing(place: Place, repeats: int) -> list[Row]:
    """A build without target, beside setuptools' own."""
    place.module(SMALL)
    place.write(("model", 'program = "export_model:program"', ["x86-64-v3"]))
    costs = in_turns(
        {
            "aotwin": lambda: place.run(PLAIN_HOOK.replace("BACKEND", "aotwin")),
            "setuptools": lambda: place.run(PLAIN_HOOK.replace("BACKEND", "setuptools")),
        },
        repeats * 3,
    )
    ours, theirs = wall(costs["aotwin"]), wall(costs["setuptools"])
    return [
        row(
            ("no target", "one hook"),
            (ours, theirs),
            ("setuptools", "0.05 s more"),
            costs,
            reached=ours - theirs <= 0.05,
        )
    ]


CASES: Mapping[str, Callable[[Place, int], list[Row]]] = {
    "unchanged": unchanged,
    "saved": saved,
    "native": native,
    "many": many,
    "nothing": nothing,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--work", type=Path, help="a folder for projects and caches")
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        for name in options.cases.split(","):
            rows += CASES[name](Place(Path(folder) / name), options.repeats)
    return finish(rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
