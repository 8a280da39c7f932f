"""Ready wrappers are read from archives and folders, and hostile ones are refused."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest
from generated_wrapper import BUFFER, FOLDER, WEIGHT, archive, files, source

from aotwin.adapters.archives import folder_reader, zip_reader
from aotwin.errors import AotwinError, StorageError, WrapperError
from aotwin.stages.wrapper.reader import is_wrapper, read_wrapper

BLOB = bytes(range(64))


def _folder(path: Path, members: dict[str, bytes], below: str = "") -> Path:
    (path / below).mkdir(parents=True)
    for name, content in members.items():
        (path / below / name).write_bytes(content)
    return path


@pytest.mark.parametrize("below", ["", FOLDER], ids=["flat", "nested"])
@pytest.mark.parametrize("kind", ["archive", "folder"])
def test_a_wrapper_is_read_from(kind: str, below: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    members = files(blob=BLOB)
    if kind == "archive":
        archive(path, members, below)
    else:
        _folder(path, members, below)
    wrapper, weights = read_wrapper(path)
    assert wrapper.definitions == ("CPU_CAPABILITY_AVX2", "USE_MMAP_EXTERNAL")
    assert wrapper.metadata == {"AOTI_DEVICE_KEY": "cpu"}
    assert "/home/someone" not in wrapper.source
    assert weights.nbytes == wrapper.constants_nbytes == 64
    assert [b"".join(map(bytes, weights.chunks())) for _ in range(2)] == [BLOB, BLOB]
    assert is_wrapper(path)


def test_a_deflated_blob_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.pt2"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files(blob=BLOB).items():
            file.writestr(FOLDER + name, content)
    _, weights = read_wrapper(path)
    assert b"".join(map(bytes, weights.chunks())) == BLOB


def test_kernels_in_a_file_of_their_own_join_the_translation_unit(tmp_path: Path) -> None:
    members = files() | {"m.kernel.cpp": b'extern "C" void kernel();\n// Compile cmd\n// g++ /x\n'}
    wrapper, _ = read_wrapper(archive(tmp_path / "m.pt2", members))
    assert wrapper.source.endswith('extern "C" void kernel();\n')


def test_fallback_operators_bring_their_node_list(tmp_path: Path) -> None:
    nodes = b'{"nodes": [{"node": {"target": "aten::_linalg_svd"}}]}'
    wrapper, _ = read_wrapper(archive(tmp_path / "m.pt2", files() | {"m.wrapper.json": nodes}))
    assert wrapper.extern_nodes == nodes
    assert wrapper.warnings == ()


def test_custom_operators_are_named_in_a_warning(tmp_path: Path) -> None:
    nodes = b'{"nodes": [{"node": {"target": "mylib::foo"}}]}'
    wrapper, _ = read_wrapper(archive(tmp_path / "m.pt2", files() | {"m.wrapper.json": nodes}))
    assert "mylib::foo" in wrapper.warnings[0]


def test_operators_of_fbgemm_are_named_in_a_warning(tmp_path: Path) -> None:
    text = source(run="    aoti_torch_cpu_wrapped_fbgemm_pack_gemm_matrix_fp16(buf0, &buf1);")
    wrapper, _ = read_wrapper(archive(tmp_path / "m.pt2", files(text)))
    assert "wrapped_fbgemm_pack_gemm_matrix_fp16" in wrapper.warnings[0]


def test_accumulators_of_the_build_host_bind_the_threads_and_are_named(tmp_path: Path) -> None:
    kernel = 'extern "C" void k()\n{\n float a_arr[3];\n    #pragma omp parallel\n}\n'
    wrapper, _ = read_wrapper(archive(tmp_path / "m.pt2", files(source(kernels=kernel))))
    assert "#pragma omp parallel num_threads(3)" in wrapper.source
    assert "3 threads" in wrapper.warnings[0]


def test_buffers_and_written_parameters_are_mutable(tmp_path: Path) -> None:
    text = source((WEIGHT, BUFFER), run="    k((const float*)(weight.data_ptr()));")
    wrapper, _ = read_wrapper(archive(tmp_path / "a.pt2", files(text, bytes(128))))
    assert [constant.mutable for constant in wrapper.constants] == [False, True]
    text = source((WEIGHT, BUFFER), run="    k((float*)(weight.data_ptr()));")
    wrapper, _ = read_wrapper(archive(tmp_path / "b.pt2", files(text, bytes(128))))
    assert [constant.mutable for constant in wrapper.constants] == [True, True]


def test_a_model_without_constants_needs_no_blob(tmp_path: Path) -> None:
    _, weights = read_wrapper(archive(tmp_path / "m.pt2", files(source(()), blob=None)))
    assert weights.nbytes == 0
    assert list(weights.chunks()) == []


REJECTED = {
    "no wrapper": ({"a.txt": b""}, "holds no wrapper"),
    "several models": (
        files() | {"other/b.wrapper.cpp": b"", "other/b.wrapper_metadata.json": b"{}"},
        "holds 2 models",
    ),
    "weights in the library": (
        files(source(include_weights=True), blob=None),
        "not generated with a binary blob",
    ),
    "pickled weights": (
        files(blob=None) | {"m_weights_config.json": b"{}"},
        "not generated with a binary blob",
    ),
    "no blob": (files(blob=None), "not generated with a binary blob"),
    "short blob": (files(blob=bytes(63)), "wrong size"),
    "long blob": (files(blob=bytes(128)), "wrong size"),
    "no flags": (
        {name: data for name, data in files().items() if "flags" not in name},
        "holds no m.wrapper_compile_flags.json",
    ),
    "flags that are no JSON": (
        files() | {"m.wrapper_compile_flags.json": b"{"},
        "is no JSON object",
    ),
    "flags that are a list": (
        files() | {"m.wrapper_compile_flags.json": b"[]"},
        "is no JSON object",
    ),
    "flags nested without end": (
        files() | {"m.wrapper_compile_flags.json": b"[" * 100_000},
        "is no JSON object",
    ),
    "definitions that are no names": (
        files() | {"m.wrapper_compile_flags.json": b'{"definitions": [1]}'},
        "no list of names",
    ),
    "for a GPU": (
        files() | {"m.wrapper_metadata.json": b'{"AOTI_DEVICE_KEY": "cuda"}'},
        "generated for cuda",
    ),
    "packed by MKL": (
        files(source(run="    aoti_torch_cpu__mkl_linear(buf0, weight);")),
        "packed for the build host's CPU",
    ),
    "source that is no text": (files() | {"m.wrapper.cpp": b"\xff\xfe"}, "is no text"),
    "nodes that are no JSON": (files() | {"m.wrapper.json": b"{"}, "cannot be read"),
    "nodes of another structure": (files() | {"m.wrapper.json": b'{"nodes": [1]}'}, "cannot be"),
}


@pytest.mark.parametrize(("members", "message"), REJECTED.values(), ids=REJECTED)
def test_a_wrapper_is_refused(members: dict[str, bytes], message: str, tmp_path: Path) -> None:
    with pytest.raises(WrapperError, match=message) as error:
        read_wrapper(archive(tmp_path / "m.pt2", members))
    assert error.value.next_step


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.pt2"
    path.write_bytes(b"no zip")
    with pytest.raises(WrapperError, match="is no zip archive"):
        read_wrapper(path)
    assert not is_wrapper(path)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="does not exist"):
        read_wrapper(tmp_path / "m.pt2")
    assert not is_wrapper(tmp_path / "m.pt2")


def test_a_saved_program_is_no_wrapper(tmp_path: Path) -> None:
    assert not is_wrapper(archive(tmp_path / "m.pt2", {"models/model.json": b"{}"}))


UNSAFE_NAMES = {
    "parent": "../m.txt",
    "parent in the middle": "a/../../m.txt",
    "absolute": "/m.txt",
    "drive letter": "C:/m.txt",
    "stream": "m.txt:stream",
    "backslash": "..\\m.txt",
    "control character": "m\n.txt",
    "NUL": "m\0.txt",
}


@pytest.mark.parametrize("name", UNSAFE_NAMES.values(), ids=UNSAFE_NAMES)
def test_a_member_with_an_unsafe_name_is_refused(name: str, tmp_path: Path) -> None:
    path = archive(tmp_path / "m.pt2", files())
    # zipfile itself cuts and turns names when it writes: put the bytes in afterwards
    placeholder = "x" * len(name)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(placeholder, b"")
    path.write_bytes(path.read_bytes().replace(placeholder.encode(), name.encode()))
    with pytest.raises(WrapperError, match="not safe to read"):
        read_wrapper(path)


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.pt2", files())
    info = zipfile.ZipInfo(FOLDER + "link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(info, "/etc/passwd")
    with pytest.raises(WrapperError, match="not safe to read") as error:
        read_wrapper(path)
    assert "symbolic link" in error.value.cause


def test_a_name_that_appears_twice_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.pt2", files())
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr(FOLDER + "m.wrapper.cpp", source(()))
    with pytest.raises(WrapperError, match="not safe to read") as error:
        read_wrapper(path)
    assert "twice" in error.value.cause


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.pt2", files())
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[central + 8] |= 0x1
    path.write_bytes(data)
    with pytest.raises(WrapperError, match="not safe to read") as error:
        read_wrapper(path)
    assert "encrypted" in error.value.cause


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "m.pt2"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in (files() | {"m.wrapper.cpp": bytes(8_000_000)}).items():
            file.writestr(FOLDER + name, content)
    with pytest.raises(WrapperError, match="too large to be generated text"):
        read_wrapper(path)


def test_text_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_reader, "MAX_TEXT_NBYTES", 100)
    monkeypatch.setattr(folder_reader, "MAX_TEXT_NBYTES", 100)
    for path in (archive(tmp_path / "m.pt2", files()), _folder(tmp_path / "m", files())):
        with pytest.raises(WrapperError, match="too large to be generated text"):
            read_wrapper(path)


def test_more_members_than_any_model_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_reader, "MAX_MEMBERS", 2)
    monkeypatch.setattr(folder_reader, "MAX_MEMBERS", 2)
    with pytest.raises(WrapperError, match="4 members"):
        read_wrapper(archive(tmp_path / "m.pt2", files()))
    with pytest.raises(WrapperError, match="more than 2 files"):
        read_wrapper(_folder(tmp_path / "m", files()))


def test_a_damaged_blob_is_found_when_it_is_streamed(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.pt2", files(blob=BLOB))
    path.write_bytes(path.read_bytes().replace(BLOB, BLOB[::-1]))
    _, weights = read_wrapper(path)
    with pytest.raises(WrapperError, match="is damaged"):
        list(weights.chunks())


def test_a_cut_archive_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.pt2", files())
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(AotwinError):
            read_wrapper(path)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "m", files(blob=None))
    outside = tmp_path / "outside.blob"
    outside.write_bytes(BLOB)
    (folder / "m.wrapper_weights.blob").symlink_to(outside)
    with pytest.raises(WrapperError, match="leads out of"):
        read_wrapper(folder)


def test_a_link_within_the_folder_is_read(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "m", files(blob=None) | {"store": BLOB})
    (folder / "m.wrapper_weights.blob").symlink_to("store")
    _, weights = read_wrapper(folder)
    assert b"".join(map(bytes, weights.chunks())) == BLOB


def test_a_file_that_shrinks_is_noticed(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "m", files(blob=BLOB))
    _, weights = read_wrapper(folder)
    (folder / "m.wrapper_weights.blob").write_bytes(BLOB[:10])
    with pytest.raises(WrapperError, match="changed while it was read"):
        list(weights.chunks())
