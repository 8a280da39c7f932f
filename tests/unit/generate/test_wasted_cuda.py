"""What is said of a CUDA build that was fetched to generate C++."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from aotwin.stages.generate.remarks import wasted_cuda

ISOLATED = Path(tempfile.gettempdir(), "build-env-x", "lib", "torch", "__init__.py")


@pytest.mark.parametrize(
    ("cuda", "location", "said"),
    [
        ("13.0", ISOLATED, True),
        ("13.0", Path("/home/me/.cache/uv/builds-v0/.tmp1/lib/torch/__init__.py"), True),
        ("13.0", Path("/home/me/venv/lib/torch/__init__.py"), False),
        (None, ISOLATED, False),
    ],
    ids=["isolated", "uv", "the user's own", "for the CPU"],
)
def test_one_line_says_that_cuda_was_fetched_for_nothing(
    cuda: str | None, location: Path, said: bool
) -> None:
    remarks = wasted_cuda("2.15.0", cuda, location)
    assert bool(remarks) is said
    assert all("PIP_EXTRA_INDEX_URL" in each for each in remarks)
