"""DLLs and programs among some files, each judged by every rule on images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from aotwin.adapters.archives.untrusted_files import DamagedFileError, Files, read_file
from aotwin.adapters.pe.image import PeFacts, SignatureFacts
from aotwin.adapters.pe.pairing import Pairing, find_pairings
from aotwin.formats.findings import Examined, Finding
from aotwin.formats.manifest_reader import Manifest
from aotwin.stages.check.dll import judge
from aotwin.stages.check.inspection import TARGET, Inspection
from aotwin.stages.check.rules import CLAIM_RULES, Claim, File
from aotwin.stages.check.rules.policy import RUN_TIME_LIBRARY, Policy, load_sdk_policies
from aotwin.stages.compatibility import verdicts
from aotwin.stages.link import Sysroot
from aotwin.target.toolchain import load_toolchain

#: whose C functions models over torch call
TORCH_DLL = "torch_cpu.dll"


def judge_dll(
    files: Files, path: str, manifest: Manifest | None, inspection: Inspection
) -> dict[str, tuple[Pairing, ...]]:
    """Apply every rule to a DLL; returns the pairings in it under its file name."""
    name = path[path.rfind("/") + 1 :]
    listed = next((dll for dll in manifest.dlls if dll.file == name), None) if manifest else None
    sealed = listed.sha256 if listed else None
    # First: they come from the disk while the readers are still starting.
    exports = _exports(manifest, inspection)
    policy = inspection.policy
    if manifest is not None:
        policy = policy.for_torch(manifest.torch_version)
    if manifest is not None and manifest.libs is not None:
        policy = policy.over_own_run_time()
    file = _read(files, path, sealed, policy, inspection)
    if listed is not None:
        file = replace(
            file, sealed_authenticode=listed.authenticode_sha256, signature=listed.signature
        )
    found, facts = judge(file, policy, exports, place=path)
    inspection.found += found
    if file.data is None or facts is None:
        return {}
    if manifest is not None and manifest.runs_with and manifest.libs is None:
        inspection.apply(CLAIM_RULES, _claim(name, facts, manifest), path)
    cpu = listed.cpu if listed else ""
    sysroot = _sysroot(manifest, inspection)
    resolved = _resolved(facts, found, policy, sysroot.torch_version if sysroot else "")
    inspection.examined.append(_examined(path, file, facts, cpu, resolved))
    return {name: find_pairings(file.data, facts)}


def _claim(name: str, facts: PeFacts, manifest: Manifest) -> Claim:
    """What the manifest says of the torches that a DLL runs in, and what the pins know of them."""
    called = {each.name for each in facts.imports if each.dll.lower() == TORCH_DLL and each.name}
    exported = {export.name for export in facts.exports if export.name}
    found = verdicts(called, exported, manifest.torch_version, load_toolchain(TARGET))
    others = tuple(each for each in manifest.runs_with if each != manifest.torch_version)
    return Claim(name, others, {each.version: each.lacking for each in found})


def judge_sdk_program(files: Files, path: str, sealed: str | None, inspection: Inspection) -> None:
    """Apply every rule to a DLL or program of the SDK, which imports nothing of torch."""
    policy = load_sdk_policies(TARGET)[path[path.rfind("/") + 1 :]]
    _judge_own(files, path, sealed, policy, inspection)


def judge_lib(files: Files, path: str, sealed: str, inspection: Inspection) -> None:
    """Apply every rule to a DLL of our run time, once for all models that are bound to it."""
    if path in files.names() and path not in inspection.judged:
        inspection.judged.add(path)
        _judge_own(files, path, sealed, load_sdk_policies(TARGET)[RUN_TIME_LIBRARY], inspection)


def _judge_own(
    files: Files, path: str, sealed: str | None, policy: Policy, inspection: Inspection
) -> None:
    file = _read(files, path, sealed, policy, inspection)
    found, facts = judge(file, policy, None, place=path)
    inspection.found += found
    if facts is not None:
        resolved = _resolved(facts, found, policy, "")
        inspection.examined.append(_examined(path, file, facts, "", resolved))


def _read(
    files: Files, path: str, sealed: str | None, policy: Policy, inspection: Inspection
) -> File:
    if sealed is None:
        inspection.skip("PE-SEAL", "the digest taken after the link is not at hand")
    try:
        data = read_file(files, path, policy.max_size)
    except DamagedFileError as error:
        return File(None, str(error), {}, sealed)
    return File(data, "", inspection.read(data), sealed)


def _exports(
    manifest: Manifest | None, inspection: Inspection
) -> Mapping[str, frozenset[str]] | None:
    """What torch's DLLs export, where the sysroot at hand is the one that the model needs."""
    sysroot = _sysroot(manifest, inspection)
    if sysroot is not None:
        return sysroot.exports
    wanted = "torch's own DLLs"
    if manifest is not None and inspection.sysroots:
        wanted = f"the DLLs of torch {manifest.torch_version[:40]}"
    inspection.skip("PE-IMPORT-SYSROOT", f"{wanted} are not at hand")
    return None


def _sysroot(manifest: Manifest | None, inspection: Inspection) -> Sysroot | None:
    """That of the model's torch; without a manifest, the newest one."""
    if manifest is not None:
        return inspection.sysroots.get(manifest.torch_version)
    return next(reversed(list(inspection.sysroots.values())), None)


def _resolved(
    facts: PeFacts,
    found: list[Finding],
    policy: Policy,
    torch: str,
) -> str:
    """Where its imports were found, in a few words."""
    count = f"{len(facts.imports)} imports"
    if any(finding.id.startswith("PE-IMPORT") for finding in found):
        return f"{count}, not all as they must be"
    if not any(policy.imports.is_sysroot(dll) for dll in facts.import_dlls):
        return f"{count} resolved in Windows"
    if not torch:
        return f"{count}, those of torch not compared"
    return f"{count} resolved in torch {torch} and Windows"


def _examined(path: str, file: File, facts: PeFacts, cpu: str, resolved: str) -> Examined:
    sealed = {None: "seal not at hand", True: "sealed", False: "changed since it was sealed"}
    return Examined(
        path,
        len(file.data or b""),
        tuple(
            detail
            for detail in (
                cpu,
                f"{len(facts.exports)} exports",
                resolved,
                sealed[file.seal_holds],
                _signed(file, facts.signatures),
            )
            if detail
        ),
    )


def _signed(file: File, signatures: tuple[SignatureFacts, ...]) -> str:
    if not file.signed:
        return "not signed"
    return f"signed by {signatures[0].subject}" if signatures else "signed"
