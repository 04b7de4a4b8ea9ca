"""Elements on the command line: what files hold, what --dtype asks for, and how bfloat16 goes through a .npy file."""

import io
import json
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import fastroi
from fastroi import _core
from fastroi.cli import _arrays, main

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
ELEMENTS = tuple(_core.elements())
NARROW = tuple(name for name in ELEMENTS if name not in ("float32", "float64"))
ROIS = np.array([[0, 0, 0, 100, 100], [1, 30, 30, 200, 150], [1, -5, 3.5, 80, 99]])
SIZE = ("--output-size", "3", "--scale", "1/16")


def dtype_of(name):
    return BFLOAT16 if name == "bfloat16" else np.dtype(name)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("f.npy", 30 + 40 * np.random.default_rng(1).random((2, 4, 12, 15), dtype=np.float32))
    np.save("b.npy", ROIS)
    return tmp_path


def pool(*arguments, output="o.npy"):
    try:
        return main(["pool", *arguments[:2], "-o", output, *SIZE, *arguments[2:]])
    except SystemExit as leaving:
        return leaving.code


def error_of(capsys, *arguments):
    """The one line that a refusal prints; nothing is written."""
    capsys.readouterr()
    assert pool(*arguments) in (1, 2)
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1, captured.err
    assert not Path("o.npy").exists()
    return captured.err


def loaded(path, dtype):
    """As a reader of the file has it: bfloat16 has to be told."""
    array = np.load(path)
    if dtype != BFLOAT16:
        return array
    assert array.dtype == "V2"
    return array.view(BFLOAT16)


def same(a, b):
    return a.dtype == b.dtype and np.array_equal(a.view(np.uint8), np.ascontiguousarray(b).view(np.uint8))


@pytest.mark.parametrize("op", ["roi_pool", "roi_align", "ps_roi_pool"])
@pytest.mark.parametrize("name", ELEMENTS)
def test_the_result_has_the_type_asked_for(folder, name, op):
    features = np.load("f.npy")
    more = ("--group-size", "2") if op == "ps_roi_pool" else ()
    assert pool("f.npy", "b.npy", "--op", op, "--dtype", name, *more) == 0
    dtype = dtype_of(name)
    options = {"group_size": 2} if more else {}
    wide = features.astype(np.float64) if name == "float64" else features
    assert same(loaded("o.npy", dtype), getattr(fastroi, op)(wide, ROIS, 3, 1 / 16, **options, dtype=dtype))


@pytest.mark.parametrize("name", NARROW)
def test_narrow_features_are_read_where_they_lie(folder, name, monkeypatch):
    """And the result has their type, float32 for integers."""
    features = np.load("f.npy").astype(dtype_of(name))
    np.save("f.npy", features)
    seen = []
    monkeypatch.setattr(_arrays, "_cast", lambda array, dtype, path: seen.append(array) or array)
    assert pool("f.npy", "b.npy") == 0
    expected = fastroi.roi_pool(features, ROIS, 3, 1 / 16)
    assert same(loaded("o.npy", expected.dtype), expected)
    assert [array.dtype for array in seen] == [features.dtype]
    assert seen[0].base is not None


def test_float64_computes_in_float64(folder):
    np.save("f.npy", np.load("f.npy").astype(np.float16))
    assert pool("f.npy", "b.npy", "--op", "roi_align", "--dtype", "float64") == 0
    expected = fastroi.roi_align(np.load("f.npy").astype(np.float64), ROIS, 3, 1 / 16)
    assert same(np.load("o.npy"), expected)


def test_float32_of_narrow_features_copies_nothing(folder):
    half = np.load("f.npy").astype(np.float16)
    assert _arrays.as_elements(half, "f.npy", "float32") is half
    assert _arrays.as_elements(half.astype(np.float64), "f.npy", "float32").dtype == np.float32


def test_integers_saturate(folder):
    np.save("f.npy", 1000 * np.load("f.npy") - 50000)
    assert pool("f.npy", "b.npy", "--op", "roi_align", "--sampling-ratio", "1", "--dtype", "uint8") == 0
    found = np.load("o.npy")
    assert found.dtype == np.uint8
    assert {0, 255} <= set(found.ravel().tolist())


def test_chunks_and_pipes_carry_narrow_results(folder, monkeypatch):
    """More chunks than one, and standard output, whose header says what the file's does."""
    monkeypatch.setattr("fastroi.cli.pool._CHUNK_BYTES", 8)
    for name in ("bfloat16", "int8"):
        pipe = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        monkeypatch.setattr(sys, "stdout", pipe)
        assert pool("f.npy", "b.npy", "--dtype", name, "--quiet", output="-") == 0
        pipe.flush()
        monkeypatch.undo()
        monkeypatch.chdir(folder)
        expected = fastroi.roi_pool(np.load("f.npy"), ROIS, 3, 1 / 16, dtype=name)
        assert same(loaded(io.BytesIO(pipe.buffer.getvalue()), expected.dtype), expected)


def test_bfloat16_goes_round(folder, capsys):
    """What a run writes the next one reads; stderr says what was taken for what."""
    assert pool("f.npy", "b.npy", "--dtype", "bfloat16") == 0
    assert "o.npy: written without a type, as NumPy saves bfloat16" in capsys.readouterr().err
    assert pool("o.npy", "b.npy", output="again.npy") == 0
    told = capsys.readouterr().err
    assert "o.npy: elements of two bytes without a type, as NumPy saves bfloat16, are taken as that" in told
    again = loaded("again.npy", BFLOAT16)
    maps = fastroi.roi_pool(np.load("f.npy"), ROIS, 3, 1 / 16, dtype=BFLOAT16)
    rois = ROIS[:, 1:]
    assert same(again, fastroi.roi_pool(maps, rois, 3, 1 / 16, batch_indices=ROIS[:, 0].astype(int)))
    assert pool("o.npy", "b.npy", "--quiet", "--force", output="again.npy") == 0
    assert capsys.readouterr().err == ""


def test_numpy_saves_bfloat16_the_same(folder):
    assert pool("f.npy", "b.npy", "--dtype", "bfloat16") == 0
    np.save("saved.npy", fastroi.roi_pool(np.load("f.npy"), ROIS, 3, 1 / 16, dtype=BFLOAT16))
    assert np.load("saved.npy").dtype == np.load("o.npy").dtype
    assert np.load("saved.npy").tobytes() == np.load("o.npy").tobytes()


def test_without_ml_dtypes(folder, capsys, monkeypatch):
    np.save("v.npy", np.load("f.npy").astype(BFLOAT16))
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    assert "argument --dtype: bfloat16 needs the package ml_dtypes" in error_of(
        capsys, "f.npy", "b.npy", "--dtype", "bfloat16"
    )
    assert "v.npy: elements of dtype |V2 are not real numbers; bfloat16 needs the package ml_dtypes" in error_of(
        capsys, "v.npy", "b.npy"
    )


@pytest.mark.parametrize("name", ["float8", "int32", "half", "", "bool", "float128", ">f2"])
def test_a_name_of_no_element(folder, capsys, name):
    assert "argument --dtype: invalid choice" in error_of(capsys, "f.npy", "b.npy", "--dtype", name)


def test_other_features_and_boxes_are_no_numbers(folder, capsys):
    np.save("v.npy", np.zeros((2, 4, 12, 15), "V3"))
    assert "v.npy: elements of dtype |V3 are not real numbers" in error_of(capsys, "v.npy", "b.npy")
    np.save("bb.npy", ROIS.astype(BFLOAT16))
    assert "bb.npy: boxes of dtype bfloat16 are not numbers" in error_of(capsys, "f.npy", "bb.npy")


def test_levels_of_two_types(folder, capsys):
    np.save("l.npy", np.load("f.npy")[:, :, ::2, ::2].astype(BFLOAT16))
    op = ("--op", "multiscale_roi_align", "--level", "l.npy")
    assert "l.npy: bfloat16, but FEATURES is float32; --dtype float64 converts both" in error_of(
        capsys, "f.npy", "b.npy", *op
    )
    assert pool("f.npy", "b.npy", *op, "--dtype", "float64") == 0
    assert np.load("o.npy").dtype == np.float64


@pytest.mark.parametrize("op", ["crop_masks", "paste_masks"])
def test_values_of_masks(folder, capsys, op):
    masks, boxes = np.random.default_rng(2).random((3, 6, 6), dtype=np.float32), ROIS[:, 1:] / 40
    np.save("m.npy", masks)
    np.save("mb.npy", boxes)
    function = getattr(fastroi, op)
    size = ("--image-size", "3", "3") if op == "paste_masks" else ("--output-size", "3")
    call = ["pool", "m.npy", "mb.npy", "-o", "o.npy", "--op", op, *size]
    for name in ("float16", "bfloat16", "float64"):
        assert main([*call, "--force", "--threshold", "none", "--dtype", name]) == 0
        given = masks.astype(np.float64) if name == "float64" else masks
        assert same(loaded("o.npy", dtype_of(name)), function(given, boxes, 3, None, dtype=name))
    for more, message in (
        (["--dtype", "float16"], f"argument --dtype: under a threshold {op} writes bool; --threshold none for values"),
        (["--dtype", "uint8", "--threshold", "none"], "dtype: uint8; the values of a mask are stored as floats"),
    ):
        capsys.readouterr()
        try:
            code = main([*call, "--force", *more])
        except SystemExit as leaving:
            code = leaving.code
        assert code in (1, 2)
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["bfloat16", "uint8"])
def test_identify_takes_narrow_maps_and_outputs(folder, capsys, name):
    features = np.load("f.npy").astype(dtype_of(name))
    np.save("f.npy", features)
    np.save("seen.npy", fastroi.roi_pool(features, ROIS, 3, 1 / 16))
    assert main(["identify", "f.npy", "b.npy", "seen.npy", "--json", *SIZE]) == 0
    captured = capsys.readouterr()
    best = json.loads(captured.out)["candidates"][0]
    assert "roi_pool" in json.dumps(best)
    assert ("f.npy: elements of two bytes" in captured.err) == (name == "bfloat16")


def test_info_lists_the_elements(capsys):
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["elements"] == list(ELEMENTS)
    assert main(["info"]) == 0
    assert f"elements                {' '.join(ELEMENTS)}" in capsys.readouterr().out
