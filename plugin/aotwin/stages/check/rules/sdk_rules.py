"""Rules on the SDK in a model's folder: what is built against and started is what was built."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from aotwin.formats.manifest import MANIFEST_NAME
from aotwin.formats.manifest_reader import SDK_HOME
from aotwin.stages.check.rules.model import Model
from aotwin.stages.check.rules.policy import load_sdk_policies
from aotwin.stages.check.rules.rule import Rule, Violation

#: where the SDK's programs lie in a model's folder
SDK_BIN = f"{SDK_HOME}bin/"
_PROGRAM_SUFFIXES = frozenset({".dll", ".exe", ".pyd", ".com", ".bat", ".cmd", ".ps1", ".sys"})


def sdk_programs(model: Model) -> dict[str, str]:
    """The SDK's programs that the manifest lists and the folder has -> their seals, hex."""
    listed = {} if model.manifest is None else model.manifest.sdk
    places = (SDK_BIN + name for name in load_sdk_policies())
    return {
        place: listed[place] for place in places if place in listed and model.sdk.get(place) == ""
    }


def check_files(model: Model) -> Iterator[Violation]:
    """The SDK's files are there, unchanged, and the only ones."""
    if model.manifest is None:
        return
    listed = model.manifest.sdk
    programs = {SDK_BIN + name for name in load_sdk_policies()}
    for name, digest in sorted(listed.items()):
        if model.sdk.get(name) != "":
            found = model.sdk.get(name, "no such file")
            yield Violation("a file of the SDK is missing", "a regular file", found, name)
        elif name not in programs and (found := model.digest(name)) != digest:
            # Programs are compared with their seals, as models' DLLs are.
            yield Violation(
                "a file of the SDK was changed after the build",
                f"sha256 {digest}", f"sha256 {found}", name,
            )  # fmt: skip
    for name in sorted(model.sdk):
        # Without an SDK the folder is the project's own, but for what `aotwin run` would start.
        if name not in listed and (listed or _is_program(name)):
            yield Violation(
                "a file that the build did not put into the SDK",
                f"the files that {MANIFEST_NAME} lists", model.sdk[name] or "another file", name,
            )  # fmt: skip


def check_programs(model: Model) -> Iterator[Violation]:
    """No program is among the SDK's files but its own."""
    if model.manifest is None:
        return
    own = {SDK_BIN + name for name in load_sdk_policies()}
    for name in sorted(model.manifest.sdk):
        if name not in own and _is_program(name):
            expected = ", ".join(sorted(own))
            yield Violation("a program that is not the SDK's own", expected, name, MANIFEST_NAME)


def _is_program(name: str) -> bool:
    suffix = PurePosixPath(name).suffix.lower()
    return suffix in _PROGRAM_SUFFIXES or name.startswith(SDK_BIN)


SDK_RULES = (
    Rule[Model](
        "SDK-FILES",
        "The files in the model's `sdk/` are those that the manifest lists, unchanged",
        "Programs are compiled against these headers and libraries, and Windows looks for DLLs "
        "beside the program that it starts: a file that was added to `sdk/bin` may be what runs.",
        "Install the wheel again, or build it again; leave the folder as it is.",
        check_files,
    ),
    Rule[Model](
        "SDK-PROGRAMS",
        "The SDK brings no program but `aotwin.dll` and `aotwin-run.exe`",
        "These two are compiled by aotwin and checked like a model's DLL. Nobody has checked any "
        "other.",
        "Build the wheel again with aotwin.",
        check_programs,
    ),
)
