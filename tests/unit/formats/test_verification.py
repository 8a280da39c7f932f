"""What came of proving models again: its truth value, and its versioned JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

import aotwin.formats.verification
from aotwin.formats.verification import (
    JSON_VERSION,
    VerifiedDll,
    VerifiedModel,
    VerifiedOutput,
    finite,
    render_verification,
)

SCHEMA = json.loads(
    Path(aotwin.formats.verification.__file__)
    .with_name("verification.schema.json")
    .read_text(encoding="utf-8")
)
CLOSE = VerifiedOutput("y", "float32", 20, "values", 1.3e-6, 1e-5, 2e-7, 1e-6)
RANDOM = replace(CLOSE, name="noise", compared="form", max_abs=None, max_rel=None)
PROVEN = VerifiedDll("net.dll", "x86-64-v3", (CLOSE, RANDOM))
FAILED = replace(PROVEN, problem="y of sample 0: 20 of 20 elements differ")
CRASHED = VerifiedDll("net.dll", "x86-64-v3", problem="it crashed")
NOT_RUN = VerifiedDll("net.x86-64-v4.dll", "x86-64-v4", unproven="this CPU is not x86-64-v4")

MODELS = {
    "proven": (VerifiedModel("demo.net", 3, (PROVEN,)), True),
    "proven as far as the CPU goes": (VerifiedModel("demo.net", 3, (PROVEN, NOT_RUN)), True),
    "off": (VerifiedModel("demo.net", 3, (FAILED,)), False),
    "one of two off": (VerifiedModel("demo.net", 3, (PROVEN, FAILED)), False),
    "crashed": (VerifiedModel("demo.net", 3, (CRASHED,)), False),
    "run nowhere": (VerifiedModel("demo.net", 3, (NOT_RUN,)), False),
}


@pytest.mark.parametrize(("model", "passed"), MODELS.values(), ids=MODELS)
def test_a_model_passes_where_a_dll_was_run_and_none_is_off(
    model: VerifiedModel, passed: bool
) -> None:
    assert bool(model) is passed
    told = json.loads(render_verification("demo.whl", [model]))
    assert (told["passed"], told["models"][0]["passed"]) == (passed, passed)


def test_all_models_must_pass() -> None:
    models = [VerifiedModel("a", 1, (PROVEN,)), VerifiedModel("b", 1, (FAILED,))]
    told = json.loads(render_verification("demo.whl", models))
    assert told["passed"] is False
    assert [model["passed"] for model in told["models"]] == [True, False]


@pytest.mark.parametrize("model", [model for model, _ in MODELS.values()], ids=MODELS)
def test_every_report_keeps_to_the_committed_schema(model: VerifiedModel) -> None:
    told = json.loads(render_verification("demo\x1b[2J\ud800.whl", [model]))
    jsonschema.Draft202012Validator(SCHEMA).validate(told)


def test_the_schema_knows_the_version_and_the_states_of_the_code() -> None:
    properties = SCHEMA["properties"]
    assert properties["version"]["const"] == JSON_VERSION
    dll = properties["models"]["items"]["properties"]["dlls"]["items"]["properties"]
    assert dll["status"]["enum"] == [each.status for each in (PROVEN, FAILED, NOT_RUN)]


def test_the_reason_is_told_where_there_is_one() -> None:
    model = VerifiedModel("demo.net", 3, (PROVEN, FAILED, NOT_RUN))
    (told,) = json.loads(render_verification("demo.whl", [model]))["models"]
    assert [dll["reason"] for dll in told["dlls"]] == ["", FAILED.problem, NOT_RUN.unproven]


def test_json_has_no_number_for_what_is_none() -> None:
    assert [finite(each) for each in (0.5, None, math.inf, math.nan)] == [0.5, None, None, None]
