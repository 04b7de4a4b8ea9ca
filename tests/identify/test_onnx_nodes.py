"""The RoI nodes of ONNX files, and that the function named for each gives what ONNX's reference does."""

import importlib

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

import fastroi
from fastroi.cli import main
from fastroi.compat import onnx as profile
from fastroi.identify.onnx_nodes import roi_nodes

RNG = np.random.default_rng(0)


def value(name, shape=None, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, opset=16, inputs=(), outputs=()):
    graph = helper.make_graph(nodes, "g", list(inputs), list(outputs))
    domains = [("", opset), ("com.microsoft", 1), ("mmcv", 1)]
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(*domain) for domain in domains], ir_version=8)


def saved(tmp_path, *arguments, **options):
    path = tmp_path / "model.onnx"
    path.write_bytes(model(*arguments, **options).SerializeToString())
    return path


def align(**attributes):
    return helper.make_node("RoiAlign", ["x", "rois", "index"], ["y"], name="align", **attributes)


@pytest.mark.parametrize("opset, mode", [(10, "output_half_pixel"), (16, "half_pixel")])
def test_the_default_depends_on_the_opset_and_the_named_function_equals_the_reference(tmp_path, opset, mode):
    node = align(output_height=2, output_width=3, sampling_ratio=2, spatial_scale=0.25)
    inputs = [value("x", [1, 2, 8, 9]), value("rois", [4, 4]), value("index", [4], TensorProto.INT64)]
    path = saved(tmp_path, [node], opset, inputs, [value("y", [4, 2, 2, 3])])
    (found,) = roi_nodes(path)
    assert dict(found.arguments)["coordinate_transformation_mode"] == mode
    assert found.profile.startswith("compat.onnx.roi_align(")
    x = RNG.standard_normal((1, 2, 8, 9), dtype=np.float32)
    low = RNG.uniform(0, 15, (4, 2))
    rois = np.hstack([low, low + RNG.uniform(4, 15, (4, 2))]).astype(np.float32)
    feeds = {"x": x, "rois": rois, "index": np.zeros(4, np.int64)}
    said = align(coordinate_transformation_mode=mode, **{a.name: helper.get_attribute_value(a) for a in node.attribute})
    # Opset 10 has no such attribute and computes what opset 16 calls output_half_pixel, which is why that is there. The reference
    # takes the default of opset 16 under every opset: so the mode is said.
    explicit = model([said], 16, inputs, [value("y", [4, 2, 2, 3])])
    (expected,) = ReferenceEvaluator(explicit).run(None, feeds)
    actual = profile.roi_align(x, rois, feeds["index"], **dict(found.arguments))
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_nodes_of_other_domains(tmp_path):
    nodes = [
        helper.make_node("MaxRoiPool", ["x", "r"], ["a"], pooled_shape=[7, 7], spatial_scale=0.0625),
        helper.make_node("CropAndResize", ["x", "r", "i", "s"], ["b"], domain="com.microsoft", mode="nearest"),
        helper.make_node("MMCVRoiAlign", ["x", "r"], ["c"], domain="mmcv", output_height=7, output_width=5, aligned=0),
        helper.make_node("SomeRoiThing", ["x"], ["d"], domain="mmcv"),
        helper.make_node("NonMaxSuppression", ["p", "q"], ["e"]),
        helper.make_node("CropAndResize", ["x", "r"], ["f"], domain="trt.plugins", crop_height=7, crop_width=5),
    ]
    pool, crop, mmcv, unknown, plugin = roi_nodes(saved(tmp_path, nodes))
    assert plugin.profile == "compat.tensorrt.crop_and_resize(crop_height=7, crop_width=5)"
    assert pool.profile == "compat.onnx.max_roi_pool(pooled_shape=(7, 7), spatial_scale=0.0625)"
    assert dict(crop.arguments)["mode"] == "nearest"
    assert dict(mmcv.arguments)["output_size"] == (7, 5) and dict(mmcv.arguments)["aligned"] is False
    assert unknown.profile is None and "not known" in str(unknown)


MAP = RNG.standard_normal((1, 4, 12, 14), dtype=np.float32)
BOXES = np.array([[0, 3, 4, 30, 41], [0, 10, 2, 50, 44]], np.float32)
TURNED = np.array([[0, 20, 22, 18, 25, 0.4], [0, 30, 15, 22, 12, -1]], np.float32)
LEVELS = [RNG.standard_normal((1, 2, 32 >> level, 32 >> level), dtype=np.float32) for level in range(5)]
SCALED = dict(spatial_scale=0.25, sampling_ratio=2)
#: Nodes as mmcv, mmdeploy and converters for TensorRT write them, with operands for the function that is named.
WRITTEN = [
    (
        "MMCVRoiAlign",
        "mmdeploy",
        dict(output_height=2, output_width=3, mode="max", aligned=0, **SCALED),
        (MAP, BOXES),
        lambda: fastroi.roi_align(MAP, BOXES, (2, 3), 0.25, 2, False, reduce="max", arithmetic="float32"),
    ),
    (
        "MMCVRoIAlignRotated",
        "mmcv",
        dict(output_height=2, output_width=2, aligned=1, clockwise=1, **SCALED),
        (MAP, TURNED),
        lambda: fastroi.roi_align_rotated(MAP, TURNED, 2, 0.25, 2, clockwise=True, arithmetic="float32"),
    ),
    (
        "MMCVDeformRoIPool",
        "mmcv",
        dict(pooled_height=2, pooled_width=3, gamma=0.1, spatial_scale=0.25, sampling_ratio=2.0),
        (MAP, BOXES, None),
        lambda: fastroi.deform_roi_pool(MAP, BOXES, None, (2, 3), 0.25, 2, arithmetic="float32"),
    ),
    (
        "PrRoIPool",
        "mmcv",
        dict(pooled_height=2, pooled_width=3, spatial_scale=0.25),
        (MAP, BOXES),
        lambda: fastroi.prroi_pool(MAP, BOXES, (2, 3), 0.25),
    ),
    (
        "ROIAlign_TRT",
        "trt.plugins",
        dict(output_height=2, output_width=3, coordinate_transformation_mode=0, mode=1, **SCALED),
        (MAP, BOXES[:, 1:], np.zeros(2, int)),
        lambda: fastroi.roi_align(MAP, BOXES, (2, 3), 0.25, 2, False, arithmetic="float32"),
    ),
    (
        "PyramidROIAlign_TRT",
        "",
        dict(pooled_size=2, image_size=[128, 128], roi_coords_swap=1, sampling_ratio=1, fpn_scale=1000),
        (BOXES[None, :, [2, 1, 4, 3]], *LEVELS[:4]),
        lambda: fastroi.roi_align(LEVELS[0], BOXES, 2, 0.25, 1, "clamp_half_pixel", arithmetic="float32")[None],
    ),
    (
        "MultilevelCropAndResize_TRT",
        "",
        dict(pooled_size=2, image_size=[3, 128, 128]),
        (BOXES[None, :, [2, 1, 4, 3]], *LEVELS),
        lambda: fastroi.roi_align(LEVELS[0], BOXES, 2, 0.25, 1, "clamp_output_half_pixel", arithmetic="float32")[None],
    ),
]


@pytest.mark.parametrize("op_type, domain, attributes, operands, expected", WRITTEN, ids=[row[0] for row in WRITTEN])
def test_nodes_as_other_packages_write_them(tmp_path, op_type, domain, attributes, operands, expected):
    """The named function takes the named arguments, and gives what the node computes."""
    node = helper.make_node(op_type, ["x", "r"], ["y"], domain=domain, **attributes)
    (found,) = roi_nodes(saved(tmp_path, [node]))
    _, package, function = found.profile.split("(")[0].split(".")
    named = getattr(importlib.import_module(f"fastroi.compat.{package}"), function)
    np.testing.assert_allclose(named(*operands, **dict(found.arguments)), expected(), atol=1e-5)


def test_subgraphs(tmp_path, capsys):
    inner = helper.make_graph([align()], "then", [], [value("y")])
    other = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "else", [], [value("y")])
    branch = helper.make_node("If", ["c"], ["y"], name="choice", then_branch=inner, else_branch=other)
    path = saved(tmp_path, [branch])
    (found,) = roi_nodes(path)
    assert found.path == "choice/then_branch"
    assert main(["identify", "--onnx", str(path)]) == 0
    assert "compat.onnx.roi_align(" in capsys.readouterr().out


def test_no_model(tmp_path, capsys):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model at all")
    assert main(["identify", "--onnx", str(path)]) == 1
    assert "no ONNX model can be read from it" in capsys.readouterr().err
