"""Stage compatibility: in which other versions of torch a model's DLL can run, beside its own."""

from aotwin.stages.compatibility.declarations import declared_signatures
from aotwin.stages.compatibility.fitting import Verdict, verdicts

__all__ = ["Verdict", "declared_signatures", "verdicts"]
