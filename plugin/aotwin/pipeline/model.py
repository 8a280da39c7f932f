"""One model, built into a folder: generate, compile, link, weights, check, prove."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from aotwin.adapters.storage.files import storage_errors, working_folder
from aotwin.assembly import finish, start
from aotwin.bindings import write_libs
from aotwin.blobs import Blobs
from aotwin.configuration.checkers import is_program_reference
from aotwin.errors import StorageError
from aotwin.formats.manifest import MANIFEST_NAME
from aotwin.generation import Here
from aotwin.model_spec import ModelSpec
from aotwin.progress import Progress
from aotwin.session import open_session
from aotwin.stages.generate import open_source
from aotwin.stages.runtime import LIBS_FOLDER
from aotwin.target.toolchain import Toolchain, load_toolchain
from aotwin.termination import undisturbed
from aotwin.values import BuiltModel

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    #: what `build_model` takes to prove a model with
    Proof: TypeAlias = str | os.PathLike[str] | Iterable[Any] | Callable[[], Iterable[Any]] | None


def build_model(
    source: ExportedProgram | str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    *,
    name: str,
    target: str = "windows-x86_64",
    cpu: Sequence[str] = ("x86-64-v3",),
    inductor: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    check: str = "static",
    runtime: str = "auto",
    torch: str = "",
    proof: Proof = None,
    proof_tolerance: tuple[float, float] | None = None,
    proof_data: bool | None = None,
) -> BuiltModel:
    """Build one model into a folder that any host program on Windows can load.

    Args:
        source: an exported program, a file saved with `torch.export.save`, or a ready wrapper
            (what AOTInductor wrote with `package_cpp_only`, a `.pt2` or a folder).
        output_dir: where the package goes: `demo.classifier` becomes `output_dir/demo/classifier`.
            A model built there before is replaced; anything else is left alone.
        name: dotted package name.
        target: a target's name or alias.
        cpu: CPU levels; one DLL each.
        inductor: settings for Inductor.
        progress: where to report stages; nowhere by default.
        check: "static"; "wine" to load the DLL in Wine as well; "run" to run it there and to
            compare its results with those of the program, run eagerly here.
        runtime: "own" (no torch on Windows), "torch", or "auto": own where it has every operator.
        torch: the version that generated a ready wrapper, where the wrapper does not tell.
        proof: for check="run", calls of the model: pairs (args, kwargs), "module:attribute" of such
            a list, or an `.npz` for a ready wrapper; by default the program's example inputs.
        proof_tolerance: (rtol, atol) that its results may differ by; by default by dtype and
            rounding.
        proof_data: whether the package holds inputs and expected results; by default where they
            are small.

    Returns:
        The folder and the files in it.

    Raises:
        AotwinError: whatever a user can cause, see `aotwin.errors`.
    """
    from aotwin.configuration.checkers import (
        CHECKS,
        check_cpus,
        check_model_name,
        check_runtime,
        one_of,
        tolerance,
        torch_version,
    )

    progress = progress or Progress(quiet=True)
    toolchain = load_toolchain(target)
    check_model_name(name, "name")
    check_cpus(tuple(cpu), target, "cpu")
    final = Path(output_dir).absolute().joinpath(*name.split("."))
    _require_replaceable(final)
    check_runtime(runtime, "runtime")
    one_of(*CHECKS)(check, "check")
    if proof_tolerance is not None:
        rtol, atol = proof_tolerance
        tolerance({"rtol": rtol, "atol": atol}, "proof_tolerance")
    if torch:
        torch_version(torch, "torch")
    spec = ModelSpec(
        name,
        None,
        None,
        tuple(cpu),
        dict(inductor or {}),
        runtime=runtime,
        torch=torch,
        proof=_named_proof(proof),
        proof_tolerance=proof_tolerance,
        proof_data=proof_data,
    )
    return _build(source, spec, final, toolchain, check=check, progress=progress)


def _build(
    source: ExportedProgram | str | os.PathLike[str],
    spec: ModelSpec,
    final: Path,
    toolchain: Toolchain,
    *,
    check: str,
    progress: Progress,
) -> BuiltModel:
    generator = open_source(source, spec, Path.cwd(), toolchain)
    with working_folder(final.parent) as work:
        with open_session(
            toolchain,
            generator.torch_version,
            work,
            progress=progress,
            jobs=2,
            check=check,
            libs=work / "model" / LIBS_FOLDER,
            own_run_time=spec.runtime != "torch",
            levels=spec.cpu,
        ) as session:
            model = Here(spec, generator, session)
            job = start(model, work / "model", Blobs(progress), session)
            dlls = finish(job, session)
            write_libs([job.run_time], session)
            if check == "run":
                # It needs numpy, which no other check does.
                from aotwin.proving import prove

                prove([(job, dlls)], session)
        _replace_directory(work / "model", final)
    return BuiltModel(
        directory=final,
        dlls={dll.cpu: final / dll.path.name for dll in dlls},
        blob=final / job.blob.path.name,
        manifest=final / MANIFEST_NAME,
    )


def _named_proof(proof: Proof) -> Any:
    """What a caller names: a path, unless it is a reference to an attribute."""
    if isinstance(proof, str) and is_program_reference(proof):
        return proof
    return Path(proof).absolute() if isinstance(proof, (str, os.PathLike)) else proof


def _require_replaceable(final: Path) -> None:
    """Only an earlier model may be replaced: nothing of the user's is lost."""
    with storage_errors(final):
        if not final.exists() or (final / MANIFEST_NAME).is_file():
            return
        lost = not final.is_dir() or any(final.iterdir())
    if lost:
        raise StorageError(
            f"{final} is there already and holds no built model",
            cause=f"it has no {MANIFEST_NAME}, and only an earlier model is replaced",
            next_step="Choose another output folder, or move that one away.",
        )


def _replace_directory(built: Path, final: Path) -> None:
    # Between the two renames there is no model.
    with storage_errors(final), undisturbed():
        if final.exists():
            # Inside the temporary folder that is removed in the end.
            final.rename(built.with_name("previous"))
        built.rename(final)
