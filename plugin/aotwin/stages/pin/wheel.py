"""The Windows wheel of a torch that nobody has pinned yet: fetched as pip finds it, and hashed."""

from __future__ import annotations

from dataclasses import replace

from aotwin.adapters.storage.files import temporary_folder
from aotwin.adapters.tools.index import fetch_unpinned, file_sha256, offline_folder
from aotwin.errors import UsageError
from aotwin.target.toolchain import PinnedFile, SysrootPin


def required_version(requirement: str) -> str:
    """The version in "torch==2.16.0".

    Raises:
        UsageError: it names no torch, or not one version of it.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        parsed = Requirement(requirement)
        (only,) = parsed.specifier
    except (InvalidRequirement, ValueError):
        parsed, only = None, None
    if parsed is None or only is None or parsed.name != "torch" or only.operator != "==":
        raise UsageError(
            f"{requirement} names no version of torch",
            cause="one version is pinned at a time",
            next_step="Say aotwin toolchain pin torch==2.15.0.",
        )
    return only.version


def fetch_new_pin(version: str, model: SysrootPin) -> SysrootPin:
    """A pin of another torch.

    Args:
        version: of torch.
        model: a pin whose platform, Python and OpenMP the new one takes over.

    Raises:
        SysrootError: the wheel cannot be had.
    """
    requirement = f"torch=={version}"
    with temporary_folder() as folder:
        wheel = fetch_unpinned(
            replace(model.torch, requirement=requirement), folder, local=offline_folder()
        )
        pinned = PinnedFile(
            requirement=requirement,
            filename=wheel.name,
            sha256=file_sha256(wheel),
            nbytes=wheel.stat().st_size,
            platform=model.torch.platform,
            python_version=model.torch.python_version,
            abi=model.torch.abi,
        )
    return replace(model, torch_version=version, torch=pinned)
