"""In which torches a DLL can run, by what it calls and exports, and what each of them is like."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from aotwin.target.toolchain import SysrootPin, Toolchain

#: start of the names of torch's C functions; what else is called is OpenMP's, the same in all
_SHIM_STARTS = ("aoti_", "torch_")


@dataclass(frozen=True)
class Verdict:
    """Whether a DLL runs in one torch."""

    version: str
    #: what is in the way; empty: it runs
    lacking: tuple[str, ...]

    def __bool__(self) -> bool:
        """It runs."""
        return not self.lacking


def verdicts(
    called: Collection[str], exported: Collection[str], built_for: str, toolchain: Toolchain
) -> tuple[Verdict, ...]:
    """Hold a DLL against every pinned torch.

    Args:
        called: functions that it imports from torch (and others, which are left out).
        exported: its entry points.
        built_for: the torch whose headers it was compiled with; it need not be pinned any more.

    Returns:
        One for each pinned torch, oldest first.
    """
    pins = {version: toolchain.sysroot(version) for version in toolchain.torch_versions}
    known = pins[built_for].shims if built_for in pins else {}
    shims = sorted(name for name in called if name.startswith(_SHIM_STARTS))
    return tuple(
        Verdict(
            version,
            (
                *_missing_functions(shims, known, pin),
                *_missing_entry_points(exported, pin, toolchain.runner_does_without),
            ),
        )
        for version, pin in pins.items()
    )


def _missing_functions(
    shims: Iterable[str], signatures: Mapping[str, str], pin: SysrootPin
) -> Iterator[str]:
    for name in shims:
        if name not in pin.shims:
            yield f"torch {pin.torch_version} has no {name}"
        elif signatures.get(name) and pin.shims[name] and signatures[name] != pin.shims[name]:
            yield f"torch {pin.torch_version} has another {name}: its signature changed"


def _missing_entry_points(
    exported: Collection[str], pin: SysrootPin, optional: Collection[str]
) -> Iterator[str]:
    for name in sorted(pin.runner - set(exported) - set(optional)):
        yield f"the runner of torch {pin.torch_version} needs {name}"
