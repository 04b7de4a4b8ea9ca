"""``fastroi explain``: what quantisation, or any operator, does to one box."""

from __future__ import annotations

import argparse
import functools
import json
import math
from pathlib import Path

from fastroi import ROI_POOL_RULES, explain
from fastroi.explain import INTERPOLATION_RULES

from ._arguments import add_output_size, add_scale, number, positive_int, scale_of, whole_number
from ._errors import UsageError, naming_files, tell
from ._files import InputFile, add_output
from ._operators import OPERATORS, add_operator, array_files, given_options, options_of, users

HELP = "show what quantisation does to one box, what interpolation does instead, or what any operator reads"
DESCRIPTION = """\
Show the coordinates, bins and areas of one box under one or several rules, and
draw them side by side:

  fastroi explain --xywh 296 192 200 145 --stride 32 --image-size 512 512 \\
      --output-size 3 --rule floor --rule roi_align -o figure.png

The interpolating rules, roi_align, roi_warp and prroi_pool, need the size of the
image or map.

With --op, list the cells and weights of every bin of an operator, under its own
options; --rule is then a rule of that operator:

  fastroi explain --op ps_roi_pool --rule rfcn --rule openvino --xywh 296 192 200 145 \\
      --stride 32 --image-size 512 512 --output-size 3
  fastroi explain --op roi_align_rotated --turned 396 264 200 145 30 --angle-unit degrees \\
      --stride 32 --image-size 512 512 --output-size 3 --json

For --op crop_and_resize the box is in [0, 1] and has no scale; x comes first in --box,
y in what is printed, as in the function. Boxes of masks are in pixels; --map-size is the mask's, and the --output-size of paste_masks that of the image,
rows x columns. multiscale_roi_align has --levels maps, each of half the scale and
size of the one before. Upright boxes can be drawn, but for paste_masks and the
deformable operators.
"""
_RULES = (*ROI_POOL_RULES, *INTERPOLATION_RULES, "all")
_FIGURES = (".png", ".svg", ".pdf")


def add_arguments(parser):
    """Add the arguments of this command."""
    box = parser.add_mutually_exclusive_group(required=True)
    box.add_argument("--box", type=number, nargs=4, metavar=("X1", "Y1", "X2", "Y2"), help="in image pixels")
    box.add_argument("--xywh", type=number, nargs=4, metavar=("X", "Y", "W", "H"), help="in image pixels")
    box.add_argument(
        "--turned",
        type=number,
        nargs=5,
        metavar=("CX", "CY", "W", "H", "ANGLE"),
        help="of a rotated operator, in image pixels",
    )
    add_scale(parser, required=False)
    add_output_size(parser, required=True)
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--image-size",
        type=positive_int,
        nargs=2,
        metavar=("W", "H"),
        help="in pixels; the map has ceil(size / stride) cells, and bins are clipped to it",
    )
    size.add_argument("--map-size", type=positive_int, nargs=2, metavar=("W", "H"), help="the same, in cells")
    parser.add_argument(
        "--rule",
        action="append",
        metavar="RULE",
        help=f"{', '.join(ROI_POOL_RULES)}, or all of these; {', '.join(INTERPOLATION_RULES)}; "
        f"repeat it to compare (default: floor). With --op: {users('rule')}",
    )
    add_operator(parser, without=("rule", "level"))
    parser.add_argument(
        "--channels", type=positive_int, metavar="N", help="of the map, with --op (default: the fewest)"
    )
    parser.add_argument(
        "--levels",
        type=whole_number,
        choices=range(1, 33),
        metavar="N",
        help="maps of multiscale_roi_align (default: 4)",
    )
    parser.add_argument("--image", type=InputFile, metavar="FILE", help="draw this image beside the rules")
    parser.add_argument("--whole-map", action="store_true", help="draw all of the map")
    parser.add_argument("--title", help="a heading over the figure")
    parser.add_argument("--json", action="store_true", help="print a JSON list, not tables")
    add_output(parser, "-o", "--output", metavar="FILE", help="write a figure: .png, .svg, .pdf")


def run(arguments):
    """Print the explanations and write the figure."""
    _check_output(arguments)
    explanations = _explanations(arguments)
    image = None if arguments.image is None else read_image(arguments.image)
    if image is not None:
        _tell_size(arguments, image)
    if arguments.json:
        print(json.dumps([e.to_dict() for e in explanations], indent=2))
    else:
        print("\n\n".join(map(str, explanations)))
    if arguments.output:
        write_figure(
            arguments.output,
            explanations,
            image=image,
            view="map" if arguments.whole_map else None,
            title=arguments.title,
        )


def _tell_size(arguments, image):
    """A picture is stretched over the image that --image-size tells."""
    height, width = image.shape[:2]
    if arguments.image_size is not None and arguments.image_size != [width, height]:
        told = "x".join(map(str, arguments.image_size))
        tell(f"{arguments.image}: {width}x{height} pixels, but --image-size tells {told}")


def write_figure(path, explanations, **options):
    """Draw explanations side by side and write them to `path`, without a display."""
    from fastroi.explain import plot_rules
    from fastroi.explain._plot import save, without_display

    from ._files import replacing

    without_display()
    figure = plot_rules(explanations, **options)
    with replacing(path, suffix=Path(path).suffix) as temporary:
        save(figure, temporary)


def read_image(path):
    """Read an image file as an array of (height, width, 3) bytes."""
    import numpy

    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        message = "reading an image needs Pillow: pip install pillow"
        raise ImportError(message, name=error.name) from error
    try:
        with Image.open(path) as image:
            return numpy.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise ValueError(f"{path}: no picture can be read from it: {error}") from None
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(f"{path}: {error}") from None


def _check_output(arguments):
    if arguments.output and Path(arguments.output).suffix.lower() not in _FIGURES:
        raise UsageError(f"argument -o: {arguments.output!r} ends in none of {' '.join(_FIGURES)}")
    if arguments.output and arguments.op and not _can_be_drawn(OPERATORS[arguments.op]):
        raise UsageError(f"argument -o: the bins of {arguments.op} cannot be drawn, only listed")
    for option, value in (("--image", arguments.image), ("--title", arguments.title)):
        if value is not None and not arguments.output:
            raise UsageError(f"argument {option}: it goes with -o")
    if arguments.whole_map and not (arguments.output and _known_size(arguments)):
        raise UsageError("argument --whole-map: it goes with -o and a size of the image or map")


def _can_be_drawn(operator) -> bool:
    """True if bins are rows and columns of the map: boxes are upright, no array moves bins one by one, and no map is written."""
    return operator.coordinates == 4 and not operator.arrays and operator.extents == "output_size"


def _known_size(arguments) -> bool:
    return arguments.image_size is not None or arguments.map_size is not None


def _explanations(arguments):
    return _plans(arguments) if arguments.op else _rules(arguments)


def _rules(arguments):
    rules = list(dict.fromkeys(arguments.rule or ["floor"]))
    if "all" in rules:
        at = rules.index("all")
        rules = list(dict.fromkeys([*rules[:at], *ROI_POOL_RULES, *rules[at + 1 :]]))
    for rule in rules:
        if rule not in _RULES:
            raise UsageError(f"argument --rule: {rule!r} is not one of {', '.join(_RULES)}; others go with --op")
    for name in ("turned", "levels", "channels"):
        if getattr(arguments, name) is not None:
            raise UsageError(f"argument --{name}: it goes with --op")
    options = _align_options(arguments, rules)
    scale = _scale(arguments)
    sizes = _map_size(arguments, scale)
    for rule in rules:
        if rule in INTERPOLATION_RULES and sizes is None:
            raise UsageError(f"argument --rule: {rule} needs --image-size or --map-size")
    call = functools.partial(explain, _corners(arguments), arguments.output_size, scale, map_size=sizes)
    return [call(rule=rule, **(options if rule == "roi_align" else {})) for rule in rules]


def _align_options(arguments, rules):
    """Options of RoIAlign; those of its reduction belong to a plan."""
    given = given_options(argparse.Namespace(**{**vars(arguments), "rule": None}))
    if given and "roi_align" not in rules and given.keys() <= {"sampling_ratio", "aligned"}:
        raise UsageError("argument --sampling-ratio or --aligned: it goes with --rule roi_align")
    for name in given.keys() - {"sampling_ratio", "aligned"}:
        raise UsageError(f"argument --{name.replace('_', '-')}: it goes with --op")
    return options_of(argparse.Namespace(op="roi_align", **given))[0]


def _plans(arguments):
    """The plan of the operator, or one under each of several rules."""
    operator = OPERATORS[arguments.op]
    scale = _scale(arguments, operator.scaled)
    sizes = _map_size(arguments, scale)
    if sizes is None:
        raise UsageError(f"argument --op: {arguments.op} needs --image-size or --map-size")
    if operator.levels:
        scale, sizes = _pyramid(arguments, scale, sizes)
    elif arguments.levels:
        raise UsageError(f"argument --levels: {arguments.op} has one map")
    call = functools.partial(explain, _box(arguments, operator), arguments.output_size, scale, operator=operator.name)
    plans = []
    for rule in dict.fromkeys(arguments.rule or [None]):
        options, arrays = options_of(argparse.Namespace(**{**vars(arguments), "rule": rule}))
        with naming_files(array_files(arguments)):
            plans.append(call(map_size=sizes, channels=arguments.channels, **arrays, **options))
    return plans


def _pyramid(arguments, scale, size):
    if isinstance(scale, tuple):
        raise UsageError("argument --scale: multiscale_roi_align takes one number, the first level's")
    levels = range(arguments.levels or 4)
    return [scale / 2**i for i in levels], [tuple(math.ceil(extent / 2**i) for extent in size) for i in levels]


def _scale(arguments, needed=True):
    given = arguments.scale is not None or arguments.stride is not None
    if needed and not given:
        raise UsageError("one of the arguments --scale --stride is required")
    if given and not needed:
        raise UsageError(f"argument --scale or --stride: {arguments.op} has none")
    return scale_of(arguments)


def _box(arguments, operator):
    if (operator.coordinates == 5) != (arguments.turned is not None):
        raise UsageError(
            f"argument --op: {arguments.op} {'needs --turned' if operator.coordinates == 5 else 'has upright boxes'}"
        )
    if arguments.turned is not None:
        return tuple(arguments.turned)
    x1, y1, x2, y2 = _corners(arguments)
    return (y1, x1, y2, x2) if operator.normalised else (x1, y1, x2, y2)


def _corners(arguments):
    if arguments.box is not None:
        return tuple(arguments.box)
    x, y, w, h = arguments.xywh
    return x, y, x + w, y + h


def _map_size(arguments, scale):
    if arguments.map_size is not None:
        width, height = arguments.map_size
        return height, width
    if arguments.image_size is None:
        return None
    scale_h, scale_w = scale if isinstance(scale, tuple) else (scale, scale)
    width, height = arguments.image_size
    return math.ceil(height * scale_h), math.ceil(width * scale_w)
