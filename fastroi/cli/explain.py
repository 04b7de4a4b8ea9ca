"""``fastroi explain``: what quantisation does to one box."""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path

from fastroi import ROI_POOL_RULES, explain
from fastroi._core import OPERATORS
from fastroi.explain import INTERPOLATION_RULES

from ._arguments import add_output_size, add_scale, number, positive_int, scale_of
from ._errors import UsageError
from ._operators import sampling_ratio

HELP = "show what quantisation does to one box, or what interpolation does instead"
DESCRIPTION = """\
Show the coordinates, bins and areas of one box under one or several rules, and
draw them side by side:

  fastroi explain --xywh 296 192 200 145 --stride 32 --image-size 512 512 \\
      --output-size 3 --rule floor --rule roi_align -o figure.png

The interpolating rules, roi_align, roi_warp and prroi_pool, need the size of the
image or map.
"""
_ALIGNED = {"true": True, "false": False, **{name: name for name in OPERATORS["roi_align"].fields["aligned"].choices}}
_FIGURES = (".png", ".svg", ".pdf")


def add_arguments(parser):
    """Add the arguments of this command."""
    box = parser.add_mutually_exclusive_group(required=True)
    box.add_argument("--box", type=number, nargs=4, metavar=("X1", "Y1", "X2", "Y2"), help="in image pixels")
    box.add_argument("--xywh", type=number, nargs=4, metavar=("X", "Y", "W", "H"), help="in image pixels")
    add_scale(parser, required=True)
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
        choices=(*ROI_POOL_RULES, *INTERPOLATION_RULES, "all"),
        metavar="RULE",
        help=f"{', '.join(ROI_POOL_RULES)}, or all of these; {', '.join(INTERPOLATION_RULES)}; "
        "repeat it to compare (default: floor)",
    )
    parser.add_argument(
        "--sampling-ratio",
        type=sampling_ratio,
        metavar="N",
        help="points of roi_align per bin, e.g. 2 or 2x3 (default: as many as it has cells)",
    )
    parser.add_argument("--aligned", choices=tuple(_ALIGNED), help="of roi_align (default: true)")
    parser.add_argument("--image", metavar="FILE", help="draw this image beside the rules")
    parser.add_argument("--whole-map", action="store_true", help="draw all of the map")
    parser.add_argument("--title", help="a heading over the figure")
    parser.add_argument("--json", action="store_true", help="print a JSON list, not tables")
    parser.add_argument("-o", "--output", metavar="FILE", help="write a figure: .png, .svg, .pdf")


def run(arguments):
    """Print the explanations and write the figure."""
    _check_output(arguments)
    explanations = _explanations(arguments)
    if arguments.json:
        print(json.dumps([e.to_dict() for e in explanations], indent=2))
    else:
        print("\n\n".join(map(str, explanations)))
    if arguments.output:
        write_figure(
            arguments.output,
            explanations,
            image=arguments.image and read_image(arguments.image),
            view="map" if arguments.whole_map else None,
            title=arguments.title,
        )


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
        from PIL import Image
    except ImportError as error:
        message = "reading an image needs Pillow: pip install 'fastroi[demo]'"
        raise ImportError(message, name=error.name) from error
    with Image.open(path) as image:
        return numpy.asarray(image.convert("RGB"))


def _check_output(arguments):
    if arguments.output and Path(arguments.output).suffix.lower() not in _FIGURES:
        raise UsageError(f"argument -o: {arguments.output!r} ends in none of {' '.join(_FIGURES)}")
    for option, value in (("--image", arguments.image), ("--title", arguments.title)):
        if value is not None and not arguments.output:
            raise UsageError(f"argument {option}: it goes with -o")
    if arguments.whole_map and not (arguments.output and _known_size(arguments)):
        raise UsageError("argument --whole-map: it goes with -o and a size of the image or map")


def _known_size(arguments) -> bool:
    return arguments.image_size is not None or arguments.map_size is not None


def _explanations(arguments):
    rules = list(dict.fromkeys(arguments.rule or ["floor"]))
    if "all" in rules:
        at = rules.index("all")
        rules = list(dict.fromkeys([*rules[:at], *ROI_POOL_RULES, *rules[at + 1 :]]))
    options = _align_options(arguments, rules)
    scale = scale_of(arguments)
    sizes = _map_size(arguments, scale)
    for rule in rules:
        if rule in INTERPOLATION_RULES and sizes is None:
            raise UsageError(f"argument --rule: {rule} needs --image-size or --map-size")
    call = functools.partial(explain, _corners(arguments), arguments.output_size, scale, map_size=sizes)
    return [call(rule=rule, **(options if rule == "roi_align" else {})) for rule in rules]


def _align_options(arguments, rules):
    options = {}
    if arguments.sampling_ratio is not None:
        options["sampling_ratio"] = arguments.sampling_ratio
    if arguments.aligned is not None:
        options["aligned"] = _ALIGNED[arguments.aligned]
    if options and "roi_align" not in rules:
        raise UsageError("argument --sampling-ratio or --aligned: it goes with --rule roi_align")
    return options


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
