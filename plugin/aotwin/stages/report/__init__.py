"""Stage report: one page about a model, a folder, a wheel, for the person who decides on it."""

from aotwin.stages.report.page import render_page, require_libraries
from aotwin.stages.report.subject import Subject, read_subject

__all__ = ["Subject", "read_subject", "render_page", "require_libraries"]
