"""Stage generate: a program, or what AOTInductor wrote of one before, becomes a wrapper.

The only wing that imports torch, and only inside the functions that need it.
"""

from aotwin.stages.generate.forking import can_fork, import_inductor, stay_on_one_thread
from aotwin.stages.generate.model_source import Generator, open_source

__all__ = [
    "Generator",
    "can_fork",
    "import_inductor",
    "open_source",
    "stay_on_one_thread",
]
