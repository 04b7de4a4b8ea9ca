"""The operators of ``--op``: those of the library's table, with the options that their functions have."""

from __future__ import annotations

import contextlib
import inspect
import re
from dataclasses import dataclass

import fastroi
from fastroi import FPN_LEVEL_RULES, _core

from ._arguments import number, pair_of, positive_int, whole_number
from ._arrays import as_elements, in_native_order, load_array
from ._boxes import split_index
from ._errors import UsageError
from ._files import InputFile


@dataclass(frozen=True)
class Operator:
    """A function of fastroi and the keyword options it takes from the command line.

    Attributes
    ----------
    name : str
        Of the operator and of its function in `fastroi`.
    """

    name: str

    @property
    def function(self):
        return getattr(fastroi, self.name)

    @property
    def _row(self):
        return _core.OPERATORS[self.name]

    @property
    def options(self) -> dict[str, tuple[str, ...] | None]:
        """From the name of each option to its choices, or None where any value of its type will do."""
        names = [*inspect.signature(self.function).parameters]
        names += ["level"] if self.levels else []
        return {name: _choices(self._row, name) for name in names if name in _OPTIONS or _chooses(self._row, name)}

    @property
    def arrays(self) -> tuple[str, ...]:
        """Options that name a .npy file with one row per RoI."""
        return tuple(name for name in self.options if name in self._row.fields and self._row.fields[name].of == "array")

    @property
    def coordinates(self) -> int:
        """Numbers of a box."""
        return 5 if self._row.flags & _core.TAKES_TURNED_BOXES else 4

    @property
    def masks(self) -> bool:
        """The input is (N, h, w) masks in place of a feature map, and the batch index of a box is the number of its mask."""
        return bool(self._row.flags & _core.TAKES_MASKS)

    @property
    def scaled(self) -> bool:
        """Boxes are in image pixels, which a scale takes to the map."""
        return not (self.masks or self.normalised)

    @property
    def normalised(self) -> bool:
        """Boxes are parts of the map, in the order y1, x1, y2, x2."""
        return bool(self._row.flags & _core.TAKES_NORMALISED_BOXES)

    @property
    def levels(self) -> bool:
        """The input is the maps of a pyramid."""
        return bool(self._row.flags & _core.TAKES_LEVELS)

    @property
    def extents(self) -> str:
        """The option that tells the rows and columns of a result, as an attribute of the parsed arguments."""
        return "image_size" if "image_size" in inspect.signature(self.function).parameters else "output_size"

    def adapted(self):
        """The function, to be called as `fastroi.roi_pool` is."""
        if self.normalised:
            return _crop(self.function)
        if self.levels:
            return _pyramid(self.function)
        if not self.masks:
            return self.function
        return _paste(self.function) if self.extents == "image_size" else _crop_masks(self.function)


def _choices(row, name):
    if name == "level_rule":
        return FPN_LEVEL_RULES
    field = row.fields.get(name)
    if field is None:
        return None
    if field.of == "flag":
        return "true", "false"
    return ("true", "false", *field.choices) if field.of == "aligned" else field.choices


def _chooses(row, name) -> bool:
    """True for a field of the params that has a list of choices."""
    return name in row.fields and row.fields[name].choices is not None


def _crop(function):
    """crop_and_resize for boxes in the order of the other operators, x1 y1 x2 y2."""

    def crop(features, rois, *, output_size, spatial_scale, batch_indices, **options):
        import numpy

        if spatial_scale != 1.0:
            raise UsageError("argument --scale or --stride: crop_and_resize takes boxes in [0, 1], not in pixels")
        rois, batch_indices = split_index(rois, batch_indices)
        if batch_indices is None:
            batch_indices = numpy.zeros(len(rois), dtype=numpy.int64)
        return function(features, rois[:, [1, 0, 3, 2]], batch_indices, output_size, **options)

    return crop


def _paste(function):
    """paste_masks of the masks that the batch indices choose."""

    def paste(masks, rois, *, output_size, batch_indices, **options):
        _refuse_map_options(function, options)
        _check_mask_numbers(batch_indices, len(masks))
        with _numbered(batch_indices):
            return function(masks[batch_indices], rois, output_size, **options)

    return paste


def _crop_masks(function):
    """crop_masks with the batch indices as the numbers of the masks."""

    def crop(masks, rois, *, output_size, batch_indices, **options):
        _refuse_map_options(function, options)
        return function(masks, rois, output_size, mask_indices=batch_indices, **options)

    return crop


def _refuse_map_options(function, options):
    """Take out what belongs to feature maps; masks and their boxes are in pixels and have no channels."""
    if options.pop("spatial_scale") != 1.0:
        raise UsageError(f"argument --scale or --stride: {function.__name__} takes boxes in pixels of the masks' image")
    if options.pop("layout") != "NCHW":
        raise UsageError(f"argument --layout: the masks of {function.__name__} have no channels")


def _check_mask_numbers(numbers, count):
    wrong = (numbers < 0) | (numbers >= count)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"mask_indices[{row}]: batch index {numbers[row]} is outside [0, {count})")


@contextlib.contextmanager
def _numbered(numbers):
    """Put the number that a mask has in its file in place of its row among the chosen ones."""
    try:
        yield
    except ValueError as error:
        text = re.sub(r"^masks\[(\d+)\]", lambda found: f"masks[{numbers[int(found[1])]}]", str(error))
        raise ValueError(text) from None


def _pyramid(function):
    """multiscale_roi_align with the first level as the features, and each further level of half the scale."""

    def pool(features, rois, *, spatial_scale, level=(), layout, **options):
        first = spatial_scale
        if isinstance(first, tuple):
            raise UsageError("argument --scale: multiscale_roi_align takes one number, the first level's")
        maps = [features, *(_channels_as(features, array, layout) for array in level)]
        scales = [first / 2**i for i in range(len(maps))]
        return function(maps, rois, scales=scales, layout=layout, **options)

    return pool


def _channels_as(features, array, layout):
    """A further level; without channels where `features` has none."""
    if features.size:
        return array
    return array[:, :0] if layout == "NCHW" else array[..., :0]


def load_levels(paths, features, first, layout, dtype):
    """Read the further levels of a pyramid.

    Parameters
    ----------
    paths : list of str
        Their files.
    features : numpy.ndarray
        The first level.
    first : str
        Its file.
    layout : {"NCHW", "NHWC"}
        Of all.
    dtype : str or None
        The type asked for.

    Raises
    ------
    ValueError
        One has other elements, or not half the size of the one before.
    """
    levels = [features]
    for path, path_before in zip(paths, [first, *paths]):
        array = as_elements(load_array(path), path, dtype)
        array = array[None] if array.ndim == 3 else array
        if array.ndim != 4:
            raise ValueError(f"{path}: expected 3 or 4 dimensions, found shape {array.shape}")
        if array.dtype != features.dtype:
            raise ValueError(f"{path}: {array.dtype}, but FEATURES is {features.dtype}; --dtype float64 converts both")
        _check_halved(path, array, path_before, levels[-1], slice(2, 4) if layout == "NCHW" else slice(1, 3))
        levels.append(array)
    return levels[1:]


def _check_halved(path, array, path_before, before, sides):
    """Networks round halves up or down, and some lose a cell to a border."""
    extents, above = array.shape[sides], before.shape[sides]
    if any(abs(2 * extent - whole) > 3 for extent, whole in zip(extents, above)):
        found = " x ".join(map(str, extents))
        whole = " x ".join(map(str, above))
        raise ValueError(
            f"{path}: {found} cells, but a level has half those of the one before: {path_before} has {whole}"
        )


OPERATORS = {name: Operator(name) for name in _core.OPERATORS}


def sampling_ratio(text):
    """Parse points per bin: 2, 2x3, or 0 for as many as a bin has cells."""
    return pair_of(whole_number, "x")(text)


def threshold(text):
    """Parse a number, or the word none."""
    return text if text == "none" else number(text)


# What argparse is told of each option; one that several operators share stands here once.
_OPTIONS = {
    "rule": dict(metavar="RULE", help="the quantisation rule, or how masks are pasted"),
    "reduce": dict(metavar="HOW", help="what becomes of the cells or points of a bin"),
    "sampling_ratio": dict(
        type=sampling_ratio, metavar="N", help="points per bin, e.g. 2 or 2x3 (default: as many as it has cells)"
    ),
    "aligned": dict(metavar="HOW", help="true: half-pixel correct (default); false: the legacy shift"),
    "level": dict(
        action="append",
        type=InputFile,
        metavar="FILE.npy",
        help="a further level of the pyramid, of half the scale; repeat it",
    ),
    "level_rule": dict(metavar="RULE", help="which box goes to which level"),
    "group_size": dict(type=pair_of(positive_int, "x"), metavar="G", help="groups of channels (default: as bins)"),
    "channel_order": dict(metavar="ORDER", help="class- or bin-major channels"),
    "method": dict(metavar="HOW", help="between the cells"),
    "extrapolation_value": dict(type=number, metavar="V", help="what lies off the map counts as (default: 0)"),
    "angle_unit": dict(metavar="UNIT", help="of the angle of a box (default: radians)"),
    "clockwise": dict(metavar="HOW", help="whether a positive angle turns the box clockwise (default: false)"),
    "orientations": dict(type=positive_int, metavar="N", help="channels of a group (default: 8)"),
    "offset": dict(type=InputFile, metavar="FILE.npy", help="(K, 2, PH, PW) offsets of the bins (default: none)"),
    "gamma": dict(type=number, metavar="V", help="what offsets are multiplied by (default: 0.1)"),
    "trans": dict(
        type=InputFile, metavar="FILE.npy", help="(K, 2 classes, rows, columns) offsets of the parts (default: none)"
    ),
    "trans_std": dict(type=number, metavar="V", help="what these are multiplied by (default: 0.1)"),
    "part_size": dict(type=pair_of(positive_int, "x"), metavar="N", help="parts of a box (default: as bins)"),
    "sample_per_part": dict(type=positive_int, metavar="N", help="points per bin and axis (default: 4)"),
    "threshold": dict(
        type=threshold,
        metavar="V",
        help="what a pixel of a mask must reach (default: 0.5); none: write the values themselves",
    ),
    "end": dict(metavar="WHERE", help="how the last row and column of samples are computed"),
    "arithmetic": dict(metavar="TYPE", help="of the coordinates (default: float64)"),
}


def _described(options_by_operator) -> dict[str, dict]:
    """What argparse is told of every option that an operator has; one that is not described above is still offered."""
    had = [name for options in options_by_operator.values() for name in options]
    undescribed = {"metavar": "HOW", "help": "one of several"}
    return {name: _OPTIONS.get(name, undescribed) for name in dict.fromkeys([*_OPTIONS, *had]) if name in had}


def _options_by_operator() -> dict[str, dict[str, tuple[str, ...] | None]]:
    return {name: operator.options for name, operator in OPERATORS.items()}


_WORDS = {"true": True, "false": False, "none": None}


def add_operator(parser, default=None, without=()):
    """Add --op and the options of all operators, without those that the parser has already or cannot use."""
    parser.add_argument(
        "--op",
        choices=tuple(OPERATORS),
        default=default,
        metavar="OP",
        help=", ".join(OPERATORS) + (f" (default: {default})" if default else ""),
    )
    group = parser.add_argument_group("options of the operators")
    options_by_operator = _options_by_operator()
    for name, options in _described(options_by_operator).items():
        if name not in without:
            text = f"{options['help']}; {_users(name, options_by_operator)}"
            group.add_argument(_flag(name), default=None, **{**options, "help": text})


def given_options(arguments):
    """Return the options of operators that were given, by name, as they were parsed."""
    given = {name: getattr(arguments, name, None) for name in _described(_options_by_operator())}
    return {name: value for name, value in given.items() if value is not None}


def options_of(arguments):
    """Return the keyword arguments of the chosen operator's function, and those with a row per RoI.

    Raises
    ------
    UsageError
        An option was given that the operator does not have, or a value that it does not know.
    """
    operator, given = OPERATORS[arguments.op], given_options(arguments)
    for name, value in given.items():
        if name not in operator.options:
            raise UsageError(f"argument {_flag(name)}: {arguments.op} has no such option")
        choices = operator.options[name]
        if choices is not None and value not in choices:
            raise UsageError(f"argument {_flag(name)}: {value!r} is not one of {', '.join(choices)}")
    for name in {"aligned", "clockwise", "threshold"} & given.keys():
        given[name] = _WORDS.get(given[name], given[name])
    paths = {name: given.pop(name, None) for name in operator.arrays}
    return given, {
        name: None if path is None else in_native_order(load_array(path), path) for name, path in paths.items()
    }


def array_files(arguments) -> dict[str, str]:
    """The file of each argument that has a row per RoI, where one was given."""
    names = OPERATORS[arguments.op].arrays
    return {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}


def chosen(arguments):
    """Return the chosen function of fastroi, to be called as `fastroi.roi_pool` is, and what `options_of` returns."""
    return OPERATORS[arguments.op].adapted(), *options_of(arguments)


def extents(arguments):
    """Return the rows and columns of a result of the chosen operator.

    Raises
    ------
    UsageError
        They were given by an option that is not the operator's.
    """
    name = OPERATORS[arguments.op].extents
    size = getattr(arguments, name)
    if size is None:
        raise UsageError(f"argument --op: {arguments.op} needs {_flag(name)}")
    return tuple(reversed(size)) if name == "image_size" else size


def _flag(name) -> str:
    return f"--{name.replace('_', '-')}"


def users(name) -> str:
    """Which operators have an option, those with the same choices together."""
    return _users(name, _options_by_operator())


def _users(name, options_by_operator):
    by_choices = {}
    for op, options in options_by_operator.items():
        if name in options:
            by_choices.setdefault(options[name], []).append(op)
    return "; ".join(
        f"{', '.join(ops)}" + (f": {', '.join(choices)}" if choices else "") for choices, ops in by_choices.items()
    )
