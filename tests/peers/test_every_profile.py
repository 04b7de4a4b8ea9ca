"""What every function of every profile does alike: destinations, threads, scales, far boxes, names in errors."""

import inspect
import warnings

import numpy as np
import pytest

from fastroi import _core, compat
from fastroi.compat import caffe, detectron2, mmcv, mxnet, onnx, openvino, paddle, tensorflow, tensorrt, torchvision

MAP = np.random.default_rng(20261128).standard_normal((2, 8, 9, 10)).astype(np.float32)
BOX = np.array([[1, 1, 6, 7], [0.5, 2, 8, 5], [2, 0, 3.5, 8]], np.float32)
INDEX = np.array([0, 1, 1])
ROWS = np.column_stack([INDEX, BOX]).astype(np.float32)
TURNED = np.array([[4, 4, 5, 3, 0.5], [5, 3, 2, 6, 1], [2, 2, 3, 3, 0]], np.float32)
TURNED_ROWS = np.column_stack([INDEX, TURNED]).astype(np.float32)
UNIT = np.array([[0, 0.1, 0.8, 1], [0.2, 0, 0.9, 0.7], [0.5, 0.5, 0.6, 0.9]], np.float32)
UNIT_ROWS = np.column_stack([INDEX, UNIT]).astype(np.float32)
PYRAMID = [MAP, MAP[:, :, ::2, ::2].copy(), MAP[:, :, ::4, ::4].copy(), MAP[:, :, ::8, ::8].copy()]
PYRAMID_BOXES = np.stack([BOX, BOX])
OFFSETS = np.full((3, 2, 2, 2), 0.1, np.float32)
MASKS = np.random.default_rng(1).random((3, 6, 6)).astype(np.float32)
SCALED = {"spatial_scale": 0.5}

#: Every function whose result is an array: arguments by name, and those that hold the map and the boxes.
CALLS = {
    caffe.roi_pooling: ({"bottom_data": MAP, "bottom_rois": ROWS, "pooled_h": 2, "pooled_w": 3, **SCALED}, 0, 1),
    caffe.psroi_pooling: ({"bottom_data": MAP, "bottom_rois": ROWS, "output_dim": 2, "group_size": 2, **SCALED}, 0, 1),
    caffe.roi_warping: ({"bottom_data": MAP, "bottom_rois": ROWS, "pooled_h": 2, "pooled_w": 3, **SCALED}, 0, 1),
    detectron2.roi_align_rotated: (
        {"input": MAP, "rois": TURNED_ROWS, "output_size": 2, "sampling_ratio": 2, **SCALED},
        0,
        1,
    ),
    detectron2.paste_masks_in_image: ({"masks": MASKS, "boxes": BOX, "image_shape": (9, 10)}, None, 1),
    detectron2.crop_and_resize_masks: ({"masks": MASKS > 0.5, "boxes": BOX, "mask_size": 4}, None, 1),
    mmcv.roi_pool: ({"input": MAP, "rois": ROWS, "output_size": (2, 3), **SCALED}, 0, 1),
    mmcv.roi_align: ({"input": MAP, "rois": ROWS, "output_size": (2, 3), **SCALED}, 0, 1),
    mmcv.roi_align_rotated: ({"input": MAP, "rois": TURNED_ROWS, "output_size": (2, 3), **SCALED}, 0, 1),
    mmcv.riroi_align_rotated: ({"features": MAP, "rois": TURNED_ROWS, "out_size": (2, 3), **SCALED}, 0, 1),
    mmcv.prroi_pool: ({"features": MAP, "rois": ROWS, "output_size": (2, 3), **SCALED}, 0, 1),
    mmcv.deform_roi_pool: ({"input": MAP, "rois": ROWS, "offset": OFFSETS, "output_size": 2, **SCALED}, 0, 1),
    mxnet.ROIPooling: ({"data": MAP, "rois": ROWS, "pooled_size": (2, 3), **SCALED}, 0, 1),
    mxnet.ROIAlign: ({"data": MAP, "rois": ROWS, "pooled_size": (2, 3), **SCALED}, 0, 1),
    mxnet.PSROIPooling: ({"data": MAP, "rois": ROWS, "output_dim": 2, "pooled_size": 2, **SCALED}, 0, 1),
    mxnet.DeformablePSROIPooling: (
        {"data": MAP, "rois": ROWS, "trans": OFFSETS, "output_dim": 2, "group_size": 2, "pooled_size": 2, **SCALED},
        0,
        1,
    ),
    mxnet.RROIAlign: ({"data": MAP, "rois": TURNED_ROWS, "pooled_size": (2, 3), **SCALED}, 0, 1),
    onnx.max_roi_pool: ({"X": MAP, "rois": ROWS, "pooled_shape": (2, 3), **SCALED}, 0, 1),
    onnx.roi_align: ({"X": MAP, "rois": BOX, "batch_indices": INDEX, "output_width": 3, **SCALED}, 0, 1),
    onnx.crop_and_resize: ({"X": MAP, "rois": UNIT, "batch_indices": INDEX, "crop_size": (2, 3)}, 0, 1),
    openvino.roi_pooling: ({"input": MAP, "coords": ROWS, "output_roi": (2, 3), **SCALED}, 0, 1),
    openvino.roi_align: (
        {"data": MAP, "rois": BOX, "batch_indices": INDEX, "pooled_h": 2, "pooled_w": 3, "sampling_ratio": 0}
        | {"mode": "avg", **SCALED},
        0,
        1,
    ),
    openvino.psroi_pooling: (
        {"input": MAP, "coords": ROWS, "output_dim": 2, "group_size": 2, "spatial_bins_x": 1, "spatial_bins_y": 1}
        | {"mode": "average", **SCALED},
        0,
        1,
    ),
    openvino.deformable_psroi_pooling: (
        {"feature_maps": MAP, "coords": ROWS, "output_dim": 2, "group_size": 2, "offsets": OFFSETS, **SCALED},
        0,
        1,
    ),
    openvino.roi_align_rotated: (
        {"data": MAP, "rois": TURNED, "batch_indices": INDEX, "pooled_h": 2, "pooled_w": 3, "sampling_ratio": 0}
        | {"clockwise_mode": True, **SCALED},
        0,
        1,
    ),
    openvino.experimental_detectron_roi_feature_extractor: (
        {"inputs": [BOX, *(m[:1] for m in PYRAMID)], "output_size": 2, "sampling_ratio": 2}
        | {"pyramid_scales": [4, 8, 16, 32]},
        None,
        None,
    ),
    paddle.roi_pool: ({"x": MAP, "boxes": BOX, "boxes_num": [1, 2], "output_size": (2, 3), **SCALED}, 0, 1),
    paddle.roi_align: ({"x": MAP, "boxes": BOX, "boxes_num": [1, 2], "output_size": (2, 3), **SCALED}, 0, 1),
    paddle.psroi_pool: ({"x": MAP, "boxes": BOX, "boxes_num": [1, 2], "output_size": 2, **SCALED}, 0, 1),
    tensorflow.crop_and_resize: ({"image": MAP, "boxes": UNIT, "box_indices": INDEX, "crop_size": (2, 3)}, 0, 1),
    tensorrt.roi_align: ({"X": MAP, "rois": BOX, "batch_indices": INDEX, "output_width": 3, **SCALED}, 0, 1),
    tensorrt.crop_and_resize: (
        {"feature_maps": MAP, "rois": PYRAMID_BOXES[..., None], "crop_height": 2, "crop_width": 3},
        0,
        1,
    ),
    tensorrt.pyramid_roi_align: (
        {"rois": PYRAMID_BOXES, **dict(zip(("p2", "p3", "p4", "p5"), PYRAMID)), "pooled_size": 2},
        None,
        0,
    ),
    tensorrt.multilevel_crop_and_resize: (
        {"rois": PYRAMID_BOXES, **dict(zip(("p2", "p3", "p4", "p5", "p6"), [*PYRAMID, MAP])), "pooled_size": 2},
        None,
        0,
    ),
    torchvision.roi_pool: ({"input": MAP, "boxes": ROWS, "output_size": (2, 3), **SCALED}, 0, 1),
    torchvision.roi_align: ({"input": MAP, "boxes": ROWS, "output_size": (2, 3), **SCALED}, 0, 1),
    torchvision.ps_roi_pool: ({"input": MAP, "boxes": ROWS, "output_size": 2, **SCALED}, 0, 1),
    torchvision.ps_roi_align: ({"input": MAP, "boxes": ROWS, "output_size": 2, **SCALED}, 0, 1),
    torchvision.paste_masks_in_image: ({"masks": MASKS[:, None], "boxes": BOX, "img_shape": (9, 10)}, None, 1),
    torchvision.project_masks_on_boxes: (
        {"gt_masks": MASKS, "boxes": BOX, "matched_idxs": np.arange(3), "M": 4},
        None,
        1,
    ),
}


def identified(function):
    return f"{function.__module__.rsplit('.', 1)[1]}.{function.__name__}"


every = pytest.mark.parametrize("function", CALLS, ids=identified)
SCALED_CALLS = [f for f, (arguments, *_) in CALLS.items() if "spatial_scale" in arguments]
scaled = pytest.mark.parametrize("function", SCALED_CALLS, ids=identified)


def first(result):
    return result[0] if isinstance(result, tuple) else result


def boxes_of(function):
    """The name and the value of the argument with boxes."""
    arguments, _, place = CALLS[function]
    if place is None:
        return "inputs[0]", arguments["inputs"][0]
    return list(arguments.items())[place]


def with_boxes(function, boxes):
    arguments, _, place = CALLS[function]
    if place is None:
        return {**arguments, "inputs": [boxes, *arguments["inputs"][1:]]}
    return {**arguments, list(arguments)[place]: boxes}


def test_table_is_complete():
    """All public functions but the one that returns lists."""
    functions = {f for name in compat.__all__ for f in vars(getattr(compat, name)).values() if inspect.isfunction(f)}
    public = {f for f in functions if f.__module__.startswith("fastroi.compat") and not f.__name__.startswith("_")}
    assert public - set(CALLS) == {paddle.distribute_fpn_proposals}


@every
def test_signature_and_docstring(function):
    parameters = inspect.signature(function).parameters
    for name in ("out", "num_threads"):
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[name].default is None
        assert function.__doc__.count(f"\n    {name} : ") == 1


@every
def test_missing_and_unknown_arguments_are_refused(function):
    arguments = CALLS[function][0]
    name, value = next(iter(arguments.items()))
    with pytest.raises(TypeError, match="missing a required argument"):
        function()
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        function(**arguments, colour="red")
    with pytest.raises(TypeError, match=f"multiple values for argument '{name}'"):
        function(value, **arguments)
    with pytest.raises(TypeError, match="too many positional arguments"):
        function(*range(40))


@every
def test_out_is_filled_and_returned(function):
    arguments = CALLS[function][0]
    expected = first(function(**arguments))
    out = np.full_like(expected, 7 if expected.dtype.kind == "f" else 1)
    assert first(function(**arguments, out=out, num_threads=2)) is out
    np.testing.assert_array_equal(out, expected)
    wide = np.zeros((*expected.shape[:-1], 2 * expected.shape[-1]), expected.dtype)[..., ::2]
    function(**arguments, out=wide)
    np.testing.assert_array_equal(wide, expected)


@every
def test_out_is_judged_before_anything_is_computed(function, monkeypatch):
    arguments = CALLS[function][0]
    expected = first(function(**arguments))

    def run(*_):
        raise AssertionError("computed")

    monkeypatch.setattr(_core, "run", run)
    with pytest.raises(ValueError, match=r"^out: shape"):
        function(**arguments, out=np.empty((*expected.shape[:-1], expected.shape[-1] + 1), expected.dtype))
    with pytest.raises(TypeError, match=r"^out: dtype"):
        function(**arguments, out=np.empty(expected.shape, np.int16))
    with pytest.raises(TypeError, match=r"^out: list"):
        function(**arguments, out=expected.tolist())
    name, boxes = boxes_of(function)
    with pytest.raises(ValueError, match=rf"^out: shares memory with {name.partition('[')[0]}"):
        function(**arguments, out=boxes)


@every
def test_number_of_threads_is_judged(function):
    with pytest.raises(ValueError, match=r"^num_threads: -3"):
        function(**CALLS[function][0], num_threads=-3)


@every
@pytest.mark.parametrize("value", [1e40, np.inf, np.nan])
def test_far_boxes_raise_by_name_or_compute_without_a_warning(function, value):
    """1e40 exceeds float32; what computes in float64 may take it."""
    name, boxes = boxes_of(function)
    boxes = boxes.astype(np.float64)
    boxes[(1,) * (boxes.ndim - 1) + (2,) if boxes.ndim < 4 else (1, 1, 2, 0)] = value
    arguments = with_boxes(function, boxes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            function(**arguments)
        except (ValueError, TypeError) as error:
            assert str(error).startswith(name.partition("[")[0])
        else:
            assert value == 1e40


@scaled
@pytest.mark.parametrize("value", [0, 0.0, -1, np.nan, np.inf, 1e-60, 1e60])
def test_scale_is_positive_and_finite(function, value):
    held_as_double = function.__module__ == torchvision.__name__
    arguments = {**CALLS[function][0], "spatial_scale": value}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if held_as_double and 0 < value < np.inf:
            function(**arguments)
        else:
            with pytest.raises(ValueError, match=r"^spatial_scale: "):
                function(**arguments)


@pytest.mark.parametrize("function", [f for f in SCALED_CALLS if f.__module__ != torchvision.__name__], ids=identified)
@pytest.mark.parametrize("value", [1 / 3, 0.3, 1 / 7])
def test_scale_of_a_float64_map_is_held_in_float32(function, value):
    arguments = {
        key: v.astype(float) if isinstance(v, np.ndarray) and v.dtype.kind == "f" else v
        for key, v in CALLS[function][0].items()
    }
    if function is onnx.max_roi_pool:
        arguments = CALLS[function][0]
    np.testing.assert_array_equal(
        function(**{**arguments, "spatial_scale": value}),
        function(**{**arguments, "spatial_scale": float(np.float32(value))}),
    )


NATIVE_WORDS = {"features", "rois", "batch_indices", "output_size", "trans", "offset", "orientations", "group_size"}


@every
def test_errors_name_the_arguments_of_the_profile(function):
    """Shapes, places and sizes that the native operator judges."""
    arguments, features, _ = CALLS[function]
    foreign = NATIVE_WORDS - set(arguments)
    messages = []
    changes = [with_boxes(function, boxes_of(function)[1][..., :3]), with_boxes(function, "abc")]
    if features is not None:
        name = list(arguments)[features]
        changes += [{**arguments, name: arguments[name][0]}, {**arguments, name: arguments[name].astype(np.int16)}]
        changes += [{**arguments, name: arguments[name][:, :, :0]}]
    for key, value in arguments.items():
        if key in ("batch_indices", "box_indices"):
            changes += [{**arguments, key: value + 5}, {**arguments, key: value[:2]}, {**arguments, key: value * 0.5}]
        if isinstance(value, (int, tuple)) and not isinstance(value, bool) and key not in ("sampling_ratio",):
            changes += [{**arguments, key: 0 if isinstance(value, int) else (0, 1)}]
    for change in changes:
        try:
            function(**change)
        except (ValueError, TypeError, OverflowError) as error:
            messages.append(str(error))
    assert messages
    for message in messages:
        words = set(message.replace("[", " ").replace(":", " ").replace(",", " ").replace(".", " ").split())
        assert not words & foreign, message
        assert message.split(":")[0].split("[")[0] in arguments, message


def layers():
    tables = [BOX[:1], BOX[1:]]
    levels = dict(zip("abcd", PYRAMID))
    settings = "abcd", 2, 2
    return [
        (torchvision.RoIPool(2, 0.5), (MAP, ROWS)),
        (torchvision.RoIAlign(2, 0.5, 2), (MAP, ROWS)),
        (torchvision.PSRoIPool(2, 0.5), (MAP, ROWS)),
        (torchvision.PSRoIAlign(2, 0.5, 2), (MAP, ROWS)),
        (torchvision.MultiScaleRoIAlign(*settings), (levels, tables, [(9, 10)] * 2)),
        (detectron2.ROIAlign(2, 0.5, 2), (MAP, ROWS)),
        (detectron2.ROIAlignRotated(2, 0.5, 2), (MAP, TURNED_ROWS)),
        (detectron2.ROIPooler(2, [1.0, 0.5, 0.25, 0.125], 2, "ROIAlignV2"), (PYRAMID, tables)),
    ]


@pytest.mark.parametrize(("layer", "inputs"), layers(), ids=[type(layer).__name__ for layer, _ in layers()])
def test_layers_fill_out(layer, inputs, monkeypatch):
    expected = layer(*inputs)
    out = np.full_like(expected, 7)
    assert layer(*inputs, out=out, num_threads=2) is out
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(layer(*inputs), expected)
    monkeypatch.setattr(_core, "run", None)
    with pytest.raises(ValueError, match=r"^out: shape"):
        layer(*inputs, out=out[1:])
