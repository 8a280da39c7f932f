"""What a rule is, and what rules are applied to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Generic, TypeVar

from aotwin.adapters.pe.authenticode import has_signature, unsigned_bytes
from aotwin.adapters.pe.image import PeFacts, Unreadable
from aotwin.adapters.pe.pkcs7 import SignatureError
from aotwin.formats.findings import Finding
from aotwin.stages.check.rules.policy import Policy
from aotwin.values import DllSignature

#: findings of one rule in one file; a hostile table can break a rule a hundred thousand times
_MAX_FINDINGS = 50


@dataclass(frozen=True)
class File:
    """A file as bytes, before it is known to be a DLL."""

    #: None where it could not be read
    data: bytes | None
    #: why it could not be read, else ""
    problem: str
    #: reader -> what it saw
    readings: Mapping[str, PeFacts | Unreadable]
    #: sha256 taken right after the link, hex, where it is known
    sealed_sha256: str | None
    #: Authenticode's sha256 taken right after the link, hex; "" where it is not known
    sealed_authenticode: str = ""
    #: what the build made of the file by signing it; None where it did not, as far as is known
    signature: DllSignature | None = None

    @cached_property
    def signed(self) -> bool:
        """Its headers name a certificate table."""
        return self.data is not None and has_signature(self.data)

    @cached_property
    def unsigned(self) -> bytes | None:
        """Its bytes without a signature; None where there is no telling which they are."""
        try:
            return None if self.data is None else unsigned_bytes(self.data)
        except SignatureError:
            return None

    @cached_property
    def unsigned_sha256(self) -> str:
        """sha256 of its bytes without a signature, hex; "" where there is no telling."""
        return "" if self.unsigned is None else hashlib.sha256(self.unsigned).hexdigest()

    @property
    def seal_holds(self) -> bool | None:
        """Its bytes without a signature are those that were sealed; None where nobody can tell."""
        if self.sealed_sha256 is None or not self.unsigned_sha256:
            return None
        return self.unsigned_sha256 == self.sealed_sha256.lower()


@dataclass(frozen=True)
class Image:
    """A file that at least one reader understands, and what it is compared with."""

    data: bytes
    facts: PeFacts
    policy: Policy
    #: DLL name in lower case -> names that it exports; None where no sysroot is at hand
    sysroot_exports: Mapping[str, frozenset[str]] | None

    def read(self, rva: int, size: int) -> bytes | None:
        """`size` bytes at an RVA, or None where they are not all in the file."""
        offset = self.facts.file_offset(rva, size)
        if offset is None or size < 0 or offset + size > len(self.data):
            return None
        return self.data[offset : offset + size]


@dataclass(frozen=True)
class Violation:
    """One way in which a rule is broken."""

    message: str
    expected: str
    found: str
    where: str


#: a File, an Image, a Model, an Archive, a Wheel: whatever a rule looks at
Subject = TypeVar("Subject")


@dataclass(frozen=True)
class Rule(Generic[Subject]):
    """One row of the rule table."""

    id: str
    #: the rule in one line, as what must hold
    title: str
    #: what goes wrong for the user where it does not hold
    why: str
    #: what to do about it
    remedy: str
    check: Callable[[Subject], Iterable[Violation]]

    def findings(self, subject: Subject, place: str = "") -> list[Finding]:
        """The rule applied; at most `_MAX_FINDINGS` findings, the last of which says so.

        Args:
            place: where the subject lies, to be told in front of each finding's own place.
        """
        broken = list(islice(self.check(subject), _MAX_FINDINGS + 1))
        if len(broken) > _MAX_FINDINGS:
            rest = Violation("broken in more places", self.title, "many findings", "the same file")
            broken[_MAX_FINDINGS - 1 :] = [rest]
        return [
            Finding(
                self.id, "error", each.message, each.expected, each.found,
                f"{place}: {each.where}" if place else each.where,
            )
            for each in broken
        ]  # fmt: skip
