"""What the functions of every profile share: destination and threads, scales, the names in errors, the native calls.

Frameworks compute coordinates in the type of the map: float32 geometry for float32 maps.
"""

import functools
import inspect
import re
from contextlib import contextmanager
from contextvars import ContextVar
from textwrap import indent

import numpy as np

from .. import deformable, masks, ops, pyramid, rotated
from .._arrays import overlaps
from .._checks.names import in_words_of
from .._checks.numbers import positive_integer
from .._devices import HOST
from . import _boxes

MAX_OF_CORNERS = "max_corners"
MAX_FROM_ZERO = "max_from_zero"
_OF_MASKS = (masks.paste_masks, masks.crop_masks)

_DESTINATION = """\
out : ndarray, optional
    Array of the result's shape and dtype to fill and return; it must not overlap the inputs.
num_threads : int, optional
    1 to 1024; default: ``fastroi.get_num_threads()``.
"""
#: An error's subject, and where in it: ``rois[3]``.
_SUBJECT = re.compile(r"(\w+)(?:\[([^\]]*)\])?")


class _Request:
    """What the caller of a profile function asked for beside the framework's arguments, and how those are called."""

    __slots__ = ("elements", "names", "num_threads", "out")

    def __init__(self, out, num_threads, names, elements):
        self.out = out
        self.num_threads = num_threads
        self.names = names
        self.elements = elements


_NOTHING = _Request(None, None, {}, _boxes.FLOATS)
_request = ContextVar("request", default=_NOTHING)


def operator(*, scale=np.float32, floats=(), in_float32=None, elements=_boxes.FLOATS, **names):
    """Make an operator of a profile: `out` and `num_threads`, numbers as its package holds them, errors in its words.

    One that calls another hands on what it was asked for.

    Parameters
    ----------
    scale : type
        In which the package holds ``spatial_scale``.
    floats : tuple of str
        Other arguments that it holds as float32.
    in_float32 : str, optional
        Argument that is a map, computed in float32 though it be float64; the result has its dtype.
    elements : tuple of str
        The dtypes of maps that the package has the operator for.
    **names : str
        What the function calls each argument of the native operator; ``{}`` is the place in it, as in
        ``batch_indices="rois[{}, 0]"``.
    """

    def decorate(function):
        signature = inspect.signature(function)
        arguments_of = _binder(signature)
        has_numbers = bool(floats) or "spatial_scale" in signature.parameters

        @functools.wraps(function)
        def call(*args, out=None, num_threads=None, **kwargs):
            arguments = arguments_of(args, kwargs)
            if out is not None:
                _check_destination(out, arguments)
            if has_numbers:
                _hold_numbers(arguments, scale, floats)
            dtype = None if in_float32 is None else _round_map(arguments, in_float32)
            outer = _request.get()
            if outer is not _NOTHING and out is None and num_threads is None:
                out, num_threads = outer.out, outer.num_threads
            token = _request.set(_Request(_receiver(out, dtype), num_threads, names, elements))
            try:
                result = function(**arguments)
            finally:
                _request.reset(token)
            return _delivered(result, out, dtype)

        call.__signature__ = _with_destination(signature)
        call.__doc__ = _documented(function.__doc__)
        return call

    return decorate


def _binder(signature):
    """What ``signature.bind`` with defaults gives of parameters that all have names, in a tenth of its time."""
    names = tuple(signature.parameters)
    defaults = {name: p.default for name, p in signature.parameters.items() if p.default is not p.empty}
    places = [name for name, p in signature.parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]

    def arguments_of(args, kwargs):
        placed = dict(zip(places, args))
        arguments = {**defaults, **placed, **kwargs}
        if len(placed) < len(args) or len(arguments) != len(names) or not placed.keys().isdisjoint(kwargs):
            signature.bind(*args, **kwargs)  # says what is missing or too much
        return arguments

    return arguments_of


def _check_destination(out, arguments):
    HOST.check_kind(out, "out")
    for name, value in arguments.items():
        if any(overlaps(out, array) for array in _arrays(value)):
            raise ValueError(f"out: shares memory with {name}")


def _arrays(value):
    """Every array in an argument, which may be a list or a dict of them."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _arrays(item)
    elif isinstance(value, dict):
        yield from _arrays(list(value.values()))


def _hold_numbers(arguments, scale, floats):
    """Give the function its numbers as the package would have them."""
    if "spatial_scale" in arguments:
        arguments["spatial_scale"] = _boxes.positive_scale(arguments["spatial_scale"], "spatial_scale", scale)
    for name in floats:
        arguments[name] = _boxes.c_float(arguments[name], name)


def _round_map(arguments, name):
    """Round what the package would round to float32, a map or several; float64 if the last was that, else None."""
    value = arguments[name]
    if value is None or isinstance(value, dict) or np.isscalar(value):
        return None  # the function knows whether it takes a map or several, and refuses it
    several = isinstance(value, (list, tuple)) and len(value) > 0 and isinstance(value[-1], np.ndarray)
    features = value[-1] if several else _boxes.array(value, name)
    if features.dtype != np.float64:
        return None
    arguments[name] = [_boxes.narrowed(item) for item in value] if several else _boxes.narrowed(features)
    return features.dtype


def _receiver(out, dtype):
    """The array that the native operator is to fill: `out`, or one of float32 in its place."""
    if out is None or dtype is None:
        return out
    if out.dtype != dtype:
        raise TypeError(f"out: dtype {out.dtype}; {dtype} required")
    HOST.checked_out(out, out.shape, dtype, (), "out")
    return np.empty(out.shape, np.float32)


def _delivered(result, out, dtype):
    """The result where and as the caller wants it; of several, the first."""
    if isinstance(result, tuple):
        return (_delivered(result[0], out, dtype), *result[1:])
    if out is None:
        return result if dtype is None else result.astype(dtype)
    if result is not out:
        np.copyto(out, result)
    return out


def _with_destination(signature):
    added = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in ("out", "num_threads")]
    return signature.replace(parameters=[*signature.parameters.values(), *added])


def _documented(text):
    """The docstring with what `operator` adds at the end of its parameters, if it lists any."""
    heading = text and re.search(r"\n\n( *)Returns\n", text)
    if not heading:
        return text
    return text[: heading.start()] + "\n" + indent(_DESTINATION, heading[1]) + text[heading.start() + 1 :]


def expect(shape, dtype):
    """Refuse an `out` that is not of this shape and dtype, in a function that copies its result there."""
    out = _request.get().out
    if out is not None:
        HOST.checked_out(out, shape, np.dtype(dtype), (), "out")


@contextmanager
def apart():
    """Where the profile's functions that are called make only parts of the result: they take its threads, not its `out`."""
    request = _request.get()
    token = _request.set(_Request(None, request.num_threads, request.names, request.elements))
    try:
        yield
    finally:
        _request.reset(token)


def native(function, *args, **kwargs):
    """The native call that makes the result of the profile's function."""
    request = _request.get()
    return _answered(request, function, args, kwargs | {"out": request.out})


def aside(function, *args, **kwargs):
    """A native call whose result is only a part of what the profile's function returns."""
    return _answered(_request.get(), function, args, kwargs)


def _answered(request, function, args, kwargs):
    if getattr(args[0], "dtype", None) != _boxes.FLOAT32:  # which every package has all of its operators for
        _in_own_words(request, _check_maps, (function, args[0], request.elements), {})
    return _in_own_words(request, function, args, kwargs | {"num_threads": request.num_threads})


def _in_own_words(request, function, args, kwargs):
    """A native call whose errors speak of the arguments as the profile calls them."""
    try:
        return function(*args, **kwargs)
    except (ValueError, TypeError, OverflowError) as error:
        raise type(error)(_in_words_of(_names_for(function, request.names), str(error))) from None


def _check_maps(function, maps, elements):
    """Refuse a map, or a level of a pyramid, that the native operator would take and the package would not."""
    if function is pyramid.multiscale_roi_align:
        for number, level in enumerate(maps):
            _boxes.check_elements(level, f"feature_pyramid[{number}]", elements)
    elif function not in _OF_MASKS:
        _boxes.check_elements(maps, "features", elements)


def _names_for(function, names):
    """What the profile calls the arguments of a native function, which may have names of its own for some of them."""
    own = getattr(function, "own_names", {})
    return {own[name]: names.get(name, name) for name in own} | names


def _in_words_of(names, message):
    """A native message about the arguments as the profile calls them."""

    def renamed(match):
        own = names.get(match[1])
        if own is None:
            return match[0]
        if match[2] is None:
            return own.partition("[")[0]
        return own.format(match[2]) if "{}" in own else f"{own}[{match[2]}]"

    subject, separator, rest = message.partition(": ")
    plain = {name: own.partition("[")[0] for name, own in names.items()}
    return _SUBJECT.sub(renamed, subject) + separator + in_words_of(plain, rest)


def extents(**sides):
    """(PH, PW) of two arguments, checked by their own names."""
    return tuple(positive_integer(value, name) for name, value in sides.items())


def _arithmetic(features):
    return "float64" if features.dtype == np.float64 else "float32"


def pool(features, boxes, index, size, scale, rule):
    """Maximum of each bin under a rule of `fastroi.roi_pool`."""
    return native(ops.roi_pool, features, boxes, size, scale, rule=rule, batch_indices=index)


def align(features, boxes, index, size, scale, ratio, aligned, reduce="mean"):
    """RoIAlign of (K, 4) boxes with (K,) images, or of (K, 5) rows where `index` is None."""
    return native(
        ops.roi_align,
        features,
        boxes,
        size,
        scale,
        ratio,
        bool(aligned),
        reduce=reduce,
        batch_indices=index,
        arithmetic=_arithmetic(features),
    )


def ps_pool(features, boxes, index, size, scale, rule, group=None):
    """Position-sensitive pooling, channels in the order class, bin row, bin column."""
    return native(
        ops.ps_roi_pool,
        features,
        boxes,
        size,
        scale,
        rule=rule,
        group_size=group,
        batch_indices=index,
        arithmetic=_arithmetic(features),
    )


def ps_align(features, boxes, index, size, scale, ratio, aligned):
    """Position-sensitive RoIAlign, channels in the order class, bin row, bin column."""
    return native(
        ops.ps_roi_align,
        features,
        boxes,
        size,
        scale,
        ratio,
        aligned=bool(aligned),
        batch_indices=index,
        arithmetic=_arithmetic(features),
    )


def crop(features, boxes, index, size, method, fill, *, exact_end, layout="NCHW", dtype=None, run=native):
    """crop_and_resize of y1, x1, y2, x2 boxes; `exact_end` puts the last sample on the box's end."""
    end = "exact" if exact_end else "tensorflow"
    return run(ops.crop_and_resize, features, boxes, index, size, method, fill, end=end, layout=layout, dtype=dtype)


def multiscale(maps, rows, size, scales, ratio, aligned, levels):
    """RoIAlign of (K, 5) rows, each on the level `levels` says; zeros where that is negative."""
    assigned = levels >= 0
    pooled = native(
        pyramid.multiscale_roi_align,
        maps,
        rows,
        size,
        scales,
        ratio,
        aligned,
        levels=np.where(assigned, levels, 0),
        arithmetic=_arithmetic(maps[0]),
    )
    pooled[~assigned] = 0
    return pooled


def levels(boxes, first, count, rule, canonical_size, canonical_level):
    """Level of each box, counted from the first of `count` that begin at number `first`."""
    options = {"rule": rule, "canonical_size": canonical_size, "canonical_level": canonical_level}
    return _in_own_words(_request.get(), pyramid.fpn_levels, (boxes, first, first + count - 1), options) - first


def turned(features, boxes, index, size, scale, ratio, *, aligned, clockwise, degrees):
    """RoIAlign of (K, 5) boxes centre x, centre y, width, height, angle."""
    return native(
        rotated.roi_align_rotated,
        features,
        boxes,
        size,
        scale,
        ratio,
        angle_unit="degrees" if degrees else "radians",
        clockwise=bool(clockwise),
        aligned=bool(aligned),
        batch_indices=index,
        arithmetic=_arithmetic(features),
    )


def turned_with_orientations(features, boxes, index, size, scale, ratio, orientations, clockwise):
    """The same, with orientation channels that turn with the angle (radians)."""
    return native(
        rotated.riroi_align_rotated,
        features,
        boxes,
        size,
        scale,
        ratio,
        orientations=orientations,
        clockwise=bool(clockwise),
        batch_indices=index,
        arithmetic=_arithmetic(features),
    )


def deform(features, boxes, index, offset, size, scale, ratio, gamma):
    """RoIAlign whose bins move by gamma times extent times offset."""
    return native(
        deformable.deform_roi_pool,
        features,
        boxes,
        offset,
        size,
        scale,
        ratio,
        gamma,
        batch_indices=index,
        arithmetic=_arithmetic(features),
    )


def deform_ps(features, boxes, index, offsets, size, group, part, samples, trans_std, scale, dtype=None, run=native):
    """Deformable position-sensitive pooling, channels in the order class, bin row, bin column."""
    return run(
        deformable.deform_ps_roi_pool,
        features,
        boxes,
        offsets,
        size,
        scale,
        group_size=group,
        part_size=part,
        sample_per_part=samples,
        trans_std=trans_std,
        batch_indices=index,
        arithmetic=_arithmetic(features),
        dtype=dtype,
    )


def soft_dtype(values):
    """The type that masks or boxes of this dtype are computed in."""
    return np.dtype(np.float64 if np.asarray(values).dtype == np.float64 else np.float32)


def paste(values, boxes, image_shape, rule, arithmetic="float32"):
    """Soft masks laid on the image, interpolated in float32 unless the package does it otherwise."""
    return aside(masks.paste_masks, values, boxes, image_shape, None, rule=rule, arithmetic=arithmetic)


def project(image_masks, boxes, indices, size, aligned, arithmetic="float32"):
    """Soft targets: RoIAlign of the chosen masks at scale 1, in float32 unless the package does it otherwise."""
    return aside(
        masks.crop_masks, image_masks, boxes, size, None, aligned=aligned, mask_indices=indices, arithmetic=arithmetic
    )
