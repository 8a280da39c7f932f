"""A project in a folder of its own, with a cache of its own, in which processes are timed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from compileall import compile_dir
from pathlib import Path

import aotwin
from aotwin.adapters.storage.cache import cache_dir
from whole_builds.cost import Cost, cost_of

#: what is warm in every build, unless a case says otherwise
_TOOLCHAIN = ("sysroots", "zig", "runtime", "objects")

_EXPORT = """
import torch
from transformers import BertConfig, BertModel


class Encoder(torch.nn.Module):
    def __init__(self, layers, hidden):
        super().__init__()
        config = BertConfig(num_hidden_layers=layers, hidden_size=hidden, num_attention_heads=12,
                            intermediate_size=4 * hidden, vocab_size=VOCABULARY)
        self.bert = BertModel(config, add_pooling_layer=False)

    def forward(self, input_ids, attention_mask):
        return self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def program(layers=LAYERS, hidden=HIDDEN, seed=SEED):
    torch.manual_seed(seed)
    encoder = Encoder(layers, hidden).eval()
    ids = torch.randint(0, VOCABULARY, (1, 128))
    return torch.export.export(encoder, (ids, torch.ones_like(ids)))
"""
_PROJECT = """
[build-system]
requires = ["{backend}"]
build-backend = "{backend}.build_meta"

[project]
name = "demo"
version = "1.0"

[tool.setuptools]
packages = ["demo"]
"""
_MODEL = """
[tool.aotwin.models."demo.{name}"]
{source}
cpu = {cpu}
"""
#: the wheel hook alone, for the target: builds are measured without isolation
BUILD = """
import sys
from aotwin import build_meta
print(build_meta.build_wheel(sys.argv[1], {"target": "windows"}))
"""
EXPORT_ALONE = "import export_model; export_model.program()"

#: layers, width, words: of the size of MiniLM, BERT-base, and the last two of layers of 100 MB
MINILM, BERT_BASE = (6, 384, 30522), (12, 768, 30522)
WIDE = (1440, 1000)
TINY = (1, 48, 100)


class Place:
    """A project and a cache in a folder.

    Args:
        folder: made by this, and the caller's to remove.
        warm: what of the machine's cache it has.
    """

    def __init__(self, folder: Path, warm: tuple[str, ...] = _TOOLCHAIN) -> None:
        # As installed: byte code is there.
        compile_dir(Path(aotwin.__file__).parent, quiet=2)
        self.folder = folder
        self.cache = folder / "cache"
        self.cache.mkdir(parents=True)
        for kind in warm:
            (self.cache / kind).symlink_to(cache_dir() / kind, target_is_directory=True)
        self.project = folder / "project"
        (self.project / "demo").mkdir(parents=True)
        (self.project / "demo" / "__init__.py").write_text("")

    def write(self, *models: tuple[str, str, list[str]], backend: str = "aotwin") -> None:
        """The project's configuration: name, source and CPU levels of its models."""
        tables = [_MODEL.format(name=name, source=source, cpu=cpu) for name, source, cpu in models]
        text = "".join((_PROJECT.format(backend=backend), *tables))
        (self.project / "pyproject.toml").write_text(text)

    def module(self, size: tuple[int, int, int], seed: int = 0, name: str = "export_model") -> None:
        """A module that exports an encoder."""
        text = _EXPORT
        names = ("LAYERS", "HIDDEN", "VOCABULARY", "SEED")
        for word, number in zip(names, (*size, seed), strict=True):
            text = text.replace(word, str(number))
        (self.project / f"{name}.py").write_text(text)

    def one_model(self, size: tuple[int, int, int]) -> None:
        """A project with one encoder, exported by its module."""
        self.module(size)
        self.write(("model", 'program = "export_model:program"', ["x86-64-v3"]))

    def warm_up(self, levels: list[str]) -> None:
        """Have compiled what a machine compiles once for all models of a CPU level."""
        self.module(TINY)
        self.write(("model", 'program = "export_model:program"', levels))
        self.run(BUILD)

    def run(self, script: str, *, clean: bool = True, **environ: str) -> Cost:
        """Run Python in the project, with the folder for its results as the argument."""
        return self.command([sys.executable, "-c", script, str(self.dist(clean=clean))], **environ)

    def command(self, command: list[str], **environ: str) -> Cost:
        """Run any command in the project."""
        return cost_of(
            command,
            cwd=self.project,
            env=os.environ
            | {"AOTWIN_CACHE_DIR": str(self.cache), "TMPDIR": str(self.folder)}
            | {"PYTHONDONTWRITEBYTECODE": "1"}
            | environ,
            log=self.folder / "log.txt",
        )

    def dist(self, *, clean: bool = True) -> Path:
        """The folder of results, an empty one."""
        folder = self.folder / "dist"
        if clean:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(self.project / "build", ignore_errors=True)
            folder.mkdir()
        return folder


def in_turns(ways: Mapping[str, Callable[[], Cost]], repeats: int) -> dict[str, list[Cost]]:
    """Costs of each way, measured in turns."""
    found: dict[str, list[Cost]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            found[name].append(way())
    return found
