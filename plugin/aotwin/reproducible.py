"""The one time that archives carry, so that two builds give the same bytes.

`SOURCE_DATE_EPOCH` is specified at reproducible-builds.org: seconds since 1970 as decimal digits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from aotwin.errors import ConfigurationError

#: 1980-01-01T00:00:00Z, the first second that a zip archive can tell: the time of all members when
#: SOURCE_DATE_EPOCH says nothing
DEFAULT_EPOCH = 315_532_800
#: 2107-12-31T23:59:58Z, the last one
_LAST_ZIP_EPOCH = 4_354_819_198

_VARIABLE = "SOURCE_DATE_EPOCH"


def source_date_epoch(environ: Mapping[str, str] = os.environ) -> int:
    """Seconds since 1970, UTC, that all members of an archive carry.

    Raises:
        ConfigurationError: the variable is set to something else.
    """
    text = environ.get(_VARIABLE)
    if text is None:
        return DEFAULT_EPOCH
    digits = text.isascii() and text.isdigit() and len(text) <= 20
    if not digits or int(text) > _LAST_ZIP_EPOCH:
        raise ConfigurationError(
            f"environment variable {_VARIABLE} is {text[:40]!r}",
            cause="expected: seconds since 1970 in decimal digits, before the year 2108",
            next_step=f"Unset it, or set it like this: {_VARIABLE}=$(git log -1 --pretty=%ct)",
        )
    return int(text)


def zip_date_time(epoch: int) -> tuple[int, int, int, int, int, int]:
    """An epoch as `ZipInfo.date_time`: UTC, and not before 1980."""
    return time.gmtime(max(epoch, DEFAULT_EPOCH))[:6]
