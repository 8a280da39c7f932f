"""Stage pack: built models become a wheel with its bill of materials, or a `.pt2`."""

from aotwin.stages.pack.components import linked_components
from aotwin.stages.pack.licenses import license_files
from aotwin.stages.pack.pt2 import write_pt2
from aotwin.stages.pack.sbom import SBOM_PATH, ModelContents, billed_programs, render_sbom
from aotwin.stages.pack.wheel import (
    PackedFile,
    PackedModel,
    add_top_levels,
    check_pure,
    distribution_of,
    pack_wheel,
    wheel_name,
)

__all__ = [
    "SBOM_PATH",
    "ModelContents",
    "PackedFile",
    "PackedModel",
    "add_top_levels",
    "billed_programs",
    "check_pure",
    "distribution_of",
    "license_files",
    "linked_components",
    "pack_wheel",
    "render_sbom",
    "wheel_name",
    "write_pt2",
]
