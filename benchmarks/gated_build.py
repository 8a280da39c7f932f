"""One build of the sentence encoder, with the check of its DLL or without. Prints its stages.

    python gated_build.py gated|ungated FOLDER

To be run in examples/sentence-embeddings. The last line on stdout is JSON: title and seconds of
each stage.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import aotwin
from aotwin import assembly
from aotwin.adapters.pe.readers import Readers
from aotwin.progress import Progress


def main() -> None:
    way, folder = sys.argv[1:]
    if way == "ungated":
        vars(assembly)["require_sound"] = lambda *_, **__: ()
        Readers.start = lambda _: None  # type: ignore[method-assign]
    progress = Progress(quiet=True)
    aotwin.build_model(
        "export_model:encoder", Path(folder), name="encoder", progress=progress, runtime="torch"
    )
    print(json.dumps(progress.seconds))


if __name__ == "__main__":
    main()
