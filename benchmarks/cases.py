"""The workloads speed is measured on, as data.

Only NumPy is needed, and nothing here asks which fastroi is installed, so the same cases run
against every version. The lists are append-only: a recorded figure keeps its meaning only while
the map, the boxes and the seed behind its name stay what they were.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

ISAS = ("avx512", "avx2", "neon", "baseline")
LAYOUTS = ("NCHW", "NHWC")
THREADS = (1, 2)


def _generator(workload: str, what: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{workload}/{what}".encode()))


@lru_cache(maxsize=2)
def _map(workload, shape, layout, dtype, what="map") -> np.ndarray:
    values = _generator(workload, what).standard_normal(shape, dtype="float32")
    if layout == "NHWC":
        values = np.ascontiguousarray(values.transpose(0, 2, 3, 1))
    values = values.astype(dtype, copy=False)
    values.flags.writeable = False
    return values


@dataclass(frozen=True)
class Case:
    """One operator on one workload.

    Parameters
    ----------
    workload : str
        Stable name; also the seed of map and boxes.
    op : str
        Name of the fastroi function.
    map_shape : tuple of int
        (N, C, H, W), whatever the layout of the array is.
    scale : float
        Cells of the map per image pixel.
    rois_per_image : int
        Number of boxes on each of the N images.
    sides : tuple
        ("uniform", lo, hi): sides in pixels uniform in lo..hi (at most the image), box inside
        the image. ("log", lo, hi): sides log-uniform, centre uniform, clipped to the image.
        ("square", side, side): squares of that side, inside the image.
    output_size : tuple of int
        (PH, PW), in bins.
    layout : str
        Layout of the operator's usual input.
    params : dict
        Keyword arguments of the operator.
    levels : int
        Maps of a pyramid, each of half the height and width of the one before.
    """

    workload: str
    op: str
    map_shape: tuple[int, int, int, int]
    scale: float
    rois_per_image: int
    sides: tuple[str, float, float]
    output_size: tuple[int, int]
    layout: str = "NCHW"
    params: dict = field(default_factory=dict)
    levels: int = 1

    @property
    def name(self) -> str:
        return f"{self.workload}/{self.op}"

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the image in pixels."""
        if self.op == "paste_masks":
            return self.output_size
        return round(self.map_shape[2] / self.scale), round(self.map_shape[3] / self.scale)

    @property
    def roi_count(self) -> int:
        return self.map_shape[0] * self.rois_per_image

    @property
    def of_masks(self) -> bool:
        """Whether the map is (N, 1, h, w) masks, one box for each, and the result booleans without channels."""
        return self.op.endswith("_masks")

    @property
    def output_channels(self) -> int:
        channels = self.map_shape[1]
        if "ps_roi" in self.op:
            return channels // (self.output_size[0] * self.output_size[1])
        return channels

    def output_shape(self, layout: str | None = None) -> tuple[int, ...]:
        ph, pw = self.output_size
        if self.of_masks:
            return self.roi_count, ph, pw
        if (layout or self.layout) == "NCHW":
            return self.roi_count, self.output_channels, ph, pw
        return self.roi_count, ph, pw, self.output_channels

    def bytes_moved(self, itemsize: int = 4) -> tuple[int, int]:
        """(bytes of the map, bytes of the output): what any implementation must at least move."""
        cells = sum(int(np.prod(self.level_shape(level))) for level in range(self.levels))
        map_itemsize = 1 if self.op == "crop_masks" else itemsize
        return cells * map_itemsize, int(np.prod(self.output_shape())) * (1 if self.of_masks else itemsize)

    def output_dtype(self, dtype="float32") -> np.dtype:
        """Return the type of the result for a map of `dtype`."""
        return np.dtype(bool if self.of_masks else dtype)

    def level_shape(self, level: int) -> tuple[int, int, int, int]:
        """Return (N, C, H, W) of a level of the pyramid."""
        images, channels, height, width = self.map_shape
        return images, channels, height >> level, width >> level

    def reduced(self, max_rois: int) -> Case:
        """Return the same case with at most `max_rois` boxes on each image, or as many masks."""
        if self.of_masks:
            return replace(self, map_shape=(min(self.map_shape[0], max_rois), *self.map_shape[1:]))
        return replace(self, rois_per_image=min(self.rois_per_image, max_rois))

    def features(self, layout: str | None = None, dtype="float32") -> np.ndarray:
        """Return the standard normal map, contiguous in `layout` and read-only; (N, h, w) for masks.

        The masks of images that are cropped are booleans whatever `dtype` is.
        """
        values = _map(self.workload, self.map_shape, layout or self.layout, str(np.dtype(dtype)))
        if not self.of_masks:
            return values
        return values[:, 0] > 0 if self.op == "crop_masks" else values[:, 0]

    def pyramid(self, layout: str | None = None, dtype="float32") -> list[np.ndarray]:
        """Return the maps of all levels, finest first."""
        coarser = [
            _map(self.workload, self.level_shape(n), layout or self.layout, str(np.dtype(dtype)), f"map {n}")
            for n in range(1, self.levels)
        ]
        return [self.features(layout, dtype), *coarser]

    def offsets(self) -> np.ndarray:
        """Return float32 (K, 2, PH, PW) offsets of the bins, x first, as deformable operators take them."""
        shape = (self.roi_count, 2, *self.output_size)
        return _generator(self.workload, "offsets").uniform(-1, 1, shape).astype("float32")

    def boxes(self) -> np.ndarray:
        """Return float32 (K, 5) rows [batch, x1, y1, x2, y2] in image pixels."""
        rng = _generator(self.workload, "boxes")
        size = np.array(self.image_size[::-1], dtype=float)
        kind, low, high = self.sides
        shape = (self.roi_count, 2)
        if kind == "log":
            half = np.exp(rng.uniform(np.log(low), np.log(high), shape)) / 2
            centre = rng.uniform(0, 1, shape) * size
            start, stop = np.maximum(centre - half, 0), np.minimum(centre + half, size)
        else:
            lengths = rng.uniform(low, high, shape) if kind == "uniform" else np.full(shape, low)
            lengths = np.minimum(lengths, size)
            start = rng.uniform(0, 1, shape) * (size - lengths)
            stop = start + lengths
        batch = np.repeat(np.arange(self.map_shape[0]), self.rois_per_image)
        return np.column_stack([batch, start, stop]).astype("float32")

    def rotated_boxes(self) -> np.ndarray:
        """Return float32 (K, 6) rows [batch, cx, cy, w, h, angle]: pixels and degrees."""
        boxes = self.boxes()
        angles = _generator(self.workload, "angles").uniform(-180, 180, len(boxes))
        centre = (boxes[:, 1:3] + boxes[:, 3:5]) / 2
        return np.column_stack([boxes[:, 0], centre, boxes[:, 3:5] - boxes[:, 1:3], angles]).astype("float32")

    def normalised_boxes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return crop_and_resize's float32 (K, 4) [y1, x1, y2, x2] in 0..1, and int32 indices."""
        boxes = self.boxes()
        height, width = self.image_size
        limits = np.array([height - 1, width - 1, height - 1, width - 1], dtype="float32")
        normalised = np.minimum(boxes[:, [2, 1, 4, 3]] / limits, np.float32(1))
        return normalised, boxes[:, 0].astype("int32")

    def op_boxes(self) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Return the boxes in the form this case's operator takes."""
        if self.op.endswith("_rotated"):
            return self.rotated_boxes()
        if self.of_masks:
            return self.boxes()[:, 1:]
        return self.normalised_boxes() if self.op == "crop_and_resize" else self.boxes()


_A_MAP, _B_MAP, _C_MAP = (1, 512, 16, 16), (1, 512, 38, 50), (1, 256, 200, 272)
_POOL = {"rule": "fast_rcnn"}
_ALIGN = {"sampling_ratio": 2, "aligned": True}
_ROTATED = {**_ALIGN, "angle_unit": "degrees"}
_ADAPTIVE = {"sampling_ratio": 0, "aligned": True}
_A_SIDES, _B_SIDES, _C_SIDES = ("uniform", 64, 400), ("log", 32, 600), ("log", 8, 200)

MAIN = (
    Case("A3", "roi_pool", _A_MAP, 1 / 32, 1000, _A_SIDES, (3, 3), params=_POOL),
    Case("A7", "roi_pool", _A_MAP, 1 / 32, 1000, _A_SIDES, (7, 7), params=_POOL),
    Case("B300", "roi_pool", _B_MAP, 1 / 16, 300, _B_SIDES, (7, 7), params=_POOL),
    Case("B2000", "roi_pool", _B_MAP, 1 / 16, 2000, _B_SIDES, (7, 7), params=_POOL),
    Case("E", "roi_pool", _C_MAP, 1 / 4, 300, ("uniform", 400, 1000), (7, 7), params=_POOL),
    Case("A3", "roi_align", _A_MAP, 1 / 32, 1000, _A_SIDES, (3, 3), params=_ALIGN),
    Case("A7", "roi_align", _A_MAP, 1 / 32, 1000, _A_SIDES, (7, 7), params=_ALIGN),
    Case("B300", "roi_align", _B_MAP, 1 / 16, 300, _B_SIDES, (7, 7), params=_ALIGN),
    Case("B2000", "roi_align", _B_MAP, 1 / 16, 2000, _B_SIDES, (7, 7), params=_ALIGN),
    Case("C", "roi_align", _C_MAP, 1 / 4, 1000, _C_SIDES, (7, 7), params=_ALIGN),
    Case("D", "roi_align", _C_MAP, 1 / 4, 100, _C_SIDES, (14, 14), params=_ALIGN),
    Case("E", "roi_align", _C_MAP, 1 / 4, 300, ("uniform", 400, 1000), (7, 7), params=_ADAPTIVE),
    Case("F", "roi_align", (8, 256, 50, 68), 1 / 16, 512, _B_SIDES, (7, 7), params=_ALIGN),
    Case("G", "ps_roi_pool", (1, 1029, 38, 63), 1 / 16, 300, _B_SIDES, (7, 7)),
    Case(
        "G",
        "ps_roi_align",
        (1, 1029, 38, 63),
        1 / 16,
        300,
        _B_SIDES,
        (7, 7),
        params={"sampling_ratio": 2},
    ),
    Case("H", "crop_and_resize", _C_MAP, 1 / 4, 1000, _C_SIDES, (14, 14), layout="NHWC"),
    Case("C", "roi_align_rotated", _C_MAP, 1 / 4, 1000, _C_SIDES, (7, 7), params=_ROTATED),
    Case("D", "roi_align_rotated", _C_MAP, 1 / 4, 100, _C_SIDES, (14, 14), params=_ROTATED),
)
"""The workloads of the published tables."""

FLOOR_RULE = tuple(replace(case, params={"rule": "floor"}) for case in MAIN if case.op == "roi_pool")
"""RoI pooling under the floor rule, which reads fewer cells and has a table of its own."""

SMALL = tuple(
    Case(f"{name}{count}", op, shape, scale, count, ("log", 8, 64), (7, 7), params=params)
    for op, params in (("roi_pool", _POOL), ("roi_align", _ALIGN))
    for name, shape, scale in (("small", _A_MAP, 1 / 32), ("large", _C_MAP, 1 / 4))
    for count in (1, 10)
)
"""Calls with one and ten RoIs: their cost should follow the RoI, not the map."""

SIDES = tuple(
    Case(f"side{side}", "roi_pool", _C_MAP, 1 / 4, 1000, ("square", side, side), (7, 7), params=_POOL)
    for side in (100, 200, 400, 800)
)
"""Cost against the side of the box."""

COUNTS = tuple(
    Case(f"count{count}", op, _C_MAP, 1 / 4, count, _C_SIDES, (7, 7), params=params)
    for op, params in (("roi_pool", _POOL), ("roi_align", _ALIGN))
    for count in (1, 10, 100, 1000)
)
"""Cost against the number of RoIs."""

_PHOTOGRAPH = (1, 3, 4000, 6000)

SPARSE = tuple(
    Case(f"sparse{count}", op, _PHOTOGRAPH, 1.0, count, ("uniform", 1500, 3500), (7, 7), layout=layout, params=params)
    for op, layout, params in (("roi_align", "NCHW", _ALIGN), ("crop_and_resize", "NHWC", {}))
    for count in (1, 100)
)
"""Few samples of large boxes on a photograph: their cost should follow the samples, not the cells between them."""

OVERHEAD = Case("call", "roi_pool", (1, 1, 4, 4), 1.0, 1, ("square", 2, 2), (1, 1), params=_POOL)
"""One RoI on a 1x1x4x4 map: what is left is the cost of a call."""

_MASK_SIDES = ("log", 16, 400)

OPERATORS = (
    Case("B2000mean", "roi_pool", _B_MAP, 1 / 16, 2000, _B_SIDES, (7, 7), params={**_POOL, "reduce": "mean"}),
    Case("Cmax", "roi_align", _C_MAP, 1 / 4, 1000, _C_SIDES, (7, 7), params={**_ALIGN, "reduce": "max"}),
    Case("P", "multiscale_roi_align", _C_MAP, 1 / 4, 1000, ("log", 8, 800), (7, 7), params=_ALIGN, levels=4),
    Case("B2000", "roi_warp", _B_MAP, 1 / 16, 2000, _B_SIDES, (7, 7)),
    Case("C", "prroi_pool", _C_MAP, 1 / 4, 1000, _C_SIDES, (7, 7)),
    Case("C", "area_pool", _C_MAP, 1 / 4, 1000, _C_SIDES, (7, 7)),
    Case(
        "C",
        "riroi_align_rotated",
        _C_MAP,
        1 / 4,
        1000,
        _C_SIDES,
        (7, 7),
        params={"sampling_ratio": 2, "angle_unit": "degrees"},
    ),
    Case("C", "deform_roi_pool", _C_MAP, 1 / 4, 1000, _C_SIDES, (7, 7), params={"sampling_ratio": 2}),
    Case("G", "deform_ps_roi_pool", (1, 1029, 38, 63), 1 / 16, 300, _B_SIDES, (7, 7), params={"group_size": 7}),
    Case(
        "Hnearest",
        "crop_and_resize",
        _C_MAP,
        1 / 4,
        1000,
        _C_SIDES,
        (14, 14),
        layout="NHWC",
        params={"method": "nearest"},
    ),
    Case("M", "paste_masks", (100, 1, 28, 28), 1.0, 1, _MASK_SIDES, (480, 640)),
    Case("M", "crop_masks", (50, 1, 480, 640), 1.0, 1, _MASK_SIDES, (28, 28)),
)
"""A case for each operator and reduction that no other list has. They are in none of `SETS`, so no peer meets them: most
need more than a map and boxes, and a peer that does not know a parameter would be measured without it."""

SETS = {
    "main": MAIN,
    "floor_rule": FLOOR_RULE,
    "small": SMALL,
    "sides": SIDES,
    "counts": COUNTS,
    "sparse": SPARSE,
    "overhead": (OVERHEAD,),
}


def find(op: str, workload: str) -> Case:
    """Return the case of that operator and workload (floor-rule cases excepted)."""
    for cases in (MAIN, SMALL, SIDES, COUNTS, SPARSE, (OVERHEAD,), OPERATORS):
        for case in cases:
            if (case.op, case.workload) == (op, workload):
                return case
    raise KeyError(f"no case {workload}/{op}")
