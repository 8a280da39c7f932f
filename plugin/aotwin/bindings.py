"""Which run time each model of a build gets, and how it is tied to it.

Part of the pipeline, beside `assembly`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

from aotwin.errors import ConfigurationError
from aotwin.model_spec import ModelSpec
from aotwin.session import Session, run_time_of
from aotwin.stages.check import require_sound_libs
from aotwin.stages.compatibility import verdicts
from aotwin.stages.link import exported_names
from aotwin.stages.runtime import RunTime, choose_run_time
from aotwin.stages.wrapper import extern_targets
from aotwin.values import RuntimeLibs, Wrapper
from aotwin.weights_layout import lies_in_blocks

#: a call of a C function of the run time
_SHIM = re.compile(r"\b(aoti_torch_\w+)\(")
#: the one by which convolutions run whose weights may lie by terms
_CONVOLUTION = "aoti_torch_cpu_mkldnn__convolution_pointwise"


def suits_own_alone(spec: ModelSpec, wrapper: Wrapper) -> bool:
    """Whether a model will get torch's run time, and was laid out in a way that slows that down.

    Torch copies weights of convolutions that lie by terms at each call, and takes those in blocks,
    of linear layers too, for others. Told by the text of the wrapper, before it is compiled; the
    object file has the last word on the run time.
    """
    for_own = _CONVOLUTION in wrapper.source or any(map(lies_in_blocks, wrapper.constants))
    if spec.runtime != "auto" or not for_own:
        return False
    lacking = extern_targets(wrapper.extern_nodes)
    called = _SHIM.findall(wrapper.source)
    return not choose_run_time(spec.name, spec.runtime, called, fallbacks=lacking).own


def bound_run_time(
    spec: ModelSpec, wrappers: Iterable[Wrapper], called: Iterable[str], session: Session
) -> RunTime | None:
    """Our own run time, ready, where the model gets it; else None.

    Args:
        wrappers: one for each CPU level.
        called: functions of the run time that any of their objects calls.

    Raises:
        ConfigurationError: our own is asked for, and lacks something.
    """
    choice = choose_run_time(
        spec.name,
        spec.runtime if session.run_time is not None else "torch",
        called,
        fallbacks={each for wrapper in wrappers for each in extern_targets(wrapper.extern_nodes)},
    )
    if choice.remark:
        session.progress.remark(choice.remark)
    if choice.own:
        return run_time_of(session)
    for wrapper in wrappers:
        _require_plain_weights(spec, wrapper)
    return None


def _require_plain_weights(spec: ModelSpec, wrapper: Wrapper) -> None:
    """Torch would take weights in blocks of results for others: their strides are the first's."""
    for constant in wrapper.constants:
        if lies_in_blocks(constant):
            raise ConfigurationError(
                f"the weight {constant.fqn} of {spec.name} lies as only aotwin's run time reads it",
                cause="its code was generated for that, and calls what only torch has",
                next_step='Say runtime = "torch" for it, and please report this with the program.',
            )


def fitting_torches(wrapper: Wrapper, called: Iterable[str], session: Session) -> tuple[str, ...]:
    """Versions of torch that a model over torch runs in, oldest first; its own is among them.

    Args:
        called: functions that any of its DLLs calls.
    """
    own = session.pin.torch_version
    found = verdicts(frozenset(called), exported_names(wrapper), own, session.toolchain)
    return tuple(each.version for each in found if each or each.version == own)


def library_reference(run_time: RunTime, directory: Path, session: Session) -> str:
    """The run time's library from the model's folder, "/" between the parts."""
    return PurePath(os.path.relpath(session.libs / run_time.library, directory)).as_posix()


def listed_libs(run_time: RunTime | None, directory: Path, session: Session) -> RuntimeLibs | None:
    """What the manifest of a model in a folder says of its run time; None over torch."""
    if run_time is None:
        return None
    library = library_reference(run_time, directory, session)
    folder = library.rpartition("/")[0]
    files = {f"{folder}/{name}": digest for name, digest in run_time.digests.items()}
    return RuntimeLibs(library, files)


def write_libs(bound: Iterable[RunTime | None], session: Session) -> Mapping[str, str]:
    """Write the DLLs of our run time for all models that are bound to it.

    Returns:
        File name in the session's `libs` -> sha256, hex; empty where no model is.
    """
    run_time = next((each for each in bound if each is not None), None)
    if run_time is None:
        return {}
    run_time.write(session.libs)
    require_sound_libs(session.libs, run_time.digests, session.toolchain, session.readers.read)
    return run_time.digests
