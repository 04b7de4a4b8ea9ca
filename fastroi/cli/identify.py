"""``fastroi identify``: which operator made an output, or what the RoI nodes of an ONNX file compute."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ._arguments import add_output_size, add_scale, number, positive_int, scale_of
from ._arrays import ENDINGS, bfloat16_note, load_array
from ._boxes import of_listed_images
from ._errors import UsageError, naming_files, tell
from ._files import InputFile
from ._images import read_images
from ._operators import Operator
from ._reading import read_boxes

HELP = "find out which operator, rule and convention made an output; or list the RoI nodes of an ONNX file"
DESCRIPTION = """\
Search all operators under all of their choices, box formats, layouts and scales for
those that make OBSERVED of the features and boxes:

  fastroi identify features.npy boxes.npy observed.npy
  fastroi identify features.npy boxes.csv observed.npy --stride 16 --json

The numbers of an array of boxes are taken as they were given to what made the output,
in whatever order; tables and COCO files say what their columns are.

With --onnx, list each RoI node of a model, its attributes, what it computes, and the
function of fastroi.compat that equals it:

  fastroi identify --onnx model.onnx
"""


def add_arguments(parser):
    """Add the arguments of this command."""
    parser.add_argument(
        "features", nargs="?", type=InputFile, metavar="FEATURES", help="(N, C, H, W), (N, H, W, C) or three axes"
    )
    parser.add_argument("boxes", nargs="?", type=InputFile, metavar="BOXES", help="an array, a table or a COCO file")
    parser.add_argument(
        "observed", nargs="?", type=InputFile, metavar="OBSERVED", help="the output, RoIs along its first axis"
    )
    parser.add_argument("--onnx", type=InputFile, metavar="MODEL.onnx", help="list the RoI nodes of this file instead")
    parser.add_argument(
        "--images",
        type=InputFile,
        metavar="FILE",
        help="names of the images in the order of the features, one a line or COCO, for boxes that name images",
    )
    add_output_size(parser)
    add_scale(parser, required=False)
    parser.add_argument("--layout", choices=("NCHW", "NHWC"), help="of the features (default: both are tried)")
    parser.add_argument(
        "--level",
        action="append",
        type=InputFile,
        metavar="FILE.npy",
        help="a further level of a pyramid, of half the scale; repeat it",
    )
    for name in ("offset", "trans"):
        parser.add_argument(
            f"--{name}", type=InputFile, metavar="FILE.npy", help="given to the deformable operator, if it was one"
        )
    parser.add_argument(
        "--tolerance", type=number, metavar="V", help="the largest error that agrees (default: rounding)"
    )
    parser.add_argument("--top", type=positive_int, default=8, metavar="N", help="candidates to list (default: 8)")
    parser.add_argument("--json", action="store_true", help="print JSON, not a table")


def run(arguments):
    """Print what was found."""
    files = (arguments.features, arguments.boxes, arguments.observed)
    if arguments.onnx is not None:
        if any(files):
            raise UsageError("argument --onnx: it goes without FEATURES, BOXES and OBSERVED")
        _print_nodes(arguments)
        return
    if not all(files):
        raise UsageError("the arguments FEATURES, BOXES and OBSERVED are required, or --onnx")
    found = _identified(arguments)
    print(json.dumps(found.to_dict(), indent=2) if arguments.json else found)


def _identified(arguments):
    from fastroi import identify

    features = load_array(arguments.features)
    levels = [load_array(path) for path in arguments.level or ()]
    observed = load_array(arguments.observed)
    for note in bfloat16_note(features, arguments.features) + bfloat16_note(observed, arguments.observed):
        print(f"fastroi: {note}", file=sys.stderr)
    rois, batch_indices = _rows(arguments, len(features) if features.ndim == 4 else 1)
    given = arguments.scale is not None or arguments.stride is not None
    maps = [arguments.features, *arguments.level] if levels else arguments.features
    files = {"features": maps, **{name: getattr(arguments, name) for name in ("observed", "offset", "trans")}}
    with naming_files({**files, "rois": arguments.boxes}):
        return identify(
            [features, *levels] if levels else features,
            rois,
            observed,
            arguments.output_size,
            scale_of(arguments) if given else None,
            batch_indices=batch_indices,
            layout=arguments.layout,
            offset=None if arguments.offset is None else load_array(arguments.offset),
            trans=None if arguments.trans is None else load_array(arguments.trans),
            tolerance=arguments.tolerance,
            top=arguments.top,
        )


def _rows(arguments, images):
    """The numbers of an array as they are, boxes of other files as these say."""
    if Path(arguments.boxes).suffix.lower() in ENDINGS:
        if arguments.images is not None:
            raise UsageError("argument --images: an array has the positions of images, not their names")
        return load_array(arguments.boxes), None
    boxes = read_boxes(arguments.boxes, read_images(arguments.images, images), Operator("roi_align"))
    notes = boxes.notes
    if boxes.batch_indices is not None:
        listed, left_out = of_listed_images(boxes, arguments.boxes, arguments.images)
        boxes, notes = boxes.where(listed), [*notes, *left_out]
    for note in notes:
        tell(note)
    return boxes.rois, boxes.batch_indices


def _print_nodes(arguments):
    from fastroi.identify.onnx_nodes import roi_nodes

    nodes = roi_nodes(arguments.onnx)
    if arguments.json:
        print(json.dumps([node.to_dict() for node in nodes], indent=2))
    elif nodes:
        print("\n\n".join(map(str, nodes)))
    else:
        print(f"{arguments.onnx}: no RoI node")
