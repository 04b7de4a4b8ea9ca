"""The RoI nodes of an ONNX file: their attributes, what they compute, and the profile function that equals each.

The file is read by the `onnx` package: ``pip install onnx``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["RoiNode", "roi_nodes"]

_STANDARD = ("", "ai.onnx")


@dataclass(frozen=True, slots=True)
class RoiNode:
    """A node that pools RoIs.

    Attributes
    ----------
    name : str
        Of the node, or of its first output where it has none.
    path : str
        The subgraphs it lies in, as ``"if_1/then_branch"``; empty for the graph itself.
    domain, op_type : str
        ``""`` is ONNX's own domain.
    opset : int or None
        Version of the domain that the model imports.
    attributes : tuple of (str, value)
        As they stand in the file.
    inputs, outputs : tuple of str
    computes : str
        What it computes, the defaults of this opset included.
    profile : str or None
        The function of `fastroi.compat` that equals it, with arguments; None where no function is known to.
    arguments : tuple of (str, value)
        Keywords of that function.
    """

    name: str
    path: str
    domain: str
    op_type: str
    opset: int | None
    attributes: tuple[tuple[str, Any], ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    computes: str
    profile: str | None
    arguments: tuple[tuple[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain dicts, lists, numbers and strings, ready for `json.dumps`."""
        listed = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("attributes", "arguments"):
            listed[name] = {key: list(value) if isinstance(value, tuple) else value for key, value in listed[name]}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in listed.items()}

    def __str__(self) -> str:
        kind = f"{self.domain}.{self.op_type}" if self.domain not in _STANDARD else self.op_type
        opset = "" if self.opset is None else f", opset {self.opset}"
        where = f" in {self.path}" if self.path else ""
        attributes = ", ".join(f"{name}={value!r}" for name, value in self.attributes) or "none"
        equals = self.profile or "no function is known to"
        return f"{self.name}: {kind}{opset}{where}\n  attributes  {attributes}\n  computes    {self.computes}\n  equals      {equals}"


def roi_nodes(path: str | os.PathLike[str]) -> list[RoiNode]:
    """List the RoI nodes of an ONNX file, those of subgraphs and local functions too.

    Parameters
    ----------
    path : str or path
        The file. Weights that lie beside it are not read.

    Returns
    -------
    list of RoiNode
        In the order of the graph. Besides ONNX's own operators and ONNX Runtime's, any node is listed whose type speaks of
        RoIs or crops.

    Raises
    ------
    ImportError
        Without the `onnx` package.
    ValueError
        The file is no ONNX model.

    Examples
    --------
    >>> from fastroi.identify.onnx_nodes import roi_nodes
    >>> for node in roi_nodes("model.onnx"):  # doctest: +SKIP
    ...     print(node.profile)
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError("reading a model needs onnx: pip install onnx", name=error.name) from error
    with open(path, "rb") as file:
        content = file.read()
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's class of errors differs from version to version
        raise ValueError(f"{os.fspath(path)}: no ONNX model can be read from it: {error}") from None
    if not model.graph.node and not model.opset_import:
        raise ValueError(f"{os.fspath(path)}: no ONNX model can be read from it: it has neither nodes nor an opset")
    opsets = {_plain(entry.domain): entry.version for entry in model.opset_import}
    found = [_described(node, where, opsets) for node, where in _walk(model.graph.node, "")]
    for function in model.functions:
        own = {**opsets, **{_plain(entry.domain): entry.version for entry in function.opset_import}}
        found += [_described(node, where, own) for node, where in _walk(function.node, function.name)]
    return found


def _plain(domain: str) -> str:
    return "" if domain in _STANDARD else domain


def _walk(nodes: Any, path: str) -> Iterator[tuple[Any, str]]:
    """RoI nodes and where they are, through the bodies of If, Loop and Scan."""
    for number, node in enumerate(nodes):
        if _pools_rois(node.op_type):
            yield node, path
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                inner = f"{node.name or f'{node.op_type}_{number}'}/{attribute.name}"
                yield from _walk(graph.node, f"{path}/{inner}" if path else inner)


def _pools_rois(op_type: str) -> bool:
    kind = op_type.lower().replace("_", "")
    return "roi" in kind or "cropandresize" in kind


def _described(node: Any, path: str, opsets: dict[str, int]) -> RoiNode:
    import onnx

    domain = _plain(node.domain)
    attributes = {attribute.name: _value(onnx.helper.get_attribute_value(attribute)) for attribute in node.attribute}
    opset = opsets.get(domain)
    describe = _KNOWN.get((domain, node.op_type)) or _CUSTOM.get(node.op_type) or _unknown
    computes, function, arguments = describe(attributes, opset)
    text = None if function is None else f"{function}({', '.join(f'{k}={v!r}' for k, v in arguments.items())})"
    return RoiNode(
        name=node.name or node.output[0],
        path=path,
        domain=domain,
        op_type=node.op_type,
        opset=opset,
        attributes=tuple(attributes.items()),
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        computes=computes,
        profile=text,
        arguments=tuple(arguments.items()),
    )


def _value(value: Any) -> Any:
    """Bytes as text, lists as tuples, and of float32 numbers the shortest decimal."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):
        import numpy as np

        return float(str(np.float32(value)))
    if isinstance(value, (int, str)):
        return value
    if isinstance(value, (list, tuple)):
        return tuple(map(_value, value))
    return f"<{type(value).__name__}>"


# --- what each computes -------------------------------------------------------------------------------------------------------

_Description = tuple[str, "str | None", dict[str, Any]]


def _align_text(reduce: str, ratio: int, aligned: bool) -> str:
    grid = f"{ratio}x{ratio} samples a bin" if ratio > 0 else "as many samples as a bin has cells"
    shift = "corners half a cell less" if aligned else "corners not shifted, boxes of at least one cell"
    return f"RoIAlign, {reduce} of {grid}, {shift}"


def _roi_align(attributes: dict[str, Any], opset: int | None) -> _Description:
    """Before opset 16 there was no such attribute, and corners were not shifted."""
    default = "half_pixel" if opset is None or opset >= 16 else "output_half_pixel"
    mode = attributes.get("coordinate_transformation_mode", default)
    arguments = {
        "coordinate_transformation_mode": mode,
        "mode": attributes.get("mode", "avg"),
        "output_height": attributes.get("output_height", 1),
        "output_width": attributes.get("output_width", 1),
        "sampling_ratio": attributes.get("sampling_ratio", 0),
        "spatial_scale": attributes.get("spatial_scale", 1.0),
    }
    reduce = "mean" if arguments["mode"] == "avg" else "maximum of the weighted corners"
    computes = _align_text(reduce, arguments["sampling_ratio"], mode == "half_pixel")
    if "coordinate_transformation_mode" not in attributes:
        why = "the default since opset 16" if mode == "half_pixel" else "all that there is before opset 16"
        computes += f" ({mode}, {why})"
    return computes, "compat.onnx.roi_align", arguments


def _max_roi_pool(attributes: dict[str, Any], opset: int | None) -> _Description:
    arguments = {"pooled_shape": attributes.get("pooled_shape"), "spatial_scale": attributes.get("spatial_scale", 1.0)}
    computes = (
        "RoIPool, maximum, rule fast_rcnn_f32 (mmcv exports its roi_pool as this node, and computes rule mmcv itself)"
    )
    return computes, "compat.onnx.max_roi_pool", arguments


def _crop_and_resize(attributes: dict[str, Any], opset: int | None) -> _Description:
    arguments = {
        "mode": attributes.get("mode", "bilinear"),
        "extrapolation_value": attributes.get("extrapolation_value", 0.0),
    }
    computes = f"crop_and_resize, {arguments['mode']}, the last sample on the end of the box; crop_size is an input"
    return computes, "compat.onnx.crop_and_resize", arguments


def _mmcv_align(attributes: dict[str, Any], opset: int | None) -> _Description:
    """mmcv and mmdeploy write every attribute; the defaults are those of their TensorRT plugin."""
    aligned = bool(attributes.get("aligned", 1))
    arguments = {
        **_mmcv_shared(attributes, "output", 7),
        "sampling_ratio": int(attributes.get("sampling_ratio", 0)),
        "pool_mode": attributes.get("mode", "avg"),
        "aligned": aligned,
    }
    reduce = "mean" if arguments["pool_mode"] == "avg" else "maximum of the interpolated samples"
    return _align_text(reduce, arguments["sampling_ratio"], aligned), "compat.mmcv.roi_align", arguments


def _mmcv_rotated(attributes: dict[str, Any], opset: int | None) -> _Description:
    """mmcv itself writes the output's height as its width too, whatever the width was; mmdeploy writes both."""
    arguments = {
        **_mmcv_shared(attributes, "output", 7),
        "sampling_ratio": int(attributes.get("sampling_ratio", 0)),
        "aligned": bool(attributes.get("aligned", 1)),
        "clockwise": bool(attributes.get("clockwise", 0)),
    }
    turned = "clockwise" if arguments["clockwise"] else "counter-clockwise"
    computes = _align_text("mean", arguments["sampling_ratio"], arguments["aligned"])
    return f"{computes}, boxes turned {turned}", "compat.mmcv.roi_align_rotated", arguments


def _mmcv_deformable(attributes: dict[str, Any], opset: int | None) -> _Description:
    ratio = int(attributes.get("sampling_ratio", 0))
    arguments = {
        **_mmcv_shared(attributes, "pooled", 1),
        "sampling_ratio": ratio,
        "gamma": attributes.get("gamma", 0.1),
    }
    computes = f"{_align_text('mean', ratio, True)}, bins moved by the third input where there is one"
    return computes, "compat.mmcv.deform_roi_pool", arguments


def _mmcv_precise(attributes: dict[str, Any], opset: int | None) -> _Description:
    return (
        "PrRoIPool, the exact mean of the bilinear surface",
        "compat.mmcv.prroi_pool",
        _mmcv_shared(attributes, "pooled", 1),
    )


def _mmcv_shared(attributes: dict[str, Any], prefix: str, default: int) -> dict[str, Any]:
    size = tuple(attributes.get(f"{prefix}_{side}", default) for side in ("height", "width"))
    return {"output_size": size, "spatial_scale": attributes.get("spatial_scale", 1.0)}


def _tensorrt_align(attributes: dict[str, Any], opset: int | None) -> _Description:
    names = ("output_height", "output_width", "sampling_ratio")
    arguments = {name: attributes.get(name, default) for name, default in zip(names, (1, 1, 0), strict=True)}
    arguments["spatial_scale"] = attributes.get("spatial_scale", 1.0)
    for name in ("coordinate_transformation_mode", "mode"):
        arguments[name] = attributes.get(name, 1)
    reduce = "mean" if arguments["mode"] else "maximum of the weighted corners"
    computes = _align_text(reduce, arguments["sampling_ratio"], bool(arguments["coordinate_transformation_mode"]))
    return computes, "compat.tensorrt.roi_align", arguments


def _tensorrt_pyramid(attributes: dict[str, Any], opset: int | None) -> _Description:
    """What is not in the file has the same default in the plugin and in the function."""
    names = ("pooled_size", "fpn_scale", "roi_coords_transform", "sampling_ratio")
    flags = ("roi_coords_absolute", "roi_coords_swap", "roi_coords_plusone", "legacy")
    arguments = {name: attributes[name] for name in names if name in attributes}
    arguments |= {name: bool(attributes[name]) for name in flags if name in attributes}
    if "image_size" in attributes:
        arguments["image_size"] = tuple(attributes["image_size"])
    computes = "RoIAlign from the level of four that each box's area tells, corners and samples clamped to the map"
    return computes, "compat.tensorrt.pyramid_roi_align", arguments


def _tensorrt_levels(attributes: dict[str, Any], opset: int | None) -> _Description:
    arguments = {name: attributes[name] for name in ("pooled_size", "image_size") if name in attributes}
    computes = "one clamped sample a bin, from the level of five that each box's area tells"
    return computes, "compat.tensorrt.multilevel_crop_and_resize", arguments


def _tensorrt_crop(attributes: dict[str, Any], opset: int | None) -> _Description:
    arguments = {name: attributes.get(name) for name in ("crop_height", "crop_width")}
    computes = "crop_and_resize, bilinear, TensorFlow's steps, 0 outside the map"
    return computes, "compat.tensorrt.crop_and_resize", arguments


def _unknown(attributes: dict[str, Any], opset: int | None) -> _Description:
    return "not known: run it and give features, boxes and output to fastroi.identify", None, {}


_Describe = Callable[[dict[str, Any], "int | None"], _Description]
_KNOWN: dict[tuple[str, str], _Describe] = {
    ("", "RoiAlign"): _roi_align,
    ("", "MaxRoiPool"): _max_roi_pool,
    ("com.microsoft", "CropAndResize"): _crop_and_resize,
}
_CUSTOM: dict[str, _Describe] = {  # of whatever domain: mmcv, mmdeploy, trt.plugins, ONNX's own
    "MMCVRoiAlign": _mmcv_align,
    "MMCVRoIAlignRotated": _mmcv_rotated,
    "MMCVDeformRoIPool": _mmcv_deformable,
    "PrRoIPool": _mmcv_precise,
    "ROIAlign_TRT": _tensorrt_align,
    "PyramidROIAlign_TRT": _tensorrt_pyramid,
    "MultilevelCropAndResize_TRT": _tensorrt_levels,
    "CropAndResize": _tensorrt_crop,
    "CropAndResizeDynamic": _tensorrt_crop,
}
