"""The operators of the library's table, each under all choices that the table and its function know."""

from __future__ import annotations

import functools
import inspect
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import fastroi
from fastroi import _core
from fastroi.pyramid import FPN_LEVEL_RULES

from ._problem import Array, Problem, View

Options = tuple[tuple[str, Any], ...]

#: What numbers are tried; of parameters that are not here, the function's default.
RATIOS = (-1, 1, 2, 3, 4, 5, 6, 8)
_NUMBERS: dict[str, tuple[Any, ...]] = {
    "sampling_ratio": RATIOS,
    "orientations": (8, 4, 2, 16),
    "sample_per_part": (4, 1, 2, 3),
}
_FACTORS = {"offset": ("gamma", (0.1, 1.0)), "trans": ("trans_std", (0.1, 1.0))}
#: The type of coordinates changes last bits, and most level rules the levels of few boxes: these are told apart among those
#: that are near, and only so many are tried before.
_REFINED = {
    "arithmetic": ("float64", "float32"),
    "level_rule": FPN_LEVEL_RULES,
}
_COARSE_LEVEL_RULES = ("torchvision", "matterport")
REFINED = tuple(_REFINED)
_WORDS = {"half_pixel": True, "asymmetric": False}


@functools.cache
def parameters_of(function: Any) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


@dataclass(frozen=True)
class Call:
    """What a setting is run on: some rows of a problem, and some channels."""

    maps: tuple[Array, ...]
    boxes: Array
    index: Array
    output_size: tuple[int, int]
    scale: tuple[float, float]
    arrays: dict[str, Array]
    num_threads: int | None = None


@dataclass(frozen=True)
class Setting:
    """An operator of the table with options.

    Attributes
    ----------
    name : str
        Of the function in `fastroi`.
    options : tuple of (str, value)
        Keywords that are not the function's defaults.
    order : int
        Simpler settings have smaller numbers: of several that compute the same, the first is named first.
    """

    name: str
    options: Options
    order: int

    @property
    def is_native(self) -> bool:
        return True

    @property
    def flags(self) -> int:
        return _core.OPERATORS[self.name].flags

    def run(self, call: Call) -> Array:
        """The results, (K, C, PH, PW)."""
        function = getattr(fastroi, self.name)
        options = {**dict(self.options), **self._operands(call), "num_threads": call.num_threads}
        if self.flags & _core.TAKES_MASKS:
            return self._masks(function, call, options)
        if self.flags & _core.TAKES_NORMALISED_BOXES:
            options.pop("boxes_divided_by", None)
            unit = parts_of_the_map(call, dict(self.options).get("boxes_divided_by", "L - 1"))
            return function(call.maps[0], unit, call.index, call.output_size, layout="NCHW", **options)
        options["batch_indices"] = call.index
        if self.flags & _core.TAKES_LEVELS:
            scales = [call.scale[0] / 2**level for level in range(len(call.maps))]
            return function(list(call.maps), call.boxes, call.output_size, scales, **options)
        return function(call.maps[0], call.boxes, output_size=call.output_size, spatial_scale=call.scale, **options)

    def _operands(self, call: Call) -> dict[str, Any]:
        names = [*parameters_of(getattr(fastroi, self.name))]
        return {name: call.arrays.get(name) for name in _arrays_of(self.name) if name in names}

    def _masks(self, function: Any, call: Call, options: dict[str, Any]) -> Array:
        masks = call.maps[0][:, 0]
        if "image_size" in parameters_of(function):
            return function(masks[call.index], call.boxes, call.output_size, **options)[:, None]
        return function(masks, call.boxes, call.output_size, mask_indices=call.index, **options)[:, None]

    def text(self) -> str:
        """As one would write the call, without what all have in common."""
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.options)})"


def parts_of_the_map(call: Call, divisor: str) -> Array:
    """y1, x1, y2, x2 as parts of the map, in float64: of boxes that are parts already, themselves."""
    factors = [
        scale / max(extent - 1 if divisor == "L - 1" else extent, 1)
        for scale, extent in zip(call.scale, call.maps[0].shape[2:], strict=True)
    ]
    return call.boxes.astype(np.float64)[:, [1, 0, 3, 2]] * np.tile(factors, 2)


def _arrays_of(name: str) -> tuple[str, ...]:
    fields = _core.OPERATORS[name].fields
    return tuple(field for field in fields if fields[field].of == "array" and field in _FACTORS)


def native_settings(problem: Problem, view: View) -> list[Setting]:
    """Every setting of every operator that takes such maps and boxes and gives such an output."""
    found: list[Setting] = []
    for name, row in _core.OPERATORS.items():
        if _kind(row.flags) == problem.kind or (problem.kind == "upright" and _kind(row.flags) == "normalised"):
            for options in _all_options(name, problem, view):
                found.append(Setting(name, options, len(found)))
    return found


def _kind(flags: int) -> str:
    for flag, kind in (
        (_core.TAKES_MASKS, "masks"),
        (_core.TAKES_LEVELS, "levels"),
        (_core.TAKES_TURNED_BOXES, "turned"),
        (_core.TAKES_NORMALISED_BOXES, "normalised"),
    ):
        if flags & flag:
            return kind
    return "upright"


def _all_options(name: str, problem: Problem, view: View) -> Iterator[Options]:
    """The options of one operator: the product of what each of its parameters can be."""
    parameters = parameters_of(getattr(fastroi, name))
    tried = {}
    for parameter in parameters.values():
        values = _values(name, parameter.name, problem, view)
        if values is None:  # no value of this parameter gives such an output
            return
        if values:
            tried[parameter.name] = values
    if _core.OPERATORS[name].flags & _core.TAKES_NORMALISED_BOXES:
        tried["boxes_divided_by"] = ("L - 1", "L")
    defaults = {parameter.name: parameter.default for parameter in parameters.values()}
    defaults["boxes_divided_by"] = "L - 1"
    for values in itertools.product(*tried.values()):
        yield tuple((key, value) for key, value in zip(tried, values, strict=True) if not _same(value, defaults[key]))


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and value == default


def _values(name: str, parameter: str, problem: Problem, view: View) -> tuple[Any, ...] | None:
    fields = _core.OPERATORS[name].fields
    field = fields.get(parameter)
    if parameter == "arithmetic":
        return (_arithmetic(problem),)
    if parameter == "group_size":
        return _groups(view)
    if parameter == "level_rule":
        return _COARSE_LEVEL_RULES
    if parameter == "threshold":
        return (0.5,) if problem.observed_dtype.kind == "b" else (None,)
    if parameter == "orientations":
        return tuple(n for n in _NUMBERS[parameter] if view.maps[0].shape[1] % n == 0) or None
    if parameter == "channel_order" and view.maps[0].shape[1] == view.observed.shape[1]:
        return ()  # groups of one channel have no order
    for operand, (factor, numbers) in _FACTORS.items():
        if parameter == factor:
            return numbers if operand in problem.arrays else ()
    if "group_h" not in fields and view.maps[0].shape[1] != view.observed.shape[1]:
        return None
    if field is not None and field.of == "flag":
        return False, True
    if field is not None and field.choices:
        choices = [_WORDS.get(choice, choice) if field.of == "aligned" else choice for choice in field.choices]
        return tuple(choices)
    return _NUMBERS.get(parameter, ())


def _arithmetic(problem: Problem) -> str:
    return "float64" if problem.views[0].maps[0].dtype == np.float64 else "float32"


def _groups(view: View) -> tuple[Any, ...] | None:
    """Groups of channels that lead from the channels of the map to those of the output; None as the bins are."""
    groups, rest = divmod(view.maps[0].shape[1], view.observed.shape[1])
    if rest:
        return None
    if groups == math.prod(view.output_size):
        return (None,)
    side = math.isqrt(groups)
    return ((side, side),) if side * side == groups else None


def refined(setting: Setting) -> list[Setting]:
    """The same in each type of coordinates and under each level rule."""
    parameters = parameters_of(getattr(fastroi, setting.name))
    names = [name for name in REFINED if name in parameters]
    others = tuple(option for option in setting.options if option[0] not in names)
    return [
        Setting(setting.name, (*others, *_not_defaults(parameters, names, values)), setting.order)
        for values in itertools.product(*(_REFINED[name] for name in names))
    ]


def _not_defaults(parameters: Mapping[str, inspect.Parameter], names: list[str], values: tuple[Any, ...]) -> Options:
    return tuple((name, v) for name, v in zip(names, values, strict=True) if v != parameters[name].default)
