"""Deformable RoI pooling: bins that move by learnt offsets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex

import numpy as np

from ._checks.call import Call, element_array
from ._checks.numbers import output_extents, positive_integer, real_number, sampling, scales
from ._core import Params
from ._devices import device_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from ._types import Arithmetic, Array, Layout, Result, Rois, Sampling, Scale, Size

__all__ = ["deform_ps_roi_pool", "deform_roi_pool"]


class _Offsets:
    """Four-dimensional offsets of bins, or none; those narrower than float32 are read as float32."""

    array: Array | None = None
    sources: tuple[Array, ...] = ()

    def __init__(self, values: ArrayLike | None, name: str, features: ArrayLike) -> None:
        self.name = name
        if values is None:
            return
        device = device_of(features)
        array, _ = element_array(values, name, device)
        if array.ndim != 4:
            raise ValueError(f"{name}: {array.ndim} dimensions; 4 required")
        self.sources = (array,)
        self.array, self.code = element_array(array.astype(np.float32) if array.itemsize < 4 else array, name, device)

    def attach(self, call: Call, params: Params, shape: tuple[int, ...]) -> None:
        """Make them a parameter of a call, for which they must have this shape."""
        if self.array is None:
            return
        if self.array.shape != shape:
            raise ValueError(f"{self.name}: shape {self.array.shape}; {shape} required")
        call.attach(params, self.name, self.array, self.code)


def deform_roi_pool(
    features: ArrayLike,
    rois: Rois,
    offset: ArrayLike | None,
    output_size: Size,
    spatial_scale: Scale = 1.0,
    sampling_ratio: Sampling = -1,
    gamma: SupportsFloat = 0.1,
    *,
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    arithmetic: Arithmetic = "float64",
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> Result:
    """RoIAlign whose bins move by learnt offsets: mmcv's DeformRoIPool.

    Parameters
    ----------
    features, rois, output_size, spatial_scale, batch_indices, layout, dtype, out, num_threads
        As in :func:`roi_pool`.
    offset : array_like of floats, or of integers of 8 or 16 bits, or None
        (K, 2, PH, PW), x first: bin (ph, pw) moves by gamma * box width * offset[k, 0, ph, pw] cells to the right and by
        gamma * box height * offset[k, 1, ph, pw] cells down. Whatever the layout of the features.
    sampling_ratio : int or (int, int)
        As in :func:`roi_align`, at most 1024.
    gamma : float
    arithmetic : {"float64", "float32"}
        Type of coordinates, grid sizes and zone tests. Frameworks use the type of the features.

    Returns
    -------
    ndarray
        (K, C, PH, PW), or (K, PH, PW, C) for NHWC, in the dtype of the features. A box of zero area gives 0 under an adaptive
        grid.

    Raises
    ------
    ValueError
        Also when an offset is not finite: the message names its place.
    TypeError, OverflowError
        As :func:`roi_pool`.

    Notes
    -----
    RoIAlign with ``aligned=True``; the mean is over all points. Source: ``deform_roi_pool_cuda_kernel.cuh`` of mmcv.

    Examples
    --------
    >>> import numpy as np, fastroi
    >>> features = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> offset = np.zeros((1, 2, 1, 1))
    >>> offset[0, 0] = 5  # 0.1 * width 2 * 5: one cell to the right
    >>> fastroi.deform_roi_pool(features, [[0.5, 0.5, 2.5, 2.5]], offset, 1, sampling_ratio=1)[0, 0]
    array([[6.]])
    """
    params = Params(
        "deform_roi_pool",
        arithmetic=arithmetic,
        gamma=real_number(gamma, "gamma"),
        sampling=sampling(sampling_ratio),
        scale=scales(spatial_scale),
    )
    offsets = _Offsets(offset, "offset", features)
    call = Call(features, rois, output_size, batch_indices, layout, out, dtype, sources=offsets.sources)
    offsets.attach(call, params, (len(call.boxes), 2, *call.extents))
    return call.run(params, num_threads)


def deform_ps_roi_pool(
    features: ArrayLike,
    rois: Rois,
    trans: ArrayLike | None,
    output_size: Size,
    spatial_scale: Scale = 1.0,
    *,
    group_size: Size | None = None,
    part_size: Size | None = None,
    sample_per_part: SupportsIndex = 4,
    trans_std: SupportsFloat = 0.1,
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    arithmetic: Arithmetic = "float64",
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> Result:
    """Deformable position-sensitive RoI pooling of Deformable ConvNets (MXNet, OpenVINO).

    Parameters
    ----------
    features : array_like of floats, or of integers of 8 or 16 bits
        (N, C * GH * GW, H, W), or channels last with ``layout="NHWC"``.
    rois, output_size, spatial_scale, batch_indices, layout, dtype, out, num_threads
        As in :func:`roi_pool`.
    trans : array_like of floats, or of integers of 8 or 16 bits, or None
        (K, 2 * classes, part rows, part columns), the x plane of each class first: a bin moves by trans_std * box extent *
        trans. The C output channels are divided evenly among the classes.
    group_size : int or (int, int), optional
        GH, GW; default the output size. Bin p reads group floor(p * G / P) and output channel c input channel
        (c * GH + gh) * GW + gw.
    part_size : int or (int, int), optional
        Rows and columns of ``trans``; default the output size. Bin p reads part floor(p * part / P).
    sample_per_part : int
        Points per bin and axis, at most 1024.
    trans_std : float
    arithmetic : {"float64", "float32"}
        Type of coordinates and zone tests. Frameworks use the type of the features.

    Returns
    -------
    ndarray
        (K, C, PH, PW), or (K, PH, PW, C) for NHWC, in the dtype of the features.

    Raises
    ------
    ValueError
        Also when an offset is not finite, or the channels are not a multiple of GH * GW or of the classes.
    TypeError, OverflowError
        As :func:`roi_pool`.

    Notes
    -----
    The box is round(x1) * scale - 0.5 to (round(x2) + 1) * scale - 0.5, at least 0.1 long; point i of a bin is at its start
    + i * bin / sample_per_part; those in [-0.5, L - 0.5] count and are moved into [0, L - 1]; the mean is over the points that
    count, 0 when none does. Source: J. Dai et al., Deformable Convolutional Networks, 2017; ``deformable_psroi_pooling.cu``
    of MXNet.

    Examples
    --------
    >>> import numpy as np, fastroi
    >>> features = np.arange(4.0)[None, :, None, None] * np.ones((1, 4, 6, 6))
    >>> fastroi.deform_ps_roi_pool(features, [[0, 0, 4, 4]], None, 2)[0, 0]
    array([[0., 1.],
           [2., 3.]])
    """
    extents = output_extents(output_size)
    groups = extents if group_size is None else output_extents(group_size, "group_size")
    parts = extents if part_size is None else output_extents(part_size, "part_size")
    params = Params(
        "deform_ps_roi_pool",
        arithmetic=arithmetic,
        group=groups,
        part=parts,
        sample_per_part=positive_integer(sample_per_part, "sample_per_part"),
        trans_std=real_number(trans_std, "trans_std"),
        scale=scales(spatial_scale),
    )
    offsets = _Offsets(trans, "trans", features)
    call = Call(
        features,
        rois,
        extents,
        batch_indices,
        layout,
        out,
        dtype,
        channels_per_output=math.prod(groups),
        sources=offsets.sources,
    )
    if offsets.array is not None:
        planes = offsets.array.shape[1]
        if planes < 2 or planes % 2:
            raise ValueError(f"trans: {planes} planes; two for each class required")
        offsets.attach(call, params, (len(call.boxes), planes, *parts))
    return call.run(params, num_threads)
