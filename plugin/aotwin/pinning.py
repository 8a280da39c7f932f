"""`aotwin toolchain pin`: a new torch made buildable, and what there is to look at before it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aotwin.adapters.storage.files import replacing, storage_errors, temporary_folder
from aotwin.adapters.tools.zig import Zig, find_zig
from aotwin.errors import AotwinError
from aotwin.pipeline.model import build_model
from aotwin.progress import Progress
from aotwin.stages.link import prepare_sysroot
from aotwin.stages.pin import (
    Difference,
    PinnedSysroot,
    compare_sysroots,
    fetch_new_pin,
    render_pin,
    required_version,
    with_facts,
    write_probe,
)
from aotwin.target.toolchain import (
    PINS_VARIABLE,
    SysrootPin,
    Toolchain,
    load_toolchain,
    toolchain_path,
)


@dataclass(frozen=True)
class PinReport:
    """What became of a pin."""

    #: the pin file
    path: Path
    #: torch that it was compared with; "" where there is no other
    compared_with: str
    differences: tuple[Difference, ...]
    #: why the probe model could not be built or opened; "" where it could
    problem: str

    def __bool__(self) -> bool:
        """The probe model was built and opened."""
        return not self.problem

    def to_text(self) -> str:
        """For a maintainer: what to look at, the serious first."""
        lines = [
            f"{'LOOK AT' if each.serious else 'see    '} {each.text}" for each in self.differences
        ]
        if self.compared_with:
            lines.insert(0, f"compared with torch {self.compared_with}:")
        if self.problem:
            lines.append(f"FAILED  {self.problem}")
        return "\n".join(lines)


def pin_torch(
    requirement: str,
    folder: Path | None,
    *,
    target: str = "windows",
    check: str = "wine",
    progress: Progress,
) -> PinReport:
    """Pin a torch.

    Its Windows wheel is fetched and hashed, the pin file is written, a probe model is built against
    it with the DLL's own part and opened under Wine.

    Args:
        requirement: "torch==2.16.0".
        folder: where the pin file goes; by default among aotwin's own.
        check: "wine", or "static" to leave Wine out.

    Raises:
        AotwinError: the wheel cannot be had, or the folder cannot be written. A probe model that
            fails is in the report.
    """
    toolchain = load_toolchain(target)
    version = required_version(requirement)
    last = _last(toolchain, version)
    folder = (folder or toolchain_path("targets/sysroots")).absolute()
    path = folder / f"torch-{version}-{toolchain.name}.toml"
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    zig = find_zig()
    with progress.stage(f"sysroot of torch {version}"):
        pin = fetch_new_pin(version, toolchain.sysroot(last))
        found = _laid_out(pin, toolchain, zig, progress)
    with temporary_folder() as work:
        with replacing(path) as file:
            file.write(render_pin(found.pin).encode())
        others = _laid_out(toolchain.sysroot(last), toolchain, zig, progress)
        differences = compare_sysroots(found, others) if last != version else ()
        write_probe(found.sysroot, work, toolchain, toolchain.cpus[toolchain.default_cpu])
        problem = ""
        try:
            with _pins_from(folder):
                build_model(
                    work,
                    work / "built",
                    name="probe",
                    target=toolchain.name,
                    cpu=(toolchain.default_cpu,),
                    check=check,
                    runtime="torch",
                    progress=progress,
                )
        except AotwinError as error:
            problem = str(error)
    return PinReport(path, last if last != version else "", differences, problem)


def _last(toolchain: Toolchain, version: str) -> str:
    """The pinned torch that comes before a version, or else the oldest one."""
    from packaging.version import Version

    others = [each for each in toolchain.torch_versions if each != version]
    before = [each for each in others if Version(each) < Version(version)]
    return (before[-1:] or others[:1] or [version])[0]


def _laid_out(pin: SysrootPin, toolchain: Toolchain, zig: Zig, progress: Progress) -> PinnedSysroot:
    sysroot = prepare_sysroot(toolchain, pin, zig, remark=progress.remark)
    return PinnedSysroot(with_facts(pin, sysroot), sysroot)


@contextmanager
def _pins_from(folder: Path) -> Iterator[None]:
    """Let the build within find the pin, wherever it was written."""
    before = os.environ.get(PINS_VARIABLE)
    os.environ[PINS_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[PINS_VARIABLE]
        else:
            os.environ[PINS_VARIABLE] = before
