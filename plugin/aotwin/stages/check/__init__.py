"""Stage check: what a DLL, a built model, a wheel must look like, as rules that give findings.

`rules/` holds them, one module for each part of a file, and the policy, the figures and names that
they compare with. The gate stops a build; `check_path` reports on whatever a user names.
"""

from aotwin.stages.check.gate import (
    require_loadable,
    require_sound,
    require_sound_libs,
    require_sound_sdk,
)
from aotwin.stages.check.paths import check_path
from aotwin.stages.check.rules.policy import load_policy

__all__ = [
    "check_path",
    "load_policy",
    "require_loadable",
    "require_sound",
    "require_sound_libs",
    "require_sound_sdk",
]
