"""Every file argument of every command: what hostile files do, and that nothing but the output is ever written."""

import argparse
import io
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import fastroi
from fastroi import cli
from fastroi.cli import _arrays, main
from fastroi.cli._files import InputFile, OutputFile

ROIS = np.array([[0, 3, 5, 90, 80], [1, 20, 30, 170, 160.0]])


@pytest.fixture(scope="module")
def good_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    fill(folder)
    return folder


@pytest.fixture
def folder(tmp_path, good_files):
    """One good file for each file argument."""
    shutil.copytree(good_files, tmp_path, dirs_exist_ok=True)
    return tmp_path


def fill(folder):
    from onnx import helper
    from PIL import Image

    random = np.random.default_rng(5)
    features = random.random((2, 4, 12, 15), dtype=np.float32)
    np.save(folder / "features.npy", features)
    np.save(folder / "observed.npy", fastroi.prroi_pool(features, ROIS, 3, 1 / 16))
    graph = helper.make_graph([helper.make_node("MaxRoiPool", ["x", "r"], ["y"], pooled_shape=[3, 3])], "g", [], [])
    (folder / "model.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    np.save(folder / "level.npy", random.random((2, 4, 6, 8), dtype=np.float32))
    np.save(folder / "boxes.npy", ROIS)
    (folder / "boxes.csv").write_text("image,x1,y1,x2,y2\na,3,5,90,80\nb,20,30,170,160\n")
    (folder / "boxes.json").write_text('[{"image_id": "a", "bbox": [3, 5, 87, 75]}]')
    np.save(folder / "offset.npy", np.zeros((2, 2, 3, 3)))
    np.save(folder / "trans.npy", np.zeros((2, 2, 3, 3)))
    np.save(folder / "one.npy", np.zeros((1, 2, 3, 3)))
    (folder / "names.txt").write_text("a\nb\n")
    Image.new("RGB", (96, 64)).save(folder / "picture.png")


POOL = "pool features.npy {} -o out.npy --scale 1/16 --output-size 3"
EXPLAIN = "explain --xywh 30 10 40 30 --stride 16 --output-size 3 --image-size 96 64 -o figure.png"
IDENTIFY = "identify features.npy {} observed.npy --scale 1/16 --layout NCHW"
# For every input of every command: a call that works, and the file in it.
INPUTS = {
    ("pool", "features"): (POOL.format("boxes.npy"), "features.npy"),
    ("pool", "boxes"): (POOL.format("boxes.npy"), "boxes.npy"),
    ("pool", "boxes", "table"): (POOL.format("boxes.csv") + " --images names.txt", "boxes.csv"),
    ("pool", "boxes", "coco"): (POOL.format("boxes.json") + " --images names.txt", "boxes.json"),
    ("pool", "images"): (POOL.format("boxes.csv") + " --images names.txt", "names.txt"),
    ("pool", "level"): (POOL.format("boxes.npy") + " --op multiscale_roi_align --level level.npy", "level.npy"),
    ("pool", "offset"): (POOL.format("boxes.npy") + " --op deform_roi_pool --offset offset.npy", "offset.npy"),
    ("pool", "trans"): (
        POOL.format("boxes.npy") + " --op deform_ps_roi_pool --group-size 1 --trans trans.npy",
        "trans.npy",
    ),
    ("explain", "offset"): (EXPLAIN.rpartition(" -o")[0] + " --op deform_roi_pool --offset one.npy", "one.npy"),
    ("explain", "trans"): (
        EXPLAIN.rpartition(" -o")[0] + " --op deform_ps_roi_pool --group-size 1 --trans one.npy",
        "one.npy",
    ),
    ("explain", "image"): (f"{EXPLAIN} --image picture.png", "picture.png"),
    ("identify", "features"): (IDENTIFY.format("boxes.npy"), "features.npy"),
    ("identify", "boxes"): (IDENTIFY.format("boxes.npy"), "boxes.npy"),
    ("identify", "observed"): (IDENTIFY.format("boxes.npy"), "observed.npy"),
    ("identify", "images"): (IDENTIFY.format("boxes.csv") + " --images names.txt", "names.txt"),
    ("identify", "level"): (IDENTIFY.format("boxes.npy") + " --level level.npy", "level.npy"),
    ("identify", "offset"): (IDENTIFY.format("boxes.npy") + " --offset offset.npy", "offset.npy"),
    ("identify", "trans"): (IDENTIFY.format("boxes.npy") + " --trans trans.npy", "trans.npy"),
    ("identify", "onnx"): ("identify --onnx model.onnx", "model.onnx"),
}
OUTPUTS = {
    ("pool", "output"): (POOL.format("boxes.npy"), "out.npy"),
    ("pool", "rows"): (POOL.format("boxes.npy") + " --rows rows.csv", "rows.csv"),
    ("explain", "output"): (EXPLAIN, "figure.png"),
    ("demo", "output"): ("demo --repeat 1 -o demo.png", "demo.png"),
}


def file_arguments(kind):
    """Command and name of every argument that names a file of a kind."""
    (commands,) = (a for a in cli._parser()._actions if isinstance(a, argparse._SubParsersAction))
    return {(c, a.dest) for c, parser in commands.choices.items() for a in parser._actions if a.type is kind}


def call(folder, command, *more):
    """Run a command inside the folder; the exit code."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        return main([*command.split(), *more])
    except SystemExit as leaving:
        return leaving.code
    finally:
        os.chdir(before)


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


def assert_refused(capsys, folder, command, name, *more):
    """One line with the file's name, and every file as it was."""
    before, names = contents(folder), {path.name for path in folder.iterdir()}
    capsys.readouterr()
    code = call(folder, command, *more)
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if "error:" in line]
    assert code in (1, 2), captured
    assert captured.err.count("\n") == 1, captured.err
    assert lines[0].startswith("fastroi"), lines
    assert name in lines[0]
    assert contents(folder) == before
    assert {path.name for path in folder.iterdir()} == names
    return lines[0]


def test_the_sweep_knows_every_file_argument():
    assert {key[:2] for key in INPUTS} == file_arguments(InputFile)
    assert {key[:2] for key in OUTPUTS} == file_arguments(OutputFile)


@pytest.mark.parametrize("argument", [a for a in [*INPUTS, *OUTPUTS] if a[0] != "demo"], ids="-".join)
def test_the_calls_of_the_sweep_work(folder, argument):
    command, _ = {**INPUTS, **OUTPUTS}[argument]
    assert call(folder, command) == 0


# --- inputs -----------------------------------------------------------------------------------


def header(shape):
    """A .npy file that promises an array and holds two numbers."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue() + bytes(8)


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def loop(path):
    path.unlink()
    path.symlink_to(path.name)


def directory(path):
    path.unlink()
    path.mkdir()


FAULTS = {
    "missing": Path.unlink,
    "directory": directory,
    "loop": loop,
    "truncated": half,
    "text": lambda path: path.write_text("one; two\n\x00three,four, five\nsix\n"),
    "bytes": lambda path: path.write_bytes(b"\x93NUMPY\xff\xfe" + bytes(range(256))),
    "huge": lambda path: path.write_bytes(header((10**6, 10**3, 10**3))),
    "beyond": lambda path: path.write_bytes(header((2**62, 2**62))),
    "negative": lambda path: path.write_bytes(header((-4, 4))),
    "objects": lambda path: (
        np.save(path.with_suffix(".npy"), np.array([{}], dtype=object), allow_pickle=True)
        or path.write_bytes(path.with_suffix(".npy").read_bytes())
    ),
    "fields": lambda path: path.write_bytes(saved(np.zeros(3, dtype=[("x", "f4"), ("y", "f4")]))),
    "strings": lambda path: path.write_bytes(saved(np.array([["a", "b", "c", "d"]]))),
    "dates": lambda path: path.write_bytes(saved(np.zeros((2, 5), dtype="M8[s]"))),
    "complex": lambda path: path.write_bytes(saved(np.zeros((2, 2, 3, 3), dtype="c8"))),
    "scalar": lambda path: path.write_bytes(saved(np.float32(1))),
    "empty": lambda path: path.write_bytes(b""),
    "archive": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(40)),
}


def saved(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


# A text file may be cut anywhere, and a table of no boxes is one.
HARMLESS = {
    ("boxes.csv", "truncated"),
    ("boxes.csv", "empty"),
    ("names.txt", "truncated"),
}


@pytest.mark.parametrize("argument", INPUTS, ids="-".join)
def test_bad_inputs(folder, capsys, argument):
    command, name = INPUTS[argument]
    good, path = (folder / name).read_bytes(), folder / name
    for fault, spoil in FAULTS.items():
        spoil(path) if (name, fault) not in HARMLESS else path.write_bytes(b"\xff\x00\x01")
        assert_refused(capsys, folder, command, name)
        restore(path, good)


def restore(path, content):
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("argument", "array", "place"),
    [
        ("boxes", np.where(ROIS == 160, np.nan, ROIS), "rois[1]"),
        ("boxes", np.where(ROIS == 1, 2, ROIS), "rois[1]"),
        ("offset", np.full((2, 2, 3, 3), np.nan), "offset[0, 0, 0, 0]"),
        ("trans", np.full((2, 2, 3, 3), np.inf), "trans[0, 0, 0, 0]"),
        ("offset", np.zeros((2, 2, 3, 4)), "offset: shape (2, 2, 3, 4)"),
        ("level", np.zeros((2, 5, 6, 8), dtype="f4"), "feature_pyramid[1]"),
        ("features", np.zeros((2, 4, 0, 15), dtype="f4"), "0 x 15 cells"),
    ],
)
def test_what_the_library_refuses_is_told_by_file(folder, capsys, argument, array, place):
    command, name = INPUTS["pool", argument]
    np.save(folder / name, array)
    assert place in assert_refused(capsys, folder, command, name)


def test_offsets_of_an_explanation_are_told_by_file(folder, capsys):
    np.save(folder / "one.npy", np.full((1, 2, 3, 3), np.nan))
    command, name = INPUTS["explain", "offset"]
    assert "offset[0, 0, 0, 0]" in assert_refused(capsys, folder, command, name)


def test_a_table_is_told_by_line(folder, capsys):
    (folder / "boxes.csv").write_text("# boxes\nbatch,x1,y1,x2,y2\n\n0,1,2,3,4\n1,2,inf,4,5\n")
    line = assert_refused(capsys, folder, POOL.format("boxes.csv"), "boxes.csv")
    assert "line 5: rois[1]: y1 is inf" in line


@pytest.fixture
def unprivileged():
    """A folder of the sweep's files for a process that root's rights do not help."""
    path = Path(tempfile.mkdtemp())
    fill(path)
    root = os.geteuid() == 0
    for file in path.iterdir():
        file.chmod(0o644)
    path.chmod(0o755)
    if root:
        os.seteuid(65534)
    yield path
    if root:
        os.seteuid(0)
    path.chmod(0o755)
    shutil.rmtree(path)


def seal(path, mode):
    """Change the mode of a file that root made."""
    user = os.geteuid()
    if os.getuid() == 0:
        os.seteuid(0)
    path.chmod(mode)
    os.seteuid(user)


@pytest.mark.parametrize("argument", INPUTS, ids="-".join)
def test_unreadable_inputs(unprivileged, capsys, argument):
    command, name = INPUTS[argument]
    command = command.partition(" -o figure")[0] if "--image picture" not in command else command
    seal(unprivileged / name, 0)
    seal(unprivileged, 0o777)
    code, line = call(unprivileged, command), capsys.readouterr().err
    assert (code, line.count("\n")) == (1, 1), line
    assert f"{name}: Permission denied" in line


@pytest.mark.parametrize("argument", OUTPUTS, ids="-".join)
def test_a_folder_that_cannot_be_written(unprivileged, capsys, argument):
    command, name = OUTPUTS[argument]
    seal(unprivileged, 0o555)
    code, line = call(unprivileged, command), capsys.readouterr().err
    assert (code, line.count("\n")) == (1, 1), line
    assert "nothing can be written into the folder" in line
    assert any(output in line for (_, output) in OUTPUTS.values())


# --- outputs ----------------------------------------------------------------------------------


def output_in(command, name):
    """The command with another name for its output."""
    return lambda other: command.replace(name, other)


def same(path, link):
    return path.name


def hard(path, link):
    link.hardlink_to(path)
    return link.name


def soft(path, link):
    link.symlink_to(path.name)
    return link.name


def dotted(path, link):
    return f"./{path.name}"


@pytest.mark.parametrize("make", [same, hard, soft, dotted])
@pytest.mark.parametrize("argument", [a for a in INPUTS if a[0] == "pool"], ids="-".join)
def test_no_input_is_an_output(folder, capsys, argument, make):
    """Whatever it is called, and forced or not; --rows takes any ending."""
    command, name = INPUTS[argument]
    other = make(folder / name, folder / "other.npy")
    for force in ((), ("--force",)):
        assert "is an input" in assert_refused(capsys, folder, f"{command} --rows {other}", other, *force)
        if other.endswith(".npy"):
            assert "is an input" in assert_refused(capsys, folder, command.replace("out.npy", other), other, *force)


@pytest.mark.parametrize("make", [same, hard, soft, dotted])
def test_the_picture_is_no_output(folder, capsys, make):
    other = make(folder / "picture.png", folder / "other.png")
    command = INPUTS["explain", "image"][0].replace("figure.png", other)
    assert "is an input" in assert_refused(capsys, folder, command, other, "--force")


@pytest.mark.parametrize("ending", ["out.npy", "./out.npy"])
def test_two_outputs_are_two_files(folder, capsys, ending):
    line = assert_refused(capsys, folder, POOL.format("boxes.npy") + f" --rows {ending}", "out.npy")
    assert "is another output too" in line


@pytest.mark.parametrize("argument", OUTPUTS, ids="-".join)
def test_an_output_replaces_no_file_unless_forced(folder, capsys, argument):
    command, name = OUTPUTS[argument]
    (folder / name).write_bytes(b"old")
    assert "--force" in assert_refused(capsys, folder, command, name)
    if argument[0] != "demo":
        assert call(folder, command, "--force") == 0
        assert (folder / name).read_bytes()[:3] != b"old"


@pytest.mark.parametrize("argument", OUTPUTS, ids="-".join)
def test_an_output_that_is_no_file(folder, capsys, argument):
    command, name = OUTPUTS[argument]
    for force in ((), ("--force",)):
        (folder / name).mkdir()
        assert "not a regular file" in assert_refused(capsys, folder, command, name, *force)
        (folder / name).rmdir()
        (folder / name).symlink_to(name)
        assert "symbolic links" in assert_refused(capsys, folder, command, name, *force)
        (folder / name).unlink()
        os.mkfifo(folder / name)
        assert "not a regular file" in assert_refused(capsys, folder, command, name, *force)
        (folder / name).unlink()
        missing = command.replace(name, f"missing/{name}")
        assert "no folder" in assert_refused(capsys, folder, missing, f"missing/{name}", *force)
        within = command.replace(name, f"names.txt/{name}")
        assert assert_refused(capsys, folder, within, f"names.txt/{name}", *force)


def test_a_failing_table_of_rows_leaves_no_result(folder, capsys, monkeypatch):
    def failing(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fastroi.cli._rows._write", failing)
    line = assert_refused(capsys, folder, OUTPUTS["pool", "rows"][0], "rows.csv")
    assert "No space left" in line


def test_a_failing_operator_leaves_neither_result_nor_rows(folder, capsys, monkeypatch):
    plain = fastroi.roi_pool

    def failing(*arguments, out=None, **options):
        if out is not None:
            raise MemoryError
        return plain(*arguments, out=out, **options)

    monkeypatch.setattr(fastroi, "roi_pool", failing)
    assert "out of memory" in assert_refused(capsys, folder, OUTPUTS["pool", "rows"][0], "out of memory")


# --- pipes ------------------------------------------------------------------------------------


def pipe(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def expected(folder, rois=ROIS):
    return fastroi.roi_pool(np.load(folder / "features.npy"), rois, 3, 1 / 16)


@pytest.mark.parametrize("name", ["features.npy", "boxes.npy", "boxes.csv", "names.txt"])
def test_standard_input(folder, monkeypatch, name):
    pipe(monkeypatch, (folder / name).read_bytes())
    command = POOL.format("boxes.csv" if name in ("boxes.csv", "names.txt") else "boxes.npy")
    command += " --images names.txt" if "boxes.csv" in command else ""
    assert call(folder, command.replace(name, "-")) == 0
    assert np.array_equal(np.load(folder / "out.npy"), expected(folder))


def test_standard_input_holds_coco(folder, monkeypatch):
    pipe(monkeypatch, (folder / "boxes.json").read_bytes())
    assert call(folder, POOL.format("-") + " --images names.txt") == 0
    assert np.array_equal(np.load(folder / "out.npy"), expected(folder, np.array([[0, 3, 5, 90, 80.0]])))


def test_a_named_pipe(folder):
    reader, writer = os.pipe()
    os.write(writer, (folder / "boxes.npy").read_bytes())
    os.close(writer)
    assert call(folder, POOL.format(f"/dev/fd/{reader}")) == 0
    os.close(reader)
    assert np.array_equal(np.load(folder / "out.npy"), expected(folder))


@pytest.mark.parametrize("chunk", [1, 2**20])
def test_standard_output(folder, monkeypatch, chunk):
    monkeypatch.setattr("fastroi.cli.pool._CHUNK_BYTES", chunk)
    out = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", out)
    assert call(folder, POOL.format("boxes.npy").replace("out.npy", "-")) == 0
    assert np.array_equal(np.load(io.BytesIO(out.buffer.getvalue())), expected(folder))


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("standard input has one use only", lambda c: c.replace("features.npy", "-").replace("boxes.npy", "-")),
        ("standard output has one use only", lambda c: c.replace("out.npy", "-") + " --rows -"),
    ],
)
def test_a_stream_has_one_use(folder, capsys, message, change):
    assert message in assert_refused(capsys, folder, change(POOL.format("boxes.npy")), "-")


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"PK\x03\x04", b"{", header((10**6, 10**6))])
def test_a_bad_pipe(folder, capsys, monkeypatch, content):
    pipe(monkeypatch, content)
    command = POOL.format("boxes.npy").replace("features.npy", "-")
    assert_refused(capsys, folder, command, "standard input")


# --- elements ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "becomes"),
    [
        *((dtype, "float32") for dtype in ("u1", "i1", "<i2", ">i2", ">u2", "?", ">f4")),
        *((dtype, "float16") for dtype in ("f2", ">f2")),
        *((dtype, "float64") for dtype in ("i4", ">i4", "u4", "i8", "u8", ">f8")),
    ],
)
def test_elements_become_the_nearest_the_core_takes(folder, dtype, becomes):
    features = (100 * np.load(folder / "features.npy")).astype(dtype)
    np.save(folder / "features.npy", features)
    assert call(folder, POOL.format("boxes.npy")) == 0
    found = np.load(folder / "out.npy")
    assert found.dtype == becomes
    assert np.array_equal(found, fastroi.roi_pool(features.astype(becomes), ROIS, 3, 1 / 16))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("given", ["u1", "f4", "f8", "g"])
def test_dtype_is_chosen(folder, dtype, given):
    np.save(folder / "features.npy", np.load(folder / "features.npy").astype(given))
    assert call(folder, POOL.format("boxes.npy"), "--dtype", dtype) == 0
    assert np.load(folder / "out.npy").dtype == dtype


def test_elements_out_of_range(folder, capsys):
    np.save(folder / "features.npy", np.full((2, 1, 4, 4), 1e300))
    line = assert_refused(capsys, folder, POOL.format("boxes.npy"), "features.npy", "--dtype", "float32")
    assert "beyond the range of float32" in line


def test_boxes_of_the_other_byte_order(folder):
    np.save(folder / "boxes.npy", ROIS.astype(">f4"))
    assert call(folder, POOL.format("boxes.npy")) == 0
    assert np.array_equal(np.load(folder / "out.npy"), expected(folder))


@pytest.mark.parametrize("shape", [(48, 64, 3), (48, 64, 4), (2, 48, 64, 3)])
def test_photographs_are_no_features(folder, capsys, shape):
    np.save(folder / "features.npy", np.zeros(shape, dtype=np.uint8))
    line = assert_refused(capsys, folder, POOL.format("boxes.npy"), "features.npy")
    assert "photograph" in line
    for layout in ("NHWC", "NCHW"):
        np.save(folder / "boxes.npy", ROIS[:1])
        assert call(folder, POOL.format("boxes.npy"), "--layout", layout, "--force") == 0


def test_a_picture_file_is_no_array(folder, capsys):
    command = POOL.format("boxes.npy").replace("features.npy", "picture.png")
    assert "a PNG picture" in assert_refused(capsys, folder, command, "picture.png")
    np.save(folder / "features.npy", np.zeros((48, 64), dtype=np.uint8))
    assert "grey picture" in assert_refused(capsys, folder, POOL.format("boxes.npy"), "features.npy")


def test_archives(folder, capsys):
    np.savez(folder / "one.npz", np.load(folder / "features.npy"))
    np.savez_compressed(folder / "two.npz", features=np.load(folder / "features.npy"), boxes=ROIS)
    one = POOL.format("boxes.npy").replace("features.npy", "one.npz")
    two = POOL.format("two.npz").replace("features.npy", "two.npz")
    for command in (one, f"{two} --key features --boxes-key boxes"):
        assert call(folder, command, "--force") == 0
        assert np.array_equal(np.load(folder / "out.npy"), expected(folder))
    (folder / "out.npy").unlink()
    assert "--key chooses one" in assert_refused(capsys, folder, two, "two.npz")
    assert "--boxes-key chooses" in assert_refused(capsys, folder, f"{two} --key features", "two.npz")
    assert "no array 'map'" in assert_refused(capsys, folder, f"{two} --key map", "two.npz")
    keyed = f"{POOL.format('boxes.npy')} --key features"
    assert "--key goes with a .npz" in assert_refused(capsys, folder, keyed, "features.npy")


def test_no_byte_of_a_header_leads_to_another_error(folder):
    """Each byte changed in turn: an array is read, or the file is refused by name."""
    path = folder / "mutant.npy"
    content = (folder / "boxes.npy").read_bytes()
    for at in range(128):
        for byte in (0, 39, 45):
            path.write_bytes(content[:at] + bytes([byte]) + content[at + 1 :])
            try:
                _arrays.load_array(str(path))
            except (ValueError, MemoryError) as error:
                assert "mutant.npy" in str(error)


def test_the_demo_replaces_its_own_figure_and_no_other(tmp_path, monkeypatch, capsys):
    """The command of the README can be run again; a file that the user named stays."""
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "fastroi_demo.png"
    own.write_bytes(b"of the last run")
    assert cli.main(["demo", "--repeat", "1"]) == 0
    assert own.read_bytes().startswith(b"\x89PNG")
    assert cli.main(["demo", "--repeat", "1", "-o", "fastroi_demo.png"]) == 1
    assert "--force" in capsys.readouterr().err


def test_a_stream_without_end_is_no_array(tmp_path, capsys):
    assert (
        cli.main(
            ["pool", "/dev/zero", "boxes.npy", "--scale", "1", "--output-size", "2", "-o", str(tmp_path / "o.npy")]
        )
        == 1
    )
    assert "/dev/zero: no .npy array can be read from it" in capsys.readouterr().err
