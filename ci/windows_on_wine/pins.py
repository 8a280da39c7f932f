"""pins.toml as frozen values."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Package:
    """One file of a package registry."""

    #: "torch==2.13.0"
    requirement: str
    #: of the file, hex
    sha256: str

    @property
    def name(self) -> str:
        """The distribution's name: "torch"."""
        return self.requirement.partition("==")[0]

    @property
    def version(self) -> str:
        """The distribution's version: "2.13.0"."""
        return self.requirement.partition("==")[2]


@dataclass(frozen=True)
class PythonPin:
    """The source distribution that holds Windows' CPython."""

    package: Package
    #: of CPython: "3.11.9"
    version: str
    #: path of the zip archive in the source distribution, below its top folder
    archive: str
    #: folder within that archive
    folder: str

    @property
    def minor(self) -> str:
        """What pip calls --python-version: "3.11"."""
        return ".".join(self.version.split(".")[:2])


@dataclass(frozen=True)
class RuntimePin:
    """The wheel that holds the VC++ run-time DLLs."""

    package: Package
    #: folder of the DLLs within the wheel
    folder: str


@dataclass(frozen=True)
class Pins:
    """All that is downloaded."""

    python: PythonPin
    runtime: RuntimePin
    #: what goes into Windows' site-packages
    wheels: tuple[Package, ...]
    #: those of them that the Python without torch has, too
    without_torch: tuple[Package, ...]
    #: in a folder of its own
    ml_dtypes: Package


def load_pins(path: Path = FOLDER / "pins.toml") -> Pins:
    """The pins in `path`, a file of this package (so it is not checked as a user's would be)."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    python, runtime = data["python"], data["runtime"]
    wheels = {Package(row["requirement"], row["sha256"]): row for row in data["wheel"]}
    return Pins(
        python=PythonPin(
            package=Package(python["requirement"], python["sha256"]),
            version=python["version"],
            archive=python["archive"],
            folder=python["folder"],
        ),
        runtime=RuntimePin(
            package=Package(runtime["requirement"], runtime["sha256"]), folder=runtime["folder"]
        ),
        wheels=tuple(wheels),
        without_torch=tuple(
            wheel for wheel, row in wheels.items() if row.get("also_without_torch")
        ),
        ml_dtypes=Package(**data["ml_dtypes"]),
    )
