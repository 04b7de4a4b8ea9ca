"""The command line, most of it in this process, what concerns the process in a child."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers import public_operators

import fastroi
from fastroi.cli import _operators, _photo, demo, main, pool

SCALE = 1 / 16


def child(*arguments, code=None, **options):
    """Run ``python -m fastroi``, or `code` with the arguments."""
    start = ["-m", "fastroi"] if code is None else ["-c", code]
    command = [sys.executable, *start, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


@pytest.fixture
def files(tmp_path):
    """Two images of features and a hundred boxes, as files."""
    random = np.random.default_rng(3)
    features = random.standard_normal((2, 8, 12, 15)).astype(np.float32)
    corners = random.uniform(-10, 230, (100, 2, 2))
    corners = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    rois = np.concatenate([random.integers(0, 2, (100, 1)), corners], axis=1)
    np.save(tmp_path / "features.npy", features)
    np.save(tmp_path / "boxes.npy", rois)
    return tmp_path, features, rois


def pool_arguments(folder, boxes="boxes.npy", *more):
    arguments = ["pool", folder / "features.npy", folder / boxes, "-o", folder / "out.npy", "--force"]
    return [*map(str, arguments), "--scale", "1/16", "--output-size", "3x5", *map(str, more)]


def assert_no_output(folder):
    """Nothing new lies in the folder: no result and no temporary file."""
    assert {path.name for path in folder.iterdir()} <= {
        "features.npy",
        "boxes.npy",
        "boxes.csv",
        "boxes.json",
        "started",
    }


# --- pool -----------------------------------------------------------------------------------


def test_pool(files, capsys):
    folder, features, rois = files
    assert main(pool_arguments(folder)) == 0
    expected = fastroi.roi_pool(features, rois, (3, 5), SCALE)
    result = np.load(folder / "out.npy")
    assert result.dtype == np.float32
    assert np.array_equal(result, expected)
    assert "100x8x3x5 float32" in capsys.readouterr().out


@pytest.mark.parametrize("rule", fastroi.ROI_POOL_RULES)
@pytest.mark.parametrize("reduce", ["max", "mean"])
def test_pool_rules(files, rule, reduce):
    folder, features, rois = files
    assert main(pool_arguments(folder, "boxes.npy", "--rule", rule, "--reduce", reduce)) == 0
    expected = fastroi.roi_pool(features, rois, (3, 5), SCALE, rule=rule, reduce=reduce)
    assert np.array_equal(np.load(folder / "out.npy"), expected)


def test_pool_in_chunks_equals_pool_at_once(files, monkeypatch):
    folder, features, rois = files
    calls = []
    plain = fastroi.roi_pool

    def counting(*arguments, **options):
        calls.append(options.get("out"))
        return plain(*arguments, **options)

    monkeypatch.setattr(fastroi, "roi_pool", counting)
    monkeypatch.setattr(pool, "_CHUNK_BYTES", 1)
    assert main(pool_arguments(folder)) == 0
    assert sum(out is not None for out in calls) > 5
    assert np.array_equal(np.load(folder / "out.npy"), plain(features, rois, (3, 5), SCALE))


def test_pool_nhwc_float64_and_stride(files):
    folder, features, rois = files
    features = np.ascontiguousarray(np.moveaxis(features, 1, 3), dtype=np.float64)
    np.save(folder / "features.npy", features)
    arguments = pool_arguments(folder, "boxes.npy", "--layout", "NHWC", "--threads", "1")
    at = arguments.index("--scale")
    arguments[at : at + 2] = ["--stride", "16,8"]
    assert main(arguments) == 0
    expected = fastroi.roi_pool(features, rois, (3, 5), (1 / 16, 1 / 8), layout="NHWC")
    assert expected.dtype == np.float64
    assert np.array_equal(np.load(folder / "out.npy"), expected)


def test_pool_one_image_in_fortran_order(files):
    folder, features, rois = files
    np.save(folder / "features.npy", np.asfortranarray(features[0]))
    np.save(folder / "boxes.npy", rois[:, 1:].astype(np.float32))
    assert main(pool_arguments(folder)) == 0
    expected = fastroi.roi_pool(features[:1], rois[:, 1:].astype(np.float32), (3, 5), SCALE)
    assert np.array_equal(np.load(folder / "out.npy"), expected)


def test_pool_no_boxes(files):
    folder, _, _ = files
    np.save(folder / "boxes.npy", np.empty((0, 5)))
    assert main(pool_arguments(folder)) == 0
    assert np.load(folder / "out.npy").shape == (0, 8, 3, 5)


def test_pool_replaces_the_old_result_and_keeps_the_umask(files):
    folder, _, _ = files
    (folder / "out.npy").write_bytes(b"old")
    before = os.umask(0o027)
    try:
        assert main(pool_arguments(folder)) == 0
    finally:
        os.umask(before)
    assert np.load(folder / "out.npy").shape == (100, 8, 3, 5)
    assert (folder / "out.npy").stat().st_mode & 0o777 == 0o640


def test_pool_writes_through_a_link(files, tmp_path):
    folder, _, _ = files
    (folder / "out.npy").symlink_to(folder / "elsewhere.npy")
    assert main(pool_arguments(folder)) == 0
    assert (folder / "out.npy").is_symlink()
    assert np.load(folder / "elsewhere.npy").shape == (100, 8, 3, 5)


def write_csv(path, rows, header=None):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([header] if header else [])
        writer.writerows(rows)


def xywh(rois):
    return np.concatenate([rois[:, :-2], rois[:, -2:] - rois[:, -4:-2]], axis=1)


@pytest.mark.parametrize(
    ("header", "change", "more"),
    [
        (None, lambda r: r, ()),
        (("batch", "x1", "y1", "x2", "y2"), lambda r: r, ()),
        (("image", "xmin", "ymin", "xmax", "ymax"), lambda r: r, ()),
        ((" X1", "Y1 ", "x2", "y2", "Batch"), lambda r: r[:, [1, 2, 3, 4, 0]], ()),
        (("batch", "x", "y", "w", "h"), xywh, ()),
        (("score", "x", "y", "width", "height", "batch_index"), None, ()),
        (None, xywh, ("--xywh",)),
    ],
)
def test_pool_csv(files, header, change, more):
    folder, features, rois = files
    rois = np.round(rois * 8) / 8
    if change is None:
        rows = np.concatenate([np.full((100, 1), 0.5), xywh(rois)[:, [1, 2, 3, 4, 0]]], axis=1)
    else:
        rows = change(rois)
    write_csv(folder / "boxes.csv", rows.tolist(), header)
    assert main(pool_arguments(folder, "boxes.csv", *more)) == 0
    expected = fastroi.roi_pool(features, rois, (3, 5), SCALE)
    assert np.array_equal(np.load(folder / "out.npy"), expected)


@pytest.mark.parametrize("text", ["", "\n\n", "batch,x1,y1,x2,y2\n"])
def test_pool_empty_csv(files, text):
    folder, features, _ = files
    np.save(folder / "features.npy", features[:1])
    (folder / "boxes.csv").write_text(text)
    assert main(pool_arguments(folder, "boxes.csv")) == 0
    assert np.load(folder / "out.npy").shape == (0, 8, 3, 5)


def coco(rois, identities=(42, "7")):
    boxes = xywh(rois)
    return {
        "images": [{"id": identity, "file_name": f"{identity}.jpg"} for identity in identities],
        "annotations": [
            {"id": i, "image_id": identities[int(box[0])], "bbox": box[1:].tolist(), "iscrowd": 0}
            for i, box in enumerate(boxes)
        ],
    }


def test_pool_coco(files):
    folder, features, rois = files
    rois = np.round(rois * 8) / 8
    (folder / "boxes.json").write_text(json.dumps(coco(rois)))
    assert main(pool_arguments(folder, "boxes.json")) == 0
    expected = fastroi.roi_pool(features, rois, (3, 5), SCALE)
    assert np.array_equal(np.load(folder / "out.npy"), expected)


def annotations(change):
    def apply(content):
        content["annotations"][3].update(change)
        return content

    return apply


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("annotations[3]: image_id 5 is not among", annotations({"image_id": 5})),
        ("annotations[3]: image_id [] is not among", annotations({"image_id": []})),
        ("annotations[3]: bbox [1, 2, 3] is not", annotations({"bbox": [1, 2, 3]})),
        ("annotations[3]: bbox [1, 2, 3, '4'] is", annotations({"bbox": [1, 2, 3, "4"]})),
        ("annotations[3]: bbox None is not", annotations({"bbox": None})),
        ("annotations[3]: bbox holds", annotations({"bbox": [1, 2, 3, 10**400]})),
        ("images[1] repeats the id", lambda c: {**c, "images": [{"id": 42}, {"id": 42}]}),
        ("images[0] has no id", lambda c: {**c, "images": [{}]}),
        ("results[0] names image '", lambda c: c["annotations"]),
        ("lists images, annotations", lambda c: {"images": c["images"]}),
        ("lists 3 images, but the features hold 2", lambda c: {**c, "images": [{"id": 0}, *c["images"]]}),
    ],
)
def test_pool_bad_coco(files, capsys, message, change):
    folder, _, rois = files
    (folder / "boxes.json").write_text(json.dumps(change(coco(rois))))
    assert main(pool_arguments(folder, "boxes.json")) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("fastroi: error: ")
    assert error.count("\n") == 1
    assert_no_output(folder)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("line 2: 'one' is not a number", "0,1,2,3,4\n0,1,2,one,4\n"),
        ("line 3: 4 columns, but the first row has 5", "0,1,2,3,4\n\n0,1,2,3\n"),
        ("line 1: expected 4 or 5 columns", "1,2,3\n"),
        ("has neither x1,y1,x2,y2 nor", "north,west,south,east\n1,2,3,4\n"),
        ("line 2: rois[1]", "0,1,2,3,4\n0,1,nan,3,4\n"),
        ("line 2: the first of 5 columns without a header is 5", "0,1,2,3,4\n5,1,2,3,4\n"),
        ("line 1: byte 0xff is not utf-8", "\0\xff\n"),
    ],
)
def test_pool_bad_csv(files, capsys, message, text):
    folder, _, _ = files
    (folder / "boxes.csv").write_bytes(text.encode("latin-1"))
    assert main(pool_arguments(folder, "boxes.csv")) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert_no_output(folder)


def test_pool_csv_header_against_xywh(files, capsys):
    folder, _, rois = files
    write_csv(folder / "boxes.csv", rois.tolist(), ("batch", "x1", "y1", "x2", "y2"))
    assert main(pool_arguments(folder, "boxes.csv", "--xywh")) == 1
    assert "header says x1" in capsys.readouterr().err


def test_pool_bad_row_far_down_is_named_before_any_work(files, capsys, monkeypatch):
    folder, _, rois = files
    monkeypatch.setattr(pool, "_CHUNK_BYTES", 1)
    rois[97, 3] = np.inf
    np.save(folder / "boxes.npy", rois)
    assert main(pool_arguments(folder)) == 1
    assert "97" in capsys.readouterr().err
    assert_no_output(folder)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("features.npy", np.zeros((2, 3), dtype=np.float32)),
        ("features.npy", np.zeros((2, 8, 12, 15), dtype=np.complex64)),
        ("features.npy", np.array([{}], dtype=object)),
        ("boxes.npy", np.zeros((3, 6))),
        ("boxes.npy", np.zeros(4)),
        ("boxes.npy", np.zeros((3, 4))),
        ("boxes.npy", np.full((3, 5), 0.5)),
    ],
)
def test_pool_bad_arrays(files, capsys, name, array):
    folder, _, _ = files
    np.save(folder / name, array, allow_pickle=True)
    assert main(pool_arguments(folder)) == 1
    error = capsys.readouterr().err
    assert error.startswith("fastroi: error: ")
    assert error.count("\n") == 1
    assert_no_output(folder)


def test_pool_missing_and_broken_files(files, capsys):
    folder, _, _ = files
    (folder / "boxes.npy").write_bytes((folder / "boxes.npy").read_bytes()[:300])
    assert main(pool_arguments(folder)) == 1
    assert "boxes.npy" in capsys.readouterr().err
    (folder / "boxes.npy").write_bytes(b"")
    assert main(pool_arguments(folder)) == 1
    assert "boxes.npy" in capsys.readouterr().err
    (folder / "boxes.npy").unlink()
    assert main(pool_arguments(folder)) == 1
    error = capsys.readouterr().err
    assert "boxes.npy" in error
    assert error.count("\n") == 1
    assert_no_output(folder)


def test_pool_output_that_is_no_file(files, capsys):
    folder, _, _ = files
    for output, word in (("missing/out.npy", "missing"), ("folder.npy", "regular file")):
        (folder / "folder.npy").mkdir(exist_ok=True)
        arguments = pool_arguments(folder)
        arguments[arguments.index("-o") + 1] = str(folder / output)
        assert main(arguments) == 1
        assert word in capsys.readouterr().err
    (folder / "folder.npy").rmdir()
    assert_no_output(folder)


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("--output-size", {"--output-size": "0"}),
        ("--output-size", {"--output-size": "3x3x3"}),
        ("--output-size", {"--output-size": "3.0"}),
        ("--scale", {"--scale": "1/0"}),
        ("--scale", {"--scale": "nan"}),
        ("--scale", {"--scale": "-1"}),
        ("--scale", {"--scale": "1/16,1/16,1/16"}),
        ("--stride", {"--stride": "16"}),
        ("--layout", {"--layout": "CHW"}),
        ("--rule", {"--rule": "ceil"}),
        ("--reduce", {"--reduce": "sum"}),
        ("--op", {"--op": "max_pool"}),
        ("--threads", {"--threads": "0"}),
        ("-o", {"-o": "out.txt"}),
        ("unrecognized", {"--outputsize": "7"}),
    ],
)
def test_pool_wrong_arguments(files, capsys, message, change):
    folder, _, _ = files
    arguments = pool_arguments(folder)
    for option, value in change.items():
        if option in arguments:
            arguments[arguments.index(option) + 1] = value
        else:
            arguments += [option, value]
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in last
    assert "error:" in last
    assert_no_output(folder)


def test_pool_refuses_to_overwrite_its_input(files, capsys):
    folder, _, _ = files
    before = (folder / "features.npy").read_bytes()
    arguments = pool_arguments(folder)
    arguments[arguments.index("-o") + 1] = str(folder / "features.npy")
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 2
    assert "is an input" in capsys.readouterr().err
    assert (folder / "features.npy").read_bytes() == before


@pytest.mark.parametrize("boxes", ["boxes.dat", "boxes"])
def test_pool_unknown_box_format(files, capsys, boxes):
    folder, _, _ = files
    with pytest.raises(SystemExit) as leaving:
        main(pool_arguments(folder, boxes))
    assert leaving.value.code == 2
    assert "BOXES" in capsys.readouterr().err


@pytest.mark.parametrize("bar", ["tqdm", "line"])
def test_pool_progress(files, bar):
    folder, _, _ = files
    code = "import sys; sys.modules.update(dict.fromkeys(sys.argv[1].split()));"
    code += "from fastroi.cli import main, pool; pool._CHUNK_BYTES = 1; sys.exit(main(sys.argv[2:]))"
    blocked = "" if bar == "tqdm" else "tqdm"
    arguments = pool_arguments(folder, "boxes.npy", "--progress", "always")
    done = child(blocked, *arguments, code=code)
    assert done.returncode == 0, done.stderr
    assert "100 of 100 RoIs" in done.stderr if bar == "line" else "100/100" in done.stderr
    quiet = child(*pool_arguments(folder), "--quiet")
    assert (quiet.returncode, quiet.stderr) == (0, "")


# --- the other operators ----------------------------------------------------------------------


def pool_as(folder, *more, boxes="boxes.npy", scale=True):
    arguments = pool_arguments(folder, boxes, "--op", *more)
    if not scale:
        at = arguments.index("--scale")
        del arguments[at : at + 2]
    assert main(arguments) == 0
    return np.load(folder / "out.npy")


@pytest.mark.parametrize(
    ("options", "keywords"),
    [
        ("roi_align", {}),
        ("roi_align --sampling-ratio 2 --aligned false", {"sampling_ratio": 2, "aligned": False}),
        ("roi_align --sampling-ratio 2x3 --aligned image", {"sampling_ratio": (2, 3), "aligned": "image"}),
        ("roi_align --reduce max_corners --arithmetic float32", {"reduce": "max_corners", "arithmetic": "float32"}),
        ("roi_warp", {}),
        ("prroi_pool", {}),
        ("ps_roi_pool --group-size 2 --rule torchvision", {"group_size": 2, "rule": "torchvision"}),
        ("ps_roi_pool --group-size 4x2 --channel-order bin", {"group_size": (4, 2), "channel_order": "bin"}),
        ("ps_roi_align --group-size 2 --sampling-ratio 2", {"group_size": 2, "sampling_ratio": 2}),
    ],
)
@pytest.mark.parametrize("chunk", [1, pool._CHUNK_BYTES])
def test_pool_by_other_operators(files, monkeypatch, options, keywords, chunk):
    folder, features, rois = files
    monkeypatch.setattr(pool, "_CHUNK_BYTES", chunk)
    function = getattr(fastroi, options.split()[0])
    assert np.array_equal(pool_as(folder, *options.split()), function(features, rois, (3, 5), SCALE, **keywords))


@pytest.mark.parametrize("kind", ["npy", "csv", "header"])
@pytest.mark.parametrize("chunk", [1, pool._CHUNK_BYTES])
def test_pool_rotated_boxes(files, monkeypatch, kind, chunk):
    folder, features, rois = files
    monkeypatch.setattr(pool, "_CHUNK_BYTES", chunk)
    turned = np.round(np.concatenate([rois[:, :3], rois[:, 3:] / 4, rois[:, 1:2]], axis=1) * 8) / 8
    turned[:, 3:5] = np.abs(turned[:, 3:5])
    if kind == "npy":
        np.save(folder / "boxes.npy", turned)
    else:
        header = ("batch", "cx", "cy", "w", "h", "angle") if kind == "header" else None
        write_csv(folder / "boxes.csv", turned.tolist(), header)
    boxes = "boxes.npy" if kind == "npy" else "boxes.csv"
    found = pool_as(folder, *"roi_align_rotated --angle-unit degrees --clockwise true".split(), boxes=boxes)
    expected = fastroi.roi_align_rotated(features, turned, (3, 5), SCALE, angle_unit="degrees", clockwise=True)
    assert np.array_equal(found, expected)
    found = pool_as(folder, *"riroi_align_rotated --orientations 4".split(), boxes=boxes)
    assert np.array_equal(found, fastroi.riroi_align_rotated(features, turned, (3, 5), SCALE, orientations=4))


@pytest.mark.parametrize("chunk", [1, pool._CHUNK_BYTES])
def test_pool_deformable(files, monkeypatch, chunk):
    folder, features, rois = files
    monkeypatch.setattr(pool, "_CHUNK_BYTES", chunk)
    random = np.random.default_rng(9)
    offset, trans = random.standard_normal((100, 2, 3, 5)), random.standard_normal((100, 4, 2, 2))
    np.save(folder / "offset.npy", offset)
    np.save(folder / "trans.npy", trans)
    found = pool_as(folder, "deform_roi_pool", "--offset", folder / "offset.npy", "--gamma", "0.3")
    assert np.array_equal(found, fastroi.deform_roi_pool(features, rois, offset, (3, 5), SCALE, gamma=0.3))
    assert np.array_equal(
        pool_as(folder, "deform_roi_pool"), fastroi.deform_roi_pool(features, rois, None, (3, 5), SCALE)
    )
    options = "deform_ps_roi_pool --group-size 2 --part-size 2 --sample-per-part 3 --trans-std 0.2 --trans".split()
    found = pool_as(folder, *options, folder / "trans.npy")
    expected = fastroi.deform_ps_roi_pool(
        features, rois, trans, (3, 5), SCALE, group_size=2, part_size=2, sample_per_part=3, trans_std=0.2
    )
    assert np.array_equal(found, expected)


def test_pool_offsets_of_other_boxes(files, capsys):
    folder, _, _ = files
    np.save(folder / "offset.npy", np.zeros((99, 2, 3, 5)))
    arguments = pool_arguments(folder, "boxes.npy", "--op", "deform_roi_pool", "--offset", folder / "offset.npy")
    assert main(arguments) == 1
    assert "offset: shape (99, 2, 3, 5) for 100 RoIs" in capsys.readouterr().err


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_pool_from_a_pyramid(files, layout):
    folder, features, rois = files
    axis = 1 if layout == "NCHW" else 3
    coarse = np.random.default_rng(4).standard_normal((2, 8, 6, 8)).astype(np.float32)
    maps = [np.ascontiguousarray(np.moveaxis(m, 1, axis)) for m in (features, coarse)]
    np.save(folder / "features.npy", maps[0])
    np.save(folder / "coarse.npy", maps[1])
    found = pool_as(
        folder,
        "multiscale_roi_align",
        "--level",
        folder / "coarse.npy",
        "--level-rule",
        "detectron2",
        "--layout",
        layout,
    )
    expected = fastroi.multiscale_roi_align(
        maps, rois, (3, 5), [SCALE, SCALE / 2], level_rule="detectron2", layout=layout
    )
    assert np.array_equal(found, expected)


def test_pool_crop_and_resize(files):
    folder, features, _ = files
    random = np.random.default_rng(6)
    boxes = np.concatenate([random.integers(0, 2, (40, 1)), random.uniform(-0.2, 1.2, (40, 4))], axis=1)
    np.save(folder / "boxes.npy", boxes)
    options = "--method", "nearest", "--extrapolation-value", "-3.5"
    found = pool_as(folder, "crop_and_resize", *options, scale=False)
    expected = fastroi.crop_and_resize(
        features, boxes[:, [2, 1, 4, 3]], boxes[:, 0].astype(int), (3, 5), "nearest", -3.5, layout="NCHW"
    )
    assert np.array_equal(found, expected)
    np.save(folder / "features.npy", features[0])
    np.save(folder / "boxes.npy", boxes[:, 1:])
    found = pool_as(folder, "crop_and_resize", scale=False)
    expected = fastroi.crop_and_resize(features[:1], boxes[:, [2, 1, 4, 3]], np.zeros(40, int), (3, 5), layout="NCHW")
    assert np.array_equal(found, expected)


def assert_refused(capsys, code, message, arguments):
    """Argparse refuses the arguments and exits, or `main` returns the code."""
    try:
        found = main(arguments)
    except SystemExit as leaving:
        found = leaving.code
    assert found == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "message", "options"),
    [
        (2, "roi_warp has no such option", "roi_warp --rule floor"),
        (2, "'floor' is not one of rfcn", "ps_roi_pool --rule floor"),
        (2, "'yes' is not one of true", "roi_align --aligned yes"),
        (2, "takes boxes in [0, 1]", "crop_and_resize"),
        (2, "takes one number", "multiscale_roi_align --scale 1/4,1/8"),
        (2, "invalid choice", "roi_crop"),
        (2, "a rotated box is cx cy", "roi_align_rotated --xywh"),
        (1, "is not told: a column batch", "riroi_align_rotated"),
        (1, "8 channels are not a multiple", "ps_roi_pool"),
        (1, "missing.npy", "multiscale_roi_align --level missing.npy"),
    ],
)
def test_pool_wrong_operator_options(files, capsys, code, message, options):
    folder, _, _ = files
    arguments = pool_arguments(folder, "boxes.npy", "--op", *options.split())
    assert_refused(capsys, code, message, arguments)
    assert_no_output(folder)


@pytest.fixture
def mask_files(tmp_path):
    """Twelve soft masks with a box each on an image of 40 x 50, as files."""
    random = np.random.default_rng(8)
    masks = random.random((12, 7, 9)).astype(np.float32)
    corners = random.uniform(-5, 50, (12, 2, 2))
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    np.save(tmp_path / "masks.npy", masks)
    np.save(tmp_path / "boxes.npy", boxes)
    return tmp_path, masks, boxes


def mask_arguments(folder, options, boxes="boxes.npy"):
    arguments = [
        "pool",
        folder / "masks.npy",
        folder / boxes,
        "-o",
        folder / "out.npy",
        "--force",
        "--op",
        *options.split(),
    ]
    return [*map(str, arguments)]


@pytest.mark.parametrize(
    ("options", "keywords"),
    [
        ("", {}),
        ("--threshold 0.25 --rule detectron2_full", {"threshold": 0.25, "rule": "detectron2_full"}),
        ("--threshold none --arithmetic float32", {"threshold": None, "arithmetic": "float32"}),
        ("--rule detectron", {"rule": "detectron"}),
    ],
)
@pytest.mark.parametrize("chunk", [1, pool._CHUNK_BYTES])
def test_pool_pastes_masks(mask_files, monkeypatch, options, keywords, chunk):
    folder, masks, boxes = mask_files
    monkeypatch.setattr(pool, "_CHUNK_BYTES", chunk)
    assert main(mask_arguments(folder, f"paste_masks --image-size 50 40 {options}")) == 0
    expected = fastroi.paste_masks(masks, boxes, (40, 50), **keywords)
    found = np.load(folder / "out.npy")
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("options", "keywords"),
    [
        ("", {}),
        (
            "--threshold none --sampling-ratio 2 --aligned false",
            {"threshold": None, "sampling_ratio": 2, "aligned": False},
        ),
    ],
)
@pytest.mark.parametrize("chunk", [1, pool._CHUNK_BYTES])
def test_pool_crops_masks(mask_files, monkeypatch, options, keywords, chunk):
    folder, masks, boxes = mask_files
    monkeypatch.setattr(pool, "_CHUNK_BYTES", chunk)
    assert main(mask_arguments(folder, f"crop_masks --output-size 4x3 {options}")) == 0
    expected = fastroi.crop_masks(masks, boxes, (4, 3), **keywords)
    found = np.load(folder / "out.npy")
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("chunk", [1, pool._CHUNK_BYTES])
def test_pool_masks_by_number(mask_files, monkeypatch, chunk):
    """The batch column, here of a table of widths and heights, tells the mask of a box; masks may be booleans."""
    folder, masks, boxes = mask_files
    monkeypatch.setattr(pool, "_CHUNK_BYTES", chunk)
    np.save(folder / "masks.npy", masks > 0.5)
    boxes, numbers = np.round(boxes * 8) / 8, np.array([11, 0, 0, 5, 7, 7, 7, 1, 2, 3, 4, 4])
    boxes, numbers = np.concatenate([boxes, boxes + 1]), np.concatenate([numbers, numbers])
    rows = xywh(np.column_stack([numbers, boxes]))
    write_csv(folder / "boxes.csv", rows.tolist(), ("batch", "x", "y", "w", "h"))
    assert main(mask_arguments(folder, "paste_masks --image-size 50 40", "boxes.csv")) == 0
    assert np.array_equal(np.load(folder / "out.npy"), fastroi.paste_masks((masks > 0.5)[numbers], boxes, (40, 50)))
    assert main(mask_arguments(folder, "crop_masks --output-size 5", "boxes.csv")) == 0
    expected = fastroi.crop_masks(masks > 0.5, boxes, 5, mask_indices=numbers)
    assert np.array_equal(np.load(folder / "out.npy"), expected)


def assert_masks_are_refused(folder, capsys, code, message, arguments):
    assert_refused(capsys, code, message, arguments)
    assert {path.name for path in folder.iterdir()} == {"masks.npy", "boxes.npy"}


@pytest.mark.parametrize(
    ("code", "message", "options"),
    [
        (2, "paste_masks needs --image-size", "paste_masks --output-size 40x50"),
        (2, "crop_masks needs --output-size", "crop_masks --image-size 50 40"),
        (2, "roi_pool needs --output-size", "roi_pool --image-size 50 40"),
        (2, "not allowed with", "paste_masks --image-size 50 40 --output-size 3"),
        (2, "one of the arguments", "paste_masks"),
        (2, "paste_masks takes boxes in pixels", "paste_masks --image-size 50 40 --scale 1/4"),
        (2, "crop_masks have no channels", "crop_masks --output-size 3 --layout NHWC"),
        (2, "paste_masks has no such option", "paste_masks --image-size 50 40 --aligned true"),
        (2, "'image' is not one of true, false", "crop_masks --output-size 3 --aligned image"),
        (2, "'half' is not a number", "crop_masks --output-size 3 --threshold half"),
        (2, "--image-size", "paste_masks --image-size 50 0"),
        (1, "threshold", "paste_masks --image-size 50 40 --threshold -1"),
    ],
)
def test_pool_wrong_mask_options(mask_files, capsys, code, message, options):
    folder, _, _ = mask_files
    assert_masks_are_refused(folder, capsys, code, message, mask_arguments(folder, options))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("masks.npy", lambda m: m[0], "expected (N, h, w) masks, found shape (7, 9)"),
        ("masks.npy", lambda m: m[:, None], "found shape (12, 1, 7, 9)"),
        ("masks.npy", lambda m: m.astype(np.int32), "dtype int32"),
        ("masks.npy", lambda m: m[:5], "12 boxes for 5 masks"),
        ("boxes.npy", lambda b: np.full((3, 6), 1.0), "found shape (3, 6)"),
        ("boxes.npy", lambda b: np.where(b == b[9, 2], np.nan, b), "boxes[9]"),
        ("boxes.npy", lambda b: np.column_stack([np.arange(12) + 1, b]), "mask_indices[11]: batch index 12"),
        ("boxes.npy", lambda b: np.column_stack([np.arange(12) - 3, b]), "mask_indices[0]: batch index -3"),
        ("boxes.npy", lambda b: np.column_stack([np.arange(12) / 2, b]), "rois[1]: batch index 0.5"),
        ("boxes.npy", lambda b: np.column_stack([np.full(12, 1e300), b]), "rois[0]: batch index 1e+300"),
    ],
)
@pytest.mark.parametrize("options", ["paste_masks --image-size 50 40", "crop_masks --output-size 3"])
def test_pool_bad_masks(mask_files, capsys, name, change, message, options):
    folder, _, _ = mask_files
    np.save(folder / name, change(np.load(folder / name)))
    assert_masks_are_refused(folder, capsys, 1, message, mask_arguments(folder, options))


def test_pool_masks_refuse_coco(mask_files, capsys):
    folder, _, _ = mask_files
    arguments = mask_arguments(folder, "crop_masks --output-size 3", "boxes.json")
    assert_masks_are_refused(folder, capsys, 2, "boxes of masks are read from .npy and .csv", arguments)


def test_pool_crop_and_resize_needs_whole_batch_indices(files, capsys):
    folder, _, _ = files
    np.save(folder / "boxes.npy", np.array([[0, 0, 0, 1, 1], [0.5, 0, 0, 1, 1]]))
    arguments = pool_arguments(folder, "boxes.npy", "--op", "crop_and_resize")
    at = arguments.index("--scale")
    del arguments[at : at + 2]
    assert main(arguments) == 1
    assert "rois[1]: batch index 0.5" in capsys.readouterr().err


def test_every_operator_is_on_the_command_line():
    """Each has a row in the table of operators."""
    from fastroi.cli._operators import OPERATORS

    operators = public_operators()
    assert operators == set(OPERATORS)
    assert {"paste_masks", "crop_masks"} < operators


# --- what happens to the file when pool is stopped -------------------------------------------

# The operator works, reports that it has begun, and then takes its time.
SLOW = """
import pathlib, sys, time, fastroi
from fastroi.cli import main, pool
plain, pool._CHUNK_BYTES, started = fastroi.roi_pool, 1, pathlib.Path(sys.argv[1])
def slow(*arguments, out=None, **options):
    result = plain(*arguments, out=out, **options)
    if out is not None:
        started.touch()
        time.sleep(60)
    return result
fastroi.roi_pool = slow
sys.exit(main(sys.argv[2:]))
"""


def stopped(folder, number):
    """Start a slow run, send the signal while it writes, return (exit code, stderr, names seen)."""
    started = folder / "started"
    command = [sys.executable, "-c", SLOW, str(started), *pool_arguments(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not started.exists():
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        names = {path.name for path in folder.iterdir()}
        process.send_signal(number)
        error = process.communicate(timeout=30)[1]
    return process.returncode, error, names


@pytest.mark.parametrize("old", [None, b"old"])
def test_ctrl_c_leaves_no_half_written_file(files, old):
    folder, _, _ = files
    if old is not None:
        (folder / "out.npy").write_bytes(old)
    code, error, names = stopped(folder, signal.SIGINT)
    assert code == 130
    assert error.splitlines()[-1] == "fastroi: interrupted"
    assert any(name.endswith(".part") for name in names)
    if old is not None:
        assert (folder / "out.npy").read_bytes() == old
        (folder / "out.npy").unlink()
    assert_no_output(folder)


def test_sigterm_removes_the_temporary_file(files):
    folder, _, _ = files
    assert stopped(folder, signal.SIGTERM)[0] == 128 + signal.SIGTERM
    assert_no_output(folder)


def test_even_sigkill_leaves_nothing_under_the_final_name(files):
    folder, _, _ = files
    assert stopped(folder, signal.SIGKILL)[0] == -signal.SIGKILL
    assert not (folder / "out.npy").exists()


def test_no_room_for_the_result(files):
    """A limit on the size of files stands for a full disk."""
    folder, _, _ = files
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000));"
    code += "from fastroi.cli import main; sys.exit(main(sys.argv[1:]))"
    done = child(*pool_arguments(folder), "--quiet", code=code)
    assert done.returncode == 1
    assert "too large" in done.stderr.lower()
    assert done.stderr.count("\n") == 1
    assert_no_output(folder)


def test_failure_in_the_middle(files, monkeypatch, capsys):
    folder, _, _ = files
    plain = fastroi.roi_pool
    calls = []

    def failing(*arguments, out=None, **options):
        calls.append(out)
        if len([out for out in calls if out is not None]) == 3:
            raise MemoryError
        return plain(*arguments, out=out, **options)

    monkeypatch.setattr(fastroi, "roi_pool", failing)
    monkeypatch.setattr(pool, "_CHUNK_BYTES", 1)
    assert main(pool_arguments(folder)) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "fastroi: error: out of memory"
    assert_no_output(folder)


# --- explain --------------------------------------------------------------------------------

ARTICLE = "explain --xywh 296 192 200 145 --stride 32 --image-size 512 512 --output-size 3".split()


def test_explain(capsys):
    assert main(ARTICLE) == 0
    expected = fastroi.explain((296, 192, 496, 337), 3, 1 / 32, map_size=(16, 16))
    assert capsys.readouterr().out == f"{expected}\n"


def test_explain_json_of_several_rules(capsys):
    arguments = "explain --box 296 192 496 337 --scale 1/32 --output-size 3x2 --json".split()
    assert main([*arguments, "--rule", "floor", "--rule", "acl", "--map-size", "20", "16"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [e["rule"] for e in found] == ["floor", "acl"]
    assert (found[0]["map_size"], found[0]["output_size"]) == ([16, 20], [3, 2])


def test_explain_all_rules(capsys):
    assert main([*ARTICLE, "--rule", "all", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [e["rule"] for e in found] == list(fastroi.ROI_POOL_RULES)


def test_explain_interpolating_rules(capsys):
    arguments = [*ARTICLE, "--rule", "floor", "--rule", "roi_align", "--aligned", "false", "--sampling-ratio", "2"]
    assert main([*arguments, "--json"]) == 0
    floor, align = json.loads(capsys.readouterr().out)
    assert (floor["rule"], align["rule"]) == ("floor", "roi_align")
    assert (align["aligned"], align["sampling_ratio"]) == (False, [2, 2])
    assert main([*ARTICLE, "--rule", "all", "--rule", "prroi_pool"]) == 0
    assert capsys.readouterr().out.count("area of the box") == len(fastroi.ROI_POOL_RULES) + 1


OPERATOR_CALLS = {
    "roi_pool": "--xywh 296 192 200 145 --stride 32 --rule floor --reduce mean",
    "roi_align": "--xywh 296 192 200 145 --stride 32 --aligned clamp_asymmetric --reduce max_corners",
    "multiscale_roi_align": "--xywh 296 192 200 145 --stride 16 --levels 3 --level-rule detectron2",
    "ps_roi_pool": "--xywh 296 192 200 145 --stride 32 --rule openvino --group-size 3x1 --channel-order bin",
    "ps_roi_align": "--xywh 296 192 200 145 --stride 32 --channels 18",
    "roi_warp": "--xywh 296 192 200 145 --stride 32",
    "area_pool": "--xywh 296 192 200 145 --scale 1/32 --reduce sum",
    "prroi_pool": "--xywh 296 192 200 145 --scale 1/32,1/16",
    "crop_and_resize": "--box 0.5 0.25 1 0.75 --method nearest",
    "roi_align_rotated": "--turned 396 264 200 145 30 --stride 32 --angle-unit degrees --clockwise true",
    "riroi_align_rotated": "--turned 396 264 200 145 0.5 --stride 32 --orientations 4",
    "deform_roi_pool": "--xywh 296 192 200 145 --stride 32 --gamma 0.2 --offset OFFSETS",
    "deform_ps_roi_pool": "--xywh 296 192 200 145 --stride 32 --trans OFFSETS --sample-per-part 2",
    "paste_masks": "--box 1 1 2.5 2 --threshold none",
    "crop_masks": "--box 1 1 9 9 --aligned false --threshold 0.25",
}


def plans_of(operator, capsys, tmp_path, *more):
    np.save(tmp_path / "offsets.npy", np.full((1, 2, 3, 3), 0.5))
    arguments = OPERATOR_CALLS[operator].replace("OFFSETS", str(tmp_path / "offsets.npy")).split()
    size = ["--map-size", "16", "12"] if operator in ("paste_masks", "crop_masks") else ["--image-size", "512", "384"]
    assert main(["explain", "--op", operator, *arguments, *size, "--output-size", "3", *more]) == 0
    return capsys.readouterr().out


def test_explain_knows_every_operator():
    assert OPERATOR_CALLS.keys() == _operators.OPERATORS.keys()


@pytest.mark.parametrize("operator", OPERATOR_CALLS)
def test_explain_of_an_operator(capsys, tmp_path, operator):
    (found,) = json.loads(plans_of(operator, capsys, tmp_path, "--json"))
    assert (found["operator"], found["output_size"]) == (operator, [3, 3])
    assert plans_of(operator, capsys, tmp_path).startswith(operator)
    options = {name for name in found["options"] if f"--{name.replace('_', '-')} " in OPERATOR_CALLS[operator]}
    assert options == found["options"].keys()


def test_explain_of_an_operator_is_the_function(capsys, tmp_path):
    call = dict(operator="crop_and_resize", map_size=(384, 512), method="nearest")
    expected = fastroi.explain((0.25, 0.5, 0.75, 1), 3, **call)  # y1 x1 y2 x2 of --box X1 Y1 X2 Y2
    assert plans_of("crop_and_resize", capsys, tmp_path) == f"{expected}\n"
    call = dict(operator="multiscale_roi_align", map_size=[(24, 32), (12, 16), (6, 8)], level_rule="detectron2")
    expected = fastroi.explain((296, 192, 496, 337), 3, [1 / 16, 1 / 32, 1 / 64], **call)
    assert plans_of("multiscale_roi_align", capsys, tmp_path) == f"{expected}\n"


def test_explain_an_operator_under_several_rules(capsys, tmp_path):
    figure = tmp_path / "figure.png"
    rules = ["--op", "ps_roi_pool", "--rule", "rfcn", "--rule", "chainercv"]
    assert main([*ARTICLE, *rules, "--json", "-o", str(figure)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [plan["options"] for plan in found] == [{"rule": "rfcn"}, {"rule": "chainercv"}]
    assert figure.read_bytes().startswith(MAGIC[".png"])


def test_a_turned_box_is_not_drawn(capsys, tmp_path):
    turned = "--turned 396 264 200 145 30 --stride 32 --image-size 512 512 --output-size 3".split()
    arguments = ["explain", "--op", "roi_align_rotated", *turned, "-o", str(tmp_path / "figure.png")]
    assert_refused(capsys, 2, "argument -o: the bins of roi_align_rotated cannot be drawn", arguments)
    assert list(tmp_path.iterdir()) == []


def test_explain_negative_box(capsys):
    assert main("explain --box -70 -3.5 160 56 --stride 32 --output-size 3".split()) == 0
    assert "-2.1875" in capsys.readouterr().out


MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def test_explain_very_many_bins(tmp_path):
    start = time.monotonic()
    arguments = "explain --box 0 0 90000 90000 --stride 1 --output-size 30000".split()
    assert main([*arguments, "--rule", "acl", "-o", str(tmp_path / "figure.png")]) == 0
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("ending", MAGIC)
def test_explain_figure(tmp_path, ending):
    figure = tmp_path / f"figure{ending}"
    rules = ["--rule", "floor", "--rule", "fast_rcnn", "--title", "Two rules", "--whole-map"]
    done = child(*ARTICLE, *rules, "-o", figure, env={**os.environ, "MPLBACKEND": "tkagg"})
    assert done.returncode == 0, done.stderr
    assert figure.read_bytes().startswith(MAGIC[ending])
    assert list(tmp_path.iterdir()) == [figure]


def test_explain_figure_is_the_same_each_time(tmp_path):
    for name in ("a.svg", "b.svg"):
        assert main([*ARTICLE, "-o", str(tmp_path / name)]) == 0
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_explain_with_the_image(tmp_path):
    from PIL import Image

    Image.fromarray(_photo.photograph()).save(tmp_path / "photo.png")
    figure = tmp_path / "figure.png"
    assert main([*ARTICLE, "--image", str(tmp_path / "photo.png"), "-o", str(figure)]) == 0
    with Image.open(figure) as image:
        assert image.size[0] > 1000


def test_explain_without_matplotlib(tmp_path):
    code = "import sys; sys.modules['matplotlib'] = None;"
    code += "from fastroi.cli import main; sys.exit(main(sys.argv[1:]))"
    done = child(*ARTICLE, "-o", tmp_path / "figure.png", code=code)
    assert done.returncode == 1
    assert done.stderr == ("fastroi: error: drawing needs matplotlib: pip install matplotlib\n")


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("COMMAND", []),
        ("invalid choice", ["poool"]),
        ("required", ["explain"]),
        ("not allowed with", [*ARTICLE, "--box", "0", "0", "1", "1"]),
        ("not allowed with", [*ARTICLE, "--scale", "1"]),
        ("not allowed with", [*ARTICLE, "--map-size", "1", "1"]),
        ("--rule", [*ARTICLE, "--rule", "caffeine"]),
        ("ends in none of .png", [*ARTICLE, "-o", "figure.bmp"]),
        ("ends in none of .png", [*ARTICLE, "-o", "figure"]),
        ("goes with -o", [*ARTICLE, "--title", "x"]),
        ("goes with -o", [*ARTICLE, "--image", "x.png"]),
        ("goes with -o", [*ARTICLE, "--whole-map"]),
        ("needs --image-size", "explain --box 0 0 9 9 --stride 1 --output-size 3 --rule roi_align".split()),
        ("goes with --rule roi_align", [*ARTICLE, "--sampling-ratio", "2"]),
        ("others go with --op", [*ARTICLE, "--rule", "rfcn"]),
        ("--reduce: it goes with --op", [*ARTICLE, "--reduce", "max"]),
        ("--reduce: it goes with --op", [*ARTICLE, "--rule", "roi_align", "--reduce", "max"]),
        ("it goes with --op", [*ARTICLE, "--levels", "2"]),
        ("it goes with --op", [*ARTICLE, "--channels", "2"]),
        ("'diagonal' is not one of true, false", [*ARTICLE, "--rule", "roi_align", "--aligned", "diagonal"]),
        ("'floor' is not one of rfcn", [*ARTICLE, "--op", "ps_roi_pool", "--rule", "floor"]),
        ("roi_warp has no such option", [*ARTICLE, "--op", "roi_warp", "--rule", "floor"]),
        ("has one map", [*ARTICLE, "--op", "roi_warp", "--levels", "2"]),
        ("roi_align_rotated needs --turned", [*ARTICLE, "--op", "roi_align_rotated"]),
        (
            "roi_warp has upright boxes",
            "explain --op roi_warp --turned 1 1 2 2 0 --map-size 4 4 --stride 1 --output-size 3".split(),
        ),
        ("crop_masks has none", [*ARTICLE, "--op", "crop_masks"]),
        (
            "takes one number",
            "explain --op multiscale_roi_align --box 0 0 9 9 --map-size 4 4 --scale 1,2 --output-size 3".split(),
        ),
        ("needs --image-size", "explain --op roi_warp --box 0 0 9 9 --stride 1 --output-size 3".split()),
        ("--scale --stride is required", "explain --box 0 0 9 9 --output-size 3".split()),
        ("not finite", ["explain", "--box", "nan", "0", "1", "1", "--stride", "1"]),
        ("expected 4", ["explain", "--box", "0", "1", "1", "--stride", "1"]),
    ],
)
def test_wrong_arguments(capsys, message, arguments):
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 2
    captured = capsys.readouterr()
    assert message in captured.err.strip().splitlines()[-1]
    assert captured.out == ""


def test_explain_of_a_box_out_of_reach(capsys):
    assert main("explain --box 0 0 1e300 1 --scale 1e300 --output-size 3".split()) == 1
    assert capsys.readouterr().err.startswith("fastroi: error: box: x = 1e+300")


# --- info, demo, the program itself ----------------------------------------------------------


def test_info():
    done = child("info")
    assert done.returncode == 0
    facts = json.loads(child("info", "--json").stdout)
    assert facts["fastroi"] == fastroi.__version__
    assert facts["simd_active"] in facts["simd_supported"]
    assert set(facts["simd_supported"]) <= set(facts["simd_compiled"])
    assert facts["threads"] >= 1
    for value in (facts["fastroi"], facts["compiler"], facts["simd_active"]):
        assert value in done.stdout


def test_version_and_help(capsys):
    for arguments in (["--version"], ["--help"], *([c, "--help"] for c in COMMANDS)):
        with pytest.raises(SystemExit) as leaving:
            main(arguments)
        assert leaving.value.code == 0
        assert capsys.readouterr().out


COMMANDS = ("demo", "explain", "pool", "info")


def test_demo(tmp_path):
    figure = tmp_path / "demo.png"
    done = child("demo", "--repeat", 1, "-o", figure)
    assert done.returncode == 0, done.stderr
    assert figure.stat().st_size > 50_000
    out = done.stdout
    assert "1x512x16x16" in out
    assert "28.3203125" in out
    assert out.count("equals NumPy's maxima") == 2
    for line in ("3x3x512  floor", "3x3x512  fast_rcnn", "7x7x512  floor", "7x7x512  fast_rcnn"):
        assert line in out
    assert fastroi.simd.active() in out
    assert out.count(" times the floor") == 4


@pytest.mark.parametrize(("load", "busy"), [(0.2, False), (300.0, True)])
def test_demo_says_how_busy_the_machine_is(monkeypatch, load, busy):
    monkeypatch.setattr("os.getloadavg", lambda: (load, 1.0, 1.0))
    text = demo._load()
    assert text.startswith(f"load {load} on {os.cpu_count()} processors")
    assert ("BUSY" in text) == busy


def test_features_of_the_photograph():
    features = _photo.feature_map(_photo.photograph())
    assert (features.shape, features.dtype) == ((1, 512, 16, 16), np.float32)
    assert np.isfinite(features).all()
    assert features.min() == 0
    assert (features.max(axis=(0, 2, 3)) > 0).all()
    assert len(np.unique(features[0].max(axis=(1, 2)))) > 500


def test_output_to_a_closed_pipe():
    command = [sys.executable, "-m", "fastroi", *ARTICLE, "--rule", "all", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        error = process.stderr.read()
        assert process.wait(timeout=60) == 1
    assert error == b""
