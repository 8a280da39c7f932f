"""Talk to the person who waits: stages with their seconds, what a long one has done so far."""

from aotwin.progress.colors import wants_color
from aotwin.progress.commands import COMMANDS, commands_shown
from aotwin.progress.stages import Progress, Step, note
from aotwin.progress.timings import Stage, parse_timings, render_timings

__all__ = [
    "COMMANDS",
    "Progress",
    "Stage",
    "Step",
    "commands_shown",
    "note",
    "parse_timings",
    "render_timings",
    "wants_color",
]
