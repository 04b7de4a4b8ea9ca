"""The RoI nodes of ONNX files, and that the function named for each gives what ONNX's reference does."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

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
    explicit = model(
        [said], 16, inputs, [value("y", [4, 2, 2, 3])]
    )  # the reference of opset 10 shifts corners, against its text
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
    ]
    pool, crop, mmcv, unknown = roi_nodes(saved(tmp_path, nodes))
    assert pool.profile == "compat.onnx.max_roi_pool(pooled_shape=(7, 7), spatial_scale=0.0625)"
    assert dict(crop.arguments)["mode"] == "nearest"
    assert dict(mmcv.arguments)["output_size"] == (7, 5) and dict(mmcv.arguments)["aligned"] is False
    assert unknown.profile is None and "not known" in str(unknown)


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
