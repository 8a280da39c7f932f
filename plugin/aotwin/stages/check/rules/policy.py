"""What may leave a build: the rules' data (`targets/policy-*.toml`) as one frozen value."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Literal

from aotwin.adapters.pe.image import DIRECTORY_NAMES
from aotwin.errors import ConfigurationError
from aotwin.target.toolchain import load_toolchain, toolchain_path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: version of the data files' form
_SCHEMA = 1
#: whose policy every copy of our run time's library must meet, whatever it is called
RUN_TIME_LIBRARY = "aotwin.dll"

#: what to do about a policy file that is none
_MEND = "Install aotwin again, or mend the file under toolchains/targets/ if you changed it."
#: the start of a version of torch
_MINOR = re.compile(r"(\d{1,4})\.(\d{1,4})\.")


@dataclass(frozen=True)
class ExportPolicy:
    """Which symbols a DLL exports."""

    #: each of them, exactly
    required: frozenset[str]
    #: generated for some settings only
    optional: frozenset[str]
    #: glob patterns of our own
    own: tuple[str, ...]
    #: torch's (major, minor) -> what each DLL for it, and for later ones, exports besides
    later: Mapping[tuple[int, int], frozenset[str]] = field(default_factory=dict)

    def allows(self, name: str) -> bool:
        """The symbol may be exported."""
        return (
            name in self.required
            or name in self.optional
            or any(name in names for names in self.later.values())
            or any(fnmatchcase(name, pattern) for pattern in self.own)
        )


@dataclass(frozen=True)
class ImportPolicy:
    """Which DLLs a DLL may depend on, and what it may want of them. DLL names ignore case."""

    #: DLLs of the sysroot: whatever they really export may be imported
    sysroot: frozenset[str]
    #: DLLs of Windows, lower case -> symbols that its oldest supported version exports
    system: Mapping[str, frozenset[str]]

    def is_sysroot(self, dll: str) -> bool:
        """The DLL comes with torch."""
        return dll.lower() in self.sysroot

    def allows(self, dll: str) -> bool:
        """The DLL may be depended on."""
        return self.is_sysroot(dll) or dll.lower() in self.system


@dataclass(frozen=True)
class Policy:
    """What a DLL for one target must look like."""

    #: the target's name
    target: str
    machine: int
    #: bytes; larger files are not even read
    max_size: int
    #: name -> value in IMAGE_FILE_HEADER.Characteristics
    required_characteristics: Mapping[str, int]
    forbidden_characteristics: Mapping[str, int]
    #: name -> value in IMAGE_OPTIONAL_HEADER64.DllCharacteristics
    required_flags: Mapping[str, int]
    forbidden_flags: Mapping[str, int]
    #: name -> value in IMAGE_OPTIONAL_HEADER64.Subsystem
    subsystems: Mapping[str, int]
    #: names out of `DIRECTORY_NAMES`
    required_directories: frozenset[str]
    forbidden_directories: frozenset[str]
    #: the oldest Windows that must load the DLL, in words and as (major, minor)
    windows: str
    windows_version: tuple[int, int]
    exports: ExportPolicy
    imports: ImportPolicy
    #: a model's DLL, over torch or bound to our own run time; or a library or program of our own
    role: Literal["model", "bound", "library", "program"] = "model"

    def over_own_run_time(self) -> Policy:
        """The policy of models that are bound to our own run time: Windows alone is imported."""
        return replace(self, role="bound", imports=ImportPolicy(frozenset(), self.imports.system))

    def for_torch(self, version: str) -> Policy:
        """The policy of models of one torch: "2.14.1". Of an unknown text, this very policy."""
        found = _MINOR.match(version)
        if found is None:
            return self
        minor = (int(found[1]), int(found[2]))
        added = (names for since, names in self.exports.later.items() if since <= minor)
        required = self.exports.required.union(*added)
        return replace(self, exports=replace(self.exports, required=required, later={}))

    def __post_init__(self) -> None:
        """Refuse data that contradicts itself: a rule that no DLL can meet, or any can.

        Raises:
            ConfigurationError: the data file is wrong.
        """
        problems = [text for broken, text in self._invariants() if broken]
        if problems:
            raise ConfigurationError(
                f"the check policy of {self.target} contradicts itself",
                cause="; ".join(problems),
                next_step=_MEND,
            )

    def _invariants(self) -> list[tuple[bool, str]]:
        exports, imports = self.exports, self.imports
        directories = self.required_directories | self.forbidden_directories
        flags = [
            *self.required_characteristics.values(), *self.forbidden_characteristics.values(),
            *self.required_flags.values(), *self.forbidden_flags.values(),
        ]  # fmt: skip
        return [
            (
                (self.role == "program") != (not exports.required),
                "a program exports" if self.role == "program" else "no export is required",
            ),
            (bool(exports.required & exports.optional), "an export is required and optional"),
            (
                any(names & exports.required for names in exports.later.values()),
                "an export is required always and later",
            ),
            (any(set(own) <= set("*?") for own in exports.own), "every export counts as our own"),
            (
                self.role == "model" and not imports.sysroot,
                "no DLL of the sysroot may be imported",
            ),
            (bool(imports.sysroot & set(imports.system)), "a DLL is torch's and Windows' own"),
            (any(not names for names in imports.system.values()), "a DLL of Windows is empty"),
            (
                any(dll != dll.lower() for dll in imports.sysroot | set(imports.system)),
                "DLL names are not in lower case",
            ),
            (any(bin(flag).count("1") != 1 for flag in flags), "a flag is not one bit"),
            (_overlap(self.required_flags, self.forbidden_flags), "a flag is both"),
            (
                _overlap(self.required_characteristics, self.forbidden_characteristics),
                "a characteristic is both",
            ),
            (not directories <= set(DIRECTORY_NAMES), "there is no such data directory"),
            (
                bool(self.required_directories & self.forbidden_directories),
                "a data directory is required and forbidden",
            ),
            (not self.subsystems, "no subsystem is allowed"),
            (self.max_size <= 0, "no file is small enough"),
        ]


def _overlap(left: Mapping[str, int], right: Mapping[str, int]) -> bool:
    return bool(set(left.values()) & set(right.values()))


@cache
def load_policy(target: str = "windows-x86_64") -> Policy:
    """The policy of a target given by name or alias.

    Raises:
        ConfigurationError: no such target, or its data contradicts itself.
    """
    name = load_toolchain(target).name
    data = _read(toolchain_path(f"targets/policy-{name}.toml"))
    system = _read(toolchain_path(f"targets/{data['imports']['system']}"))
    return parse_policy(name, data, system)


@cache
def load_sdk_policies(target: str = "windows-x86_64") -> Mapping[str, Policy]:
    """What each program in the SDK's `bin/` must look like, by its file name.

    Raises:
        ConfigurationError: no such target, or its data contradicts itself.
    """
    policy = load_policy(target)
    return parse_sdk_policies(policy, _read(toolchain_path(f"targets/policy-{policy.target}.toml")))


def parse_sdk_policies(policy: Policy, data: Mapping[str, Any]) -> dict[str, Policy]:
    """Policies from the table `sdk` of `policy-<target>.toml`.

    Args:
        policy: that of models, which holds where the table says nothing.

    Raises:
        ConfigurationError: a key is missing, of the wrong type, or the data contradicts itself.
    """
    try:
        rows = {str(name): dict(row) for name, row in data["sdk"].items()}
        return {name: _sdk_policy(policy, row, rows) for name, row in rows.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(
            f"the check policy of {policy.target} cannot be read",
            cause=f"sdk: {type(error).__name__}: {error}",
            next_step=_MEND,
        ) from error


def _sdk_policy(policy: Policy, row: Mapping[str, Any], rows: Mapping[str, Any]) -> Policy:
    siblings = {dll: frozenset(rows[dll]["exports"]) for dll in row["imports"]}
    changed = replace(
        policy,
        role="library" if row["is_dll"] else "program",
        exports=ExportPolicy(frozenset(row["exports"]), frozenset(), tuple(row.get("own", ()))),
        imports=ImportPolicy(frozenset(), {**policy.imports.system, **siblings}),
        required_directories=policy.required_directories - (set() if row["is_dll"] else {"export"}),
    )
    if row["is_dll"]:
        return changed
    required = dict(policy.required_characteristics)
    forbidden = {**policy.forbidden_characteristics, "DLL": required.pop("DLL")}
    return replace(changed, required_characteristics=required, forbidden_characteristics=forbidden)


def parse_policy(target: str, data: Mapping[str, Any], system: Mapping[str, Any]) -> Policy:
    """A policy from the tables of `policy-<target>.toml` and its list of Windows' exports.

    Raises:
        ConfigurationError: a key is missing, of the wrong type, or the data contradicts itself.
    """
    try:
        if (data["schema"], system["schema"]) != (_SCHEMA, _SCHEMA):
            raise ValueError(f"it is not in schema {_SCHEMA}")
        image = data["image"]
        major, minor = system["version"]
        return Policy(
            target=target,
            machine=image["machine"],
            max_size=image["max_size"],
            required_characteristics=image["characteristics"]["required"],
            forbidden_characteristics=image["characteristics"]["forbidden"],
            required_flags=image["flags"]["required"],
            forbidden_flags=image["flags"]["forbidden"],
            subsystems=image["subsystems"],
            required_directories=frozenset(image["directories"]["required"]),
            forbidden_directories=frozenset(image["directories"]["forbidden"]),
            windows=system["windows"],
            windows_version=(major, minor),
            exports=ExportPolicy(
                required=frozenset(data["exports"]["required"]),
                optional=frozenset(data["exports"]["optional"]),
                own=tuple(data["exports"]["own"]),
                later={
                    _minor(since): frozenset(names)
                    for since, names in data["exports"].get("later", {}).items()
                },
            ),
            imports=ImportPolicy(
                sysroot=frozenset(data["imports"]["sysroot"]),
                system={dll: frozenset(names) for dll, names in system["dlls"].items()},
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"the check policy of {target} cannot be read",
            cause=f"{type(error).__name__}: {error}",
            next_step=_MEND,
        ) from error


def _minor(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        data: dict[str, Any] = tomllib.load(file)
    return data
