"""Results of a class that is not there, and texts that are no tree of torch's pytree.

What torch itself writes is read in tests/integration/payload/test_trees_of_torch.py.
"""

from __future__ import annotations

import dataclasses
import sys
from types import ModuleType
from typing import Any

import pytest

from aotwin.payload.call_tree import Record, read_tree

#: of a ModelOutput of transformers
MODEL_OUTPUT = (
    '[1, {"type": "demo_outputs.BaseModelOutput", "context": "[\\"last\\", \\"pooled\\"]", '
    '"children_spec": [{"type": null, "context": null, "children_spec": []}, '
    '{"type": null, "context": null, "children_spec": []}]}]'
)


def test_an_object_whose_class_is_not_there_is_a_record() -> None:
    record = read_tree(MODEL_OUTPUT, "").build([1, 2])
    assert type(record) is Record
    assert (record.last, record["pooled"], record[1], record[:]) == (1, 2, 2, [1, 2])
    assert list(record) == ["last", "pooled"]
    with pytest.raises(AttributeError, match=r"no field 'logits': it has \['last', 'pooled'\]"):
        _ = record.logits
    assert read_tree(MODEL_OUTPUT, "").leaves_of(record) == [1, 2]


def test_a_class_that_is_imported_after_the_model_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = read_tree(MODEL_OUTPUT, "")
    module = ModuleType("demo_outputs")
    monkeypatch.setitem(sys.modules, "demo_outputs", module)
    module.BaseModelOutput = dataclasses.make_dataclass(  # type: ignore[attr-defined]
        "BaseModelOutput", ["last", "pooled"]
    )
    assert tree.build([1, 2]) == module.BaseModelOutput(1, 2)
    module.BaseModelOutput = dataclasses.make_dataclass(  # type: ignore[attr-defined]
        "BaseModelOutput", ["other"]
    )
    assert tree.build([1, 2]) == {"last": 1, "pooled": 2}


def test_only_classes_of_the_models_project_are_imported(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "demo_outputs.py").write_text(
        "import dataclasses\n"
        "BaseModelOutput = dataclasses.make_dataclass('BaseModelOutput', ['last', 'pooled'])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert type(read_tree(MODEL_OUTPUT, "demo").build([1, 2])) is Record
    assert "demo_outputs" not in sys.modules
    built = read_tree(MODEL_OUTPUT, "demo_outputs").build([1, 2])
    monkeypatch.delitem(sys.modules, "demo_outputs")
    assert (type(built).__name__, built.pooled) == ("BaseModelOutput", 2)


@pytest.mark.parametrize(
    "text",
    ["", "[1", "[2, null]", "{}", "[1, {}]", '[1, {"type": "builtins.dict", "context": "null"}]',
     '[1, {"type": "x.Y", "context": "{}", "children_spec": []}]', "[1, " + "[" * 9999],
)  # fmt: skip
def test_what_is_no_tree_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_tree(text, "")
