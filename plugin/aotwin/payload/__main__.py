"""Check that a model's files are the ones that were built.

    python -m demo.classifier --check           # all but the weights' own bytes
    python -m demo.classifier --check --full    # those too: about a second a gigabyte
    python -m demo.classifier --verify          # run it, and compare with what the build expected

Checking needs neither torch nor Windows. Exit codes: 0 (sound), 1 (not), 2 (usage).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import struct
import sys
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

#: version of `aotwin.json` that this code reads
_MANIFEST_VERSION = 1
#: the blob's last 64 bytes: magic, version, 0, bytes of the constants, 0, their sha256
_TRAILER = struct.Struct("<8sIIQQ32s")
_MAGIC, _TRAILER_VERSION = b"AOTWBLOB", 1
_CHUNK = 1 << 20
#: bytes; a DLL of the build is far smaller
_MAX_DLL = 1 << 28
_REINSTALL = (
    "Install the package again; if it happens again, look into the antivirus program's log."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit code."""
    folder = Path(__file__).resolve().parent
    # There is no spec where the file is run by its path.
    package = getattr(__spec__, "parent", folder.name)
    parser = argparse.ArgumentParser(
        prog=f"python -m {package}",
        description="Check that the files of this model are the ones that were built, or run it.",
    )
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--check", action="store_true", help="compare the files with the manifest")
    task.add_argument("--verify", action="store_true", help="run the model and compare its results")
    parser.add_argument("--full", action="store_true", help="hash the weights as well")
    options = parser.parse_args(arguments)
    if options.verify:
        return _verify(folder)
    problems = list(find_problems(folder, full=options.full))
    for problem in problems:
        print(problem)
    if problems:
        print(_REINSTALL, file=sys.stderr)
        return 1
    print(f"{folder}: the files are the ones that were built")
    if not options.full:
        print("The weights' size and trailer were compared; --full hashes them.", file=sys.stderr)
    return 0


def _verify(folder: Path) -> int:
    """Run the model as the build did; only the packages of proven models can."""
    try:
        # By its name: the file may be run by its path, or be older than the other one.
        from importlib import import_module

        return int(import_module(f"{__package__ or folder.name}.verify").main(folder))
    except ModuleNotFoundError as error:
        if error.name == "numpy":
            print(
                "numpy is missing, which --verify compares with: pip install numpy", file=sys.stderr
            )
        elif (error.name or "").endswith("verify") or not __package__:
            print(
                'this package cannot verify itself: build the model with check = "run", and run '
                "python -m with its dotted name",
                file=sys.stderr,
            )
        else:
            print(f"{error.name} is missing, which the model needs", file=sys.stderr)
        return 1


def find_problems(folder: Path, *, full: bool) -> Iterator[str]:
    """What is wrong with the files of a model, a line each.

    Args:
        folder: where `aotwin.json` lies.
        full: whether to hash the weights as well.
    """
    try:
        manifest = json.loads((folder / "aotwin.json").read_text(encoding="utf-8"))
        if manifest["version"] != _MANIFEST_VERSION:
            yield f"aotwin.json: version {manifest['version']}, expected {_MANIFEST_VERSION}"
            return
        digests: dict[str, str] = manifest["files"] | manifest.get("sdk", {})
        digests |= manifest.get("libs", {}).get("files", {})
        blob: dict[str, Any] = manifest["blob"]
        for row in manifest["dlls"]:
            yield from _changed_dll(folder / row["file"], row)
        for name, expected in digests.items():
            yield from _changed(folder / name, name, expected)
        path = _find_blob(folder, blob["file"])
        if full:
            yield from _changed(path, path.name, blob["sha256"])
        yield from _bad_blob(path, blob)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        yield f"aotwin.json: cannot be read: {type(error).__name__}: {error}"


def _find_blob(folder: Path, reference: str) -> Path:
    """Where the DLL looks for its blob: beside itself, then where another model has it."""
    beside = folder / Path(reference).name
    return beside if beside.exists() else folder / reference


def _changed_dll(path: Path, row: dict[str, Any]) -> Iterator[str]:
    """Compare a DLL; where only its signature differs from the build's, say what happened to it."""
    signed = row.get("signature")
    expected = (signed or row)["sha256"]
    problems = list(_changed(path, path.name, expected))
    if problems and (path.is_file() and path.stat().st_size <= _MAX_DLL):
        data = path.read_bytes()
        unsigned = _unsigned(data)
        if hashlib.sha256(unsigned).hexdigest() == row["sha256"]:
            what = "is not the one that the build made" if signed else "was added after the build"
            if unsigned == data:
                what = "was taken away"
            yield f"{path.name}: its signature {what}; the code is as it was built"
            return
    yield from problems


def _unsigned(data: bytes) -> bytes:
    """A DLL without its signature, the checksum set as the build does; `data` where there is none.

    Offsets are those of Microsoft's "PE Format": the certificate table is data directory 4.
    """
    try:
        (header,) = struct.unpack_from("<I", data, 0x3C)
        checksum, entry = header + 24 + 64, header + 24 + 112 + 8 * 4
        (table,) = struct.unpack_from("<I", data, entry)
        if not entry < table <= len(data):
            return data
        content = bytearray(data[:table])
        struct.pack_into("<II", content, entry, 0, 0)
        struct.pack_into("<I", content, checksum, 0)
        words = array("H", bytes(content) + bytes(len(content) % 2))
    except struct.error:
        return data
    if sys.byteorder == "big":
        words.byteswap()
    total = sum(words)
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into("<I", content, checksum, (total + len(content)) & 0xFFFF_FFFF)
    return bytes(content)


def _changed(path: Path, name: str, expected: str) -> Iterator[str]:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        yield f"{name}: cannot be read: {error.strerror}"
        return
    if digest.hexdigest() != expected:
        nbytes = path.stat().st_size
        yield f"{name}: changed: sha256 {digest.hexdigest()}, built {expected}; {nbytes} bytes"


def _bad_blob(path: Path, blob: dict[str, Any]) -> Iterator[str]:
    """Compare the size and the trailer: the digest in it was taken when the blob was written."""
    nbytes, digest = blob["constants_nbytes"], bytes.fromhex(blob["constants_sha256"])
    expected = _TRAILER.pack(_MAGIC, _TRAILER_VERSION, 0, nbytes, 0, digest)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(nbytes)
            found = file.read(_TRAILER.size)
    except OSError as error:
        yield f"{path.name}: cannot be read: {error.strerror}"
        return
    if size != nbytes + _TRAILER.size:
        yield f"{path.name}: {size} bytes, built {nbytes + _TRAILER.size}"
    elif found != expected:
        yield f"{path.name}: its trailer is that of another build"


if __name__ == "__main__":
    sys.exit(main())
