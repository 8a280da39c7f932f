"""Stage pin: a new torch becomes a target's sysroot, as a file with what its wheels hash to."""

from aotwin.stages.pin.comparison import Difference, PinnedSysroot, compare_sysroots
from aotwin.stages.pin.facts import with_facts
from aotwin.stages.pin.pin_file import render_pin
from aotwin.stages.pin.probe import write_probe
from aotwin.stages.pin.wheel import fetch_new_pin, required_version

__all__ = [
    "Difference",
    "PinnedSysroot",
    "compare_sysroots",
    "fetch_new_pin",
    "render_pin",
    "required_version",
    "with_facts",
    "write_probe",
]
