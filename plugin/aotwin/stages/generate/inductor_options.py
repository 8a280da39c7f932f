"""The user's settings for Inductor, and those that are aotwin's own.

What is generated must not depend on the machine that generates it, and must be what the later
stages expect. Settings that decide this are fixed here; a user who asks for something else is
told so by name, instead of getting a model that fails on the target.
"""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Mapping
from typing import Any

from aotwin.errors import ConfigurationError

#: threads that loop nests are shaped for. The count itself is taken at run time
#: (cpp.dynamic_threads); this only decides how many loops are collapsed into one, and must not
#: come from the build host's cores.
_SHAPED_FOR_THREADS = 16

#: stands in for the build host's C++ compiler, which is neither needed nor asked: whatever
#: Inductor calls it for succeeds and writes nothing
_NO_COMPILER = shutil.which("true") or "/bin/true"

#: setting -> (value, why no other will do)
_FIXED: Mapping[str, tuple[Any, str]] = {
    "aot_inductor.package": (True, "the generated files are packaged by aotwin"),
    "aot_inductor.package_cpp_only": (True, "the C++ is compiled for the target, by aotwin"),
    "aot_inductor.package_constants_in_so": (False, "weights lie in a file of their own"),
    # hands the tensors back, so that no second copy of them is made
    "aot_inductor.package_constants_on_disk_format": (
        "pickle_weights",
        "weights are written by aotwin",
    ),
    "aot_inductor.use_runtime_constant_folding": (
        False,
        "constants are used where they are mapped",
    ),
    "aot_inductor.precompile_headers": (False, "nothing is compiled for the build host"),
    "aot_inductor.dynamic_linkage": (True, "the model becomes a DLL"),
    "freezing": (False, "frozen weights are packed for the build host's CPU"),
    "cpp.weight_prepack": (False, "packed weights are laid out for the build host's CPU"),
    "cpp.dynamic_threads": (True, "the thread count is the target's"),
    "cpp.threads": (_SHAPED_FOR_THREADS, "the thread count is the target's"),
    "cpp.vec_isa_ok": (True, "the vector instructions are the target's"),
    "cpp.cxx": ((None, _NO_COMPILER), "the compiler is zig"),
    "cpp.march": ("", "the CPU is chosen with `cpu`"),
    "max_autotune": (False, "it would choose by the speed of the build host"),
    "max_autotune_gemm": (False, "it would choose by the speed of the build host"),
    "max_autotune_pointwise": (False, "it would choose by the speed of the build host"),
    "compile_threads": (1, "nothing is compiled for the build host"),
    "cpp_wrapper": (True, "the model becomes C++"),
    "fx_wrapper": (False, "the model becomes C++"),
}
#: of these, what torch 2.10 does not have: nothing is to be said there
_OF_LATER_TORCH = frozenset({"cpp.march"})
#: `aot_inductor.*` settings that change only the generated code's behaviour, and safely
_OPEN_AOT_SETTINGS = frozenset({"aot_inductor.check_lowerbound"})


def merged_options(
    user: Mapping[str, Any], known: Mapping[str, Any], *, name: str, simdlen: int
) -> dict[str, Any]:
    """Return the settings to generate one model with.

    Args:
        user: the user's settings: dotted names, or tables within tables.
        known: all of Inductor's settings with their defaults.
        name: stem of the generated files, a C identifier.
        simdlen: width of the target's vectors in bits.

    Raises:
        ConfigurationError: a setting is unknown, has the wrong type, or is one of aotwin's own.
    """
    absent = _OF_LATER_TORCH - known.keys()
    fixed = {setting: value for setting, (value, _) in _FIXED.items() if setting not in absent}
    options = _flat(user, known)
    for setting, value in options.items():
        _refuse_unknown(setting, known)
        _refuse_fixed(setting, value, known)
        _refuse_type(setting, value, known[setting])
    return {
        **options,
        **fixed,
        "cpp.simdlen": simdlen,
        "aot_inductor.model_name_for_generated_files": name,
    }


def _flat(table: Mapping[str, Any], known: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        setting = f"{prefix}{key}"
        if isinstance(value, Mapping) and setting not in known:
            flat.update(_flat(value, known, f"{setting}."))
        else:
            flat[setting] = value
    return flat


def _refuse_unknown(setting: str, known: Mapping[str, Any]) -> None:
    if setting in known:
        return
    near = difflib.get_close_matches(setting, known, n=1)
    raise ConfigurationError(
        f"Inductor has no setting {setting!r}",
        cause=f"the nearest is {near[0]!r}" if near else "none is spelled like it",
        next_step="Correct `inductor` of the model in [tool.aotwin.models].",
    )


def _refuse_fixed(setting: str, value: Any, known: Mapping[str, Any]) -> None:
    if setting in _FIXED:
        fixed, reason = _FIXED[setting]
        # a list is how TOML spells a tuple
        if value == fixed or (isinstance(value, list) and tuple(value) == fixed):
            return
    elif setting == "cpp.simdlen":
        reason = "the width of vectors follows from `cpu`"
    elif setting.startswith("aot_inductor.") and setting not in _OPEN_AOT_SETTINGS:
        if value == known[setting]:
            return
        reason = "the layout of what is generated is aotwin's contract with the target"
    else:
        return
    raise ConfigurationError(
        f"the Inductor setting {setting!r} cannot be {value!r} here",
        cause=f"it is aotwin's own: {reason}",
        next_step="Remove it from `inductor` of the model in [tool.aotwin.models].",
    )


def _refuse_type(setting: str, value: Any, default: Any) -> None:
    if default is None or value is None or isinstance(value, type(default)):
        return
    if isinstance(default, (tuple, list)) and isinstance(value, (tuple, list)):
        return
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return
    raise ConfigurationError(
        f"the Inductor setting {setting!r} cannot be {value!r}",
        cause=f"it takes a {type(default).__name__}; its default is {default!r}",
        next_step="Correct `inductor` of the model in [tool.aotwin.models].",
    )
