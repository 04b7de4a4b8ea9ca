"""torchvision's RoI operators (``torchvision.ops``) on NumPy arrays.

Verified against torchvision 0.29: see docs/compat.md.  Maps and boxes must share one dtype, as
torchvision requires; float32 maps are computed with float32 geometry, float64 maps with float64. float16 maps and boxes are computed in
float32, coordinates and sums, and rounded once: torchvision rounds every product and sum of theirs to float16.
"""

import math
from collections.abc import Iterable, Mapping

import numpy as np

from .._checks.names import calling
from .._checks.numbers import output_extents
from . import _boxes, _byte_masks, _calls
from ._layers import Layer

__all__ = [
    "MultiScaleRoIAlign",
    "PSRoIAlign",
    "PSRoIPool",
    "RoIAlign",
    "RoIPool",
    "paste_masks_in_image",
    "project_masks_on_boxes",
    "ps_roi_align",
    "ps_roi_pool",
    "roi_align",
    "roi_pool",
]


def _rows(boxes, features, name="input"):
    """(K, 5) rows of a (K, 5) array or of one (Li, 4) array per image."""
    if isinstance(boxes, (list, tuple)):
        none = np.empty((0, 4), features.dtype)
        tables = [none if _is_empty_list(t) else _boxes.columns(t, f"boxes[{i}]", 4) for i, t in enumerate(boxes)]
        if not tables:
            return np.empty((0, 5), features.dtype)
        boxes = np.concatenate([_boxes.indexed(table, np.full(len(table), i)) for i, table in enumerate(tables)])
    boxes = _boxes.columns(boxes, "boxes", 5)
    return _boxes.same_dtype(boxes, features, "boxes", name, _boxes.FLOATS_AND_HALF)


def _is_empty_list(table):
    """Whether a table of boxes is a list that says only that there are none."""
    return isinstance(table, (list, tuple)) and not table


@_calls.operator(
    scale=float, elements=_boxes.FLOATS_AND_HALF, features="input", rois="boxes", batch_indices="boxes[{}, 0]"
)
def roi_pool(input, boxes, output_size, spatial_scale=1.0):
    """Maximum of each bin: ``torchvision.ops.roi_pool``.

    Corners are scaled and rounded half away from zero in the dtype of the map, the box is closed
    (one cell more than the difference), bin edges are floor and ceil of p n / P in that dtype: rules
    ``"fast_rcnn_f32"`` and ``"fast_rcnn_f64"`` of `fastroi.roi_pool`.

    Parameters
    ----------
    input : ndarray, float32, float64 or float16
        (N, C, H, W).
    boxes : ndarray or list of ndarray
        (K, 5) ``[image, x1, y1, x2, y2]`` in image pixels, or one (L, 4) array per image, ``[]`` for none.
    output_size : int or (int, int)
        PH, PW.
    spatial_scale : float
        Map cells per image pixel.

    Returns
    -------
    ndarray
        (K, C, PH, PW), in the dtype of `input`; 0 for an empty bin.

    Raises
    ------
    TypeError
        Boxes in another dtype than the map.
    ValueError
        A box that is not finite or an image index out of range (torchvision reads beyond the map).

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import torchvision
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> boxes = np.array([[0, 0, 0, 2, 2]], dtype=np.float32)
    >>> torchvision.roi_pool(features, boxes, 1)
    array([[[[10.]]]], dtype=float32)
    """
    features = _boxes.array(input, "input", 4)
    rule = "fast_rcnn_f64" if features.dtype == np.float64 else "fast_rcnn_f32"
    return _calls.pool(features, _rows(boxes, features), None, output_size, spatial_scale, rule)


@_calls.operator(
    scale=float, elements=_boxes.FLOATS_AND_HALF, features="input", rois="boxes", batch_indices="boxes[{}, 0]"
)
def roi_align(input, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=False):
    """Mean of bilinear samples: ``torchvision.ops.roi_align``.

    Samples outside [-1, H] x [-1, W] count as 0, the rest is clamped to the map.  The default
    ``aligned=False`` is the legacy mode: no half-pixel shift, boxes of at least one cell.

    Parameters
    ----------
    input : ndarray, float32, float64 or float16
        (N, C, H, W).
    boxes : ndarray or list of ndarray
        (K, 5) ``[image, x1, y1, x2, y2]`` in image pixels, or one (L, 4) array per image, ``[]`` for none.
    output_size : int or (int, int)
        PH, PW.
    spatial_scale : float
        Map cells per image pixel.
    sampling_ratio : int
        Samples per bin and axis; 0 or less takes ceil(extent / P).
    aligned : bool
        Subtract half a cell from the scaled corners.

    Returns
    -------
    ndarray
        (K, C, PH, PW), in the dtype of `input`; 0 for a bin without samples.

    Raises
    ------
    TypeError
        Boxes in another dtype than the map.
    ValueError
        A box that is not finite or an image index out of range (torchvision reads beyond the map).
        A box reversed on one axis, adaptive and aligned, gives 0 here and an error there.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import torchvision
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> boxes = np.array([[0, 0, 0, 2, 2]], dtype=np.float32)
    >>> torchvision.roi_align(features, boxes, 1, sampling_ratio=2, aligned=True)
    array([[[[2.5]]]], dtype=float32)
    """
    features = _boxes.array(input, "input", 4)
    return _calls.align(features, _rows(boxes, features), None, output_size, spatial_scale, sampling_ratio, aligned)


@_calls.operator(
    scale=float, elements=_boxes.FLOATS_AND_HALF, features="input", rois="boxes", batch_indices="boxes[{}, 0]"
)
def ps_roi_pool(input, boxes, output_size, spatial_scale=1.0):
    """Position-sensitive mean of each bin: ``torchvision.ops.ps_roi_pool``.

    Corners are rounded after scaling; the box is open (no cell added) and at least one cell long;
    the bins are clipped to H - 1 and W - 1, so the last row and column are never pooled.

    Parameters
    ----------
    input : ndarray, float32, float64 or float16
        (N, C * P * P, H, W), channels in the order class, bin row, bin column.
    boxes : ndarray or list of ndarray
        (K, 5) ``[image, x1, y1, x2, y2]`` in image pixels, or one (L, 4) array per image, ``[]`` for none.
    output_size : int
        P.
    spatial_scale : float
        Map cells per image pixel.

    Returns
    -------
    ndarray
        (K, C, P, P), in the dtype of `input`; 0 for an empty bin.

    Raises
    ------
    TypeError
        Boxes in another dtype than the map.
    ValueError
        A box that is not finite, an image index out of range, channels no multiple of P * P.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import torchvision
    >>> features = np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1) * np.ones((4, 4), np.float32)
    >>> boxes = np.array([[0, 0, 0, 2, 2]], dtype=np.float32)
    >>> torchvision.ps_roi_pool(features, boxes, 2)[0, 0]
    array([[0., 1.],
           [2., 3.]], dtype=float32)
    """
    features = _boxes.array(input, "input", 4)
    return _calls.ps_pool(features, _rows(boxes, features), None, output_size, spatial_scale, "torchvision")


@_calls.operator(
    scale=float, elements=_boxes.FLOATS_AND_HALF, features="input", rois="boxes", batch_indices="boxes[{}, 0]"
)
def ps_roi_align(input, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1):
    """Position-sensitive mean of bilinear samples: ``torchvision.ops.ps_roi_align``.

    Always shifted by half a cell (as ``aligned=True``), never widened to a cell.

    Parameters
    ----------
    input : ndarray, float32, float64 or float16
        (N, C * P * P, H, W), channels in the order class, bin row, bin column.
    boxes : ndarray or list of ndarray
        (K, 5) ``[image, x1, y1, x2, y2]`` in image pixels, or one (L, 4) array per image, ``[]`` for none.
    output_size : int
        P.
    spatial_scale : float
        Map cells per image pixel.
    sampling_ratio : int
        Samples per bin and axis; 0 or less takes ceil(extent / P).

    Returns
    -------
    ndarray
        (K, C, P, P), in the dtype of `input`; 0 for a bin without samples (torchvision: NaN).

    Raises
    ------
    TypeError
        Boxes in another dtype than the map.
    ValueError
        A box that is not finite, an image index out of range, channels no multiple of P * P.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import torchvision
    >>> features = np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1) * np.ones((4, 4), np.float32)
    >>> boxes = np.array([[0, 1, 1, 3, 3]], dtype=np.float32)
    >>> torchvision.ps_roi_align(features, boxes, 2)[0, 0]
    array([[0., 1.],
           [2., 3.]], dtype=float32)
    """
    features = _boxes.array(input, "input", 4)
    return _calls.ps_align(features, _rows(boxes, features), None, output_size, spatial_scale, sampling_ratio, True)


class RoIPool(Layer):
    """`roi_pool` with fixed settings: ``torchvision.ops.RoIPool``.

    Parameters
    ----------
    output_size, spatial_scale
        As in `roi_pool`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import torchvision
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> boxes = np.array([[0, 0, 0, 2, 2]], dtype=np.float32)
    >>> torchvision.RoIPool(1, 1.0)(features, boxes)
    array([[[[10.]]]], dtype=float32)
    """

    def __init__(self, output_size, spatial_scale):
        super().__init__(output_size=output_size, spatial_scale=spatial_scale)

    @calling(boxes="rois")
    @_calls.operator()
    def __call__(self, input, rois):
        """Pool as `roi_pool` does."""
        return roi_pool(input, rois, **self._settings)


class RoIAlign(Layer):
    """`roi_align` with fixed settings: ``torchvision.ops.RoIAlign``.

    Parameters
    ----------
    output_size, spatial_scale, sampling_ratio, aligned
        As in `roi_align`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import torchvision
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> boxes = np.array([[0, 0, 0, 2, 2]], dtype=np.float32)
    >>> torchvision.RoIAlign(1, 1.0, 2)(features, boxes)
    array([[[[5.]]]], dtype=float32)
    """

    def __init__(self, output_size, spatial_scale, sampling_ratio, aligned=False):
        super().__init__(
            output_size=output_size, spatial_scale=spatial_scale, sampling_ratio=sampling_ratio, aligned=aligned
        )

    @calling(boxes="rois")
    @_calls.operator()
    def __call__(self, input, rois):
        """Pool as `roi_align` does."""
        return roi_align(input, rois, **self._settings)


class PSRoIPool(Layer):
    """`ps_roi_pool` with fixed settings: ``torchvision.ops.PSRoIPool``.

    Parameters
    ----------
    output_size, spatial_scale
        As in `ps_roi_pool`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import torchvision
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> boxes = np.array([[0, 0, 0, 2, 2]], dtype=np.float32)
    >>> torchvision.PSRoIPool(1, 1.0)(features, boxes)
    array([[[[2.5]]]], dtype=float32)
    """

    def __init__(self, output_size, spatial_scale):
        super().__init__(output_size=output_size, spatial_scale=spatial_scale)

    @calling(boxes="rois")
    @_calls.operator()
    def __call__(self, input, rois):
        """Pool as `ps_roi_pool` does."""
        return ps_roi_pool(input, rois, **self._settings)


class PSRoIAlign(Layer):
    """`ps_roi_align` with fixed settings: ``torchvision.ops.PSRoIAlign``.

    Parameters
    ----------
    output_size, spatial_scale, sampling_ratio
        As in `ps_roi_align`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import torchvision
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> boxes = np.array([[0, 0, 0, 2, 2]], dtype=np.float32)
    >>> torchvision.PSRoIAlign(1, 1.0, 2)(features, boxes)
    array([[[[2.5]]]], dtype=float32)
    """

    def __init__(self, output_size, spatial_scale, sampling_ratio):
        super().__init__(output_size=output_size, spatial_scale=spatial_scale, sampling_ratio=sampling_ratio)

    @calling(boxes="rois")
    @_calls.operator()
    def __call__(self, input, rois):
        """Pool as `ps_roi_align` does."""
        return ps_roi_align(input, rois, **self._settings)


class MultiScaleRoIAlign(Layer):
    """RoIAlign over a feature pyramid: ``torchvision.ops.MultiScaleRoIAlign``.

    The level of a box is floor(canonical_level + log2(sqrt(area) / canonical_scale) + 1e-6), held
    between those of the first and the last map; every box is pooled with ``aligned=False``.

    Parameters
    ----------
    featmap_names : list of str
        Keys of the maps to use; their order is that of the dict.
    output_size : int or (int, int)
        PH, PW.
    sampling_ratio : int
        As in `roi_align`.
    canonical_scale : int
        Side, in image pixels, of the square box that belongs to `canonical_level`.
    canonical_level : int
        Level of a box of that size.

    Attributes
    ----------
    scales : list of float or None
        Map cells per image pixel of each map, found at the first call and kept: the power of two
        nearest to the map's height beside the largest image height.

    Notes
    -----
    Levels count from that of the first map, so the n-th level is the n-th map even where strides
    do not double. A box whose level has no map gives zeros, as does every box if the first map is
    coarser than the last.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import torchvision
    >>> pooler = torchvision.MultiScaleRoIAlign(["0"], 1, 2)
    >>> features = {"0": np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)}
    >>> pooler(features, [np.array([[0, 0, 2, 2]], np.float32)], [(4, 4)])
    array([[[[5.]]]], dtype=float32)
    """

    def __init__(self, featmap_names, output_size, sampling_ratio, *, canonical_scale=224, canonical_level=4):
        super().__init__(
            featmap_names=_listed_names(featmap_names),
            output_size=output_size,
            sampling_ratio=sampling_ratio,
            canonical_scale=canonical_scale,
            canonical_level=canonical_level,
        )
        self.scales = None

    @_calls.operator(
        elements=_boxes.FLOATS_AND_HALF,
        feature_pyramid="x",
        rois="boxes",
        batch_indices="boxes[{}, 0]",
        canonical_size="canonical_scale",
    )
    def __call__(self, x, boxes, image_shapes):
        """Pool the boxes of all images.

        Parameters
        ----------
        x : dict of str to ndarray
            Maps (N, C, H_l, W_l); those named in `featmap_names` are used, in the dict's order.
        boxes : list of ndarray
            One (L, 4) array ``[x1, y1, x2, y2]`` in image pixels per image, ``[]`` for none.
        image_shapes : list of (int, int)
            Height and width of every image.

        Returns
        -------
        ndarray
            (K, C, PH, PW), in the order of the boxes.

        Raises
        ------
        TypeError
            Maps that are not in a dict, boxes or shapes that are not in a list.
        ValueError
            No map of those names, no image or one without height, invalid boxes.
        """
        _check_mapping(x)
        _boxes.check_listed(boxes, "boxes", "one table of boxes for each image")
        names = [name for name in x if name in self.featmap_names]
        maps = [_boxes.array(x[name], f"x[{name!r}]", 4) for name in names]
        if not maps:
            raise ValueError(f"x: none of {', '.join(map(repr, self.featmap_names))} is there")
        rows = _rows(list(boxes), maps[0], f"x[{names[0]!r}]")
        if self.scales is None:
            self.scales = _inferred_scales(maps, image_shapes)
        used = min(len(maps), len(self.scales))
        levels = self._levels(rows[:, 1:]) if len(maps) > 1 else np.zeros(len(rows), np.int64)
        levels = np.where(levels < used, levels, -1)
        return _calls.multiscale(
            maps[:used], rows, self.output_size, self.scales[:used], self.sampling_ratio, False, levels
        )

    def _levels(self, boxes):
        """Number of the map of each box; -1 for the negative areas that torchvision leaves at zero."""
        boxes = boxes.astype(np.float32) if boxes.dtype == np.float16 else boxes  # as torchvision widens them for areas
        first, last = (int(-math.log2(scale)) for scale in (self.scales[0], self.scales[-1]))
        if last < first:
            return np.full(len(boxes), -1)
        levels = _calls.levels(
            boxes, first, last - first + 1, "torchvision", self.canonical_scale, self.canonical_level
        )
        with np.errstate(over="ignore", invalid="ignore"):
            return np.where(_boxes.areas(boxes) >= 0, levels, -1)


def _listed_names(names):
    if not isinstance(names, Iterable) or getattr(names, "ndim", 1) == 0:
        raise TypeError(f"featmap_names: a {type(names).__name__}; a list of the names of maps required")
    return list(names)


def _check_mapping(maps):
    if not isinstance(maps, Mapping):
        raise TypeError(f"x: a {type(maps).__name__}; a dict from the names of maps to maps required")


def _inferred_scales(maps, image_shapes):
    """Powers of two that lead from the height of the tallest image to that of each map, judged in float32."""
    _boxes.check_listed(image_shapes, "image_shapes", "the height and width of each image")
    if len(image_shapes) == 0:
        raise ValueError("image_shapes: no image")
    for number, shape in enumerate(image_shapes):
        if np.shape(shape) != (2,):
            raise ValueError(f"image_shapes[{number}]: {shape!r}; (height, width) required")
    height = max(shape[0] for shape in image_shapes)
    if height < 1:
        raise ValueError(f"image_shapes: {height} is not a height")
    ratios = np.array([level.shape[2] / height for level in maps], np.float32)
    if not ratios.all():
        raise ValueError("x: a map without rows")
    return [2.0**power for power in np.round(np.log2(ratios)).tolist()]


@_calls.operator(rois="boxes", image_size="img_shape")
def paste_masks_in_image(masks, boxes, img_shape, padding=1):
    """Soft masks of boxes, laid on the image: ``roi_heads.paste_masks_in_image``.

    The mask is padded by a cell of zeros, its box grown in proportion and truncated to whole pixels
    with its last one included; the caller compares with a threshold.

    Parameters
    ----------
    masks : ndarray, float32, float64, uint8 or bool
        (K, 1, M, M), usually probabilities. Bytes may be 0 and 1 or 0 to 255 and stay what they are: PyTorch
        resizes them along x, then along y, and rounds to a byte after either axis, so 0 and 1 give 0 and 1.
    boxes : ndarray, float32 or float64
        (K, 4) ``[x1, y1, x2, y2]`` in image pixels. Coordinates are computed in their type.
    img_shape : (int, int)
        Height and width of the image.
    padding : {1}
        Cells of zeros around a mask; torchvision uses no other number.

    Returns
    -------
    ndarray
        (K, 1, height, width), in the dtype of `masks`, float32 for bool (which torchvision refuses); zeros for a
        box off the image.

    Raises
    ------
    TypeError
        Masks of another dtype.
    ValueError
        Another padding, masks of another shape, boxes that are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import torchvision
    >>> masks = np.ones((1, 1, 4, 4), np.float32)
    >>> boxes = np.array([[1, 0, 4, 2]], np.float32)
    >>> torchvision.paste_masks_in_image(masks, boxes, (3, 5))[0, 0] > 0.5
    array([[False, False, False, False, False],
           [False,  True,  True,  True, False],
           [False, False, False, False, False]])
    """
    if padding != 1:
        raise ValueError(f"padding: {padding!r} is not 1")
    masks = _boxes.array(masks, "masks", 4)
    if masks.shape[1] != 1 or masks.shape[2] != masks.shape[3]:
        raise ValueError(f"masks: shape {masks.shape}; (K, 1, M, M) required")
    img_shape = output_extents(img_shape, "img_shape")
    if masks.dtype == np.uint8:
        return _pasted_bytes(masks[:, 0], boxes, img_shape)[:, None]
    _calls.expect((*masks.shape[:2], *img_shape), _calls.soft_dtype(masks))
    boxes = _boxes.array(boxes, "boxes")
    arithmetic = _calls.soft_dtype(boxes).name
    return _calls.paste(masks[:, 0], boxes, img_shape, "detectron", arithmetic)[:, None]


def _pasted_bytes(masks, boxes, image_shape):
    boxes = _boxes.columns(boxes, "boxes", 4)
    _boxes.check_finite(boxes, "boxes")
    if len(masks) != len(boxes):
        raise ValueError(f"masks: {len(masks)} of them for {len(boxes)} boxes")
    if masks.shape[1] == 0:
        raise ValueError("masks: 0 x 0 cells; there is nothing to paste")
    _calls.expect((len(masks), 1, *image_shape), np.uint8)
    return _byte_masks.pasted(masks, boxes, *image_shape)


@_calls.operator(
    masks="gt_masks",
    mask_indices="matched_idxs",
    batch_indices="matched_idxs",
    rois="boxes",
    output_size="M",
    features="gt_masks",
)
def project_masks_on_boxes(gt_masks, boxes, matched_idxs, M):
    """Soft training targets from image masks: ``roi_heads.project_masks_on_boxes``.

    RoIAlign of the matched mask at scale 1, adaptive, with the legacy ``aligned=False``.

    Parameters
    ----------
    gt_masks : ndarray of bool or numbers
        (N, height, width), taken as they are: of 0 and 255 come targets from 0 to 255.
    boxes : ndarray, float32 or float64
        (K, 4) ``[x1, y1, x2, y2]`` in image pixels.
    matched_idxs : ndarray of int
        (K,) mask of each box.
    M : int
        Side of the targets.

    Returns
    -------
    ndarray
        (K, M, M), in the dtype of the boxes, in which all is computed.

    Raises
    ------
    TypeError
        Masks that are no numbers.
    ValueError
        A box that is not finite or an index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import torchvision
    >>> masks = np.array([[[1, 1, 0, 0]] * 4], np.float32)
    >>> boxes = np.array([[0, 0, 4, 4]], np.float32)
    >>> torchvision.project_masks_on_boxes(masks, boxes, np.array([0]), 2)[0]
    array([[0.75, 0.  ],
           [0.75, 0.  ]], dtype=float32)
    """
    boxes = _boxes.array(boxes, "boxes", 2)
    dtype = _calls.soft_dtype(boxes)
    _calls.expect((len(boxes), M, M), dtype)
    return _calls.project(_in_dtype(gt_masks, dtype), boxes, matched_idxs, M, aligned=False, arithmetic=dtype.name)


def _in_dtype(masks, dtype):
    """Masks in the type of the computation; float32 reads bool and bytes where they are."""
    masks = _boxes.array(masks, "gt_masks")
    if masks.dtype.kind not in "fiub":
        raise TypeError(f"gt_masks: dtype {masks.dtype} is not bool or a real number type")
    if dtype == np.float32 and masks.dtype in (np.dtype(bool), np.dtype(np.uint8)):
        return masks
    return masks.astype(dtype, copy=False) if dtype == np.float64 else _boxes.narrowed(masks)
