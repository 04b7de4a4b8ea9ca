"""Profiles on maps of narrow elements: against the packages' recorded answers, and what each of them refuses."""

import re

import ml_dtypes
import numpy as np
import pytest

from fastroi.compat import caffe, detectron2, mmcv, mxnet, onnx, openvino, paddle, tensorflow, tensorrt, torchvision
from peers import live, replay

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
PACKAGES = ("onnxruntime", "openvino", "tensorflow")


@pytest.fixture(scope="module")
def inputs():
    with np.load(replay.GOLDEN / "inputs.npz") as data:
        return {name: data[name] for name in data.files}


def steps_apart(a, b):
    """How many numbers of a 16-bit float type lie between two arrays."""

    def order(values):
        bits = values.view(np.int16).astype(np.int64)
        return np.where(bits < 0, -(2**15) - bits, bits)

    return np.abs(order(a) - order(b))


def from_onnx(name, arrays, args):
    x, rois = (arrays[key].astype(np.float16) for key in ("X", "rois"))
    if name == "crop_and_resize":
        return onnx.crop_and_resize(x, rois, arrays["batch_indices"], **args)
    if name == "max_roi_pool":
        return onnx.max_roi_pool(x, rois, **args)
    return onnx.roi_align(x, np.ascontiguousarray(rois[:, 1:]), rois[:, 0].astype(np.int64), **args)


def from_openvino(name, arrays, args):
    kind = BFLOAT16 if args["dtype"] == "bfloat16" else np.dtype(np.float16)
    x, rows = (arrays[key].astype(kind) for key in ("input", "coords"))
    index = arrays["coords"][:, 0].astype(int)
    return {
        "roi_pooling": lambda: openvino.roi_pooling(x, rows, (3, 2), 0.3),
        "psroi_pooling": lambda: openvino.psroi_pooling(x, rows, 2, 3, 0.3, 1, 1, "average"),
        "deformable_psroi_pooling": lambda: openvino.deformable_psroi_pooling(
            x, rows, 2, 0.3, 3, spatial_bins_x=2, spatial_bins_y=3, trans_std=0.1
        ),
        "roi_align": lambda: openvino.roi_align(x, rows[:, 1:], index, 3, 2, 2, 0.3, "avg", "half_pixel_for_nn"),
    }[name]()


def check_halves(cases, inputs, call):
    """At most a step apart: sums in another order beside a tie, and bfloat16, whose lower bits OpenVINO drops.

    A bin's only sample on the map that is within a rounding error of its border is more.
    """
    equal = total = 0
    for case, (expected,) in cases:
        name = case["op"].removeprefix("elements ")
        got = call(name, {key: inputs[value] for key, value in case["inputs"].items()}, case["args"])
        bfloat16 = case["args"].get("dtype") == "bfloat16"
        assert got.dtype == (BFLOAT16 if bfloat16 else np.float16)
        expected = expected.view(got.dtype)
        apart = steps_apart(got, expected)
        at_the_border = (apart > 1) & ((got == 0) | (expected == 0)) & (name == "deformable_psroi_pooling")
        assert apart[~at_the_border].max() <= 1, case
        assert at_the_border.mean() < 1e-3, case
        if not bfloat16 or name == "roi_pooling":
            equal, total = equal + (apart == 0).sum(), total + apart.size
    assert total > 5000
    assert equal > 0.999 * total


def check_images(cases, inputs):
    for case, (expected, image) in cases:
        boxes, index = (inputs[case["inputs"][name]] for name in ("boxes", "box_indices"))
        got = tensorflow.crop_and_resize(image, boxes, index, **case["args"])
        assert got.dtype == np.float32
        bound = 4 * np.finfo(np.float32).eps * np.abs(image.astype(float)).max()
        np.testing.assert_allclose(got, expected, rtol=0, atol=bound, err_msg=f"{image.dtype} {case}")


def check(package, folder, inputs):
    meta, arrays = replay.load(folder / f"{package}_elements.npz")
    cases = [(case, [arrays[name] for name in case["results"]]) for case in meta["cases"]]
    if package == "tensorflow":
        return check_images(cases, inputs)
    return check_halves(cases, inputs, from_onnx if package == "onnxruntime" else from_openvino)


@pytest.mark.parametrize("package", PACKAGES)
def test_recorded_results(package, inputs):
    check(package, replay.GOLDEN, inputs)


for _package in sorted(set(PACKAGES) & set(live.PACKAGES)):

    @pytest.mark.peers
    def _live(tmp_path, package=_package):
        file = live.results(package, tmp_path, seed=20261128, boxes_per_set=1000, huge_boxes=1)
        with np.load(file) as data:
            check(package, tmp_path, {name: data[name] for name in data.files})

    globals()[f"test_live_{_package}"] = _live


# --- float16 under torchvision: float32 inside ---------------------------------------------------------------------------

HALF = np.random.default_rng(3).standard_normal((2, 8, 20, 25)).astype(np.float16)
ROWS = np.array([[0, 1, 2, 60, 70], [1, -9, 3.5, 99, 41], [1, 30, 30, 30, 30], [0, 7.25, 9, 8, 300]], np.float16)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, r: torchvision.roi_pool(x, r, 3, 0.25),
        lambda x, r: torchvision.roi_align(x, r, 3, 0.25, 2, True),
        lambda x, r: torchvision.roi_align(x, r, 3, 0.25),
        lambda x, r: torchvision.ps_roi_pool(x, r, 2, 0.25),
        lambda x, r: torchvision.ps_roi_align(x, r, 2, 0.25, 2),
        lambda x, r: torchvision.roi_pool(x, [r[:1, 1:], r[1:, 1:]], 3, 0.25),
        lambda x, r: detectron2.ROIAlign(3, 0.25, 2)(x, r),
        lambda x, r: mmcv.RoIAlign(3, 0.25, 2, use_torchvision=True)(x, r),
        lambda x, r: torchvision.MultiScaleRoIAlign(["a", "b"], 3, 2)(
            {"a": x, "b": np.ascontiguousarray(x[..., ::2, ::2])}, [r[:1, 1:], r[1:, 1:]], [(80, 100)] * 2
        ),
        lambda x, r: detectron2.ROIPooler(3, [0.5, 0.25], 2, "ROIAlignV2")(
            [x, np.ascontiguousarray(x[..., ::2, ::2])], [r[:1, 1:], r[1:, 1:]]
        ),
    ],
)
def test_half_under_torchvision_is_the_rounded_float(call):
    wide = call(HALF.astype(np.float32), ROWS.astype(np.float32))
    got = call(HALF, ROWS)
    assert got.dtype == np.float16
    assert wide.dtype == np.float32
    assert (got == wide.astype(np.float16)).all()


def test_half_means_of_many_samples_are_finite():
    """torchvision's sum of them is infinite."""
    x = np.full((1, 1, 100, 100), 100.5, np.float16)
    assert torchvision.roi_align(x, np.array([[0, 0, 0, 100, 100]], np.float16), 1, 1.0, 100).item() == 100.5


def test_boxes_have_the_half_type_too():
    for name, call in (
        ("boxes", lambda: torchvision.roi_align(HALF, ROWS.astype(np.float32), 3)),
        ("rois", lambda: onnx.max_roi_pool(HALF, ROWS.astype(np.float32), (2, 2))),
        ("rois", lambda: onnx.roi_align(HALF, ROWS[:, 1:].astype(np.float32), [0, 0, 1, 1])),
    ):
        with pytest.raises(TypeError, match=f"^{name}: dtype float32, but (input|X) is float16"):
            call()


def test_sums_of_parts_are_rounded_once():
    """OpenVINO's bilinear PSROIPooling and unequal bins of the deformable one add several native results."""
    x = HALF[:, :8]
    unit = np.array([[0, 0.1, 0.2, 0.8, 0.7], [1, 0, 0, 1, 1]], np.float32)
    pixel = np.array([[0, 1, 2, 15, 17], [1, -3, 3, 22, 11]], np.float32)
    for call in (
        lambda m: openvino.psroi_pooling(m, unit, 2, 3, 1.0, 2, 2, "bilinear"),
        lambda m: openvino.deformable_psroi_pooling(m, pixel, 2, 0.5, 2, spatial_bins_x=2, spatial_bins_y=3),
    ):
        for kind in (np.dtype(np.float16), BFLOAT16):
            got = call(x.astype(kind))
            wide = call(x.astype(kind).astype(np.float32))
            assert got.dtype == kind
            assert (got == wide.astype(kind)).all()


# --- what a package refuses ----------------------------------------------------------------------------------------------

MAP = np.ones((1, 4, 8, 8), np.float32)
BOX, UNIT = np.array([[1, 1, 6, 6]], np.float32), np.array([[0, 0, 1, 1]], np.float32)
ROW, TURNED = np.array([[0, 1, 1, 6, 6]], np.float32), np.array([[0, 3, 3, 4, 4, 0]], np.float32)
FLOATS, HALF_TOO = {"float32", "float64"}, {"float32", "float64", "float16"}
OPENVINO = HALF_TOO | {"bfloat16"}
TENSORFLOW = HALF_TOO | {"uint8", "uint16", "int8", "int16", "int32", "int64"}
ALL = [np.dtype(f"{kind}{bits}") for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
ALL += [np.dtype(bool), BFLOAT16, *map(np.dtype, ("float16", "float32", "float64", "complex64"))]


def rows_like(x, rows):
    """Boxes in the type of the map, where there is one for boxes."""
    return rows.astype(x.dtype) if x.dtype.name in HALF_TOO else rows


CALLS = {
    "caffe": ("bottom_data", FLOATS, lambda x: caffe.roi_pooling(x, ROW, pooled_h=2, pooled_w=2)),
    "caffe warping": ("bottom_data", FLOATS, lambda x: caffe.roi_warping(x, ROW, pooled_h=2, pooled_w=2)),
    "detectron2": ("input", HALF_TOO, lambda x: detectron2.ROIAlign(2, 1.0, 2)(x, ROW)),
    "detectron2 rotated": ("input", FLOATS, lambda x: detectron2.roi_align_rotated(x, TURNED, 2, 1.0, 2)),
    "detectron2 pooler": ("x[0]", HALF_TOO, lambda x: detectron2.ROIPooler(2, [1.0], 2, "ROIAlign")([x], [BOX])),
    "detectron2 rotated pooler": (
        "x[0]",
        FLOATS,
        lambda x: detectron2.ROIPooler(2, [1.0], 2, "ROIAlignRotated")([x], [TURNED[:, 1:]]),
    ),
    "mmcv": ("input", FLOATS, lambda x: mmcv.roi_align(x, ROW, 2, 1.0, 2)),
    "mmcv prroi": ("features", FLOATS, lambda x: mmcv.prroi_pool(x, ROW, 2, 1.0)),
    "mxnet": ("data", FLOATS, lambda x: mxnet.ROIPooling(x, ROW, (2, 2), 1.0)),
    "onnx max": ("X", {"float32", "float16"}, lambda x: onnx.max_roi_pool(x, rows_like(x, ROW), (2, 2))),
    "onnx align": ("X", HALF_TOO, lambda x: onnx.roi_align(x, rows_like(x, BOX), [0])),
    "onnx crop": ("X", {"float32", "float16"}, lambda x: onnx.crop_and_resize(x, rows_like(x, UNIT), [0], (2, 2))),
    "openvino pooling": ("input", OPENVINO, lambda x: openvino.roi_pooling(x, ROW, (2, 2), 1.0)),
    "openvino bilinear": ("input", OPENVINO, lambda x: openvino.roi_pooling(x, ROW / 8, (2, 2), 1.0, "bilinear")),
    "openvino align": ("data", OPENVINO, lambda x: openvino.roi_align(x, BOX, [0], 2, 2, 2, 1.0, "avg")),
    "openvino ps": ("input", OPENVINO, lambda x: openvino.psroi_pooling(x, ROW, 1, 2, 1.0, 1, 1, "average")),
    "openvino deformable": ("feature_maps", OPENVINO, lambda x: openvino.deformable_psroi_pooling(x, ROW, 1, 1.0, 2)),
    "openvino rotated": (
        "data",
        OPENVINO,
        lambda x: openvino.roi_align_rotated(x, TURNED[:, 1:], [0], 2, 2, 2, 1.0, True),
    ),
    "openvino extractor": (
        "inputs[1]",
        OPENVINO,
        lambda x: openvino.experimental_detectron_roi_feature_extractor([BOX, x], 2, 2, [4])[0],
    ),
    "paddle": ("x", FLOATS, lambda x: paddle.roi_align(x, rows_like(x, BOX), [1], 2)),
    "tensorflow": ("image", TENSORFLOW, lambda x: tensorflow.crop_and_resize(x, UNIT, [0], (2, 2))),
    "tensorrt": ("X", FLOATS, lambda x: tensorrt.roi_align(x, BOX, [0])),
    "torchvision": ("input", HALF_TOO, lambda x: torchvision.roi_pool(x, rows_like(x, ROW), 2)),
    "torchvision ps": ("input", HALF_TOO, lambda x: torchvision.ps_roi_align(x, rows_like(x, ROW), 2)),
    "torchvision pyramid": (
        "x['a']",
        HALF_TOO,
        lambda x: torchvision.MultiScaleRoIAlign(["a"], 2, 2)({"a": x}, [rows_like(x, BOX)], [(8, 8)]),
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_profile_takes_the_elements_of_its_package(name):
    argument, taken, call = CALLS[name]
    for dtype in ALL:
        x = MAP.astype(dtype)
        if dtype.name in taken:
            result = call(x)
            assert result.dtype == (np.float32 if name == "tensorflow" else dtype)
            np.testing.assert_allclose(result.astype(float), 1, rtol=1e-6, err_msg=str(dtype))
        else:
            with pytest.raises(TypeError, match=f"^{re.escape(argument)}: dtype {dtype}"):
                call(x)
