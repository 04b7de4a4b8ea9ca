"""Which image a box belongs to, and what the columns of a table are: recognised or refused, never guessed."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import fastroi
from fastroi.cli import main

BOXES = np.array([[3, 5, 90, 80], [20, 30, 170, 160], [0, 0, 64, 96.0]])
SCALE = 1 / 16


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Features of one, two and three images."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(11)
    features = random.random((3, 2, 12, 15), dtype=np.float32)
    for count in (1, 2, 3):
        np.save(f"of{count}.npy", features[:count])
    return tmp_path


def pool(content, *more, images=2, name="boxes.csv"):
    """The exit code of pooling boxes that are written to a file first."""
    Path(name).write_text(content)
    arguments = ["pool", f"of{images}.npy", name, "-o", "out.npy", "--scale", "1/16", "--output-size", "3", "--force"]
    return main([*arguments, *more])


def assert_pooled(boxes, indices, images=2):
    expected = fastroi.roi_pool(np.load(f"of{images}.npy"), np.asarray(boxes, float), 3, SCALE, batch_indices=indices)
    assert np.array_equal(np.load("out.npy"), expected)


def table(header, first, boxes=BOXES[:2], separator=","):
    """Boxes with a column before them."""
    lines = [separator.join(header)] if header else []
    lines += [separator.join(map(str, [one, *box])) for one, box in zip(first, np.asarray(boxes).tolist())]
    return "\n".join(lines) + "\n"


def refused(capsys, code=1):
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    assert error.startswith("fastroi"), error
    assert not Path("out.npy").exists()
    return error


XYXY = ("x1", "y1", "x2", "y2")
NAMES = (
    *(
        "image_id",
        "img",
        "image",
        "frame",
        "filename",
        "file_name",
        "file",
        "id",
        "img_id",
        "imageId",
        "ImageID",
        "Image ID",
    ),
    *(
        "frame_id",
        "frame_number",
        "image_path",
        "img_name",
        "photo",
        "path",
        "video",
        "image_url",
        "source_file",
        "images",
    ),
)


@pytest.mark.parametrize("name", NAMES)
def test_a_column_that_names_images_is_never_dropped(folder, capsys, name):
    """Two images and a map of one or two: refused, unless --images lists them."""
    content = table([name, *XYXY], ["b.jpg", "a.jpg"])
    for images in (1, 2):
        assert pool(content, images=images) == 1
        message = refused(capsys)
        assert "line 2 names image 'b.jpg' and line 3 names image 'a.jpg'" in message
        assert "--images" in message
    Path("names.txt").write_text("a.jpg\nb.jpg\n")
    assert pool(content, "--images", "names.txt") == 0
    assert_pooled(BOXES[:2], [1, 0])


@pytest.mark.parametrize("name", NAMES)
def test_one_name_on_one_image_is_that_image(folder, name):
    assert pool(table([name, *XYXY], [7, 7]), images=1) == 0
    assert_pooled(BOXES[:2], [0, 0], 1)


@pytest.mark.parametrize(
    ("values", "images", "taken"),
    [
        ([0, 1], 2, True),
        ([1, 0], 3, True),
        (["1.0", "0.0"], 2, True),
        ([1, 2], 2, False),
        ([1, 1], 2, False),
        ([0, 2], 2, False),
        ([1, 2], 3, False),
        ([-1, 0], 2, False),
        ([0, 0.5], 2, False),
        ([139, 285], 2, False),
        ([0, 1], 1, False),
        (["", 0], 2, False),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "coco"])
def test_numbers_of_images_are_positions_only_from_0(folder, capsys, values, images, taken, kind):
    if kind == "coco":
        values = [int(float(v)) if str(v).endswith(".0") else v for v in values]
        content = json.dumps([{"image_id": v, "bbox": xywh(box)} for v, box in zip(values, BOXES)])
        code = pool(content, images=images, name="boxes.json")
    else:
        code = pool(table(["image_id", *XYXY], values), images=images)
    assert code == (0 if taken else 1)
    if taken:
        assert_pooled(BOXES[:2], [int(float(v)) for v in values], images)
        assert "taken as positions" in capsys.readouterr().err
    else:
        assert "image" in refused(capsys)


def xywh(box):
    x1, y1, x2, y2 = map(float, box)
    return [x1, y1, x2 - x1, y2 - y1]


@pytest.mark.parametrize(
    "name", ["batch", "batch_index", "Batch Idx", "image_index", "img_idx", "frame_index", "batch_id"]
)
def test_positions_are_positions(folder, capsys, name):
    assert pool(table([name, *XYXY], [1, 1])) == 0
    assert_pooled(BOXES[:2], [1, 1])
    assert capsys.readouterr().err == ""
    assert pool(table([name, *XYXY], [1, 2]), "--output-size", "3") == 1
    assert "line 3: rois[1]: batch index 2" in capsys.readouterr().err


def test_two_columns_of_images_agree(folder, capsys):
    content = "batch,filename,x1,y1,x2,y2\n0,a,3,5,90,80\n1,b,20,30,170,160\n0,{},0,0,64,96\n"
    assert pool(content.format("a")) == 0
    assert_pooled(BOXES, [0, 1, 0])
    Path("out.npy").unlink()
    capsys.readouterr()
    assert pool(content.format("b")) == 1
    assert "line 2 has batch 0 with filename a, line 4 with b" in refused(capsys)


@pytest.mark.parametrize("name", ["id", "image_width", "img_h", "score", "category_id", "annotation_id", "class"])
def test_columns_of_boxes_are_no_images(folder, capsys, name):
    content = "image_id," + name + ",x1,y1,x2,y2\n0,5,3,5,90,80\n1,6,20,30,170,160\n"
    assert pool(content) == 0
    assert_pooled(BOXES[:2], [0, 1])
    assert "not read" not in capsys.readouterr().err


def test_unknown_columns_are_told(folder, capsys):
    assert pool(table(["weather", *XYXY], ["rain", "sun"]), images=1) == 0
    assert "columns not read: weather" in capsys.readouterr().err


# --- the names of the columns of boxes --------------------------------------------------------


CORNERS = (
    *("x1 y1 x2 y2", "x0 y0 x1 y1", "xmin ymin xmax ymax", "x_min y_min x_max y_max", "XMin YMin XMax YMax"),
    *(
        "left top right bottom",
        "bbox_x1 bbox_y1 bbox_x2 bbox_y2",
        "xtl ytl xbr ybr",
        "bbox.xmin bbox.ymin bbox.xmax bbox.ymax",
    ),
)
SIZES = (
    *("x y w h", "x y width height", "left top width height", "left top w h", "xmin ymin width height"),
    *("x1 y1 w h", "bbox_x bbox_y bbox_width bbox_height", "box_left box_top box_width box_height"),
)


@pytest.mark.parametrize("separator", [",", ";", "\t", "   ", ", "])
@pytest.mark.parametrize("names", [*CORNERS, *SIZES, "cx cy w h", "x_center y_center width height"])
def test_names_of_boxes(folder, names, separator):
    if names in CORNERS:
        boxes = BOXES
    elif names in SIZES:
        boxes = [xywh(box) for box in BOXES]
    else:
        boxes = [[(a + c) / 2, (b + d) / 2, c - a, d - b] for a, b, c, d in BOXES]
    assert pool(table(["batch", *names.split()], [0, 1, 1], boxes, separator)) == 0
    assert_pooled(BOXES, [0, 1, 1])


def test_corners_go_before_the_size_of_the_picture(folder):
    content = "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,500,375,dog,3,5,90,80\n"
    assert pool(content, images=1) == 0
    assert_pooled(BOXES[:1], [0], 1)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("x1,y1,x2,y2,xmin", "2 columns for the left"),
        ("x1,y1,x2", "has neither x1,y1,x2,y2 nor x,y,w,h"),
        ("a.jpg,3,5,90,80", "or --columns"),
    ],
)
def test_names_of_no_boxes(folder, capsys, header, message):
    numbers = ",".join("12345"[: header.count(",") + 1])
    assert pool(f"{header}\n{numbers}\n") == 1
    assert message in refused(capsys)


def test_a_table_as_numpy_writes_it(folder):
    np.savetxt("boxes.txt", BOXES, header="x1 y1 x2 y2")
    assert pool(Path("boxes.txt").read_text(), images=1, name="boxes.txt") == 0
    assert_pooled(BOXES, [0, 0, 0], 1)
    np.savetxt("boxes.txt", np.column_stack([[0, 1, 1], BOXES]), header="frame left top right bottom", delimiter=",")
    assert pool(Path("boxes.txt").read_text(), name="boxes.txt") == 0
    assert_pooled(BOXES, [0, 1, 1])


def test_decimal_commas_and_other_encodings(folder):
    content = "batch;left;top;width;height\n0;3,5;5;86,5;75\n"
    assert pool(content) == 0
    assert_pooled([[3.5, 5, 90, 80]], [0])
    Path("boxes.csv").write_bytes(content.encode("utf-16"))
    assert main("pool of2.npy boxes.csv -o out.npy --scale 1/16 --output-size 3 --force".split()) == 0
    assert_pooled([[3.5, 5, 90, 80]], [0])


# --- five columns without names ---------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
def test_five_columns_that_begin_with_the_image(folder, capsys, separator):
    assert pool(table(None, [1, 0], separator=separator)) == 0
    assert_pooled(BOXES[:2], [1, 0])
    assert "taken as batch,left,top,right,bottom" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["csv", "npy"])
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[3, 5, 90, 80, 0.9]], "--columns"),
        ([[0, 5, 90, 80, 0.9], [1, 30, 170, 160, 0.5]], "--columns"),
        ([[0, 5, 90, 80, 1]], "--columns"),
        ([[1, 50, 90, 80, 99], [0, 30, 170, 160, 40]], "--columns"),
        ([[0.5, 5, 90, 80, 99]], "0.5"),
    ],
)
def test_a_score_makes_no_first_column_an_image(folder, capsys, rows, message, kind):
    arguments = f"pool of2.npy boxes.{kind} -o out.npy --scale 1/16 --output-size 3".split()
    np.save("boxes.npy", rows)
    Path("boxes.csv").write_text("\n".join(",".join(map(str, row)) for row in rows))
    assert main(arguments) == 1
    assert message in refused(capsys)
    arguments[1] = "of1.npy"
    assert main([*arguments, "--columns", "x1,y1,x2,y2,score"]) == 0
    assert_pooled(np.array(rows)[:, :4], [0] * len(rows), 1)
    assert main([*arguments, "--columns", "_,x,y,w,h", "--force"]) == 0
    sizes = np.array(rows)[:, 1:]
    assert_pooled(np.column_stack([sizes[:, :2], sizes[:, :2] + sizes[:, 2:]]), [0] * len(rows), 1)


@pytest.mark.parametrize(
    ("columns", "message"),
    [("x1,y1,x2,y2", "4 columns are named"), ("a,b,c,d,e", "neither x1"), ("image_id,x1,y1,x2,y2", "position")],
)
def test_wrong_columns_of_an_array(folder, capsys, columns, message):
    np.save("boxes.npy", np.ones((2, 5)))
    try:
        code = main(f"pool of1.npy boxes.npy -o out.npy --scale 1 --output-size 3 --columns {columns}".split())
    except SystemExit as leaving:
        code = leaving.code
    assert code in (1, 2)
    assert message in refused(capsys)


# --- COCO, --images, --crowd, --rows ----------------------------------------------------------


def dataset(ids, of=None, **more):
    images = [{"id": i, "file_name": f"{i}.jpg"} for i in ids]
    annotations = [{"id": 50 + k, "image_id": i, "bbox": xywh(b)} for k, (i, b) in enumerate(zip(of or ids, BOXES))]
    for name, values in more.items():
        for annotation, value in zip(annotations, values):
            annotation[name] = value
    return json.dumps({"images": images, "annotations": annotations})


@pytest.mark.parametrize("images", [1, 2])
def test_a_dataset_of_more_images_than_the_map(folder, capsys, images):
    """Refused whatever image its annotations are of."""
    assert pool(dataset([7, 8, 9], of=[7, 7]), images=images, name="boxes.json") == 1
    assert f"lists 3 images, but the features hold {images}" in refused(capsys)


@pytest.mark.parametrize("names", ["9\n7\n", "9.jpg\n7.jpg\n", '["9.jpg", 7]', '{"images": [{"id": 9}, {"id": 7}]}'])
def test_images_tell_the_order(folder, capsys, names):
    name = "names.json" if names[0] in "[{" else "names.txt"
    Path(name).write_text(names)
    assert pool(dataset([7, 8, 9]), "--images", name, name="boxes.json") == 0
    assert_pooled(BOXES[[0, 2]], [1, 0])
    assert "1 of 3 boxes are of images that" in capsys.readouterr().err


def test_results_with_their_dataset(folder):
    Path("dataset.json").write_text(dataset([139, 285]))
    results = [
        {"image_id": i, "bbox": xywh(b), "score": s} for i, b, s in zip((285, 139, 285), BOXES, (0.9, 0.5, 0.25))
    ]
    assert pool(json.dumps(results), "--images", "dataset.json", "--rows", "rows.csv", name="boxes.json") == 0
    assert_pooled(BOXES, [1, 0, 1])
    assert [row["score"] for row in rows()] == ["0.9", "0.5", "0.25"]
    assert [row["result"] for row in rows()] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\n", "lists 1 images, but the features hold 2"),
        ("a\nb\na\n", "'a' is listed twice"),
        ("", "lists 0 images"),
    ],
)
def test_wrong_lists_of_images(folder, capsys, content, message):
    Path("names.txt").write_text(content)
    assert pool(table(["img", *XYXY], ["a", "b"]), "--images", "names.txt") == 1
    assert message in refused(capsys)


def test_crowds_are_told_kept_or_dropped(folder, capsys):
    content = dataset([7, 8], of=[7, 8, 8], iscrowd=[0, 1, 0])
    assert pool(content, name="boxes.json") == 0
    assert_pooled(BOXES, [0, 1, 1])
    assert "1 crowd annotations, pooled like any other" in capsys.readouterr().err
    assert pool(content, "--crowd", "keep", name="boxes.json") == 0
    assert capsys.readouterr().err == ""
    assert pool(content, "--crowd", "drop", "--rows", "rows.csv", name="boxes.json") == 0
    assert_pooled(BOXES[[0, 2]], [0, 1])
    assert "1 crowd annotations, left out" in capsys.readouterr().err
    assert [(row["row"], row["annotation"], row["id"], row["iscrowd"]) for row in rows()] == [
        ("0", "0", "50", "0"),
        ("1", "2", "52", "0"),
    ]


def test_arrays_of_dropped_boxes_are_dropped(folder):
    np.save("offset.npy", np.random.default_rng(1).random((3, 2, 3, 3)))
    content = dataset([7, 8], of=[7, 8, 8], iscrowd=[0, 1, 0])
    options = "--crowd drop --op deform_roi_pool --offset offset.npy".split()
    assert pool(content, *options, name="boxes.json") == 0
    expected = fastroi.deform_roi_pool(
        np.load("of2.npy"), BOXES[[0, 2]], np.load("offset.npy")[[0, 2]], 3, SCALE, batch_indices=[0, 1]
    )
    assert np.array_equal(np.load("out.npy"), expected)


def rows():
    with open("rows.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_rows_of_a_table(folder):
    content = '# three\nfilename;label;x;y;w;h;row\n"a;1";dog;3;5;87;75;x\nb;"cat, big";20;30;150;130;y\n'
    Path("names.txt").write_text("b\na;1\n")
    assert pool(content, "--images", "names.txt", "--rows", "rows.csv") == 0
    first, second = rows()
    assert first == {
        **{"row": "0", "line": "3", "batch": "1", "image": "a;1", "x1": "3.0", "y1": "5.0", "x2": "90.0", "y2": "80.0"},
        **{"label": "dog", "own_row": "x"},
    }
    assert (second["batch"], second["label"]) == ("0", "cat, big")
    assert_pooled(BOXES[:2], [1, 0])


def test_rows_of_arrays_and_turned_boxes(folder):
    np.save("boxes.npy", [[1, 50, 40, 30, 20, 0.5]])
    call = "pool of2.npy boxes.npy -o out.npy --scale 1/16 --output-size 3 --op roi_align_rotated --rows rows.csv"
    assert main(call.split()) == 0
    assert rows() == [
        {"row": "0", "source": "0", "batch": "1", "cx": "50.0", "cy": "40.0", "w": "30.0", "h": "20.0", "angle": "0.5"}
    ]


def test_rows_on_standard_output(folder, capsys):
    assert pool(table(["batch", *XYXY], [0, 1]), "--rows", "-") == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[0] == "row,line,batch,image,x1,y1,x2,y2"
    assert len(captured.out.splitlines()) == 3
    assert "2x2x3x3" in captured.err


# --- boxes off the map ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("boxes", "options", "message"),
    [
        ([[0, 0, 240, 192]], "--scale 1/16", None),
        ([[0, 0, 0, 0], [239, 191, 240, 192]], "--scale 1/16", None),
        (
            [[0, 0, 241, 192], [240, 0, 250, 10], [-9, -9, -1, 5]],
            "--scale 1/16",
            "of 3 boxes 2 lie wholly and 1 partly off",
        ),
        ([[10, 10, -20, 50]], "--stride 16", "0 lie wholly and 1 partly"),
        ([[30, 30, 90, 80]], "--scale 16", "a stride of 16 pixels is --stride 16 or --scale 1/16"),
        ([[30, 30, 90, 80]], "", "the scale is 1"),
        ([[0, 0, 241, 192]], "--scale 1/16 --quiet", None),
        ([[0, 0, 241, 192]], "--scale 1/16 --op roi_align", "0 lie wholly and 1 partly off the map of 12 x 15 cells"),
        ([[0.1, 0.1, 1, 1]], "--op crop_and_resize", None),
        ([[30, 30, 90, 80]], "--op crop_and_resize", "1 lie wholly and 0 partly off the map; its sides are 0 and 1"),
        ([[120, 96, 240, 10, 0]], "--scale 1/16 --op roi_align_rotated", None),
        ([[120, 96, 240, 10, 90]], "--scale 1/16 --op roi_align_rotated --angle-unit degrees", "1 partly"),
    ],
)
def test_boxes_off_the_map_are_told(folder, capsys, boxes, options, message):
    np.save("boxes.npy", np.array(boxes, dtype=float))
    assert main(["pool", "of1.npy", "boxes.npy", "-o", "out.npy", "--output-size", "3", *options.split()]) == 0
    error = capsys.readouterr().err
    assert error.count("\n") == (message is not None)
    assert (message or "") in error


def test_pasted_boxes_off_the_image_are_told(folder, capsys):
    np.save("masks.npy", np.ones((2, 4, 4), dtype=np.float32))
    np.save("boxes.npy", BOXES[:2])
    call = "pool masks.npy boxes.npy -o out.npy --op paste_masks --image-size 100 90"
    assert main(call.split()) == 0
    assert "0 lie wholly and 1 partly off the image of 90 x 100 pixels" in capsys.readouterr().err


# --- options ----------------------------------------------------------------------------------


def test_every_choice_of_a_function_is_an_option():
    """A keyword that the table of operators gives choices for is offered, described or not."""
    import inspect

    from fastroi import _core
    from fastroi.cli import _operators

    for name, row in _core.OPERATORS.items():
        keywords = inspect.signature(getattr(fastroi, name)).parameters
        choosing = {field for field in row.fields if row.fields[field].choices and field in keywords}
        assert choosing <= _operators.OPERATORS[name].options.keys()
