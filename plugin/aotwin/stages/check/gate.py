"""Stage check, at its place in a build: a DLL that is not sound does not go on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aotwin.adapters.pe.readers import Read, read_with_all
from aotwin.errors import CheckError
from aotwin.formats.findings import Finding, Report
from aotwin.stages.check.dll import check_dll
from aotwin.stages.check.rules.policy import RUN_TIME_LIBRARY, load_policy, load_sdk_policies
from aotwin.stages.link import Sysroot
from aotwin.target.toolchain import Toolchain
from aotwin.values import SealedDll


def require_sound(
    dll: SealedDll,
    toolchain: Toolchain,
    sysroot: Sysroot,
    read: Read,
    *,
    own_run_time: bool = False,
) -> tuple[str, ...]:
    """Check a sealed DLL against the target's policy and the sysroot's own DLLs.

    Args:
        read: `Readers.read`.
        own_run_time: whether it is bound to our own run time, and must import nothing of torch.

    Returns:
        Warnings for the user, one line each.

    Raises:
        CheckError: there is a finding that forbids shipping the DLL.
    """
    policy = load_policy(toolchain.name).for_torch(sysroot.torch_version)
    report = check_dll(
        dll.path,
        policy=policy.over_own_run_time() if own_run_time else policy,
        sysroot_exports=sysroot.exports,
        sealed=dll,
        read=read,
    )
    _require_no_errors(
        report,
        "Nothing was written. If no tool of yours touched the DLL, please report it; "
        "AOTWIN_KEEP_SOURCES=<folder> keeps the sources.",
    )
    return tuple(_line(finding) for finding in report.findings)


def require_sound_sdk(
    folder: Path, digests: Mapping[str, str], toolchain: Toolchain, read: Read = read_with_all
) -> None:
    """Check the programs of an SDK, as models' DLLs are checked.

    Args:
        folder: the SDK.
        digests: its files, with forward slashes -> sha256 of what was written, hex.
        read: `Readers.read`.

    Raises:
        CheckError: there is a finding that forbids shipping one of them.
    """
    for name, policy in load_sdk_policies(toolchain.name).items():
        place = f"bin/{name}"
        report = check_dll(
            folder / place,
            policy=policy,
            sysroot_exports={},
            sealed_sha256=digests[place],
            read=read,
        )
        _require_no_errors(
            report,
            "Nothing was written. aotwin toolchain clean makes the next build compile it again; "
            "please report it if that does not help.",
        )


def require_sound_libs(
    folder: Path, digests: Mapping[str, str], toolchain: Toolchain, read: Read = read_with_all
) -> None:
    """Check the DLLs of our own run time, as models' DLLs are checked.

    Args:
        folder: where they lie.
        digests: file name -> sha256 of what was written, hex.
        read: `Readers.read`.

    Raises:
        CheckError: there is a finding that forbids shipping one of them.
    """
    for name, digest in digests.items():
        report = check_dll(
            folder / name,
            policy=load_sdk_policies(toolchain.name)[RUN_TIME_LIBRARY],
            sysroot_exports={},
            sealed_sha256=digest,
            read=read,
        )
        _require_no_errors(
            report,
            "Nothing was written. aotwin toolchain clean makes the next build compile it again; "
            "please report it if that does not help.",
        )


def _require_no_errors(report: Report, next_step: str) -> None:
    errors = [finding for finding in report.findings if finding.severity == "error"]
    if errors:
        raise CheckError(
            f"{report.subject} fails the check: {', '.join(sorted({each.id for each in errors}))}",
            cause="\n".join(_line(each) for each in errors),
            next_step=next_step,
        )


def _line(finding: Finding) -> str:
    return (
        f"{finding.id}: {finding.message} ({finding.where}; expected {finding.expected}, "
        f"found {finding.found})"
    )


def require_loadable(dll: SealedDll, toolchain: Toolchain) -> None:
    """Open a built model under Wine with the sysroot's torch: the DLL loads and takes its weights.

    Args:
        dll: in its complete folder.

    Raises:
        CheckError: it does not open; the cause is what the program on the Windows side said.
        ToolError: Wine is missing or failed.
    """
    from aotwin.stages.run import RunOptions, run_model

    report = run_model(dll.path, [], RunOptions(describe=True, json=True), target=toolchain.name)
    if report.exit_code != 0:
        lines = [line for line in report.stderr.splitlines() if line.strip()]
        raise CheckError(
            f"{dll.path.name} does not open under Wine",
            cause="\n".join(lines[-5:]) or f"exit code {report.exit_code}",
            next_step="Nothing was written. aotwin doctor says whether Wine is there; "
            "check=static leaves this check out.",
        )
