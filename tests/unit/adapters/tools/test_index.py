"""What is fetched comes from pip, is measured on its way, and must hash to its pin."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from aotwin.adapters.tools import index
from aotwin.errors import SysrootError
from aotwin.progress import Step
from aotwin.target.toolchain import PinnedFile

CONTENT = b"w" * 3000
PINNED = PinnedFile(
    "torch==2.13.0", "torch.whl", hashlib.sha256(CONTENT).hexdigest(), 3000, "win_amd64", "3.11",
    "cp311",
)  # fmt: skip


def pip(seen: list[tuple[int, int | None]], step: Step, content: bytes = CONTENT) -> object:
    """A pip that fetches in two pieces; after the first, what a stage shows goes to `seen`."""

    def run(
        command: Sequence[str], *, tool: str, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        unpack = Path(env["TMPDIR"], "pip-unpack-1")
        unpack.mkdir()
        (unpack / "torch.whl").write_bytes(content[:1000])
        step.look()
        seen.append((step.done, step.total))
        (unpack / "torch.whl").unlink()
        Path(command[command.index("--dest") + 1], "torch.whl").write_bytes(content)
        return subprocess.CompletedProcess(list(command), 0, "", "")

    return run


def test_a_stage_sees_the_bytes_that_have_arrived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, seen = Step("sysroot"), list[tuple[int, int | None]]()
    monkeypatch.setattr(index, "run", pip(seen, step))
    path = index.fetch(PINNED, tmp_path, step=step)
    assert path.read_bytes() == CONTENT
    assert seen == [(1000, 3000)]
    assert step.unit == "bytes"


def test_another_file_than_the_pinned_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Step("sysroot")
    monkeypatch.setattr(index, "run", pip([], step, b"other" * 600))
    with pytest.raises(SysrootError, match="is not the pinned file"):
        index.fetch(PINNED, tmp_path, step=step)
