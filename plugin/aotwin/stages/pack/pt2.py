"""Stage pack, other form: a built model as a `.pt2` for torch's own Windows loader.

`torch._inductor.aoti_load_package` extracts the archive and looks, under
`data/aotinductor/<model>/`, for a `.pyd` (it knows neither `.dll` nor, on Windows, `.so`), for
metadata and node list by the stem of that file, and for a `.blob`. The layout of the archive is
that of torch.export's PT2 archives (torch/export/pt2_archive/constants.py).
"""

from __future__ import annotations

import json
from pathlib import Path

from aotwin.adapters.archives.members import Member
from aotwin.adapters.archives.wheel_zip import write_archive
from aotwin.formats.manifest import MANIFEST_NAME
from aotwin.reproducible import source_date_epoch

#: what PyTorchStreamReader wants to find (kProducedFileFormatVersion of caffe2/serialize)
_FRAME = {
    "archive_format": b"pt2",
    "archive_version": b"0",
    "byteorder": b"little",
    ".data/version": b"3\n",
}
#: the model's name that torch's loader asks for by default
_MODEL = "model"


def write_pt2(directory: Path, path: Path) -> None:
    """Write a built model as a PT2 archive.

    Args:
        directory: the built model's folder. Only its first DLL goes into the archive, which has one
            model of each name.
        path: the archive, ending in `.pt2` as torch's loader wants it.

    Raises:
        CheckError: the DLL in the finished archive is not the sealed one.
        StorageError: the disk is full.
    """
    manifest = json.loads((directory / MANIFEST_NAME).read_text(encoding="utf-8"))
    dll, blob = manifest["dlls"][0], manifest["blob"]
    stem = Path(dll["file"]).stem
    folder = f"{path.stem}/data/aotinductor/{_MODEL}"
    members = [
        Member.from_bytes(f"{path.stem}/{name}", content, stored=True)
        for name, content in _FRAME.items()
    ]
    # The blob keeps its name, which the DLL knows.
    packed = {
        dll["file"]: (f"{stem}.wrapper.pyd", dll.get("signature", dll)["sha256"]),
        blob["file"]: (blob["file"], blob["sha256"]),
    }
    for ending in ("_metadata.json", ".json"):
        if f"{stem}{ending}" in manifest["files"]:
            digest = manifest["files"][f"{stem}{ending}"]
            packed[f"{stem}{ending}"] = (f"{stem}.wrapper{ending}", digest)
    for source, (name, digest) in packed.items():
        members.append(
            Member.from_file(f"{folder}/{name}", directory / source, stored=True, sha256=digest)
        )
    write_archive(path, members, epoch=source_date_epoch())
