"""What any object and any file brought to light, each with its input."""

import io
import re
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

import fastroi
from fastroi.cli import main
from fastroi.cli._boxes import Boxes
from fastroi.cli._errors import one_line
from fastroi.cli._images import Images
from fastroi.cli._operators import OPERATORS
from fastroi.cli._reading import read_boxes
from fastroi.cli._rows import write_rows

MAP = np.arange(32, dtype="f4").reshape(2, 1, 4, 4)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("f.npy", MAP)
    np.save("b.npy", np.array([[0, 0, 1, 3, 3.0]]))
    return tmp_path


def refusal(capsys, features, boxes):
    """The one line that says so, and the memory that it took, in bytes."""
    main("pool f.npy b.npy -o o.npy --output-size 2 --force --quiet".split())  # imports, caches
    tracemalloc.start()
    try:
        assert main(["pool", features, boxes, "-o", "o.npy", "--output-size", "2", "--force", "--quiet"]) == 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said, peak


def promising(extent):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({extent},), }}\n"
    return npy(len(header), header)


def npy(length, text):
    return b"\x93NUMPY\x03\x00" + length.to_bytes(4, "little") + text.encode()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (npy(2**30, "{'descr': '"), "its header is cut off"),
        (promising(2**32), "17179869184 bytes"),
        (promising(-4), "shape of (-4,)"),
    ],
)
@pytest.mark.parametrize("archived", [False, True])
def test_headers_that_promise_too_much_are_refused_before_there_is_room_for_it(
    folder, capsys, content, words, archived
):
    name = "lying.npz" if archived else "lying.npy"
    if archived:
        with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("arr_0.npy", content)
    else:
        Path(name).write_bytes(content)
    said, peak = refusal(capsys, name, "b.npy")
    assert name in said and words in said
    assert peak < 8 << 20


def test_archives_of_much_the_same_are_read(folder):
    """A map of zeros becomes a thousandth of its size, which is no lie."""
    np.savez_compressed("zeros.npz", np.zeros((2, 8, 400, 400), "f4"))
    assert Path("zeros.npz").stat().st_size < 40_000
    assert main("pool zeros.npz b.npy -o o.npy --output-size 2 --quiet".split()) == 0


def test_messages_have_no_control_characters_and_an_end(folder, capsys):
    np.savez("two.npz", **{"\x1b[2J": MAP, "a": MAP})
    said, _ = refusal(capsys, "two.npz", "b.npy")
    assert said == "fastroi: error: two.npz: holds 2 arrays (\\x1b[2J, a); --key chooses one\n"
    Path("wide.csv").write_text(",".join(f"name{i}" for i in range(10_000)) + "\n")
    said, _ = refusal(capsys, "f.npy", "wide.csv")
    assert said.startswith("fastroi: error: wide.csv: the header 'name0,name1,") and len(said) < 1100
    assert said.endswith("has neither x1,y1,x2,y2 nor x,y,w,h\n")
    assert one_line("\x1b" * 5000).isprintable() and len(one_line("\x1b" * 5000)) <= 1000


@pytest.mark.parametrize("entry", ["bbox", "image_id", "id", "iscrowd"])
def test_deep_lists_are_shown_in_short(folder, capsys, entry):
    entries = {"bbox": "[1, 1, 2, 2]", "image_id": "0"} | {entry: "[" * 300 + "]" * 300}
    Path("deep.json").write_text("[{" + ", ".join(f'"{name}": {value}' for name, value in entries.items()) + "}]")
    said, _ = refusal(capsys, "f.npy", "deep.json")
    assert re.match(rf"fastroi: error: deep.json: results\[0\]: {entry} \[\[\[", said)
    assert len(said) < 200


def test_a_cell_of_several_lines_keeps_one_that_begins_as_a_comment_does(folder):
    Path("t.csv").write_text('batch,x1,y1,x2,y2,note\n# no row\n0,0,1,3,3,"a\n# b"\n# no row\n1,0,1,3,3,c\n')
    read = read_boxes("t.csv", Images(2), OPERATORS["roi_align"])
    assert read.extras == {"note": ["a\n# b", "c"]}
    assert read.rois[:, 0].tolist() == [0, 1]


def test_words_of_rows_are_read_back(folder):
    """Separators in names, halves of characters in words, and names that --rows has itself."""
    extras = {"a;b": ["x;y"], "row": ["1"], "own_row": ["2"], "t\tt": ["#"], "half": ["\ud800"]}
    write_rows("rows.csv", Boxes(np.array([[0, 1, 3, 3.0]]), np.array([1]), None, "line", [2], extras), 4)
    read = read_boxes("rows.csv", Images(2), OPERATORS["roi_align"])
    assert read.rois.tolist() == [[1, 0, 1, 3, 3]]
    kept = {"a;b": ["x;y"], "row": ["0"], "own_row": ["1"], "own_own_row": ["2"], "t\tt": ["#"], "half": ["\\ud800"]}
    assert {name: read.extras[name] for name in kept} == kept


class Raising:
    """An object of another library, whose conversions raise what that library likes."""

    def __init__(self, error):
        self.error = error

    def _refuse(self, *arguments, **options):
        raise self.error

    __index__ = __float__ = __array__ = __iter__ = __len__ = _refuse


@pytest.mark.parametrize("error", [RuntimeError("detach it first"), ValueError("no"), KeyError("k")], ids=repr)
@pytest.mark.parametrize(
    "name", ["features", "rois", "output_size", "spatial_scale", "sampling_ratio", "batch_indices", "num_threads"]
)
def test_errors_of_conversions_name_the_argument(name, error):
    good = {"features": MAP, "rois": np.array([[0, 1, 3, 3.0]]), "output_size": 2, "batch_indices": np.array([0])}
    with pytest.raises(TypeError, match=rf"^{name}: "):
        fastroi.roi_align(**good | {name: Raising(error)})


def test_pyramids_that_cannot_be_iterated_over():
    for pyramid in (np.array(0.5), Raising(RuntimeError("no"))):
        with pytest.raises(TypeError, match=r"^feature_pyramid: "):
            fastroi.multiscale_roi_align(pyramid, [[0, 1, 3, 3]], 2, [1.0, 0.5])
    with pytest.raises(TypeError, match=r"^scales: "):
        fastroi.multiscale_roi_align([MAP, MAP[:, :, :2, :2]], [[0, 1, 3, 3]], 2, Raising(RuntimeError("no")))


def test_what_is_called_ndim_need_not_be_a_number():
    with pytest.raises(TypeError, match=r"^output_size: <module 'numpy'"):
        fastroi.roi_align(MAP[:1], [[0, 1, 3, 3]], np)


@pytest.mark.parametrize("name", ["reduce", "layout", "aligned", "num_threads", "sampling_ratio"])
def test_large_values_are_shown_in_short(name):
    with pytest.raises((TypeError, ValueError), match=rf"^{name}: ") as caught:
        fastroi.roi_align(MAP[:1], [[0, 1, 3, 3]], 2, **{name: np.zeros((3, 3, 3, 3, 3, 3))})
    assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["roi_align", "crop_masks"])
def test_results_beyond_memory_name_the_result(name):
    arguments = (MAP[:1], [[0, 1, 3, 3]]) if name == "roi_align" else (MAP[0], [[0, 1, 3, 3]])
    with pytest.raises(MemoryError, match=r"^out: no memory for a result of shape"):
        getattr(fastroi, name)(*arguments, (2**24, 2**24))


def test_shapes_of_aligned_arrays_are_named():
    for shape in ("7", (2, 1.5), Raising(RuntimeError("no"))):
        with pytest.raises(TypeError, match=r"^shape: "):
            fastroi.empty_aligned(shape)


class InPieces:
    def __dlpack_device__(self):
        raise BufferError("it lies on several devices")

    def __array__(self, dtype=None, copy=None):
        return MAP[:1]


def test_arrays_in_pieces_are_read():
    """As JAX has them: DLPack refuses them, NumPy reads them."""
    pooled = fastroi.roi_align(InPieces(), [[0, 1, 3, 3]], 2)
    assert np.array_equal(pooled, fastroi.roi_align(MAP[:1], [[0, 1, 3, 3]], 2))


def test_archives_hold_arrays_of_any_compression(folder):
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        file = io.BytesIO()
        np.save(file, MAP)
        with zipfile.ZipFile("any.npz", "w", method) as archive:
            archive.writestr("arr_0.npy", file.getvalue())
        assert main("pool any.npz b.npy -o o.npy --output-size 2 --quiet --force".split()) == 0
