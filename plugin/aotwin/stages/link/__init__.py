"""Stage link: the target's sysroot, the compile of a wrapper, and the link that makes the DLL."""

from aotwin.stages.link.binding import binding_source, called_functions
from aotwin.stages.link.compiler import (
    SharedUnit,
    compile_flags,
    compile_wrapper,
    definitions_for,
    expected_unit,
)
from aotwin.stages.link.linker import (
    definition_file,
    exported_names,
    link_model,
    runtime_flags,
    seal,
)
from aotwin.stages.link.sysroot import (
    Sysroot,
    fetch_wheels,
    import_library_command,
    installed_sysroots,
    prepare_sysroot,
)

__all__ = [
    "SharedUnit",
    "Sysroot",
    "binding_source",
    "called_functions",
    "compile_flags",
    "compile_wrapper",
    "definition_file",
    "definitions_for",
    "expected_unit",
    "exported_names",
    "fetch_wheels",
    "import_library_command",
    "installed_sysroots",
    "link_model",
    "prepare_sysroot",
    "runtime_flags",
    "seal",
]
