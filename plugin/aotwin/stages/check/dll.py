"""Check what is about to leave the build, or has left it: nothing broken, nothing changed."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from aotwin.adapters.pe.image import PeFacts
from aotwin.adapters.pe.readers import Read, read_with_all
from aotwin.formats.findings import Finding, Report, Skipped
from aotwin.stages.check.rules import FILE_RULES, IMAGE_RULES, SIGNATURE_RULES, File, Image
from aotwin.stages.check.rules.policy import Policy
from aotwin.values import SealedDll


def check_dll(
    path: Path,
    *,
    policy: Policy,
    sysroot_exports: Mapping[str, frozenset[str]] | None = None,
    sealed_sha256: str | None = None,
    sealed: SealedDll | None = None,
    read: Read = read_with_all,
) -> Report:
    """Apply every rule to one DLL.

    Args:
        path: the DLL; its bytes may be hostile, and nothing of it is run.
        policy: what it must look like.
        sysroot_exports: DLL name -> names that the sysroot's DLL of that name exports. Without it,
            imports from torch's DLLs are not compared, and the report says so.
        sealed_sha256: digest taken right after the link, hex. Without it, the seal is not compared,
            and the report says so.
        sealed: all that is known from the build, in place of `sealed_sha256`; the DLL's signature
            is compared with it, too. Without it, no signature is accepted.
        read: `Readers.read` where there are several DLLs.

    Returns:
        The report. A bad file, whatever is wrong with it, is a finding.

    Raises:
        ToolError: pefile or LIEF is not installed.
    """
    data, problem = _read(path, policy.max_size)
    readings = read(data) if data is not None else {}
    file = File(data, problem, readings, sealed_sha256)
    if sealed is not None:
        file = replace(
            file,
            sealed_sha256=sealed.sha256,
            sealed_authenticode=sealed.authenticode_sha256,
            signature=sealed.signature,
        )
    return _report(path.name, file, policy, sysroot_exports)


def check_dll_bytes(
    name: str,
    data: bytes,
    *,
    policy: Policy,
    sysroot_exports: Mapping[str, frozenset[str]] | None = None,
    sealed_sha256: str | None = None,
    read: Read = read_with_all,
) -> Report:
    """Apply every rule to a DLL that is in memory, such as a member of a wheel; see `check_dll`."""
    file = File(data, "", read(data), sealed_sha256)
    return _report(name, file, policy, sysroot_exports)


def _report(
    name: str,
    file: File,
    policy: Policy,
    sysroot_exports: Mapping[str, frozenset[str]] | None,
) -> Report:
    findings, _ = judge(file, policy, sysroot_exports)
    skipped = tuple(_skipped(sysroot_exports is None, file.sealed_sha256 is None))
    return Report(subject=name, findings=tuple(findings), skipped=skipped)


def judge(
    file: File,
    policy: Policy,
    sysroot_exports: Mapping[str, frozenset[str]] | None,
    *,
    place: str = "",
) -> tuple[list[Finding], PeFacts | None]:
    """Apply every rule to a file that was read.

    Args:
        place: where the file lies, to be told in front of each finding's own place.

    Returns:
        The findings; and the facts that were judged, None where no reader understands the file.
    """
    rules = (*FILE_RULES, *SIGNATURE_RULES)
    findings = [finding for rule in rules for finding in rule.findings(file, place)]
    # Where the readers disagree there is a finding already; the rules judge the first one's view.
    facts = next((each for each in file.readings.values() if isinstance(each, PeFacts)), None)
    if facts is not None and file.data is not None:
        exports = None if sysroot_exports is None else _lower(sysroot_exports)
        image = Image(file.data, facts, policy, exports)
        findings += [finding for rule in IMAGE_RULES for finding in rule.findings(image, place)]
    return findings, facts


def _skipped(no_sysroot: bool, no_seal: bool) -> Iterator[Skipped]:
    if no_seal:
        yield Skipped("PE-SEAL", "the digest taken after the link is not at hand")
    if no_sysroot:
        yield Skipped("PE-IMPORT-SYSROOT", "torch's own DLLs are not at hand")


def _lower(exports: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    return {dll.lower(): names for dll, names in exports.items()}


def _read(path: Path, max_size: int) -> tuple[bytes | None, str]:
    """The file's bytes and "", or None and what is in the way. Never reads a device or a pipe."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return None, "not a regular file"
        if status.st_size > max_size:
            return None, f"{status.st_size:,} bytes, more than {max_size:,}"
        with path.open("rb") as file:
            data = file.read(max_size + 1)
    except (OSError, ValueError) as error:
        return None, str(error)
    return (data, "") if len(data) <= max_size else (None, f"more than {max_size:,} bytes")
