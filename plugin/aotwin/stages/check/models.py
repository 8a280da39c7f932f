"""Built models among some files, and DLLs without a manifest."""

from __future__ import annotations

from dataclasses import replace

from aotwin.adapters.archives.untrusted_files import DamagedFileError, Files, read_file
from aotwin.adapters.pe.pairing import Pairing
from aotwin.formats.findings import Examined
from aotwin.formats.manifest import MANIFEST_NAME
from aotwin.formats.manifest_reader import (
    MAX_MANIFEST_NBYTES,
    Manifest,
    ManifestError,
    parse_manifest,
)
from aotwin.stages.check.images import judge_dll, judge_lib, judge_sdk_program
from aotwin.stages.check.inspection import TARGET, Inspection
from aotwin.stages.check.rules import (
    BLOB_RULES,
    LIBS_RULES,
    MODEL_RULES,
    SDK_RULES,
    Model,
    libs_of,
    sdk_programs,
)

#: a DLL under the name that torch's own Windows loader wants
_DLL_SUFFIXES = (".dll", ".pyd")
#: built models in one folder or archive
_MAX_MODELS = 1000


def check_models(files: Files, inspection: Inspection) -> int:
    """Every built model among some files; returns their number."""
    homes = homes_of(files)
    if len(homes) > _MAX_MODELS:
        raise DamagedFileError(f"{len(homes):,} built models; {_MAX_MODELS:,} are looked at")
    for home in homes:
        manifest, problem = model_at(files, home)
        model = Model(home, files, manifest, problem, {}, inspection.full)
        pairings: dict[str, tuple[Pairing, ...]] = {}
        for name in sorted(_dlls_of(model) & model.names):
            pairings |= judge_dll(files, home + name, manifest, inspection)
        for name, sealed in sdk_programs(model).items():
            judge_sdk_program(files, home + name, sealed, inspection)
        if model.blob_is_out_of_sight:
            inspection.skip(
                "MODEL-BLOB-TRAILER",
                "the blob is another model's, outside of the folder: check the folder of both",
            )
        model = replace(model, pairings=pairings)
        place = home.rstrip("/")
        inspection.apply(MODEL_RULES, model, place)
        check_blob(model, inspection, place)
        inspection.apply(LIBS_RULES, model, place)
        for path, sealed in libs_of(model).items():
            judge_lib(files, path, sealed, inspection)
        inspection.apply(SDK_RULES, model, place)
    if homes and not inspection.full:
        inspection.skip("MODEL-BLOB-DIGEST", "the whole blob is hashed with --full")
    return len(homes)


def check_bare_dlls(files: Files, inspection: Inspection) -> int:
    """DLLs of an archive without a manifest, each with the blob that it was linked with."""
    dlls = [name for name in files.names() if name.lower().endswith(_DLL_SUFFIXES)]
    if len(dlls) > _MAX_MODELS:
        raise DamagedFileError(f"{len(dlls):,} DLLs; {_MAX_MODELS:,} are looked at")
    for name in dlls:
        home = name[: name.rfind("/") + 1]
        model = Model(
            home, files, None, "", judge_dll(files, name, None, inspection), inspection.full
        )
        if not model.blob_path:
            inspection.skip("MODEL-BLOB-TRAILER", "a DLL's blob does not lie beside it")
        check_blob(model, inspection, home.rstrip("/"))
    return len(dlls)


def check_blob(model: Model, inspection: Inspection, place: str = "") -> None:
    """Apply every rule on a model's blob, and on its pairing with the DLLs."""
    sound = inspection.apply(BLOB_RULES, model, place)
    if not model.blob_path:
        return
    dlls = ", ".join(sorted(model.pairings)) or "no DLL"
    paired = f"paired with {dlls}" if sound else "not as it must be"
    hashed = "all of it hashed" if model.full else "its trailer compared"
    inspection.examined.append(Examined(model.blob_path, model.blob_nbytes, (paired, hashed)))


def homes_of(files: Files) -> list[str]:
    """Folders with a manifest in them."""
    suffix = f"/{MANIFEST_NAME}"
    return [
        name[: -len(MANIFEST_NAME)]
        for name in files.names()
        if name == MANIFEST_NAME or name.endswith(suffix)
    ]


def model_at(files: Files, home: str) -> tuple[Manifest | None, str]:
    """The manifest in a folder; or None, and what is wrong with it."""
    manifest, problem = manifest_at(files, home + MANIFEST_NAME)
    if manifest is not None and manifest.target != TARGET:
        return None, f"target {manifest.target[:80]!r}; this aotwin checks {TARGET}"
    return manifest, problem


def manifest_at(files: Files, path: str) -> tuple[Manifest | None, str]:
    """The manifest at a path; or None, and what is wrong with it, whatever its target."""
    try:
        if path not in files.names():
            return None, "no such file"
        return parse_manifest(read_file(files, path, MAX_MANIFEST_NBYTES)), ""
    except (DamagedFileError, ManifestError) as error:
        return None, str(error)


def _dlls_of(model: Model) -> frozenset[str]:
    """The model's DLLs: those of its manifest, or else all that lie in its folder."""
    if model.manifest is not None:
        return frozenset(dll.file for dll in model.manifest.dlls)
    return frozenset(name for name in model.names if name.lower().endswith(_DLL_SUFFIXES))
