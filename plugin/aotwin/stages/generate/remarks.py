"""What there is to say of the torch that has generated a wrapper; nothing to be remembered."""

from __future__ import annotations

import tempfile
from pathlib import Path


def remarks_on_torch() -> tuple[str, ...]:
    """Remarks on the torch of this process, which has been imported."""
    import torch

    return wasted_cuda(str(torch.__version__), torch.version.cuda, Path(torch.__file__))


def wasted_cuda(version: str, cuda: str | None, location: Path) -> tuple[str, ...]:
    """A remark where an isolated build has fetched a CUDA build of torch to generate C++ for a CPU.

    Args:
        version: of torch.
        cuda: the version of CUDA that it was built with; None for a CPU build.
        location: of its package.
    """
    # pip and build make such environments in the folder for temporary files, uv in its cache
    isolated = location.is_relative_to(tempfile.gettempdir()) or "builds-v0" in location.parts
    if cuda is None or not isolated:
        return ()
    return (
        f"torch {version} was fetched with CUDA, several GB, for this build alone, which only "
        "generates C++: PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu gets a CPU build",
    )
