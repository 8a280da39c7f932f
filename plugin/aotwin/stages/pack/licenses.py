"""Licences of what is linked into models' DLLs and into our run time, as files for the wheel.

They go to `licenses/aotwin/` in the wheel's dist-info folder, beside those of the project itself
(PEP 639 names the folder).
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from aotwin.errors import ConfigurationError

#: folder in dist-info
LICENSES = "licenses/aotwin"
#: in the sysroot
_TORCH = "licenses/torch/LICENSE"
#: likewise; until torch 2.12 it is a part of torch's own
_SLEEF = "licenses/sleef/LICENSE"
#: in zig's lib folder
_OF_ZIG = {
    "libcxx.txt": "libcxx/LICENSE.TXT",
    "libcxxabi.txt": "libcxxabi/LICENSE.TXT",
    "libunwind.txt": "libunwind/LICENSE.TXT",
    "mingw-w64.txt": "libc/mingw/COPYING",
}


def license_files(*, sysroot: Path, zig_lib: Path) -> dict[str, bytes]:
    """Name in `LICENSES` -> text.

    Args:
        sysroot: the sysroot's folder.
        zig_lib: zig's lib folder, with its C and C++ libraries.

    Raises:
        ConfigurationError: aotwin itself is installed without its licence.
    """
    return {
        "aotwin.txt": _own_license(),
        "torch.txt": (sysroot / _TORCH).read_bytes(),
        **({"sleef.txt": (sysroot / _SLEEF).read_bytes()} if (sysroot / _SLEEF).is_file() else {}),
        **{name: (zig_lib / place).read_bytes() for name, place in _OF_ZIG.items()},
    }


def _own_license() -> bytes:
    try:
        text = importlib.metadata.distribution("aotwin").read_text("licenses/LICENSE")
    except importlib.metadata.PackageNotFoundError:
        text = None
    if text is None:
        raise ConfigurationError(
            "aotwin is installed without its licence",
            cause="its LICENSE must go into the wheel, and is not among its installed files",
            next_step="Install aotwin again with pip.",
        )
    return text.encode()
