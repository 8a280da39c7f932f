"""The wheel of an earlier build, where this build's will be, and that nobody has touched since.

A build that comes out as the one before finds its wheel there. It is known as other large files are
(`file_digest`): by its place, size and times; and what it was made of by a digest over the members
(order, names, contents and kinds), their time, and whatever writes them.
"""

from __future__ import annotations

import json
import os
import platform
import time
import zlib
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aotwin.adapters.archives.members import Member, Row
from aotwin.adapters.storage.file_digest import identity_of
from aotwin.adapters.storage.results import enabled, key_of, recall, remember
from aotwin.own_code import own_code_digest

_KIND = "wheels"
#: seconds after which a change has another time, on any kernel (at least 100 ticks a second)
_TICK = 0.02


@dataclass(frozen=True)
class StandingWheel:
    """What is remembered of a wheel."""

    path: Path
    #: of the file as it was left: place, size, times
    identity: str
    #: of the file, hex
    sha256: str
    #: of `made_of`
    made_of: str
    #: its large members, as RECORD lists them
    rows: Collection[Row]

    def is_untouched(self) -> bool:
        """Whether the file is still as it was left."""
        return _identity(self.path) == self.identity


def standing_wheel(path: Path) -> StandingWheel | None:
    """The wheel of that name, if a build left it there and nobody has touched it since."""
    identity = _identity(path)
    data = recall(_KIND, _key(path, identity)) if identity else None
    if data is None:
        return None
    try:
        fields = json.loads(data)
        rows = frozenset((name, digest, size) for name, digest, size in fields["rows"])
        return StandingWheel(path, identity, fields["sha256"], fields["made_of"], rows)
    except (ValueError, KeyError, TypeError):
        return None


def remember_wheel(
    path: Path, descriptor: int, made_of: str, sha256: str, rows: Sequence[Row]
) -> None:
    """Keep what a later build knows a wheel by that was just written.

    Args:
        descriptor: of its file, open.
        made_of: of `made_of`.
        sha256: of the file, hex.
        rows: its large members, as RECORD lists them.
    """
    if not enabled():
        return
    # A change so soon after the last could have the same time.
    written = os.fstat(descriptor).st_ctime
    time.sleep(min(max(0.0, written + _TICK - time.time()), _TICK))
    content = {"made_of": made_of, "sha256": sha256, "rows": [list(row) for row in rows]}
    identity = identity_of(os.fstat(descriptor))
    remember(_KIND, _key(path, identity), json.dumps(content).encode())


def made_of(
    large: Sequence[Row], members: Sequence[Member], rows: Sequence[Row], dist_info: str, epoch: int
) -> str:
    """A digest of all that decides a wheel's bytes, hex.

    Args:
        large: members that a draft was begun with, stored, in their order.
        members, rows: the others in their order, and how RECORD lists them.
        dist_info: the folder of RECORD.
        epoch: the time of all members.
    """
    kinds = [(member.stored, member.executable) for member in members]
    content = json.dumps([list(large), list(rows), kinds, dist_info, epoch])
    code = (own_code_digest(), platform.python_version(), zlib.ZLIB_RUNTIME_VERSION)
    return key_of("wheel", *code, content)


def _identity(path: Path) -> str:
    with suppress(OSError):
        return identity_of(path.stat())
    return ""


def _key(path: Path, identity: str) -> str:
    return key_of("wheel", str(path.resolve()), identity)
