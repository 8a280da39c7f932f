"""Run by the Windows Python: built packages called with their samples. Prints one JSON object.

    python run_packages.py with|without [PACKAGE_FOLDER SAMPLES] ...

`with` and `without` say whether torch is imported. Of each package it says "" or what was wrong.
"""

import importlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from calls import call_package


def problem_of(folder: Path, samples: Path) -> str:
    sys.path.insert(0, str(folder.parent))
    try:
        call_package(importlib.import_module(folder.name).load(), samples)
    except Exception as error:
        return f"{type(error).__name__}: {error}".strip()[:600]
    finally:
        sys.path.pop(0)
        for name in [each for each in sys.modules if each.partition(".")[0] == folder.name]:
            del sys.modules[name]
    return ""


if __name__ == "__main__":
    if sys.argv[1] == "with":
        import torch  # noqa: F401
    pairs = zip(sys.argv[2::2], sys.argv[3::2], strict=True)
    results = {folder: problem_of(Path(folder), Path(samples)) for folder, samples in pairs}
    if sys.argv[1] == "without":
        assert "torch" not in sys.modules
    print(json.dumps(results))
