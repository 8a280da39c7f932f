"""Rules on the files of a built model: all there, none changed, none added."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from aotwin.adapters.archives.untrusted_files import DamagedFileError
from aotwin.adapters.pe.authenticode import unsigned_nbytes
from aotwin.formats.manifest import MANIFEST_NAME, MANIFEST_VERSION
from aotwin.stages.check.rules.model import Model
from aotwin.stages.check.rules.rule import Rule, Violation
from aotwin.values import BLOB_ALIGNMENT

#: smaller than the headers of a DLL: what antivirus programs leave in place of a file
_STUB_NBYTES = 1024
#: bytes in which the linker's headers lie
_HEADERS_NBYTES = 1024


def check_manifest(model: Model) -> Iterator[Violation]:
    """The manifest can be read."""
    if model.problem:
        yield Violation(
            "the manifest cannot be read",
            f"a manifest of version {MANIFEST_VERSION}", model.problem, MANIFEST_NAME,
        )  # fmt: skip


def check_presence(model: Model) -> Iterator[Violation]:
    """Every file that the manifest names is there, as a regular file."""
    if model.manifest is None:
        return
    dlls = {dll.file for dll in model.manifest.dlls}
    blob = model.manifest.blob.file
    for name in model.manifest.file_names():
        if name == blob:
            absent = not model.blob_path and not model.blob_is_out_of_sight
        else:
            absent = name not in model.names
        if absent:
            missing = "no such file"
            if name in dlls:
                missing += "; antivirus programs take DLLs into quarantine like this"
            found = model.odd.get(name, missing)
            yield Violation("a file of the model is missing", "a regular file", found, name)


def check_strangers(model: Model) -> Iterator[Violation]:
    """Nothing lies between the model's files that the build did not put there."""
    if model.manifest is None:
        return
    # A blob that two models share may have been copied beside the second DLL: it looks there first.
    copied = posixpath.basename(model.manifest.blob.file)
    known = {MANIFEST_NAME, copied, *model.manifest.file_names()}
    for name in sorted((model.names | set(model.odd)) - known):
        yield Violation(
            "a file that the build did not put there",
            "the files that the manifest names",
            model.odd.get(name, "another file"),
            name,
        )


def check_digests(model: Model) -> Iterator[Violation]:
    """The small files are what the build wrote."""
    if model.manifest is None:
        return
    for name, expected in model.manifest.files.items():
        if name in model.names and (found := model.digest(name)) != expected:
            yield Violation(
                "a file was changed after the build", f"sha256 {expected}", f"sha256 {found}", name
            )


def check_dll_sizes(model: Model) -> Iterator[Violation]:
    """Each DLL has as many bytes as when it was sealed, a signature not counted."""
    if model.manifest is None:
        return
    for dll in model.manifest.dlls:
        if dll.file not in model.names:
            continue
        try:
            headers = model.piece(dll.file, 0, _HEADERS_NBYTES)
        except DamagedFileError:
            continue  # PE-FILE says so
        nbytes = unsigned_nbytes(headers, model.nbytes(dll.file))
        if nbytes != dll.nbytes:
            yield Violation(
                _size_message(nbytes, dll.nbytes), f"{dll.nbytes:,} bytes", f"{nbytes:,} bytes",
                dll.file,
            )  # fmt: skip


def _size_message(nbytes: int, sealed: int) -> str:
    if nbytes > sealed:
        return "the DLL grew after the link: weights were appended in the old way"
    if nbytes < min(_STUB_NBYTES, sealed):
        return "the DLL was replaced by a stub, as antivirus programs do"
    return "the DLL shrank after the link: it was stripped or cut off"


def check_constants(model: Model) -> Iterator[Violation]:
    """Each constant lies within the blob, where the generated code expects it."""
    if model.manifest is None:
        return
    end = model.manifest.blob.constants_nbytes
    for constant in model.manifest.constants:
        if constant.offset % BLOB_ALIGNMENT or constant.offset + constant.nbytes > end:
            yield Violation(
                "a constant does not lie in the blob",
                f"{constant.nbytes} bytes from a multiple of {BLOB_ALIGNMENT} on, before {end}",
                f"at {constant.offset}",
                f"{MANIFEST_NAME}, constant {constant.name[:100]}",
            )


_REINSTALL = "Install the wheel again, or build the model again; leave its files as they are."

MODEL_RULES = (
    Rule[Model](
        "MODEL-MANIFEST",
        "`aotwin.json` can be read and is of a version that this aotwin knows",
        "Without it, nothing says what the other files must be.",
        "Install the wheel again; check a newer model with a newer aotwin.",
        check_manifest,
    ),
    Rule[Model](
        "MODEL-FILES",
        "Every file that the manifest names is there, as a regular file",
        "A model without one of its files does not load. A DLL that is gone was often taken away "
        "by an antivirus program.",
        "Install the wheel again; if the DLL goes once more, allow it in the antivirus program.",
        check_presence,
    ),
    Rule[Model](
        "MODEL-STRANGER",
        "No other file lies in the model's folder (subfolders do not count)",
        "Windows looks for DLLs beside the one it loads, and torch opens `<stem>.json`: a file "
        "that was added changes what runs.",
        "Remove the file, or install the wheel again.",
        check_strangers,
    ),
    Rule[Model](
        "MODEL-DIGEST",
        "The model's small files have the sha256 that the manifest gives",
        "The loader, torch's metadata and the node list of the proxy executor decide what the "
        "model does.",
        _REINSTALL,
        check_digests,
    ),
    Rule[Model](
        "MODEL-DLL-SIZE",
        "Every DLL has as many bytes as when it was sealed after the link, and its signature",
        "The size tells what happened: appended weights make a DLL grow, stripping makes it "
        "shrink, and an antivirus program leaves an empty file or a stub.",
        _REINSTALL,
        check_dll_sizes,
    ),
    Rule[Model](
        "MODEL-CONSTANTS",
        "Every constant in the manifest lies within the blob, aligned to 64 bytes",
        "Programs that map the blob by the manifest would read something else.",
        _REINSTALL,
        check_constants,
    ),
)
