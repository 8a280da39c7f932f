"""What a pin says of its torch beside the wheels' hashes: its C functions, its runner's needs."""

from __future__ import annotations

import re
from dataclasses import replace
from fnmatch import fnmatchcase

from aotwin.stages.compatibility import declared_signatures
from aotwin.stages.link import Sysroot
from aotwin.target.toolchain import SysrootPin

_TORCH = "torch_cpu.dll"
#: entry points of a model, as torch's runner spells them for GetProcAddress
_ENTRY_POINT = re.compile(rb"\0(AOTInductor(?:Model|Get|Set)\w+)\0")


def with_facts(pin: SysrootPin, sysroot: Sysroot) -> SysrootPin:
    """A pin with what its laid-out sysroot tells."""
    declared = declared_signatures(sysroot.include_dirs[0])
    patterns = pin.import_libraries[_TORCH]
    shims = {
        name: declared.get(name, "")
        for name in sorted(sysroot.exports[_TORCH])
        if any(fnmatchcase(name, pattern) for pattern in patterns)
    }
    image = (sysroot.lib_dir / _TORCH).read_bytes()
    runner = frozenset(name.decode("ascii") for name in _ENTRY_POINT.findall(image))
    return replace(pin, shims=shims, runner=runner)
