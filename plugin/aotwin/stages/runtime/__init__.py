"""Stage runtime: the DLLs whose functions a model calls, where they are not torch's."""

from aotwin.stages.runtime.choice import choose_run_time
from aotwin.stages.runtime.library import (
    LIBRARY,
    build_library,
    exported_functions,
    sources_to_compile,
)
from aotwin.stages.runtime.libs import LIBS_FOLDER, RunTime, packed_name, prepare_run_time

__all__ = [
    "LIBRARY",
    "LIBS_FOLDER",
    "RunTime",
    "build_library",
    "choose_run_time",
    "exported_functions",
    "packed_name",
    "prepare_run_time",
    "sources_to_compile",
]
