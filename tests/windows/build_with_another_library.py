"""Builds the wheel of the current folder with a run time whose bytes differ from this checkout's.

    python build_with_another_library.py DIST

It stands for another version of aotwin: its DLL's file has another hash, and so another name.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from aotwin import build_meta
from aotwin.adapters.pe.checksum import set_checksum
from aotwin.stages.runtime import libs

#: in every DLL, and read by nobody
STUB = b"This program cannot be run in DOS mode"


def main(dist: str) -> None:
    original = libs.build_library
    with tempfile.TemporaryDirectory() as folder:

        def build_library(*args: Any, **kwargs: Any) -> Path:
            library = Path(folder, "aotwin.dll")
            shutil.copyfile(original(*args, **kwargs), library)
            content = library.read_bytes()
            assert content.count(STUB) == 1
            library.write_bytes(content.replace(STUB, STUB.upper()))
            set_checksum(library)
            return library

        libs.build_library = build_library  # type: ignore[assignment]
        build_meta.build_wheel(dist, {"target": "windows", "runtime": "own"})


if __name__ == "__main__":
    main(sys.argv[1])
