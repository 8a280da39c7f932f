"""Rules on what a manifest claims of a DLL: in which torches it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aotwin.stages.check.rules.rule import Rule, Violation


@dataclass(frozen=True)
class Claim:
    """What a manifest says of a DLL over torch, and what the DLL itself tells."""

    #: file name of the DLL
    dll: str
    #: versions that it is said to run in, besides the one that it was built for
    versions: tuple[str, ...]
    #: version -> what is in the way; without those that no sysroot is pinned for
    lacking: Mapping[str, tuple[str, ...]]


def check_claim(claim: Claim) -> Iterator[Violation]:
    """Each torch of `runs_with` has what the DLL calls."""
    for version in claim.versions:
        for text in claim.lacking.get(version, ()):
            yield Violation(
                "the DLL does not run in a torch that its manifest names",
                f"torch {version[:40]} has all that it calls",
                text,
                claim.dll,
            )


CLAIM_RULES = (
    Rule[Claim](
        "PE-RUNS-WITH",
        "Every torch in the manifest's `runs_with` has the functions that the DLL calls, with the "
        "same signatures, and its runner finds the entry points that it needs",
        "Python's loader and the SDK open the model in these torches: where a function is missing, "
        "the load fails; where its signature is another, the process may crash.",
        "Build the model again; run it in the torch that it was built for.",
        check_claim,
    ),
)
