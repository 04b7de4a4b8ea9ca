"""Calls of the operators' own functions on maps without memory: what they judge need not be known here."""

from __future__ import annotations

import inspect
import math
import sys

import fastroi
from fastroi import _core
from fastroi._checks.numbers import positive_integer

from ._listing import Parameters, classes_of, unread_map
from ._values import bins, numbers, scales, size

_CORNERS, _NORMALISED = ("x1", "y1", "x2", "y2"), ("y1", "x1", "y2", "x2")
_TURNED = ("cx", "cy", "w", "h", "angle")


class Call:
    """A call of an operator on one box.

    Attributes
    ----------
    box : tuple of float
    output_size : tuple of int
    sizes : list of tuple of int
        Of each level.
    scales : list of tuple of float, or [None]
        Of each level, vertical and horizontal.
    """

    def __init__(self, operator, box, output_size, spatial_scale, map_size, options):
        if not isinstance(operator, str) or operator not in _core.OPERATORS:
            raise ValueError(f"operator: {operator!r} is not one of {', '.join(map(repr, _core.OPERATORS))}")
        if "out" in options:
            raise ValueError("out: an explanation fills none")
        self.operator, self.options = operator, options
        self.function, self._row = getattr(fastroi, operator), _core.OPERATORS[operator]
        self.box = numbers(box, self._names())
        self.output_size = bins(output_size)
        if map_size is None:
            raise ValueError(f"map_size: operator {operator!r} needs it")
        self.sizes = self._sizes(map_size)
        self.scales = self._scales(spatial_scale)

    @property
    def takes_levels(self) -> bool:
        return bool(self._row.flags & _core.TAKES_LEVELS)

    @property
    def _takes_masks(self) -> bool:
        return bool(self._row.flags & _core.TAKES_MASKS)

    def _names(self):
        if self._row.flags & _core.TAKES_TURNED_BOXES:
            return _TURNED
        return _NORMALISED if self._row.flags & _core.TAKES_NORMALISED_BOXES else _CORNERS

    def _sizes(self, map_size):
        if not self.takes_levels:
            return [size(map_size, "map_size")]
        of_levels = _of_each_level(map_size, "map_size", self.operator)
        return [size(of_level, f"map_size[{level}]") for level, of_level in enumerate(of_levels)]

    def _scales(self, spatial_scale):
        if self.takes_levels:
            return [scales(scale) for scale in _of_each_level(spatial_scale, "spatial_scale", self.operator)]
        if "scale_h" in self._row.fields:
            return [scales(spatial_scale)]
        if scales(spatial_scale) != (1.0, 1.0):
            raise ValueError(f"spatial_scale: {spatial_scale!r}; operator {self.operator!r} has none")
        return [None]

    def parameters(self):
        """What the function makes of its options."""
        return self.run_on(Parameters(), 1 if self._takes_masks else 0).params

    def checked_channels(self, channels, params) -> int:
        """The channels of the map, or the fewest that the operator takes."""
        if channels is None:
            return _fewest_channels(params)
        channels = positive_integer(channels, "channels")
        if self._takes_masks and channels > 1:
            raise ValueError(f"channels: {channels} is not one, as of masks")
        return channels

    def level(self, params) -> int:
        """Which of the maps the box belongs to."""
        if not self.takes_levels:
            return 0
        level = int(params.arrays["level_of_roi"][0][0])
        if not 0 <= level < len(self.sizes):
            raise ValueError(f"levels[0]: {level} is outside [0, {len(self.sizes)})")
        return level

    def run_on(self, device, channels):
        """Call the function on maps of a device, and return the device, which has been told of the call."""
        maps = [unread_map(device, self._shape(extents, channels)) for extents in self.sizes]
        boxes, bins, options = [self.box], self.output_size, self.options
        if self.takes_levels:
            self.function(maps, boxes, bins, self.scales, **options)
        elif self._takes_masks:
            self.function(maps[0], boxes, bins, **options)
        elif self._row.flags & _core.TAKES_NORMALISED_BOXES:
            self.function(maps[0], boxes, [0], bins, **options)
        else:
            self.function(maps[0], boxes, output_size=bins, spatial_scale=self.scales[0], **options)
        return device

    def _shape(self, extents, channels):
        if self._takes_masks:
            shape = (1, *extents)
        else:
            layout = self.options.get("layout", inspect.signature(self.function).parameters["layout"].default)
            shape = (1, *extents, channels) if layout == "NHWC" else (1, channels, *extents)
        if math.prod(max(extent, 1) for extent in shape) * 8 > sys.maxsize:
            raise OverflowError(f"map_size: an array of shape {shape} exceeds the address space")
        return shape


def _fewest_channels(params) -> int:
    names = params.operator.fields
    groups = params["group_h"] * params["group_w"] if "group_h" in names else 1
    return groups * classes_of(params) * (params["orientations"] if "orientations" in names else 1)


def _of_each_level(value, name, operator):
    if not hasattr(value, "__len__"):
        raise ValueError(f"{name}: {value!r}; operator {operator!r} needs one for each level")
    return list(value)
