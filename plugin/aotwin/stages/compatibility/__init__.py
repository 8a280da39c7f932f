"""Stage compatibility: in which other versions of torch a model's DLL can run, beside its own."""

from aotwin.stages.compatibility.declarations import declared_signatures

__all__ = ["declared_signatures"]
