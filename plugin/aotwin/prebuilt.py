"""Models that `aotwin build` made elsewhere: checked again, and packed as they are.

Part of the pipeline, above `assembly`. What goes into the wheel is what a folder's manifest names,
by digest, once the check has passed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from aotwin.adapters.storage.files import storage_errors
from aotwin.errors import CheckError, ConfigurationError
from aotwin.formats.manifest import MANIFEST_NAME, write_manifest
from aotwin.formats.manifest_reader import ListedDll
from aotwin.payload import ModelError
from aotwin.prebuilt_folder import Prebuilt
from aotwin.prebuilt_weights import SharedWeights, with_shared_blob
from aotwin.session import Session
from aotwin.stages.check import check_path, require_loadable, require_sound
from aotwin.stages.pack import ModelContents, PackedFile, PackedModel, billed_programs
from aotwin.stages.sign import sign_dll
from aotwin.values import SealedDll


@dataclass(frozen=True)
class CheckedModel:
    """A prebuilt model on its way into the wheel."""

    packed: PackedModel
    #: for the bill of materials
    contents: ModelContents
    #: files of the run time that it shares with other models of the wheel
    libs: tuple[PackedFile, ...]
    #: torch that generated its C++, as far as that is known
    generated_by: str


def take_prebuilt(
    model: Prebuilt, weights: SharedWeights, work: Path, session: Session
) -> CheckedModel:
    """Check a model's folder as any build's result is checked, and say what of it is packed.

    Args:
        weights: of all models of the wheel.
        work: an existing folder for what is written anew.

    Raises:
        CheckError: the folder is not what a build left.
    """
    spec, manifest = model.spec, model.manifest
    with session.progress.stage(f"check {spec.name}, built elsewhere"):
        _require_sound(model, session)
    linked = [_sealed(model.directory / dll.file, dll) for dll in manifest.dlls]
    shared = _with_shared_blob(model, linked, weights, work, session)
    blob, linked = shared or (manifest.blob.file, linked)
    dlls = [_signed(model, dll, work, session) for dll in linked]
    home = spec.name.replace(".", "/")
    digests = {**manifest.files, **manifest.sdk}
    if not shared:
        digests[blob] = manifest.blob.sha256
    files = [PackedFile(f"{home}/{dll.path.name}", dll.path, dll.shipped_sha256) for dll in dlls]
    files += [
        PackedFile(f"{home}/{name}", model.directory / name, digest)
        for name, digest in sorted(digests.items())
    ]
    content = write_manifest(_content(model, blob, dlls, session))
    files.append(PackedFile(f"{home}/{MANIFEST_NAME}", content))
    libs = tuple(sorted(_libs(model, session), key=lambda file: file.arcname))
    return CheckedModel(
        PackedModel(spec.name, tuple(files)),
        ModelContents(
            home,
            tuple((dll.path.name, dll.shipped_sha256) for dll in dlls),
            (blob, manifest.blob.sha256),
            billed_programs(manifest.sdk),
            tuple((file.arcname, file.sha256 or "") for file in libs),
        ),
        libs,
        str(model.content["torch"].get("generated_by", "")),
    )


def _libs(model: Prebuilt, session: Session) -> tuple[PackedFile, ...]:
    """Files of the run time that it comes with, in the folder that models of a wheel share."""
    listed = {} if model.manifest.libs is None else model.manifest.libs.files
    return tuple(
        PackedFile(
            f"{session.libs.name}/{PurePosixPath(name).name}", model.directory / name, digest
        )
        for name, digest in listed.items()
    )


def _content(
    model: Prebuilt, blob: str, dlls: Sequence[SealedDll], session: Session
) -> dict[str, Any]:
    """Its manifest's JSON in the wheel: where weights and run time lie there, and its DLLs."""
    content = dict(model.content)
    content["blob"] = {**model.content["blob"], "file": blob}
    if (libs := model.manifest.libs) is not None:
        up = "../" * len(model.spec.name.split("."))
        content["libs"] = {
            "library": f"{up}{session.libs.name}/{PurePosixPath(libs.library).name}",
            "files": {f"{up}{file.arcname}": file.sha256 for file in _libs(model, session)},
        }
    content["dlls"] = [_row(row, dll) for row, dll in zip(model.content["dlls"], dlls, strict=True)]
    return content


def _require_sound(model: Prebuilt, session: Session) -> None:
    sysroots = {session.sysroot.torch_version: session.sysroot}
    report = check_path(model.directory, sysroots, full=True, read=session.readers.read)
    errors = [finding for finding in report.findings if finding.severity == "error"]
    if errors:
        raise CheckError(
            f"{model.spec.name}, built elsewhere, fails the check: "
            f"{', '.join(sorted({each.id for each in errors}))}",
            cause="\n".join(
                f"{each.id}: {each.message} ({each.where}; expected {each.expected}, found "
                f"{each.found})"
                for each in errors[:20]
            ),
            next_step="Nothing was written. Build the model again, and hand its whole folder over "
            "as it is.",
        )
    if session.check == "run" and _is_proven_again(model, session):
        return
    # With such a file it has operators that only torch's own runner can call.
    if session.check != "static" and not (model.directory / f"{model.spec.stem}.json").exists():
        for dll in model.manifest.dlls:
            require_loadable(_sealed(model.directory / dll.file, dll), session.toolchain)


def _is_proven_again(model: Prebuilt, session: Session) -> bool:
    """Run a model with the samples that it holds; False where it has none.

    Raises:
        CheckError: it does not give here what it gave where it was built.
    """
    proof = model.manifest.proof
    if proof is None or not proof.data:
        what = (
            "was not run where it was built" if proof is None else "holds no samples of its proof"
        )
        session.progress.warn(f"{model.spec.name} {what}: it is opened under Wine only")
        return False
    # It needs numpy, which no other check does.
    from aotwin.stages.proof import verify_folder

    try:
        with session.progress.stage(f"run {model.spec.name} under Wine"):
            _, outcomes = verify_folder(model.directory)
    except ModelError as error:
        raise CheckError(
            f"{model.spec.name}, built elsewhere, cannot be proven again",
            cause=str(error).rstrip("."),
            next_step="Build the model again, and hand its whole folder over as it is.",
        ) from error
    for each in outcomes:
        if each.problem:
            raise CheckError(
                f"{model.spec.name}, built elsewhere, does not give here what it gave there",
                cause=f"{each.dll}: {each.problem}",
                next_step="Nothing was written. aotwin verify shows the same without a build; "
                "check=static leaves the proof out.",
            )
        if each.unproven:
            session.progress.warn(f"{each.dll} is not proven here: {each.unproven}")
    return True


def _sealed(path: Path, dll: ListedDll) -> SealedDll:
    return SealedDll(path, dll.cpu, dll.sha256, dll.nbytes, dll.authenticode_sha256, dll.signature)


def _row(row: Mapping[str, Any], dll: SealedDll) -> dict[str, Any]:
    """What the manifest says of a DLL, brought up to date."""
    seal = {"nbytes": dll.nbytes, "sha256": dll.sha256}
    if "authenticode_sha256" in row:
        seal["authenticode_sha256"] = dll.authenticode_sha256
    signature = {} if dll.signature is None else {"signature": asdict(dll.signature)}
    return {**row, **seal, **signature}


def _with_shared_blob(
    model: Prebuilt,
    dlls: Sequence[SealedDll],
    weights: SharedWeights,
    work: Path,
    session: Session,
) -> tuple[str, list[SealedDll]] | None:
    """The blob of another model with the same weights, and DLLs that use it; None: its own."""
    owner = weights.owner(model.manifest)
    if owner is None:
        return None
    name, blob = owner
    nbytes = model.manifest.blob.constants_nbytes
    folder = work / "shared" / model.spec.name
    copies = with_shared_blob(dlls, blob, folder, session.readers.read)
    if copies is None:
        session.progress.remark(
            f"{model.spec.name} has the same weights as {name}, and its DLLs cannot be told so: "
            f"{nbytes:,} bytes are stored twice"
        )
        return None
    session.progress.remark(
        f"{model.spec.name} has the same weights as {name}: {nbytes:,} bytes are stored once"
    )
    for copy in copies:
        _require_sound_dll(model, copy, session)
    return blob, copies


def _signed(model: Prebuilt, dll: SealedDll, work: Path, session: Session) -> SealedDll:
    """A DLL as it lies there; a signed copy where the project asks for it."""
    if model.spec.sign is None or session.signer is None:
        return dll
    if dll.signature is not None:
        raise ConfigurationError(
            f"{model.spec.name} has `sign`, and its {dll.path.name} is signed already",
            cause="it was signed where it was built",
            next_step="Leave `sign` out of its table, or build it without.",
        )
    copy = work.joinpath("signed", model.spec.name, dll.path.name)
    with storage_errors(copy):
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(dll.path, copy)
    with session.progress.stage(f"sign {dll.path.name}"):
        signed = sign_dll(replace(dll, path=copy), model.spec.sign, session.signer)
        _require_sound_dll(model, signed, session)
    return signed


def _require_sound_dll(model: Prebuilt, dll: SealedDll, session: Session) -> None:
    """The gate, for a DLL that was written here."""
    require_sound(
        dll,
        session.toolchain,
        session.sysroot,
        session.readers.read,
        own_run_time=model.manifest.libs is not None,
    )


def shared_libs(libs: Iterable[PackedFile]) -> list[PackedFile]:
    """Each file of the run time once: models of one wheel share it by name.

    Raises:
        CheckError: two files of one name differ.
    """
    found: dict[str, PackedFile] = {}
    for each in libs:
        known = found.setdefault(each.arcname, each)
        if known.sha256 != each.sha256:
            raise CheckError(
                f"two models of the wheel come with different files {each.arcname}",
                cause=f"sha256 {known.sha256} and {each.sha256}",
                next_step="Build the models again, with one version of aotwin.",
            )
    return [found[name] for name in sorted(found)]
