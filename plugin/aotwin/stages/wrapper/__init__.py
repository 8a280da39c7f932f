"""Stage wrapper: what AOTInductor's C++ says, and what it must not say, read as text.

Where it lies (a `.pt2`, a folder), its constants, inputs and operators, and the same C++ with the
types of Windows.
"""

from aotwin.stages.wrapper.layer_weights import weights_of_layers
from aotwin.stages.wrapper.llp64 import strip_commands, to_llp64
from aotwin.stages.wrapper.mutability import pointer_written_names
from aotwin.stages.wrapper.operators import extern_targets, operator_warnings
from aotwin.stages.wrapper.origin import VERSION_KEY, Origin, origin_of
from aotwin.stages.wrapper.reader import is_wrapper, read_wrapper
from aotwin.stages.wrapper.source import SourceFacts, parse_source, with_strides

__all__ = [
    "VERSION_KEY",
    "Origin",
    "SourceFacts",
    "extern_targets",
    "is_wrapper",
    "operator_warnings",
    "origin_of",
    "parse_source",
    "pointer_written_names",
    "read_wrapper",
    "strip_commands",
    "to_llp64",
    "weights_of_layers",
    "with_strides",
]
