"""Models over aotwin's own run time are opened for several threads, or refused with a reason."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fake_model import CALL, tensor

from aotwin.payload import ModelError

if TYPE_CHECKING:
    from fake_model import Maker

X = np.arange(6, dtype=np.float32).reshape(2, 3)


# --- threads and instances --------------------------------------------------------------------


def test_calls_of_two_threads_run_at_the_same_time(make: Maker) -> None:
    model = make.load("meet 0", "copy 0")
    found: dict[int, Any] = {}

    def call(number: int) -> None:
        found[number] = model(np.full((2, 3), number, np.float32))[1]

    threads = [threading.Thread(target=call, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number][0, 0] for number in range(2)] == [0, 1]


def test_many_threads_get_their_own_results(make: Maker) -> None:
    models = [make.load("copy 0", "transposed 0", inputs=[tensor("x", shape=("n", 3))])
              for _ in range(2)]  # fmt: skip
    wrong = []

    def call(number: int) -> None:
        for step in range(200):
            x = np.full((number + step % 3, 3), number, np.float32)
            y, z = models[step % 2](x)
            if not (np.array_equal(x, y) and np.array_equal(x.T, z)):
                wrong.append((number, step))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert [make.fake(model).results for model in models] == [0, 0]


def test_runners_and_threads_are_what_the_user_asked_for(make: Maker) -> None:
    model = make.load("copy 0", num_threads=3)
    options = make.fake(model).options
    assert (options.struct_size, options.num_runners, options.num_threads) == (32, 1, 3)
    assert not options.torch_directory
    assert not options.torch_directory_w
    other = make.load("copy 0")
    assert make.fake(other).options.num_threads == 0
    for number in (0, -1, 5000):
        with pytest.raises(ValueError, match=f"num_threads must be .* got {number}"):
            make.load("copy 0", num_threads=number)


def test_a_library_is_loaded_once(make: Maker) -> None:
    from aotwin.payload.c_api import load_library

    folder = make.write("copy 0")
    path = folder / "libs" / "aotwin-plain.so"
    assert load_library(path) is load_library(folder / "libs" / ".." / "libs" / path.name)


# --- what cannot be opened --------------------------------------------------------------------


def test_a_missing_library_is_named(make: Maker) -> None:
    folder = make.write("copy 0")
    (folder / "libs" / "aotwin-plain.so").unlink()
    with pytest.raises(ModelError, match=r"aotwin-plain.so is missing. Reinstall the package"):
        make.load_folder(folder)


def test_a_damaged_library_is_named(make: Maker) -> None:
    folder = make.write("copy 0")
    (folder / "libs" / "aotwin-plain.so").write_bytes(b"text")
    with pytest.raises(ModelError, match=r"aotwin-plain.so cannot be loaded"):
        make.load_folder(folder)


def test_a_library_of_another_interface_is_refused(make: Maker) -> None:
    with pytest.raises(ModelError, match="has the interface 2, this code calls 1"):
        make.load("copy 0", library="newer")


def test_the_librarys_reason_is_passed_on(make: Maker) -> None:
    folder = make.write("copy 0")
    (folder / "fake.txt").unlink()
    with pytest.raises(ModelError, match=r"^there is no fake.txt$"):
        make.load_folder(folder)


def test_a_model_of_other_counts_than_its_manifest_says_is_refused(make: Maker) -> None:
    with pytest.raises(ModelError, match=r"takes 1 tensors and gives 1 results.* says 1 and 2"):
        make.load("copy 0", outputs=[tensor("a"), tensor("b")])


MANIFESTS: dict[str, dict[str, Any]] = {
    "no libs": {"libs": {}},
    "libs of another kind": {"libs": [1]},
    "a call that is none": {"call": {"in_spec": "[1, 2]"}},
    "another protocol": {"call": {"in_spec": "[2, null]"}},
    "too few results": {"call": {"out_spec": CALL["in_spec"]}},
    "a class that only torch knows": {
        "call": {"out_spec": '[1, {"type": "x.Y", "context": "5", "children_spec": []}]'}
    },
}


@pytest.mark.parametrize("what", MANIFESTS)
def test_a_manifest_is_refused_that_has(make: Maker, what: str) -> None:
    with pytest.raises(ModelError, match=r"aotwin.json does not say how to call the model: .*\."):
        make.load("copy 0", **MANIFESTS[what])


def test_another_run_time_is_refused(make: Maker) -> None:
    with pytest.raises(ModelError, match="over the run time 'later', which this code does not"):
        make.load("copy 0", runtime="later")
