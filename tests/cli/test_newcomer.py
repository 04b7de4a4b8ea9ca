"""What a newcomer gets wrong: tables, lists of images and arguments that are refused in words of the command line."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fastroi
from fastroi.cli import explain, main
from fastroi.cli._arguments import number, pair_of, positive_int
from fastroi.cli._operators import OPERATORS

SCALE = 1 / 16


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    features = np.random.default_rng(3).random((3, 4, 16, 20), dtype=np.float32)
    np.save("f.npy", features)
    np.save("f1.npy", features[:1])
    np.save("boxes.npy", np.array([[0, 1, 2, 30, 40], [2, 9, 9, 200, 120.0]]))
    return tmp_path


def pool(features, boxes, *more):
    size = [] if "--output-size" in more or "--image-size" in more else ["--output-size", "3"]
    scale = [] if {"crop_masks", "paste_masks"} & set(more) else ["--scale", "1/16"]
    return main(["pool", features, boxes, "-o", "o.npy", *size, *scale, *more])


def table(text, *more, features="f1.npy"):
    Path("boxes.csv").write_text(text)
    return pool(features, "boxes.csv", *more)


def refused(capsys, call, *arguments, **options):
    """The one line of a refusal, which leaves no output."""
    capsys.readouterr()
    try:
        code = call(*arguments, **options)
    except SystemExit as leaving:
        code = leaving.code
    captured = capsys.readouterr()
    assert code in (1, 2), captured
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    assert not Path("o.npy").exists()
    return captured.err


# --- tables -----------------------------------------------------------------------------------


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("rows", "line", "told"),
    [
        (['1,2,3,4,"5 inch', "5,6,7,8,x", "9,9,20,20,y", ""], 2, "never closed"),
        (["1,2,3,4,a", '5,6,7,8,"x'], 3, "never closed"),
        (["", '1,2,3,4,"a', 'b"', "1,2,3,4,c", '5,6,7,8,"x', "5,6,7,8,y", ""], 6, "never closed"),
        (['1,2,3,4,"5 inch', '5,6,7,8,6"', "9,9,20,20,y", ""], 2, "runs over the rows after it"),
        (['1,2,3,4,"5 inch', '5,6,7,8,"6 inch', "9,9,20,20,y", ""], 2, "runs over the rows after it"),
    ],
)
def test_an_open_quote_is_told_by_line(folder, capsys, rows, line, told, newline):
    error = refused(capsys, table, newline.join(["x1,y1,x2,y2,label", *rows]))
    assert f"boxes.csv: line {line}: a quote is opened" in error
    assert told in error


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_quoted_cell_may_have_lines_and_separators(folder, end):
    text = 'label,x1,y1,x2,y2\n"5 inch, wide\nand ""long""",16,16,32,48\n\'s",0,0,16,16\n"y" ,32,32,64,64' + end
    assert table(text, "--rows", "rows.csv") == 0
    rows = list(csv.DictReader(io.StringIO(Path("rows.csv").read_text())))
    assert [row["label"] for row in rows] == ['5 inch, wide\nand "long"', "'s\"", "y"]
    assert [row["line"] for row in rows] == ["3", "4", "5"]


@pytest.mark.parametrize("text", ["1_0", "1_0.5", "1e1_0", "\u0661", "\uff11"])
def test_a_number_is_one_that_other_programs_read(folder, capsys, text):
    assert f"line 3: {text!r} is not a number" in refused(capsys, table, f"x1,y1,x2,y2\n1,2,3,4\n1,2,{text},4\n")
    for parse in (number, positive_int, pair_of(positive_int, "x")):
        with pytest.raises(Exception, match="is not a (whole )?number"):
            parse(text)
    with pytest.raises(Exception, match="is not a number"):
        number(f"1/{text}")


@pytest.mark.parametrize("option", ["--output-size", "--sampling-ratio", "--group-size", "--scale", "--threads"])
def test_options_take_no_underscores_either(folder, capsys, option):
    assert "'1_0' is not a" in refused(capsys, pool, "f.npy", "boxes.npy", option, "1_0")


def test_an_image_of_that_name_is_not_a_number(folder):
    Path("names.txt").write_text("10\n1_0\nother\n")
    assert table("image,x1,y1,x2,y2\n1_0,0,0,64,64\n", "--images", "names.txt", features="f.npy") == 0
    expected = fastroi.roi_pool(np.load("f.npy"), np.array([[1, 0, 0, 64, 64.0]]), 3, SCALE)
    assert np.array_equal(np.load("o.npy"), expected)


@pytest.mark.parametrize("text", ["", "\n", "x1,y1,x2,y2\n"])
def test_a_table_without_boxes_is_told(folder, capsys, text):
    assert table(text) == 0
    assert capsys.readouterr().err == "fastroi: boxes.csv: no boxes\n"


def test_columns_that_do_not_go_together_are_the_options(folder, capsys):
    error = refused(capsys, table, "1,2,3,4\n", "--columns", "x1,y1,x2,x1")
    assert "argument --columns: 'x1,y1,x2,x1' has neither" in error
    assert "header" not in error


# --- images -----------------------------------------------------------------------------------

TWO_NAMES = "filename,image_id,x1,y1,x2,y2\na.jpg,7,0,0,64,64\nb.jpg,9,0,0,100,90\n"


@pytest.mark.parametrize("names", ["9\n8\n7\n", "b.jpg\nc.jpg\na.jpg\n", "b.jpg\nc.jpg\n7\n"])
@pytest.mark.parametrize("swapped", [False, True])
def test_either_column_may_name_the_image(folder, names, swapped):
    Path("names.txt").write_text(names)
    rows = [line.split(",") for line in TWO_NAMES.split()]
    text = "\n".join(",".join([b, a, *rest] if swapped else [a, b, *rest]) for a, b, *rest in rows)
    assert table(text, "--images", "names.txt", features="f.npy") == 0
    expected = fastroi.roi_pool(np.load("f.npy"), np.array([[2, 0, 0, 64, 64], [0, 0, 0, 100, 90.0]]), 3, SCALE)
    assert np.array_equal(np.load("o.npy"), expected)


def test_columns_that_name_two_images_are_refused(folder, capsys):
    Path("names.txt").write_text("a.jpg\n7\nb.jpg\n")
    error = refused(capsys, table, TWO_NAMES, "--images", "names.txt", features="f.npy")
    assert "boxes.csv: line 2: the names of its image are of two: 'a.jpg' at 0 and '7' at 1" in error


def identify(boxes):
    np.save("observed.npy", np.zeros((2, 4, 3, 3), dtype="f4"))
    return main(["identify", "f.npy", boxes, "observed.npy", "--scale", "1/16", "--images", "names.txt"])


@pytest.mark.parametrize("ending", ["csv", "json"])
@pytest.mark.parametrize("command", ["pool", "identify"])
def test_a_list_with_no_image_of_any_box_is_refused(folder, capsys, command, ending):
    Path("names.txt").write_text("x\ny\nz\n")
    Path("boxes.csv").write_text(TWO_NAMES)
    Path("boxes.json").write_text(json.dumps([{"image_id": 7, "bbox": [1, 2, 3, 4]}]))
    boxes = f"boxes.{ending}"
    calls = {"pool": lambda: pool("f.npy", boxes, "--images", "names.txt"), "identify": lambda: identify(boxes)}
    first = "line 2 is of 'a.jpg'" if ending == "csv" else "result 0 is of '7'"
    error = refused(capsys, calls[command])
    assert error == f"fastroi: error: {boxes}: no box is of an image that names.txt lists, e.g. {first}\n"


@pytest.mark.parametrize("op", ["roi_pool", "crop_and_resize", "roi_align_rotated"])
def test_boxes_of_many_images_without_a_column_are_told_what_to_add(folder, capsys, op):
    box, names = ("1,2,3,4,5", "cx,cy,w,h,angle") if "rotated" in op else ("0,0,1,1", "x1,y1,x2,y2")
    error = refused(capsys, table, f"{names}\n{box}\n", "--op", op, features="f.npy")
    assert "boxes.csv: which of 3 images" in error
    for word in ("column batch", "--columns", "--images"):
        assert word in error


# --- arrays -----------------------------------------------------------------------------------


def test_a_result_that_does_not_fit_is_told_by_its_size(folder, capsys):
    error = refused(capsys, pool, "f.npy", "boxes.npy", "--output-size", "1000000")
    assert "o.npy: no room for 2x4x1000000x1000000 float32, 32,000,000,000,000 bytes" in error
    assert [path.name for path in folder.glob(".o*")] == []


class Pipe:
    def __init__(self, content):
        self.buffer = io.BytesIO(content)


def test_what_is_no_array_is_not_called_a_pickle(folder, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", Pipe(b"hi\n"))
    error = refused(capsys, pool, "-", "boxes.npy")
    assert "standard input: no .npy array can be read from it: it begins with b'hi" in error
    Path("text.npy").write_bytes(b"hello there")
    np.save("objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    Path("empty.npy").write_bytes(b"")
    found = [refused(capsys, pool, name, "boxes.npy") for name in ("text.npy", "objects.npy", "empty.npy")]
    assert "begins with b'hello" in found[0]
    assert "it holds Python objects, not numbers" in found[1]
    assert "empty, no .npy array" in found[2]
    assert not any("pickle" in line for line in [error, *found])


@pytest.mark.filterwarnings("error")
def test_a_header_beyond_any_memory(folder, capsys):
    with open("huge.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (1, 4, 2**62 + 3, 4)}
        )
    assert "huge.npy: no .npy array can be read from it: its header promises" in refused(
        capsys, pool, "huge.npy", "boxes.npy"
    )


@pytest.mark.parametrize("op", ["crop_masks", "paste_masks"])
def test_masks_of_bytes_are_told_by_file_and_number(folder, capsys, op):
    masks = np.ones((3, 8, 8), dtype=np.uint8)
    masks[2, 1, 0] = 255
    np.save("masks.npy", masks)
    np.save("of_masks.npy", np.array([[2, 1, 1, 5, 5], [0, 1, 1, 5, 5.0]]))
    size = ("--image-size", "8", "8") if op == "paste_masks" else ()
    error = refused(capsys, pool, "masks.npy", "of_masks.npy", "--op", op, *size)
    assert "masks.npy: masks[2]: cell [1, 0] is 255" in error


def test_a_level_of_other_elements_or_of_another_size_is_refused(folder, capsys):
    features = np.load("f.npy")
    op = ("--op", "multiscale_roi_align", "--level", "level.npy")
    np.save("level.npy", features[:, :, ::2, ::2].astype("f8"))
    assert "level.npy: float64, but FEATURES is float32; --dtype" in refused(capsys, pool, "f.npy", "boxes.npy", *op)
    np.save("level.npy", features)
    assert "level.npy: 16 x 20 cells" in refused(capsys, pool, "f.npy", "boxes.npy", *op)
    np.save("level.npy", np.moveaxis(features[:, :, ::2, ::2], 1, 3))
    assert "level.npy: 10 x 4 cells" in refused(capsys, pool, "f.npy", "boxes.npy", *op)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_levels_are_converted_together(folder, dtype):
    levels = [np.load("f.npy")]
    levels.append(levels[0][:, :, ::2, ::2].astype("f8"))
    levels.append(levels[1][:, :, ::2, ::2].astype("f4"))
    for name, level in zip("ab", levels[1:]):
        np.save(f"{name}.npy", level)
    more = ("--level", "a.npy", "--level", "b.npy", "--dtype", dtype)
    assert pool("f.npy", "boxes.npy", "--op", "multiscale_roi_align", *more) == 0
    expected = fastroi.multiscale_roi_align(
        [level.astype(dtype) for level in levels], np.load("boxes.npy"), 3, scales=[1 / 16, 1 / 32, 1 / 64]
    )
    assert np.array_equal(np.load("o.npy"), expected)


# --- arguments --------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["3x", "x3", "x"])
def test_half_a_pair_is_told_whole(folder, capsys, text):
    assert f"--output-size: {text!r} lacks" in refused(capsys, pool, "f.npy", "boxes.npy", "--output-size", text)


@pytest.mark.parametrize("text", ["1025", "100000000000000000000"])
def test_threads_are_told_by_their_option(folder, capsys, text):
    error = refused(capsys, pool, "f.npy", "boxes.npy", "--threads", text)
    assert f"argument --threads: {text} is outside [1, 1024]" in error


@pytest.mark.parametrize("option", ["--rows", "--images", "-o", "--offset"])
def test_a_file_without_a_name_is_refused(folder, capsys, option):
    assert "'' names no file" in refused(capsys, pool, "f.npy", "boxes.npy", option, "")


BOX = "--box 3 4 40 42 --output-size 3 --image-size 96 64".split()
TURNED = "--turned 30 30 20 20 1 --output-size 3 --image-size 96 64".split()


def arguments_of(operator):
    """A call of explain that works, without a picture."""
    shape = (1, 2, 3, 3)
    for name in operator.arrays:
        np.save(f"{name}.npy", np.zeros(shape))
    box = TURNED if operator.coordinates == 5 else BOX
    if operator.normalised:
        box = ["--box", "0.1", "0.1", "0.5", "0.5", *BOX[5:]]
    scale = ["--stride", "16"] if operator.scaled else []
    arrays = [part for name in operator.arrays for part in (f"--{name}", f"{name}.npy")]
    return ["explain", "--op", operator.name, *box, *scale, *arrays]


def sides(path, explanations, **options):
    """What a picture needs, in place of the time to draw it."""
    assert all(explanation.x and explanation.y for explanation in explanations)


@pytest.mark.parametrize("op", OPERATORS)
def test_what_cannot_be_drawn_is_told_before_the_table(folder, capsys, monkeypatch, op):
    monkeypatch.setattr(explain, "write_figure", sides)
    arguments = [*arguments_of(OPERATORS[op]), "-o", "figure.svg"]
    if explain._can_be_drawn(OPERATORS[op]):
        assert main(arguments) == 0
        return
    assert f"argument -o: the bins of {op} cannot be drawn" in refused(capsys, main, arguments)
    monkeypatch.setattr(explain, "_can_be_drawn", lambda operator: True)
    assert main(arguments) == 1
    assert "are no rows and columns" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "value"), [("levels", "3"), ("channels", "2"), ("turned", None)])
def test_an_option_of_operators_is_named_alone(folder, capsys, option, value):
    arguments = [*TURNED] if value is None else [*BOX, f"--{option}", value]
    error = refused(capsys, main, ["explain", *arguments, "--stride", "16"])
    assert f"argument --{option}: it goes with --op" in error


@pytest.mark.parametrize(("size", "told"), [((96, 64), False), ((64, 96), True), ((192, 128), True)])
def test_a_picture_of_another_size_is_told(folder, capsys, monkeypatch, size, told):
    monkeypatch.setattr(explain, "write_figure", sides)
    Image.new("RGB", size).save("photo.png")
    assert main(["explain", *BOX, "--stride", "16", "--image", "photo.png", "-o", "figure.svg"]) == 0
    note = f"fastroi: photo.png: {size[0]}x{size[1]} pixels, but --image-size tells 96x64\n"
    assert capsys.readouterr().err == (note if told else "")


def shown_help(capsys):
    with pytest.raises(SystemExit):
        main(["pool", "--help"])
    return capsys.readouterr().out


def test_the_examples_of_the_help_run(folder, capsys):
    """Files as the help shows them, and the two commands as it has them."""
    _, _, examples = shown_help(capsys).partition("Two examples.")
    lines = examples.splitlines()
    dataset = "".join(line for line in lines if line.startswith(('  {"', '   "')))
    columns = [line.split() for line in lines if line.endswith("b.jpg") or line.endswith("a.jpg")]
    np.save("features.npy", np.load("f.npy")[:2])
    Path("instances.json").write_text(dataset)
    Path("boxes.csv").write_text("\n".join(row for row, _ in columns))
    Path("names.txt").write_text("\n".join(name for _, name in columns))
    commands = [line for line in examples.replace("\\\n", " ").splitlines() if line.startswith("  fastroi pool")]
    assert len(commands) == 2
    expected = fastroi.roi_align(np.load("features.npy"), np.array([[1, 20, 30, 170, 160.0]]), 7, SCALE)
    for command in commands:
        assert main([*command.split()[1:], "--force"]) == 0
        assert np.array_equal(np.load("pooled.npy"), expected)
