"""The page of operators is the one that the table gives; the table tells of what is exported."""

from __future__ import annotations

from pathlib import Path

from aotwin.stages.runtime.library import run_time_functions
from aotwin.stages.runtime.reference import operators_reference

PAGE = Path(__file__).parents[3] / "docs/reference/operators.md"


def test_the_committed_page_is_the_generated_one() -> None:
    assert PAGE.read_text(encoding="utf-8") == operators_reference(), (
        "run: python -m aotwin.stages.runtime.reference > docs/reference/operators.md"
    )


def test_the_operators_that_transformers_are_made_of_are_on_the_page() -> None:
    text = operators_reference()
    for name in ("matrix products", "convolution", "scaled_dot_product_attention", "cumsum"):
        assert name in text
    assert {"aoti_torch_cpu_addmm_out", "aoti_torch_cpu_convolution"} <= run_time_functions()
