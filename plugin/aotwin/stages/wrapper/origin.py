"""Which torch wrote a wrapper, as far as the wrapper itself tells.

AOTInductor does not write its version down. Each version's text has what earlier ones lack, and a
user may have torch's version written into the metadata (`aot_inductor.metadata`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from aotwin.values import Wrapper

#: key of the metadata that names the version, where the user had it written
VERSION_KEY = "torch_version"
#: before it, AOTInductor had no weights in a blob
OLDEST = (2, 10)
#: (major, minor) -> what is in every wrapper with constants from then on, the newest first
_MARKS: tuple[tuple[tuple[int, int], re.Pattern[str]], ...] = (
    ((2, 15), re.compile(r"\bAOTInductorModelContainerSetUseStreamAffinity\b")),
    ((2, 14), re.compile(r"\bAOTInductorModelContainerCreateWithExternalConstants\b")),
    ((2, 13), re.compile(r"\bAOTInductorGetLastError\b")),
    ((2, 11), re.compile(r"^ *constants_info_\[\d+\]\.device_type = ", re.MULTILINE)),
)
_CONSTANT = re.compile(r"^ *constants_info_\[\d+\]\.name = ", re.MULTILINE)
#: among the definitions from torch 2.12 on
_SINCE_2_12 = "TORCH_INDUCTOR_PRECOMPILE_HEADERS"
_RELEASE = re.compile(r"(\d{1,4})\.(\d{1,4})\.\d+")


@dataclass(frozen=True)
class Origin:
    """The versions of torch that may have written a wrapper."""

    #: (major, minor), both included
    oldest: tuple[int, int]
    #: None: whatever comes after
    newest: tuple[int, int] | None
    #: exactly this one, "2.12.1", by the wrapper's metadata; "" where it does not tell
    version: str = ""

    def admits(self, version: str) -> bool:
        """Whether this torch ("2.12.1") may have written it."""
        release = _RELEASE.match(version)
        if release is None:
            return False
        if self.version:
            return version == self.version
        minor = (int(release[1]), int(release[2]))
        return self.oldest <= minor and (self.newest is None or minor <= self.newest)

    def __str__(self) -> str:
        """In words: "2.11 to 2.12"."""
        if self.version:
            return self.version
        oldest = ".".join(map(str, self.oldest))
        if self.newest is None:
            return f"{oldest} or later"
        newest = ".".join(map(str, self.newest))
        return oldest if newest == oldest else f"{oldest} to {newest}"


def origin_of(wrapper: Wrapper) -> Origin:
    """Read a wrapper for what tells its torch."""
    named = _RELEASE.match(wrapper.metadata.get(VERSION_KEY, ""))
    if named is not None:
        return Origin(OLDEST, None, named[0])
    newest: tuple[int, int] | None = None
    for since, mark in _MARKS:
        if mark.search(wrapper.source):
            if since == (2, 11) and _SINCE_2_12 not in wrapper.definitions:
                return Origin(since, since)
            return Origin(since, newest)
        newest = (since[0], since[1] - 1)
    # Without constants nothing tells 2.10 from what came until the next mark.
    if not _CONSTANT.search(wrapper.source):
        newest = (2, 12)
    return Origin(OLDEST, newest)
