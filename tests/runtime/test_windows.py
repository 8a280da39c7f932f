"""The DLL on Windows, in a Python that does not load torch."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import native_library

# zig builds its C++ run time for these flags first: minutes.
pytestmark = [pytest.mark.zig, pytest.mark.wine, pytest.mark.long]


def test_dll_does_on_windows_what_the_library_does_here(tmp_path: Path) -> None:
    from windows_on_wine import ensure

    windows = ensure()
    library = tmp_path / "aotwin.dll"
    native_library.build(library, native_library.WINDOWS)
    native_library.build_openmp_program(
        tmp_path / "openmp_program.dll", library, native_library.WINDOWS
    )
    answer = windows.python([Path(__file__).with_name("windows_check.py"), tmp_path])
    assert answer.stdout.splitlines()[-1] == "fine"
