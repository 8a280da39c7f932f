"""The page: one HTML file that needs nothing else, written by jinja2 with everything escaped."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from importlib import resources
from typing import Any

from aotwin.errors import ToolError
from aotwin.formats.findings import Report
from aotwin.progress import Stage
from aotwin.stages.report.calls import call_of
from aotwin.stages.report.imports import Imported, imports_of
from aotwin.stages.report.layers import layers_of
from aotwin.stages.report.proofs import view_of
from aotwin.stages.report.subject import ReadModel, Subject
from aotwin.stages.report.treemap import HEIGHT, KINDS, WIDTH, treemap_of
from aotwin.version import __version__

_LIBRARIES = ("jinja2", "squarify")
#: files that the table lists
_MAX_FILES = 60
#: findings, inputs, stages, names that are listed; a hostile file has any number of them
_MAX_ROWS = 500


def require_libraries() -> None:
    """See that what makes the page is installed, before anything is read.

    Raises:
        ToolError: naming what is not.
    """
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise ToolError(
            f"a report needs {' and '.join(missing)}",
            cause="only reports need these packages, so aotwin does not bring them along",
            next_step='Install them: pip install "aotwin[report]"; for an isolated build say '
            '"aotwin[report]" in build-system.requires.',
        )


def render_page(
    subject: Subject, report: Report, stages: Sequence[Stage] = (), total: float = 0.0
) -> str:
    """The page about a subject.

    Args:
        report: of the check of the same path.
        stages: of the build, where they were kept.
        total: seconds of the build.
    """
    import jinja2

    folder = resources.files("aotwin.stages.report") / "templates"
    texts = {
        each.name: each.read_text(encoding="utf-8")
        for each in folder.iterdir()
        if each.name.endswith((".html", ".css", ".txt"))
    }
    loader = jinja2.DictLoader(texts)
    # Code is text until the page escapes it; whatever goes into the page itself is escaped.
    environment = jinja2.Environment(
        loader=loader,
        autoescape=jinja2.select_autoescape(
            enabled_extensions=("html",), disabled_extensions=("txt", "css"), default=True
        ),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["size"] = size
    environment.filters["count"] = lambda number: f"{number:,}"
    return environment.get_template("page.html").render(
        subject=subject,
        name=subject.path.resolve().name,
        report=report,
        errors=[each for each in report.findings if each.severity == "error"],
        findings=report.findings[:_MAX_ROWS],
        nbytes=sum(subject.sizes.values()),
        areas=treemap_of(subject),
        kinds=KINDS,
        width=WIDTH,
        height=HEIGHT,
        files=sorted(subject.sizes.items(), key=lambda row: (-row[1], row[0]))[:_MAX_FILES],
        models=[_model(model, subject, environment) for model in subject.models],
        bare=[(name, facts, imports_of(facts, None)) for name, facts in subject.bare.items()],
        stages=sorted(stages[:_MAX_ROWS], key=lambda stage: stage.start),
        total=max([total, *(stage.start + stage.seconds for stage in stages)], default=0) or 1.0,
        version=__version__,
    )


def _model(model: ReadModel, subject: Subject, environment: Any) -> dict[str, Any]:
    """What the template needs of one model."""
    details, manifest = model.details, model.manifest
    call = call_of(manifest.name, details)
    codes = {}
    if call is not None:
        installed = subject.kind == "wheel" and bool(call.package)
        for language, name in (
            ("Python", "call.py.txt"),
            ("C", "call.c.txt"),
            ("C#", "call.cs.txt"),
        ):
            codes[language] = environment.get_template(name).render(call=call, installed=installed)
    return {
        "manifest": manifest,
        "details": details,
        "inputs": details.inputs[:_MAX_ROWS],
        "outputs": details.outputs[:_MAX_ROWS],
        "layers": layers_of(details.weights),
        "parameters": sum(weight.elements for weight in details.weights),
        "imports": _imports(model),
        "proof": view_of(manifest.proof),
        "codes": codes,
    }


def _imports(model: ReadModel) -> list[tuple[str, list[Imported]]]:
    """DLLs of the model, those that import the same together, and what they import."""
    found: list[tuple[str, list[Imported]]] = []
    for dll in model.manifest.dlls:
        if dll.file in model.facts:
            bound = model.bound.get(dll.file, ())
            rows = imports_of(model.facts[dll.file], model.manifest, bound)
            names = next((names for names, others in found if others == rows), "")
            if names:
                found[[each for each, _ in found].index(names)] = (f"{names}, {dll.file}", rows)
            else:
                found.append((dll.file, rows))
    return found


def size(nbytes: int) -> str:
    """Bytes as people say them, in units of 1000."""
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if nbytes >= least:
            return f"{nbytes / least:,.1f} {unit}"
    return f"{nbytes} bytes"
