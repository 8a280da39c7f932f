"""Drives hosts/weights_host.c: commands in, one JSON object per command out."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windows_on_wine import WindowsPython

Answer = dict[str, Any]


def outputs(answer: Answer) -> list[Any]:
    """What a `run` that must have succeeded returned, one flat list per output."""
    assert answer["error"] == 0, answer["message"]
    return list(answer["outputs"])


@dataclass(frozen=True)
class WeightsHost:
    """A C program that loads model DLLs, under Wine."""

    windows: WindowsPython
    program: Path

    def path(self, path: Path) -> str:
        r"""A Linux path in the form that has no length limit: \\?\Z:\..."""
        return "\\\\?\\" + self.windows.path(path)

    def run(
        self,
        *commands: tuple[str | int | float | Path, ...],
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> list[Answer]:
        """Run commands in one process; paths are spelled for Windows.

        Returns:
            What each command answered, in order. A host that dies in between is a failure.
        """
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder, "script.txt")
            script.write_text(
                "".join("\t".join(map(self._word, command)) + "\n" for command in commands),
                encoding="utf-8",
                newline="\n",
            )
            torch = self.windows.torch_lib / "torch_cpu.dll"
            done = self.windows.exe(
                self.program, [torch, script], env=env, cwd=cwd, timeout=120, check=False
            )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0, (answers[-1:], done.stderr)
        assert len(answers) == len(commands)
        return answers

    def _word(self, word: str | int | float | Path) -> str:
        return self.path(word) if isinstance(word, Path) else str(word)
