"""The check policy is data that must not contradict itself."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any

import pytest

from aotwin.errors import ConfigurationError
from aotwin.stages.check.rules.policy import load_policy, parse_policy
from aotwin.target.toolchain import known_targets, toolchain_path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def data() -> tuple[dict[str, Any], dict[str, Any]]:
    policy = tomllib.loads(toolchain_path("targets/policy-windows-x86_64.toml").read_text("utf-8"))
    system = tomllib.loads(
        toolchain_path(f"targets/{policy['imports']['system']}").read_text("utf-8")
    )
    return copy.deepcopy(policy), copy.deepcopy(system)


@pytest.mark.parametrize("target", known_targets())
def test_every_target_has_a_sound_policy(target: str) -> None:
    assert load_policy(target).target == target


def test_dll_names_ignore_case() -> None:
    imports = load_policy("windows").imports
    assert imports.allows("Kernel32.DLL")
    assert imports.is_sysroot("TORCH_CPU.dll")
    assert not imports.allows("stranger.dll")


def test_our_own_exports_are_told_by_their_prefix() -> None:
    exports = load_policy("windows").exports
    assert exports.allows("AotwinWeightsInfo")
    assert exports.allows("AOTInductorModelContainerRun")
    assert not exports.allows("AOTInductorModelContainerRun2")


CONTRADICTIONS: dict[str, Callable[[dict[str, Any], dict[str, Any]], object]] = {
    "no export is required": lambda p, s: p["exports"]["required"].clear(),
    "an export is required and optional": lambda p, s: p["exports"]["required"].extend(
        p["exports"]["optional"]
    ),
    "every export counts as our own": lambda p, s: p["exports"]["own"].append("*"),
    "no DLL of the sysroot may be imported": lambda p, s: p["imports"]["sysroot"].clear(),
    "a DLL is torch's and Windows' own": lambda p, s: p["imports"]["sysroot"].append(
        "kernel32.dll"
    ),
    "a DLL of Windows is empty": lambda p, s: s["dlls"]["kernel32.dll"].clear(),
    "DLL names are not in lower case": lambda p, s: p["imports"]["sysroot"].append("C10.dll"),
    "a flag is not one bit": lambda p, s: p["image"]["flags"]["required"].update(BOTH=0x140),
    "a flag is both": lambda p, s: p["image"]["flags"]["forbidden"].update(NX=0x100),
    "a characteristic is both": lambda p, s: p["image"]["characteristics"]["forbidden"].update(
        DLL=0x2000
    ),
    "there is no such data directory": lambda p, s: p["image"]["directories"]["required"].append(
        "exports"
    ),
    "a data directory is required and forbidden": lambda p, s: p["image"]["directories"][
        "required"
    ].append("certificate"),
    "no subsystem is allowed": lambda p, s: p["image"]["subsystems"].clear(),
    "no file is small enough": lambda p, s: p["image"].update(max_size=0),
}


@pytest.mark.parametrize("problem", CONTRADICTIONS)
def test_data_that_contradicts_itself_is_refused(problem: str) -> None:
    policy, system = data()
    CONTRADICTIONS[problem](policy, system)
    with pytest.raises(ConfigurationError) as caught:
        parse_policy("windows-x86_64", policy, system)
    assert caught.value.cause == problem


BROKEN_DATA: dict[str, Callable[[dict[str, Any], dict[str, Any]], object]] = {
    "key-missing": lambda p, s: p["image"].pop("machine"),
    "other-schema": lambda p, s: p.update(schema=2),
    "list-for-a-table": lambda p, s: p.update(exports=[]),
}


@pytest.mark.parametrize("case", BROKEN_DATA)
def test_data_of_the_wrong_form_is_refused(case: str) -> None:
    policy, system = data()
    BROKEN_DATA[case](policy, system)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        parse_policy("windows-x86_64", policy, system)
