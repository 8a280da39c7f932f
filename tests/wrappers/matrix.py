"""Ready wrappers of every pinned torch, built, and run in every Windows torch under Wine.

A script as well: it runs the whole matrix and writes what docs/reference/compatibility.md shows.

    PYTHONPATH=ci:tests/wrappers python tests/wrappers/matrix.py
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

from aotwin import build_model
from aotwin.target.toolchain import load_toolchain
from windows_on_wine import WindowsPython, ensure
from windows_on_wine.torches import windows_torch

WRAPPERS = Path(__file__).parent
MATRIX = WRAPPERS.parents[1] / "docs" / "reference" / "compatibility.json"
VERSIONS = load_toolchain("windows").torch_versions
NAMES = ("tour", "counter", "folded")
#: what the Windows environment itself has
INSTALLED = "2.13.0"

#: (version of the torch that generated it, name) -> folder, or whatever became of it
Models = Mapping[tuple[str, str], Path]


def build(version: str, name: str, runtime: str, folder: Path) -> Path:
    """Build one wrapper; returns the model's folder."""
    wrapper = WRAPPERS / version / name
    built = build_model(wrapper, folder / version, name=name, runtime=runtime, torch=version)
    return built.directory


def build_all(
    runtime: str, folder: Path, names: Sequence[str] = NAMES, versions: Sequence[str] = VERSIONS
) -> dict[tuple[str, str], Path]:
    """Build the wrappers of every version."""
    return {pair: build(*pair, runtime, folder) for pair in product(versions, names)}


def runs_with(model: Path) -> list[str]:
    """The torches that a model's manifest names."""
    named: list[str] = json.loads((model / "aotwin.json").read_bytes())["torch"]["runs_with"]
    return named


def problems(
    windows: WindowsPython, models: Models, torch: str | None
) -> dict[tuple[str, str], str]:
    """Each model called with its samples in a Windows Python: "", or what was wrong.

    Args:
        torch: the version that it has; None: none.
    """
    arguments = [
        each
        for (version, name), folder in models.items()
        for each in (folder, WRAPPERS / version / name / "samples.npz")
    ]
    script = WRAPPERS / "run_packages.py"
    done = windows.python(
        [script, "without" if torch is None else "with", *arguments],
        pythonpath=[] if torch in (None, INSTALLED) else [windows_torch(torch)],
        timeout=1800,
    )
    said = json.loads(done.stdout.splitlines()[-1])
    return {pair: said[windows.path(folder)] for pair, folder in models.items()}


def main() -> None:
    """Run the matrix and write it down."""
    windows = ensure()
    rows: dict[str, dict[str, str]] = {version: {} for version in VERSIONS}
    with tempfile.TemporaryDirectory() as folder:
        models = build_all("torch", Path(folder))
        for torch in VERSIONS:
            found = problems(windows, models, torch)
            for version in VERSIONS:
                texts = [found[version, name] for name in NAMES]
                rows[version][torch] = next((text for text in texts if text), "")
                print(f"{version} in {torch}: {rows[version][torch] or 'runs'}", file=sys.stderr)
    MATRIX.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
