"""Whatever a file holds, the command line answers with a result or with one line that names the file.

Beside that no input changes, nothing is left lying about, no warning is printed, and memory follows the size of the file.
"""

import contextlib
import functools
import io
import os
import sys
import tempfile
import tracemalloc
import unittest.mock
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hostile_files import ANY_CONTENT, CONTENTS, boxes_with_words, meant_tables, some_array
from hypothesis import strategies as st
from searching import EVERYDAY, LONG, search

from fastroi import cli
from fastroi.cli import main
from fastroi.cli._arrays import load_array, parse_array
from fastroi.cli._boxes import split_index
from fastroi.cli._images import Images
from fastroi.cli._operators import OPERATORS
from fastroi.cli._reading import read_boxes
from fastroi.cli._rows import write_rows

MOST_OF_A_LINE = 1200  # characters of an error
FIXED_BYTES = (
    8 << 20
)  # of memory: the parsers of arguments and of headers, which NumPy takes up to 10,000 characters of
BYTES_PER_BYTE, BYTES_PER_COMPRESSED = (
    150,
    2**17,
)  # what Python makes of a character, and a decompressor of nothing but zeros


@dataclass
class Door:
    """A place of a command where a file is named: {} in its words."""

    words: str
    endings: tuple
    options: tuple = ("",)


GOOD_FILES = ("features.npy", "masks.npy", "boxes.npy", "named.csv", "names.txt")  # that may be what does not fit
one_parser = functools.cache(cli._parser)  # making it anew takes longer than most files

POOL = "pool features.npy boxes.npy -o out.npy --output-size 2 "
BOX_OPTIONS = ("", "--xywh", "--op roi_align_rotated", "--columns x1,y1,x2,y2,score", "--columns image,x,y,w,h", "--images names.txt", "--rows rows.csv",
               "--rows rows.csv --images names.txt --crowd drop", "--boxes-key a")  # fmt: skip
TABLES = (".csv", ".tsv", ".txt")
DOORS = {
    "features": Door(POOL.replace("features.npy", "{}"), (".npy", ".npz"), ("", "--key a", "--dtype float32", "--layout NHWC")),
    "boxes": Door(POOL.replace("boxes.npy", "{}"), (".npy", ".npz", *TABLES, *TABLES, ".json", ".json"), BOX_OPTIONS),
    "images": Door(POOL.replace("boxes.npy", "named.csv") + "--images {}", (".txt", ".json")),
    "masks": Door(POOL.replace("features.npy", "{}") + "--op crop_masks", (".npy", ".npz"), ("", "--dtype float64")),
    "boxes of masks": Door(POOL.replace("features.npy", "masks.npy").replace("boxes.npy", "{}") + "--op crop_masks", (".npy", *TABLES)),
    "offset": Door(POOL + "--op deform_roi_pool --offset {}", (".npy", ".npz")),
    "level": Door(POOL + "--op multiscale_roi_align --level {}", (".npy", ".npz")),
    "model": Door("identify --onnx {}", (".onnx",)),
}  # fmt: skip


@pytest.fixture
def folder():
    """A directory with good files, in force."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as path:
        os.chdir(path)
        np.save("features.npy", np.arange(32, dtype="f4").reshape(2, 1, 4, 4))
        np.save("masks.npy", np.ones((2, 4, 4), "f4"))
        np.save("boxes.npy", np.array([[0, 0, 1, 3, 3], [1, 1, 0, 2, 3.0]]))
        Path("named.csv").write_text("image,x1,y1,x2,y2\na.jpg,0,1,3,3\nb.jpg,1,0,2,3\n")
        Path("names.txt").write_text("a.jpg\nb.jpg\n")
        yield warmed(Path(path))
        os.chdir(before)


def warmed(folder):
    """After a call of each kind, which imports what it needs, later ones take memory for their own files only."""
    (folder / "model.onnx").write_bytes(b"")
    for words in (POOL + "--rows rows.csv", DOORS["model"].words.format("model.onnx")):
        run(words.split(), folder)
    (folder / "model.onnx").unlink()
    return folder


@dataclass
class Answer:
    status: int
    said: str
    peak: int
    made: dict

    @property
    def result(self):
        return self.made.get("out.npy")


def run(words, folder, stdin=b""):
    """What a command answers, after a look at everything it may not do."""
    before = contents(folder)
    said, told = io.StringIO(), io.StringIO()
    piped = io.TextIOWrapper(io.BytesIO(stdin))
    with (
        warnings.catch_warnings(record=True) as warned,
        contextlib.redirect_stderr(said),
        contextlib.redirect_stdout(told),
        unittest.mock.patch.object(sys, "stdin", piped),
        unittest.mock.patch.object(cli, "_parser", one_parser),
    ):
        warnings.simplefilter("always")
        tracemalloc.start()
        try:
            status = main(words)
        except SystemExit as end:  # argparse
            status = end.code
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    after = contents(folder)
    made = {name: after.pop(name)[0] for name in ("out.npy", "rows.csv") if name in after}
    for name in made:
        (folder / name).unlink()
    assert after == before, "an input was changed, or a file left lying about"
    assert [str(warning.message) for warning in warned] == []
    assert status in (0, 1, 2)
    if status:
        assert told.getvalue() == ""
    return Answer(status, said.getvalue(), peak, made)


def contents(folder):
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}


def check(answer, name, content):
    """A result or one line, in memory that follows the file's size."""
    size, is_archive = len(content), content.startswith(b"PK")
    lines = answer.said.split("\n")
    assert lines.pop() == ""
    assert all(line.isprintable() and line.startswith("fastroi") for line in lines), lines
    assert all(len(line) < MOST_OF_A_LINE for line in lines), lines
    most = FIXED_BYTES + size * (BYTES_PER_COMPRESSED if is_archive else BYTES_PER_BYTE)
    assert answer.peak < most, f"{answer.peak} bytes for a file of {size}"
    if answer.status:
        assert answer.made == {}
        assert len(lines) == 1 and "error: " in lines[0], lines
        assert any(file in lines[0] for file in (name, *GOOD_FILES)) or (
            answer.status == 2 and "argument " in lines[0]
        ), lines


@st.composite
def calls(draw):
    """(door, ending, options, content): mostly what the ending says."""
    door = draw(st.sampled_from([*sorted(DOORS), "boxes", "boxes", "boxes", "features"]))
    ending = draw(st.sampled_from(DOORS[door].endings))
    content = draw(CONTENTS.get(ending, ANY_CONTENT) if draw(st.integers(0, 7)) else ANY_CONTENT)
    return door, ending, draw(st.sampled_from(("", *DOORS[door].options))), content


def check_file(folder, door, ending, options, content):
    name = f"any{ending}"
    (folder / name).write_bytes(content)
    try:
        answer = run(f"{DOORS[door].words.format(name)} {options}".split(), folder)
    finally:
        (folder / name).unlink()
    check(answer, name, content)
    return answer


def check_pipe(folder, door, content):
    """A pipe is read by its beginning; an array from it as from a file."""
    answer = run(DOORS[door].words.format("-").split(), folder, content)
    check(answer, "standard input", content)
    if content.startswith(b"\x93NUMPY"):
        from_file = check_file(folder, door, ".npy", "", content)
        assert (from_file.status, from_file.result) == (answer.status, answer.result)


PIPED = st.tuples(
    st.sampled_from(("features", "boxes")),
    st.sampled_from((*CONTENTS.values(), CONTENTS[".npy"])).flatmap(lambda content: content),
)
FORMS = (EVERYDAY, pytest.param(LONG, marks=pytest.mark.long))


@pytest.mark.parametrize("form", FORMS)
def test_any_file_is_read_or_refused_by_name(folder, tried, form):
    search(calls(), lambda call: check_file(folder, *call), form, tried, 150, 10_000)


@pytest.mark.parametrize("form", FORMS)
def test_any_pipe_is_read_or_refused(folder, tried, form):
    search(PIPED, lambda call: check_pipe(folder, *call), form, tried, 40, 3_000)


# --- what was written is what is read ---------------------------------------------------------------------------------------

TWO_IMAGES = Images(2, {"a.jpg": 0, "b.jpg": 1})
UPRIGHT = OPERATORS["roi_align"]


def check_table(folder, table):
    """Boxes of a table, whatever its separators, order of columns, encoding and quotes are."""
    (folder / "any.csv").write_bytes(table.content)
    read = read_boxes("any.csv", TWO_IMAGES, UPRIGHT)
    assert read.rois.tolist() == table.corners
    assert read.batch_indices.tolist() == table.images
    assert read.extras == table.extras


def check_rows(folder, boxes):
    """The table of --rows, read as boxes."""
    write_rows("any.csv", boxes, 4)
    again = read_boxes("any.csv", TWO_IMAGES, UPRIGHT)
    rois, _ = split_index(again.rois, None)
    assert rois.tolist() == boxes.rois.tolist()
    assert again.rois[:, 0].tolist() == boxes.batch_indices.tolist()
    for name, values in boxes.extras.items():
        assert again.extras[name] == [value.strip() for value in values]


def check_array(folder, drawn):
    """An array of any numbers in any file and from a pipe."""
    array, kind = drawn
    content = written(array, kind)
    (folder / "any.npz").write_bytes(content)
    for read in (load_array("any.npz"), parse_array(content, "-")):
        assert (read.dtype, read.shape) == (array.dtype, array.shape)
        assert read.tobytes() == array.tobytes()


def written(array, kind):
    file = io.BytesIO()
    {"npy": np.save, "npz": np.savez, "compressed": np.savez_compressed}[kind](file, array)
    return file.getvalue()


@pytest.mark.parametrize("form", FORMS)
def test_tables_are_read_as_they_are_meant(folder, tried, form):
    search(meant_tables(), lambda table: check_table(folder, table), form, tried, 50, 4_000)


@pytest.mark.parametrize("form", FORMS)
def test_rows_that_were_written_are_read(folder, tried, form):
    search(boxes_with_words(), lambda boxes: check_rows(folder, boxes), form, tried, 50, 4_000)


@pytest.mark.parametrize("form", FORMS)
def test_arrays_that_were_written_are_read(folder, tried, form):
    kinds = st.sampled_from(("npy", "npz", "compressed"))
    search(st.tuples(some_array(), kinds), lambda drawn: check_array(folder, drawn), form, tried, 30, 2_000)
