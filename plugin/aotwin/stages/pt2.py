"""Stage pack, other form: a built model as a `.pt2` for torch's own Windows loader.

`torch._inductor.aoti_load_package` extracts the archive and looks, under
`data/aotinductor/<model>/`, for a `.pyd` (it knows neither `.dll` nor, on Windows, `.so`), for
metadata and node list by the stem of that file, and for a `.blob`. The layout of the archive is
that of torch.export's PT2 archives (torch/export/pt2_archive/constants.py).
"""

from __future__ import annotations

from pathlib import Path

from aotwin.adapters.wheel_zip import Member, write_archive
from aotwin.errors import CheckError
from aotwin.reproducible import source_date_epoch
from aotwin.values import SealedDll

#: what PyTorchStreamReader wants to find (kProducedFileFormatVersion of caffe2/serialize)
_FRAME = {
    "archive_format": b"pt2",
    "archive_version": b"0",
    "byteorder": b"little",
    ".data/version": b"3\n",
}
#: the model's name that torch's loader asks for by default
_MODEL = "model"


def write_pt2(directory: Path, dll: SealedDll, blob: Path, path: Path) -> None:
    """Write a built model as a PT2 archive.

    Args:
        directory: the built model's folder.
        dll: the one DLL to pack: an archive has one model of each name.
        blob: its weights; they keep their name, which the DLL knows.
        path: the archive.

    Raises:
        CheckError: the DLL in the finished archive is not the sealed one.
        StorageError: the disk is full.
    """
    if path.suffix != ".pt2":
        raise CheckError(
            f"{path.name} is no name for a PT2 archive",
            cause="torch's loader wants a file that ends in .pt2",
            next_step="Name it something.pt2.",
        )
    stem = dll.path.stem
    root = path.stem
    folder = f"{root}/data/aotinductor/{_MODEL}"
    members = [
        Member.from_bytes(f"{root}/{name}", content, stored=True)
        for name, content in _FRAME.items()
    ]
    members.append(
        Member.from_file(f"{folder}/{stem}.wrapper.pyd", dll.path, stored=True, sha256=dll.sha256)
    )
    members.append(Member.from_file(f"{folder}/{blob.name}", blob, stored=True))
    for ending in ("_metadata.json", ".json"):
        companion = directory / f"{stem}{ending}"
        if companion.is_file():
            name = f"{folder}/{stem}.wrapper{ending}"
            members.append(Member.from_file(name, companion, stored=True))
    write_archive(path, members, epoch=source_date_epoch())
