"""Run by the Windows Python: one way to load a model, timed. Prints one JSON object.

python load_in_python.py package FOLDER NAME | archive FILE.pt2
"""

import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

WIDTH = 4096


def package(folder: str, name: str) -> Callable[[], Any]:
    """Import the model's package and load it."""
    sys.path.insert(0, folder)
    return lambda: importlib.import_module(name).load()


def archive(path: str) -> Callable[[], Any]:
    """Load with torch's own loader."""
    from torch._inductor import aoti_load_package

    return lambda: aoti_load_package(path)


def main() -> None:
    way, *arguments = sys.argv[1:]
    load = archive(*arguments) if way == "archive" else package(*arguments)
    start = time.perf_counter()
    model = load()
    loaded = time.perf_counter()
    with torch.no_grad():
        result = model(torch.ones(2, WIDTH))
    ran = time.perf_counter()
    figures = {"load": loaded - start, "first_run": ran - loaded, "output": float(result[0][0])}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
