"""Maps, results, and what every operator starts and ends with."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from .._devices import device_of
from .boxes import Boxes
from .names import shown
from .numbers import output_extents

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

    from .._core import Params
    from .._types import Array, Device, Layout, Rois, Size

LAYOUTS = ("NCHW", "NHWC")
_COLOURS = (1, 3, 4)
_FLOAT32 = np.dtype(np.float32)


def checked_choice(value: str, choices: Collection[str], name: str) -> str:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}: {shown(value)} is not one of {', '.join(map(repr, choices))}")
    return value


def element_array(value: ArrayLike, name: str, device: Device, layout: Layout | None = None) -> tuple[Array, int]:
    """`value`, a map if it has a layout, as an array of a dtype that its operators are computed in, and that dtype's code."""
    array = device.array(value, name)
    code = device.element_code(array.dtype)
    if code is None:
        raise TypeError(
            f"{name}: dtype {array.dtype} is not {device.elements} in native byte order; use .astype"
            + (photograph_hint(array.shape, layout) if layout else "")
        )
    return array, code


def photograph_hint(shape: tuple[int, ...], layout: Layout) -> str:
    """The end of a refusal, if a map has the shape of a photograph in the other layout. Such a map alone is nothing to refuse, but one
    of uint8 or uint16 without an axis of images, as photographs are."""
    if len(shape) not in (3, 4):
        return ""
    first, rows, last = shape[-3:]
    if layout == "NCHW" and last in _COLOURS and min(first, rows) > max(_COLOURS):
        return f". Shape {shape} looks like rows, columns, colours: layout='NHWC'"
    if layout == "NHWC" and first in _COLOURS and min(rows, last) > max(_COLOURS):
        return f". Shape {shape} looks like colours, rows, columns: layout='NCHW'"
    return ""


class Features:
    """A feature map in the logical order N, C, H, W, whatever its layout in memory."""

    __slots__ = ("array", "channels_last", "code", "device", "source")

    def __init__(self, features: ArrayLike, layout: Layout, name: str = "features") -> None:
        self.device = device_of(features)
        checked_choice(layout, LAYOUTS, "layout")
        source, code = element_array(features, name, self.device, layout)
        array = source[None] if source.ndim == 3 else source
        if array.ndim != 4:
            raise ValueError(f"{name}: {source.ndim} dimensions; 4 (or 3 for one image) required")
        if array.dtype.kind == "u" and source.ndim == 3 and (hint := photograph_hint(source.shape, layout)):
            raise ValueError(f"{name}{hint.replace('. Shape', ': shape')}; else pass {name}[None]")
        self.source = source
        self.code = code
        self.channels_last = layout == "NHWC"
        self.array = array.transpose(0, 3, 1, 2) if self.channels_last else array

    def hint(self) -> str:
        return photograph_hint(self.source.shape, "NHWC" if self.channels_last else "NCHW")

    def check_channels(self, divisor: int, what: str) -> None:
        if self.channels % divisor:
            raise ValueError(f"features: {self.channels} channels are not a multiple of {what}{self.hint()}")

    @property
    def images(self) -> int:
        return self.array.shape[0]

    @property
    def channels(self) -> int:
        return self.array.shape[1]


def checked_result_dtype(dtype: DTypeLike | None, own: np.dtype[Any], device: Device) -> tuple[np.dtype[Any], int]:
    """The dtype that results are stored as, and its code: what was asked for, else the map's own, else float32."""
    if dtype is None:
        wanted = _FLOAT32 if own.kind in "biu" else own
    else:
        try:
            wanted = named_dtype(dtype)
        except TypeError as error:
            raise TypeError(f"dtype: {dtype!r} is not one ({error})") from None
    code = device.element_code(wanted)
    if code is None:
        raise TypeError(f"dtype: {wanted} is not {device.elements} in native byte order")
    return wanted, code


def named_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """NumPy learns of bfloat16 when ml_dtypes is imported."""
    if isinstance(dtype, str) and dtype == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(dtype)


def checked_bytes(shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> int:
    """The size of a result, which an address space must hold."""
    size = math.prod(shape) * dtype.itemsize
    if size > sys.maxsize:
        raise OverflowError(f"output_size: an array of shape {shape} exceeds the address space ({name})")
    return size


def allocated(make: Callable[..., Array], shape: tuple[int, ...], dtype: np.dtype[Any], name: str, *size: int) -> Array:
    """A result of the library's own, or an error that says whose memory is short."""
    try:
        return make(shape, dtype, *size)
    except MemoryError:
        raise MemoryError(f"{name}: no memory for a result of shape {shape}, {dtype}") from None


class Output:
    """The result array in its layout, and the logical K, C, PH, PW view of it that the core fills."""

    __slots__ = ("array", "view")

    def __init__(
        self,
        out: Array | None,
        count: int,
        channels: int,
        extents: tuple[int, int],
        dtype: np.dtype[Any],
        channels_last: bool,
        inputs: Iterable[Any],
        device: Device,
        name: str = "out",
        hint: Callable[[], str] = str,
    ) -> None:
        shape = (count, *extents, channels) if channels_last else (count, channels, *extents)
        size = checked_bytes(shape, dtype, name)
        if (found := getattr(out, "shape", shape)) != shape and (end := hint()):
            raise ValueError(f"{name}: shape {found}; {shape} required{end}")
        self.array = (
            allocated(device.empty, shape, dtype, name, size)
            if out is None
            else device.checked_out(out, shape, dtype, inputs, name)
        )
        self.view = self.array.transpose(0, 3, 1, 2) if channels_last else self.array


class Call:
    """The arguments that every operator shares, checked against each other, and its result array.

    `features` is one map, or a sequence of :class:`Features` for an operator of several levels.
    """

    __slots__ = ("boxes", "device", "extents", "levels", "maps", "output", "result_code")

    def __init__(
        self,
        features: ArrayLike | Levels,
        rois: Rois,
        output_size: Size,
        batch_indices: ArrayLike | None,
        layout: Layout,
        out: Array | None,
        dtype: DTypeLike | None = None,
        *,
        coordinates: int = 4,
        channels_per_output: int = 1,
        sources: tuple[Any, ...] = (),
    ) -> None:
        self.extents = output_extents(output_size)
        self.levels = features if isinstance(features, Levels) else (Features(features, layout),)
        self.maps = self.levels[0]
        self.device = self.maps.device
        self.boxes = Boxes(rois, batch_indices, self.maps.images, self.device, coordinates)
        self.maps.check_channels(channels_per_output, f"the {channels_per_output} bins of group_size")
        maps = self.maps
        count, channels = len(self.boxes.array), maps.channels // channels_per_output
        result_dtype, self.result_code = checked_result_dtype(dtype, maps.array.dtype, self.device)
        inputs = () if out is None else (*(level.source for level in self.levels), *self.boxes.sources, *sources)
        self.output = Output(
            out,
            count,
            channels,
            self.extents,
            result_dtype,
            maps.channels_last,
            inputs,
            self.device,
            hint=maps.hint,
        )

    def extra_output(self, dtype: np.dtype[Any], name: str) -> Output:
        """Another fresh array of the result's shape."""
        count, channels = self.output.view.shape[:2]
        return Output(None, count, channels, self.extents, dtype, self.maps.channels_last, (), self.device, name)

    def attach(self, params: Params, name: str, array: Array, code: int = 0) -> None:
        """Make an array that lies on the device of the call a parameter of it."""
        self.device.attach(params, name, array, code)

    def run(self, params: Params, num_threads: SupportsIndex | None) -> Array:
        """The result of the operator that `params` are those of."""
        self.device.run(
            params,
            [level.array for level in self.levels],
            self.maps.code,
            self.boxes.array,
            self.boxes.batch_indices,
            self.output.view,
            self.result_code,
            num_threads,
        )
        return self.output.array


class Levels(tuple[Features, ...]):
    """The maps of a pyramid."""

    __slots__ = ()
