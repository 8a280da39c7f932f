"""One model, built into a `.pt2` for torch's own Windows loader."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aotwin.adapters.storage.files import working_folder
from aotwin.pipeline.model import build_model
from aotwin.progress import Progress
from aotwin.stages.pack import write_pt2

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from aotwin.pipeline.model import Proof


def build_pt2(
    source: ExportedProgram | str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    *,
    name: str,
    target: str = "windows-x86_64",
    cpu: str = "x86-64-v3",
    inductor: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    check: str = "static",
    torch: str = "",
    proof: Proof = None,
) -> Path:
    """Build one model into a `.pt2` for torch's own Windows loader.

    Args:
        output_dir: where `<last part of name>.pt2` goes; a file of that name is replaced.
        cpu: one CPU level.

    The other arguments, and errors, are those of `build_model`.

    Returns:
        The archive.
    """
    path = Path(output_dir).absolute() / f"{name.rpartition('.')[2]}.pt2"
    with working_folder(path.parent) as folder:
        built = build_model(
            source,
            folder,
            name=name,
            target=target,
            cpu=(cpu,),
            inductor=inductor,
            progress=progress,
            check=check,
            # torch's own loader hands torch's tensors to the DLL.
            runtime="torch",
            torch=torch,
            proof=proof,
        )
        write_pt2(built.directory, path)
    return path
