"""The functions of `fastroi.compat` as settings: what their parameters are is read off their names and docstrings."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import math
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastroi import compat

from ._candidates import RATIOS, Call, Options, parameters_of, parts_of_the_map
from ._problem import Array, Problem, View

_ROLES = {
    "map": ("input", "X", "data", "x", "features", "image", "feature_maps", "bottom_data"),
    "boxes": ("boxes", "rois", "coords", "bottom_rois"),
    "index": ("batch_indices", "box_indices"),
    "counts": ("boxes_num",),
    "size": ("output_size", "pooled_shape", "output_roi", "crop_size", "out_size", "pooled_size"),
    "rows": ("output_height", "pooled_h", "crop_height"),
    "columns": ("output_width", "pooled_w", "crop_width"),
    "classes": ("output_dim",),
    "group": ("group_size",),
    "scale": ("spatial_scale",),
    "ratio": ("sampling_ratio", "sample_ratio", "num_samples"),
    "orientations": ("num_orientations",),
    "part_bins": ("spatial_bins_x", "spatial_bins_y", "part_size"),
    "offset": ("offset",),
    "trans": ("trans", "offsets"),
    "threads": ("num_threads",),
}
_ROLE_OF = {name: role for role, names in _ROLES.items() for name in names}
#: What takes boxes as x1, y1, x2, y2 parts of the map, under one of its choices.
_UNIT_BOXES = {("openvino", "roi_pooling"): ("method", "bilinear")}
#: Functions that are not searched, and why.
NOT_SEARCHED = {
    "distribute_fpn_proposals": "it gives boxes, not bins",
    "experimental_detectron_roi_feature_extractor": "level_rule='epsilon_1e-6' of multiscale_roi_align",
    "pyramid_roi_align": "level_rule='tensorrt' and the clamp conventions of multiscale_roi_align",
    "multilevel_crop_and_resize": "five maps of one box format; aligned='clamp_output_half_pixel' of multiscale_roi_align",
    "paste_masks_in_image": "rules of paste_masks",
    "project_masks_on_boxes": "crop_masks",
    "crop_and_resize_masks": "crop_masks",
    "tensorrt.crop_and_resize": "tensorflow.crop_and_resize with boxes of another shape",
}


@dataclass(frozen=True)
class ProfileSetting:
    """A function of a profile with its options; see `fastroi.identify._candidates.Setting`."""

    module: str
    function: str
    options: Options
    order: int

    @property
    def name(self) -> str:
        return f"compat.{self.module}.{self.function}"

    @property
    def is_native(self) -> bool:
        return False

    def text(self) -> str:
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.options)})"

    def run(self, call: Call) -> Array:
        """The results, (K, C, PH, PW). A function of one scale and one size refuses others."""
        function = getattr(importlib.import_module(f"{compat.__name__}.{self.module}"), self.function)
        keywords = dict(self.options)
        order = np.argsort(call.index, kind="stable")  # a function that counts boxes wants them image by image
        roles = _Roles(function, call, order, self._takes_parts(keywords))
        for name, parameter in parameters_of(function).items():
            if name not in keywords and (value := roles.value(name, parameter)) is not _DEFAULT:
                keywords[name] = value
        result = function(**keywords)
        result = np.moveaxis(result, -1, 1) if roles.channels_last else result
        return result[np.argsort(order)] if roles.counted else result

    def _takes_parts(self, keywords: dict[str, Any]) -> bool:
        name, value = _UNIT_BOXES.get((self.module, self.function), (None, None))
        return name is not None and keywords.get(name) == value


_DEFAULT = object()


class _Roles:
    """The arguments of a profile's function, by what they are for."""

    def __init__(self, function: Any, call: Call, order: Array, parts: bool) -> None:
        self.call, self.parts = call, parts
        names = parameters_of(function)
        text = inspect.getdoc(function) or ""
        self.counted = any(_ROLE_OF.get(name) == "counts" for name in names)
        self.has_index = any(_ROLE_OF.get(name) == "index" for name in names)
        self.channels_last = "(N, H, W, C)" in text
        self.normalised = "[y1, x1, y2, x2]" in text
        self.square_group = "classes" in map(_ROLE_OF.get, names)
        self.square = "group" not in map(_ROLE_OF.get, names) and re.search(
            r"output_size : int\n|pooled_size : int\n", text
        )
        self.order = order if self.counted else np.arange(len(call.boxes))

    def value(self, name: str, parameter: inspect.Parameter) -> Any:
        role = _ROLE_OF.get(name)
        make = getattr(self, f"_{role}", None) if role else None
        if make is not None:
            return make(name)
        if parameter.default is inspect.Parameter.empty:
            raise TypeError(f"{name}: what it is for is not known")
        return _DEFAULT

    def _map(self, name: str) -> Array:
        features = self.call.maps[0]
        return features.transpose(0, 2, 3, 1) if self.channels_last else features

    def _boxes(self, name: str) -> Array:
        boxes, dtype = self.call.boxes[self.order], self.call.maps[0].dtype
        if self.normalised or self.parts:
            unit = parts_of_the_map(self.call, "L - 1").astype(dtype)
            return unit[:, [1, 0, 3, 2]] if self.parts else unit
        boxes = boxes.astype(dtype)
        if self.has_index or self.counted:
            return boxes
        return np.column_stack([self.call.index.astype(dtype), boxes])

    def _index(self, name: str) -> Array:
        return self.call.index

    def _counts(self, name: str) -> Array:
        return np.bincount(self.call.index, minlength=len(self.call.maps[0]))

    def _size(self, name: str) -> Any:
        return self._side() if self.square else self.call.output_size

    def _side(self) -> int:
        height, width = self.call.output_size
        if height != width:
            raise ValueError(f"output_size: {self.call.output_size} is not square")
        return height

    def _rows(self, name: str) -> int:
        return self.call.output_size[0]

    def _columns(self, name: str) -> int:
        return self.call.output_size[1]

    def _classes(self, name: str) -> int:
        return self.call.maps[0].shape[1] // self._side() ** 2

    def _group(self, name: str) -> int:
        return self._side()

    def _scale(self, name: str) -> float:
        vertical, horizontal = self.call.scale
        if self.parts:
            return 1.0
        if vertical != horizontal:
            raise ValueError(f"spatial_scale: {self.call.scale} is not one number")
        return vertical

    def _part_bins(self, name: str) -> Any:
        return self._side() if name == "part_size" and "trans" in self.call.arrays else 1

    def _offset(self, name: str) -> Any:
        return self.call.arrays.get("offset")

    def _trans(self, name: str) -> Any:
        return self.call.arrays.get("trans")

    def _threads(self, name: str) -> int | None:
        return self.call.num_threads


def functions() -> Iterator[tuple[str, str, Any]]:
    """Module, name and function of all functions that the profiles have."""
    for module in pkgutil.iter_modules(compat.__path__):
        if not module.name.startswith("_"):
            loaded = importlib.import_module(f"{compat.__name__}.{module.name}")
            for name in loaded.__all__:
                if inspect.isfunction(getattr(loaded, name)):
                    yield module.name, name, getattr(loaded, name)


def is_searched(module: str, name: str) -> bool:
    return name not in NOT_SEARCHED and f"{module}.{name}" not in NOT_SEARCHED


def profile_settings(problem: Problem, view: View, first: int) -> list[ProfileSetting]:
    """Every setting of the functions that take such boxes; what they refuse they say when they are run."""
    found: list[ProfileSetting] = []
    if problem.kind not in ("upright", "turned"):
        return found
    groups = view.maps[0].shape[1] // view.observed.shape[1]
    for module, name, function in functions():
        turned = "rotated" in name or name.startswith("RROI")
        if is_searched(module, name) and turned == (problem.kind == "turned"):
            for options in _all_options(function, problem, groups):
                found.append(ProfileSetting(module, name, options, first + len(found)))
    return found


def _all_options(function: Any, problem: Problem, groups: int) -> Iterator[Options]:
    tried = dict(_documented_choices(function))
    parameters = parameters_of(function)
    for name in parameters:
        role = _ROLE_OF.get(name)
        if role == "ratio":
            tried[name] = tuple(
                ratio if ratio > 0 else min(0, parameters[name].default) if _number(parameters[name]) else 0
                for ratio in RATIOS
            )
        elif role == "orientations":
            tried[name] = (8, 4, 2, 16)
        elif role == "group" and groups != math.isqrt(groups) ** 2:
            return
    for values in itertools.product(*tried.values()):
        yield tuple(zip(tried, values, strict=True))


def _number(parameter: inspect.Parameter) -> bool:
    return isinstance(parameter.default, int)


def _documented_choices(function: Any) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """``name : {"a", "b"}`` and ``name : bool`` of a docstring."""
    text = inspect.getdoc(function) or ""
    for names, kind in re.findall(r"^(\w[\w, ]*) : (\{.*\}|bool)$", text, re.MULTILINE):
        for name in names.split(", "):
            if name in parameters_of(function):
                yield name, (False, True) if kind == "bool" else tuple(ast.literal_eval(f"[{kind[1:-1]}]"))
