"""Dependencies run one way: doors -> pipeline -> stages -> adapters -> values, with no circle.

Read from the import statements of every module, those inside functions too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import aotwin

ROOT = Path(aotwin.__file__).parent
#: floors of the house, from the top; each room stands on one, and imports from floors below it
FLOORS = (
    ("aotwin", "aotwin.__main__", "aotwin.build_meta", "aotwin.cli", "aotwin.doctor"),
    ("aotwin.pinning", "aotwin.warm_archive"),
    ("aotwin.checking", "aotwin.pipeline", "aotwin.reporting", "aotwin.verifying"),
    ("aotwin.prebuilt", "aotwin.proving", "aotwin.toolchain_archive"),
    ("aotwin.prebuilt_folder", "aotwin.prebuilt_weights"),
    ("aotwin.assembly",),
    ("aotwin.generation",),
    ("aotwin.bindings", "aotwin.blobs", "aotwin.outcome"),
    ("aotwin.session",),
    ("aotwin.stages",),
    ("aotwin.configuration", "aotwin.adapters"),
    ("aotwin.target", "aotwin.formats"),
    (
        "aotwin.errors",
        "aotwin.model_spec",
        "aotwin.own_code",
        "aotwin.portable_names",
        "aotwin.progress",
        "aotwin.proof_samples",
        "aotwin.reproducible",
        "aotwin.termination",
        "aotwin.values",
        "aotwin.version",
        "aotwin.weights_layout",
        "aotwin.weights_source",
    ),
    ("aotwin.payload",),
)
#: what a whole build strings together, and nobody else may import
STAGES = "aotwin.stages"


def modules() -> dict[str, ast.Module]:
    """Dotted name -> syntax tree of every module of the package."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        dotted = ".".join(("aotwin", *path.relative_to(ROOT).with_suffix("").parts))
        found[dotted.removesuffix(".__init__")] = ast.parse(path.read_text(encoding="utf-8"))
    return found


MODULES = modules()


def imports(name: str) -> Iterator[str]:
    """The modules of aotwin that a module imports, whatever of them it uses."""
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            names = {f"{node.module}.{each.name}" for each in node.names} & MODULES.keys()
            yield from names or {node.module}


ARROWS = sorted((name, used) for name in MODULES for used in imports(name) if used != name)


def floor(name: str) -> int:
    """The floor that a module is on; its package's, if it has none of its own."""
    here = name
    while True:
        for number, rooms in enumerate(FLOORS):
            if here in rooms and (here != "aotwin" or name == "aotwin"):
                return number
        here, dot, _ = here.rpartition(".")
        assert dot, f"{name} stands on no floor: name its room in FLOORS"


def room(name: str) -> str:
    """The folder that a module lies in; a module of the first level is a room of its own."""
    inner = name.split(".")[1:]
    is_package = (ROOT / Path(*inner)).is_dir()
    parts = inner if is_package else inner[:-1] or inner
    return ".".join(("aotwin", *parts))


def wing(name: str) -> str:
    """The stage that a module belongs to, or "" where it belongs to none."""
    return ".".join(name.split(".")[:3]) if name.startswith(f"{STAGES}.") else ""


def test_every_module_stands_on_a_floor() -> None:
    assert {floor(name) for name in MODULES} == set(range(len(FLOORS)))


def test_nothing_imports_from_a_floor_above_its_own() -> None:
    assert [f"{name} imports {used}" for name, used in ARROWS if floor(used) < floor(name)] == []


def test_no_rooms_need_each_other() -> None:
    needs: dict[str, set[str]] = {}
    for name, used in ARROWS:
        if room(name) != room(used):
            needs.setdefault(room(name), set()).add(room(used))
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = error.args[1]
        arrows = [
            f"{name} imports {used}"
            for name, used in ARROWS
            if (room(name), room(used)) in set(zip(circle[1:], circle, strict=False))
        ]
        raise AssertionError(f"rooms in a circle: {circle}; {arrows}") from None


def test_a_wing_is_entered_by_its_face_only() -> None:
    assert [
        f"{name} imports {used}"
        for name, used in ARROWS
        if wing(used) and wing(used) != wing(name) and used != wing(used)
    ] == []


def test_payload_imports_nothing_of_the_rest() -> None:
    assert [used for name, used in ARROWS if name.startswith("aotwin.payload")] == []
