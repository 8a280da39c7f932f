"""Builds the three models into a folder, for programs that are no Python.

    python build_models.py -o DIR [--config small|shallow|full] [--checkpoint FOLDER]

`python -m build` makes a wheel of the same; there SPEECH_CONFIG and SPEECH_CHECKPOINT choose.
"""

import argparse
import os
from pathlib import Path

import export_model

import aotwin

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", dest="folder", type=Path, required=True)
    parser.add_argument("--config", choices=list(export_model.SIZES), default="small")
    parser.add_argument("--checkpoint", help="folder with published weights, for --config full")
    arguments = parser.parse_args()
    os.environ["SPEECH_CONFIG"] = arguments.config
    if arguments.checkpoint:
        os.environ["SPEECH_CHECKPOINT"] = arguments.checkpoint
    for name in ("audio_encoder", "token_embedding", "text_decoder"):
        built = aotwin.build_model(
            getattr(export_model, name)(), arguments.folder, name=f"speech.{name}"
        )
        print(built.directory)
