"""OpenVINO's RoI operations as its CPU plugin computes them, in float32 whatever the dtype of the map.

Maps of float16 and bfloat16 are rounded once, at the end. The plugin does so with ``INFERENCE_PRECISION_HINT`` f32.

The names and arguments are those of the Python operation sets (``openvino.opset15``), with arrays
in place of nodes.  Verified against openvino 2026.4: see docs/compat.md.
"""

import numpy as np

from .. import ops
from .._checks.numbers import positive_integer
from . import _boxes, _calls

__all__ = [
    "deformable_psroi_pooling",
    "experimental_detectron_roi_feature_extractor",
    "psroi_pooling",
    "roi_align",
    "roi_align_rotated",
    "roi_pooling",
]

_ELEMENTS = (*_boxes.FLOATS_AND_HALF, "bfloat16")


def _listed(coords):
    """Boxes, images, and which rows precede the first whose image is -1: that ends the list."""
    boxes, index = _boxes.truncated_index(_boxes.columns(coords, "coords", 5), "coords")
    listed = index != -1
    if not listed.all():
        listed = np.logical_and.accumulate(listed)
        _boxes.check_finite(np.where(listed[:, None], boxes, 0), "coords")
    return boxes, index, listed


def _check_counts(**counts):
    for name, count in counts.items():
        positive_integer(count, name)


@_calls.operator(
    elements=_ELEMENTS,
    in_float32="input",
    features="input",
    rois="coords",
    batch_indices="coords[{}, 0]",
    output_size="output_roi",
)
def roi_pooling(input, coords, output_roi, spatial_scale, method="max"):
    """Operation ``ROIPooling``: maximum of each bin, or one bilinear sample per bin.

    With ``method="max"`` the corners are scaled in float32 and rounded half away from zero; the bin
    edges are exact integers (rule ``"fast_rcnn"`` of `fastroi.roi_pool`).  With
    ``method="bilinear"`` the boxes are fractions of the map in [0, 1], `spatial_scale` is not used,
    and the samples are those of crop_and_resize with the last one exactly on the box's end.

    Parameters
    ----------
    input : ndarray, float32, float64, float16 or bfloat16
        (N, C, H, W).
    coords : ndarray
        (K, 5) ``[image, x1, y1, x2, y2]``, in image pixels, or in [0, 1] for bilinear.  A row whose
        image is -1 ends the list: it and all later rows give zeros.
    output_roi : (int, int)
        PH, PW.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.
    method : {"max", "bilinear"}
        How a bin is computed.

    Returns
    -------
    ndarray
        (K, C, PH, PW); 0 for an empty bin and for a sample outside the map.

    Raises
    ------
    ValueError
        A box that is not finite, an image index out of range other than -1, an unknown method.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import openvino
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> coords = np.array([[0, 0, 0, 2, 2], [-1, 0, 0, 3, 3]], np.float32)
    >>> openvino.roi_pooling(features, coords, (1, 1), 1.0).ravel()
    array([10.,  0.], dtype=float32)
    """
    if method not in ("max", "bilinear"):
        raise ValueError(f"method: {method!r} is not 'max' or 'bilinear'")
    features = _boxes.array(input, "input", 4)
    boxes, index, listed = _listed(coords)

    def pool(boxes, index):
        boxes = _boxes.in_float32(boxes, "coords")
        if method == "bilinear":
            return _bilinear_pooling(features, boxes, index, output_roi)
        return _calls.pool(features, _boxes.scaled_float32(boxes, spatial_scale), index, output_roi, 1.0, "fast_rcnn")

    return _boxes.with_zero_rows(pool, boxes, index, listed)


def _bilinear_pooling(features, boxes, index, extents):
    """crop_and_resize of boxes given as fractions x1, y1, x2, y2, with 0 outside the map."""
    return _calls.crop(features, boxes[:, [1, 0, 3, 2]], index, extents, "bilinear", 0.0, exact_end=True)


@_calls.operator(elements=_ELEMENTS, in_float32="data", features="data")
def roi_align(
    data, rois, batch_indices, pooled_h, pooled_w, sampling_ratio, spatial_scale, mode, aligned_mode="asymmetric"
):
    """Operation ``ROIAlign``.

    ``mode="max"`` interpolates and takes the maximum, from 0 upwards: a bin of negative samples
    gives 0.

    Parameters
    ----------
    data : ndarray, float32, float64, float16 or bfloat16
        (N, C, H, W).
    rois : ndarray
        (K, 4) ``[x1, y1, x2, y2]`` in image pixels, taken as float32.
    batch_indices : ndarray of int
        (K,) image of each RoI.
    pooled_h, pooled_w : int
        PH and PW.
    sampling_ratio : int
        Samples per bin and axis; 0 takes ceil(extent / P).
    spatial_scale : float
        Map cells per image pixel, rounded to float32.
    mode : {"avg", "max"}
        Mean or maximum of the samples.
    aligned_mode : {"asymmetric", "half_pixel_for_nn", "half_pixel"}
        Corners on the map: x * scale with extents of at least a cell; x * scale - 0.5; or
        (x + 0.5) * scale - 0.5.

    Returns
    -------
    ndarray
        (K, C, PH, PW); 0 for a bin without samples (the package: NaN).

    Raises
    ------
    ValueError
        An unknown mode, a box that is not finite, an index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import openvino
    >>> data = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> openvino.roi_align(data, np.array([[0, 0, 2, 2]], np.float32), [0], 1, 1, 2, 1.0, "avg")
    array([[[[5.]]]], dtype=float32)
    """
    if mode not in ("avg", "max"):
        raise ValueError(f"mode: {mode!r} is not 'avg' or 'max'")
    if aligned_mode not in ("asymmetric", "half_pixel_for_nn", "half_pixel"):
        raise ValueError(f"aligned_mode: {aligned_mode!r} is not 'asymmetric', 'half_pixel_for_nn' or 'half_pixel'")
    features = _boxes.array(data, "data", 4)
    boxes = _boxes.in_float32(_boxes.columns(rois, "rois", 4), "rois")
    if aligned_mode == "half_pixel":
        boxes = boxes + np.float32(0.5)
    return _calls.align(
        features,
        boxes,
        batch_indices,
        _calls.extents(pooled_h=pooled_h, pooled_w=pooled_w),
        spatial_scale,
        sampling_ratio,
        aligned_mode != "asymmetric",
        "mean" if mode == "avg" else _calls.MAX_FROM_ZERO,
    )


@_calls.operator(
    elements=_ELEMENTS,
    in_float32="input",
    features="input",
    rois="coords",
    batch_indices="coords[{}, 0]",
    output_size="group_size",
)
def psroi_pooling(input, coords, output_dim, group_size, spatial_scale, spatial_bins_x, spatial_bins_y, mode):
    """Operation ``PSROIPooling``: R-FCN's mean of each bin, or bilinear parts.

    With ``mode="average"`` the corners are round(x1) and round(x2 + 1), rounded before scaling, and
    the channels are ordered class, bin row, bin column.  With ``mode="bilinear"`` the boxes
    times `spatial_scale` are fractions of the map; each is cut into `spatial_bins_x` by `spatial_bins_y` parts, every part is
    sampled on a grid of `group_size` points with its own `output_dim` channels (order part, class),
    and the parts are averaged; a sample outside the map is 0.

    Parameters
    ----------
    input : ndarray, float32, float64, float16 or bfloat16
        (N, output_dim * group_size ** 2, H, W); for bilinear
        (N, output_dim * spatial_bins_x * spatial_bins_y, H, W).
    coords : ndarray
        (K, 5) ``[image, x1, y1, x2, y2]``, in image pixels; for bilinear, times `spatial_scale` in
        [0, 1].  A row whose image is -1 ends the list: it and all later rows give zeros.
    output_dim : int
        Classes C of the result.
    group_size : int
        P, bins per side.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.
    spatial_bins_x, spatial_bins_y : int
        Parts per side, for bilinear.
    mode : {"average", "bilinear"}
        How a bin is computed.

    Returns
    -------
    ndarray
        (K, C, P, P); 0 for an empty bin.

    Raises
    ------
    ValueError
        An unknown mode, channels that do not fit, a box that is not finite, an index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import openvino
    >>> data = np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1) * np.ones((4, 4), np.float32)
    >>> coords = np.array([[0, 0, 0, 3, 3]], np.float32)
    >>> openvino.psroi_pooling(data, coords, 1, 2, 1.0, 1, 1, "average")[0, 0]
    array([[0., 1.],
           [2., 3.]], dtype=float32)
    """
    if mode not in ("average", "bilinear"):
        raise ValueError(f"mode: {mode!r} is not 'average' or 'bilinear'")
    features = _boxes.array(input, "input", 4)
    _check_counts(
        output_dim=output_dim, group_size=group_size, spatial_bins_x=spatial_bins_x, spatial_bins_y=spatial_bins_y
    )
    parts = group_size**2 if mode == "average" else spatial_bins_x * spatial_bins_y
    if features.shape[1] != output_dim * parts:
        raise ValueError(f"input: {features.shape[1]} channels; {output_dim} x {parts} required")
    boxes, index, listed = _listed(coords)

    def pool(boxes, index):
        boxes = _boxes.in_float32(boxes, "coords")
        if mode == "average":
            return _calls.ps_pool(features, boxes, index, group_size, spatial_scale, "openvino")
        scaled = _boxes.scaled_float32(boxes, spatial_scale)
        return _mean_of_parts(features, scaled, index, output_dim, group_size, spatial_bins_x, spatial_bins_y)

    return _boxes.with_zero_rows(pool, boxes, index, listed)


def _sampled(features, boxes, index, extents):
    """crop_and_resize of boxes given as fractions x1, y1, x2, y2, the last sample where its rounding puts it."""
    corners = boxes[:, [1, 0, 3, 2]]
    return _calls.aside(ops.crop_and_resize, features, corners, index, extents, layout="NCHW", dtype=np.float32)


def _mean_of_parts(features, boxes, index, classes, group, columns, rows):
    """The mean over the parts of a box, each sampled from the channels of its own."""
    _calls.expect((len(boxes), classes, group, group), features.dtype)
    with np.errstate(over="ignore"):
        step = (boxes[:, 2:] - boxes[:, :2]) / np.asarray([columns, rows], np.float32)
    total = 0.0
    for part in range(columns * rows):
        place = np.asarray([part % columns, part // columns], np.float32)
        corners = np.hstack([boxes[:, :2] + place * step, boxes[:, :2] + (place + 1) * step])
        own = features[:, part * classes : (part + 1) * classes]
        total = total + _sampled(own, corners, index, (group, group))
    return (total / np.float32(columns * rows)).astype(features.dtype, copy=False)


@_calls.operator(
    elements=_ELEMENTS,
    in_float32="feature_maps",
    floats=("trans_std",),
    features="feature_maps",
    rois="coords",
    batch_indices="coords[{}, 0]",
    output_size="group_size",
    trans="offsets",
)
def deformable_psroi_pooling(
    feature_maps,
    coords,
    output_dim,
    spatial_scale,
    group_size=1,
    mode="bilinear_deformable",
    spatial_bins_x=1,
    spatial_bins_y=1,
    trans_std=1.0,
    part_size=1,
    offsets=None,
):
    """Operation ``DeformablePSROIPooling``.

    Corners are round(x1) * scale - 0.5 and (round(x2) + 1) * scale - 0.5; every bin moves by
    ``trans_std * offset * extent`` and takes the mean of its samples *on the map*.

    Parameters
    ----------
    feature_maps : ndarray, float32, float64, float16 or bfloat16
        (N, output_dim * group_size ** 2, H, W), order class, bin row, bin column; channels beyond are
        not used.
    coords : ndarray
        (K, 5) ``[image, x1, y1, x2, y2]`` in image pixels.  A row whose image is -1 ends the list.
    output_dim : int
        Classes C of the result.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.
    group_size : int
        P, bins per side.
    mode : {"bilinear_deformable"}
        The only one.
    spatial_bins_x, spatial_bins_y : int
        Samples per bin on each axis.
    trans_std : float
        Factor of the offsets, rounded to float32.
    part_size : int
        Cells per side of the grid of offsets.
    offsets : ndarray, optional
        (K, 2 * classes, part_size, part_size): horizontal plane, then vertical, for each class.  With
        other last extents the numbers are taken in their order in memory, as the plugin takes them,
        if there are enough: (K, 2, G, G) with the default `part_size` 1 is read as its first 2 K
        numbers.

    Returns
    -------
    ndarray
        (K, C, P, P); 0 for a bin without a sample on the map.

    Raises
    ------
    ValueError
        Another mode, too few channels or offsets, invalid boxes.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import openvino
    >>> data = np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1) * np.ones((4, 4), np.float32)
    >>> coords = np.array([[0, 0, 0, 3, 3]], np.float32)
    >>> openvino.deformable_psroi_pooling(data, coords, 1, 1.0, 2)[0, 0]
    array([[0., 1.],
           [2., 3.]], dtype=float32)
    """
    if mode != "bilinear_deformable":
        raise ValueError(f"mode: {mode!r} is not 'bilinear_deformable'")
    samples = {"spatial_bins_x": spatial_bins_x, "spatial_bins_y": spatial_bins_y}
    _check_counts(output_dim=output_dim, group_size=group_size, part_size=part_size, **samples)
    features = _boxes.array(feature_maps, "feature_maps", 4)
    used = output_dim * group_size**2
    if features.shape[1] < used:
        raise ValueError(
            f"feature_maps: {features.shape[1]} channels; at least {output_dim} x {group_size**2} required"
        )
    boxes, index, listed = _listed(coords)
    moves = _moves(offsets, listed, part_size)

    def pool(boxes, index):
        arguments = (
            features[:, :used],
            _boxes.in_float32(boxes, "coords"),
            index,
            moves,
            group_size,
            group_size,
            part_size,
        )
        if spatial_bins_x == spatial_bins_y:
            return _calls.deform_ps(*arguments, spatial_bins_x, trans_std, spatial_scale)
        return _mean_of_samples(*arguments, spatial_bins_x, spatial_bins_y, trans_std, spatial_scale)

    return _boxes.with_zero_rows(pool, boxes, index, listed)


def _moves(offsets, listed, part):
    """(K, 2 classes, part, part): the offsets as the plugin finds them in memory, whatever their last two extents."""
    if offsets is None:
        return None
    offsets = _boxes.narrowed(_boxes.array(offsets, "offsets", 4))
    shape = (len(listed), offsets.shape[1], part, part)
    if len(offsets) != len(listed) or offsets.shape[1] < 2 or offsets.shape[1] % 2:
        raise ValueError(f"offsets: shape {offsets.shape}; ({len(listed)}, 2 * classes, {part}, {part}) required")
    if offsets.size < np.prod(shape):
        raise ValueError(f"offsets: {offsets.size} numbers of shape {offsets.shape}; {shape} required")
    moves = offsets.ravel()[: np.prod(shape)].reshape(shape)
    return np.where(listed[:, None, None, None], moves, 0)


def _mean_of_samples(features, boxes, index, moves, size, group, part, columns, rows, trans_std, scale):
    """Bins of `columns` by `rows` samples, each of which is a bin of one sample that is moved to its place."""
    _calls.expect((len(boxes), features.shape[1] // group**2, size, size), features.dtype)
    if moves is None:
        moves = np.zeros((len(boxes), 2, size, size), np.float32)
    else:
        of_bin = np.arange(size) * part // size
        moves = moves[:, :, of_bin][..., of_bin] * np.float32(trans_std)
    on_map = np.ones_like(features)
    total = count = np.zeros((len(boxes), features.shape[1] // group**2, size, size), np.float32)
    for row, column in np.ndindex(rows, columns):
        place = np.tile(np.array([column / columns, row / rows], np.float32) / size, moves.shape[1] // 2)
        arguments = boxes, index, moves + place[:, None, None], size, group, size, 1, 1.0, scale
        total = total + _calls.deform_ps(features, *arguments, dtype=np.float32, run=_calls.aside)
        count = count + _calls.deform_ps(on_map, *arguments, dtype=np.float32, run=_calls.aside)
    return (total / np.maximum(count, 1)).astype(features.dtype, copy=False)


@_calls.operator(elements=_ELEMENTS, in_float32="data", features="data")
def roi_align_rotated(data, rois, batch_indices, pooled_h, pooled_w, sampling_ratio, spatial_scale, clockwise_mode):
    """Operation ``ROIAlignRotated``: mean of bilinear samples of a turned grid.

    Half a cell is always subtracted from the scaled centre; extents are not widened.

    Parameters
    ----------
    data : ndarray, float32, float64, float16 or bfloat16
        (N, C, H, W).
    rois : ndarray
        (K, 5) ``[centre x, centre y, width, height, angle]``, image pixels and radians.
    batch_indices : ndarray of int
        (K,) image of each RoI.
    pooled_h, pooled_w : int
        PH and PW.
    sampling_ratio : int
        Samples per bin and axis; 0 takes ceil(extent / P).
    spatial_scale : float
        Map cells per image pixel, rounded to float32.
    clockwise_mode : bool
        A positive angle turns clockwise on the screen.

    Returns
    -------
    ndarray
        (K, C, PH, PW).

    Raises
    ------
    ValueError
        A box that is not finite, an index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import openvino
    >>> data = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> rois = np.array([[2, 2, 2, 2, 0]], np.float32)
    >>> openvino.roi_align_rotated(data, rois, [0], 1, 1, 2, 1.0, True)
    array([[[[7.5]]]], dtype=float32)
    """
    features = _boxes.array(data, "data", 4)
    boxes = _boxes.columns(rois, "rois", 5)
    return _calls.turned(
        features,
        boxes,
        batch_indices,
        _calls.extents(pooled_h=pooled_h, pooled_w=pooled_w),
        spatial_scale,
        sampling_ratio,
        aligned=True,
        clockwise=clockwise_mode,
        degrees=False,
    )


@_calls.operator(
    elements=_ELEMENTS,
    in_float32="inputs",
    feature_pyramid="inputs",
    features="inputs",
    rois="inputs[0][{}]",
    batch_indices="inputs[0][{}]",
)
def experimental_detectron_roi_feature_extractor(inputs, output_size, sampling_ratio, pyramid_scales, aligned=False):
    """Operation ``ExperimentalDetectronROIFeatureExtractor``: RoIAlign over one image's pyramid.

    The level of a box is floor(2 + log2(sqrt(area) / 224 + 1e-6)), held between the first and the
    last; a box without a positive area gives zeros.  Extents are at least one cell, also with
    `aligned`.

    Parameters
    ----------
    inputs : list of ndarray
        (K, 4) boxes ``[x1, y1, x2, y2]`` in image pixels, then the maps (1, C, H_l, W_l), finest
        first: boxes go to maps by their number, whatever the scales.
    output_size : int
        P.
    sampling_ratio : int
        Samples per bin and axis; 0 takes ceil(extent / P).
    pyramid_scales : list of int
        Image pixels per cell of each level.
    aligned : bool
        Subtract half a cell from the scaled corners.

    Returns
    -------
    (ndarray, ndarray)
        (K, C, P, P) in the order of the boxes, and the boxes.

    Raises
    ------
    TypeError
        Inputs that are not in a list, maps of different types.
    ValueError
        Maps of more than one image, levels that do not fit the scales, invalid boxes.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import openvino
    >>> maps = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> boxes = np.array([[0, 0, 8, 8]], np.float32)
    >>> openvino.experimental_detectron_roi_feature_extractor([boxes, maps], 1, 2, [4])[0]
    array([[[[5.]]]], dtype=float32)
    """
    _boxes.check_listed(inputs, "inputs", "boxes and maps")
    if len(inputs) < 2:
        raise ValueError(f"inputs: {len(inputs)} arrays; boxes and at least one map required")
    rois, *levels = inputs
    boxes = _boxes.in_float32(_boxes.columns(rois, "inputs[0]", 4), "inputs[0]")
    maps = [_boxes.array(level, f"inputs[{n}]", 4) for n, level in enumerate(levels, 1)]
    for n, level in enumerate(maps, 1):
        _boxes.check_elements(level, f"inputs[{n}]", _ELEMENTS)
    _boxes.same_levels(maps, lambda level: f"inputs[{level + 1}]")
    if len(maps[0]) != 1:
        raise ValueError("inputs: one image per level required")
    scales = _cells_per_pixel(pyramid_scales, len(maps))
    size = _calls.extents(output_size=output_size) * 2
    rows = _boxes.indexed(boxes, np.zeros(len(boxes)))
    levels = _calls.levels(boxes, 0, len(maps), "epsilon_1e-6", 224, 2)
    levels = np.where(_boxes.areas(boxes) > 0, levels, -1)
    pooled = _calls.multiscale(maps, rows, size, scales, sampling_ratio, "least_one" if aligned else False, levels)
    return pooled, boxes.copy()


def _cells_per_pixel(pyramid_scales, count):
    """Reciprocals of pixels per cell, one for each of `count` levels in any order."""
    strides = np.atleast_1d(_boxes.array(pyramid_scales, "pyramid_scales")).tolist()
    if len(strides) != count:
        raise ValueError(f"pyramid_scales: {len(strides)} for {count} levels")
    return [1.0 / _boxes.positive_scale(stride, f"pyramid_scales[{n}]", np.float32) for n, stride in enumerate(strides)]
