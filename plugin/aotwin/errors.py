"""The one family of errors that a user can cause.

Each carries what is wrong, why, and what to do about it. The command line and the build hooks
catch `AotwinError` at one boundary each and print it as one message; nothing else catches it.
"""

from __future__ import annotations


class AotwinError(Exception):
    """A failure that a user can cause and can mend.

    Args:
        fact: what is wrong, one sentence without the final full stop's need for context.
        cause: why it is so, or the evidence (a compiler's first error, a digest found).
        next_step: what the user does now.
    """

    #: exit code of the command line
    exit_code = 1

    def __init__(self, fact: str, *, cause: str = "", next_step: str = "") -> None:
        self.fact = fact
        self.cause = cause
        self.next_step = next_step
        super().__init__("\n".join(part for part in (fact, cause, next_step) if part))


class UsageError(AotwinError):
    """The command line itself is wrong (exit code 2)."""

    exit_code = 2


class ConfigurationError(AotwinError):
    """`[tool.aotwin]`, a config setting or an environment variable is wrong."""


class ProgramError(AotwinError):
    """The program cannot be imported, exported or lowered to C++."""


class WrapperError(AotwinError):
    """A ready wrapper (archive or folder) is not what AOTInductor writes, or is hostile."""


class SysrootError(AotwinError):
    """The target's headers and libraries cannot be had, or are not the pinned ones."""


class ToolError(AotwinError):
    """An outside tool (zig, pip, Wine) is missing or failed."""


class CheckError(AotwinError):
    """The gate: a check found what must not be shipped."""


class StorageError(AotwinError):
    """The disk is full, or a file cannot be read or written."""


class LoadError(AotwinError):
    """A built model cannot be loaded on this machine."""
