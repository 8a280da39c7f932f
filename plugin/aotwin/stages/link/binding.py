"""What a model calls of its run time, and how its DLL is tied to it.

Over torch the DLL imports torch's DLLs. Over the run time of our own it jumps through a table that
it fills itself when its first container is created: `toolchains/windows/dll/aotwin_binding.h`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from aotwin.adapters.pe.coff import undefined_symbols
from aotwin.target.toolchain import toolchain_path

#: Functions of a run time: torch's C shims, those by which torch tells a failure's reason, the
#: OpenMP ABI of clang's code, and our own two.
_OF_RUN_TIME = re.compile(r"(?:aoti_|torch_|__kmpc_|omp_)\w+")
#: C source of the functions that answer before the run time is bound, below `toolchains/`
NUMBERS = "windows/dll/aotwin_torch_numbers.c"
#: our own, which the DLL's run-time part calls whatever the run time (aotwin_binding.h)
_OWN = (
    "aotwin_abandon_region",
    "aotwin_failure_reason",
    "aotwin_mark_constant",
    "aotwin_take_failure",
)


def called_functions(compiled: Iterable[bytes]) -> tuple[str, ...]:
    """Names of the run time's functions that a compiled wrapper calls, sorted.

    Args:
        compiled: the wrapper's objects.

    Raises:
        ToolError: one is no COFF object.
    """
    names = frozenset().union(*map(undefined_symbols, compiled)) - torch_numbers()
    return tuple(sorted(name for name in names if _OF_RUN_TIME.fullmatch(name)))


@cache
def torch_numbers() -> frozenset[str]:
    """Functions that give a number of torch's ABI, and are linked into a bound DLL."""
    text = toolchain_path(NUMBERS).read_text(encoding="utf-8")
    return frozenset(re.findall(r"^int32_t (\w+)\(void\)", text, re.MULTILINE))


def binding_source(functions: Iterable[str], library: str) -> str:
    """`aotwin_binding.c`: the template in aotwin_binding.h, filled in.

    Args:
        functions: what the model calls of torch's and OpenMP's names.
        library: the run time's DLL, a path from the model's folder with "/" between the parts.
    """
    shims = tuple(functions)
    names = (*shims, *_OWN)
    empty = ["AOTWIN_UNBOUND"] * len(shims) + ["AOTWIN_NOTHING"] * len(_OWN)
    path = library.replace("/", "\\").encode("utf-16-le")
    units = [str(int.from_bytes(path[at : at + 2], "little")) for at in range(0, len(path), 2)]
    return "\n".join(
        (
            '#include "aotwin_binding.h"',
            "static const char* const names[] = {",
            *(f'    "{name}",' for name in names),
            "    0,",
            "};",
            f"void* aotwin_slots[] = {{{', '.join(empty)}, 0}};",
            f"static const uint16_t library[] = {{{', '.join((*units, '0'))}}};",
            "const AotwinBinding aotwin_binding = {",
            f"    .count = {len(names)},",
            "    .names = names,",
            "    .slots = aotwin_slots,",
            "    .library = library,",
            "};",
            *(f"AOTWIN_STUB({name}, {index})" for index, name in enumerate(names)),
            "",
        )
    )
