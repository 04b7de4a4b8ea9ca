"""``fastroi pool``: arrays in files, pooled into a file."""

from __future__ import annotations

import contextlib
import errno
import functools
import math
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy

from . import _coverage
from ._arguments import add_output_size, add_scale, positive_int, scale_of, threads
from ._arrays import COMPUTED_IN, ELEMENTS, as_elements, as_masks, bfloat16_note, check_dtype, load_array
from ._boxes import of_listed_images, split_index
from ._errors import UsageError, naming_files, shown, tell
from ._files import STREAM, InputFile, add_output, replacing
from ._images import read_images
from ._operators import OPERATORS, add_operator, array_files, chosen, extents, load_levels
from ._progress import progress
from ._reading import read_boxes
from ._rows import write_rows

HELP = "pool the boxes of a file from the features of a file"
DESCRIPTION = """\
Read features and boxes, write one array of pooled bins. Features and result are
memory-mapped, so that they may exceed the memory. The result appears under its
name only when it is complete, and replaces a file only with --force.

  fastroi pool features.npy boxes.csv -o pooled.npy --output-size 7 --scale 1/16

FEATURES is .npy, or .npz with --key. float16, bfloat16, float32, float64 and integers of 8
and 16 bits in the machine's byte order are pooled from where they lie. Other numbers
are converted in memory: booleans to uint8, wider integers to float64, the other byte
order to this one. The result has the type of FEATURES, float32 for integers, or the one
that --dtype names: rounded once from sums in float32 (float64 for float64), integers
saturated. --dtype float64 computes in float64, --dtype float32 of wider features in
float32. A bfloat16 .npy is what numpy.save makes of ml_dtypes.bfloat16, two bytes an
element without a type: numpy.load(FILE).view(ml_dtypes.bfloat16) reads it.

BOXES is one of
  .npy .npz        (K, 4) x1 y1 x2 y2, or (K, 5) batch x1 y1 x2 y2, in image pixels
  .csv .tsv .txt   the same columns between commas, semicolons, tabs or spaces; or a
                   header that names x1 y1 x2 y2 (xmin.., left..), x y w h (left top
                   width height) or cx cy w h, and the image
  .json            COCO: the bbox (x y width height) of the annotations of a dataset, whose
                   list of images is that of the features, or of a list of results

The image of a box is its position in FEATURES, a column batch or image_index; or its name
or number, a column image, image_id, frame, filename, ..., the image_id of a COCO result. Names are
looked up in --images. Without it they are refused, unless FEATURES is one image and there is one
name, or they are numbers from 0. Five columns without names are taken as batch x1 y1 x2 y2 if the first
holds positions only and the last does not look like a score; --columns says what they are.
--rows writes a table of the result's rows: image, box, line or annotation, id, category, score, iscrowd.

- in place of a file is standard input or output; what a pipe holds is told by its beginning.

For the rotated operators a box is cx cy w h angle in place of x1 y1 x2 y2, in arrays
and tables. For --op crop_and_resize the boxes are x1 y1 x2 y2 in [0, 1] and --scale does not
apply. For --op multiscale_roi_align FEATURES is the finest level, --scale its
scale, and every --level the next, of half that scale.

For --op paste_masks and crop_masks FEATURES is (N, h, w) masks, and BOXES an array or
a table in pixels of the image. Box k belongs to mask k, unless the batch column tells
another. paste_masks takes --image-size in place of --output-size:

  fastroi pool masks.npy boxes.csv -o pasted.npy --op paste_masks --image-size 640 480

Two examples. A COCO dataset of two images, and FEATURES (2, C, H, W) at stride 16 in the
order of its list of images; rows.csv tells the annotation of each row of the result:

  {"images": [{"id": 7, "file_name": "a.jpg"}, {"id": 9, "file_name": "b.jpg"}],
   "annotations": [{"id": 1, "image_id": 9, "bbox": [20, 30, 150, 130]}]}

  fastroi pool features.npy instances.json -o pooled.npy --rows rows.csv \\
      --op roi_align --output-size 7 --stride 16

A table of boxes that names images by file, and names.txt with the same names, a line
each, in the order of FEATURES:

  filename,xmin,ymin,xmax,ymax,label        a.jpg
  b.jpg,20,30,170,160,cat                   b.jpg

  fastroi pool features.npy boxes.csv -o pooled.npy --images names.txt --rows rows.csv \\
      --op roi_align --output-size 7 --stride 16
"""
_SIDE_OF_A_PICTURE = 16
_BFLOAT16_WRITTEN = (
    "written without a type, as NumPy saves bfloat16; numpy.load(FILE).view(ml_dtypes.bfloat16) reads it"
)
_TRUE = (1, True, "1", "true", "True", "yes")
_CHUNK_BYTES = 64 * 2**20


def add_arguments(parser):
    """Add the arguments of this command."""
    parser.add_argument(
        "features", type=InputFile, metavar="FEATURES", help="(N, C, H, W) or (C, H, W), see --layout; or masks"
    )
    parser.add_argument("boxes", type=InputFile, metavar="BOXES", help="an array, a table or a COCO file")
    add_output(parser, "-o", "--output", metavar="OUT.npy", required=True, help="the result; - writes it to stdout")
    add_output(parser, "--rows", metavar="FILE.csv", help="write which image and box each row of the result belongs to")
    size = parser.add_mutually_exclusive_group(required=True)
    add_output_size(size)
    size.add_argument(
        "--image-size", type=positive_int, nargs=2, metavar=("W", "H"), help="of what masks are pasted into, in pixels"
    )
    add_scale(parser, required=False)
    parser.add_argument("--layout", choices=("NCHW", "NHWC"), help="of features and result (default: NCHW)")
    parser.add_argument("--dtype", choices=ELEMENTS, metavar="TYPE", help=f"of the result: {', '.join(ELEMENTS)}")
    parser.add_argument("--key", metavar="NAME", help="of the features in a .npz file of several arrays")
    parser.add_argument("--boxes-key", metavar="NAME", help="of the boxes in one")
    parser.add_argument("--xywh", action="store_true", help="boxes are x y width height")
    parser.add_argument(
        "--columns",
        type=column_names,
        metavar="NAMES",
        help="of an array's or a table's columns, e.g. x1,y1,x2,y2,score; _ is one not to be read",
    )
    parser.add_argument(
        "--images",
        type=InputFile,
        metavar="FILE",
        help="the images that FEATURES hold, in their order: a name a line, or a COCO file; boxes of others are left out",
    )
    parser.add_argument(
        "--crowd",
        choices=("keep", "drop"),
        help="what becomes of annotations with iscrowd 1 (default: keep, and say so)",
    )
    parser.add_argument("--threads", type=threads, metavar="N", help="use N threads")
    parser.add_argument("--quiet", action="store_true", help="print neither notes nor the report")
    parser.add_argument(
        "--progress",
        choices=("auto", "always", "never"),
        default="auto",
        help="a bar on stderr (default: auto, when it takes long and stderr is a terminal)",
    )
    add_operator(parser, "roi_pool")


def column_names(text):
    """Parse the names of columns between commas."""
    return [name.strip() for name in text.split(",")]


def run(arguments):
    """Pool and report in one line."""
    start = time.perf_counter()
    _check_output(arguments)
    function, options, arrays = chosen(arguments)
    operator = OPERATORS[arguments.op]
    features, boxes = _load(arguments, operator)
    boxes, arrays = _wanted(boxes, arrays, arguments)
    if arguments.level:
        options["level"] = load_levels(
            arguments.level, features, shown(arguments.features), arguments.layout or "NCHW", arguments.dtype
        )
    call = functools.partial(
        function,
        output_size=extents(arguments),
        spatial_scale=scale_of(arguments),
        layout=arguments.layout or "NCHW",
        num_threads=arguments.threads,
        dtype=_result_dtype(arguments, operator, options),
        **options,
    )
    with _naming_files(arguments, boxes):
        per_roi = _per_roi(boxes.batch_indices, arrays, len(boxes))
        shape, dtype = _result(call, features, boxes.rois, per_roi, None if operator.masks else call.keywords["layout"])
    if not arguments.quiet:
        _tell(arguments, operator, features, boxes, dtype)
    with _terminable(), _destination(arguments.output, shape, dtype) as store:
        with progress(len(boxes), "RoIs", arguments.progress) as advance:
            for rows in _chunks(shape, dtype, features.nbytes // max(len(features), 1)):
                pool_rows = functools.partial(call, features, boxes.rois[rows], **_rows(per_roi, rows))
                with _naming_files(arguments, boxes):
                    advance(store(rows, pool_rows))
        if arguments.rows is not None:
            write_rows(arguments.rows, boxes, operator.coordinates)
    if not arguments.quiet:
        _report(arguments, shape, dtype, time.perf_counter() - start)


def _result_dtype(arguments, operator, options):
    """What the operator is to store; masks that were converted to the type have results of it already, or of bool."""
    if arguments.dtype is None or (operator.masks and arguments.dtype in COMPUTED_IN):
        return None
    if operator.masks and options.get("threshold", 0.5) is not None:
        raise UsageError(f"argument --dtype: under a threshold {arguments.op} writes bool; --threshold none for values")
    check_dtype(arguments.dtype)
    return arguments.dtype


def _check_output(arguments):
    """Refuse what could not be done at the end before anything is computed."""
    output = arguments.output
    if output != STREAM and Path(output).suffix.lower() != ".npy":
        raise UsageError(f"argument -o: {str(output)!r} does not end in .npy")
    if output == STREAM and sys.stdout.isatty():
        raise UsageError("argument -o: - is for a pipe or a file, not for a terminal")


def _report(arguments, shape, dtype, seconds):
    size = "x".join(map(str, shape))
    taken = STREAM in (arguments.output, arguments.rows)
    print(f"{_output_name(arguments)}: {size} {dtype} in {seconds:.2f} s", file=sys.stderr if taken else sys.stdout)


def _output_name(arguments):
    return "standard output" if arguments.output == STREAM else arguments.output


def _tell(arguments, operator, features, boxes, dtype):
    """Notes on stderr: what was assumed, and what is hardly meant."""
    notes = bfloat16_note(features, arguments.features) + boxes.notes
    notes += [] if len(boxes) else [f"{shown(arguments.boxes)}: no boxes"]
    notes += [f"{_output_name(arguments)}: {_BFLOAT16_WRITTEN}"] if dtype.name == "bfloat16" else []
    rois, _ = split_index(boxes.rois, boxes.batch_indices, operator.coordinates)
    if operator.extents == "image_size":
        rows, columns = extents(arguments)
    elif operator.masks or arguments.layout != "NHWC":
        rows, columns = features.shape[-2:]
    else:
        rows, columns = features.shape[1:3]
    off = _coverage.note(rois, operator, scale_of(arguments), (rows, columns), arguments.angle_unit)
    for note in [*notes, *([f"{shown(arguments.boxes)}: {off}"] if off else [])]:
        tell(note)


def _load(arguments, operator):
    """Features or masks, and boxes."""
    features = load_array(arguments.features, arguments.key, "--key")
    features = _masks(features, arguments) if operator.masks else _features(features, arguments)
    images = read_images(arguments.images, len(features))
    boxes = read_boxes(arguments.boxes, images, operator, arguments.xywh, arguments.columns, arguments.boxes_key)
    if not operator.masks:
        _check_images_told(arguments, operator, features, boxes)
        return features, boxes
    with _naming_files(arguments, boxes):
        rois, numbers = split_index(boxes.rois, boxes.batch_indices)
    if numbers is None:
        if len(rois) != len(features):
            counts = f"{len(rois)} boxes for {len(features)} masks; a batch index is required"
            raise ValueError(f"{shown(arguments.boxes)}: {counts}")
        numbers = numpy.arange(len(rois))
    return features, replace(boxes, rois=rois, batch_indices=numbers)


def _check_images_told(arguments, operator, features, boxes):
    has_index = boxes.batch_indices is not None or boxes.rois.shape[1] > operator.coordinates
    if arguments.images is None and len(features) > 1 and not has_index:
        where = "a column batch, or a column image with --images FILE; --columns names the columns"
        raise ValueError(f"{shown(arguments.boxes)}: which of {len(features)} images a box is of is not told: {where}")


def _masks(masks, arguments):
    if arguments.images is not None:
        raise UsageError(f"argument --images: the boxes of {arguments.op} are of masks, not of images")
    if masks.ndim != 3:
        raise ValueError(f"{shown(arguments.features)}: expected (N, h, w) masks, found shape {masks.shape}")
    return as_masks(masks, arguments.features, arguments.dtype)


def _features(features, arguments):
    path, shape = shown(arguments.features), features.shape
    expected = "(N, H, W, C)" if arguments.layout == "NHWC" else "(N, C, H, W)"
    if features.ndim == 2:
        raise ValueError(f"{path}: expected {expected} features, found shape {shape}, as of a grey picture")
    if features.ndim not in (3, 4):
        raise ValueError(f"{path}: expected {expected} features, found shape {shape}")
    if arguments.layout is None and shape[-1] in (3, 4) and min(shape[-3:-1]) >= _SIDE_OF_A_PICTURE:
        what = "a photograph" if features.ndim == 3 else "photographs"
        hint = "--layout NHWC pools its pixels, --layout NCHW takes it as a map all the same"
        raise ValueError(f"{path}: shape {shape} is that of {what}, (H, W, {shape[-1]}), not of features; {hint}")
    features = as_elements(features, arguments.features, arguments.dtype)
    return features[None] if features.ndim == 3 else features


def _wanted(boxes, arrays, arguments):
    """The boxes that --images and --crowd leave, and the rows of the arrays that belong to them."""
    listed, notes = _of_listed_images(boxes, arguments)
    crowd = listed & _crowd(boxes)
    drop = arguments.crowd == "drop"
    if crowd.any():
        told = "left out" if drop else "pooled like any other; --crowd drop leaves them out"
        notes += (
            [f"{shown(arguments.boxes)}: {crowd.sum()} crowd annotations, {told}"] if arguments.crowd != "keep" else []
        )
    kept = listed & ~crowd if drop else listed
    boxes = replace(boxes, notes=[*boxes.notes, *notes])
    if kept.all():
        return boxes, arrays
    _check_rows(arrays, len(boxes))
    return boxes.where(kept), _rows(arrays, kept)


def _of_listed_images(boxes, arguments):
    """Which boxes are of images that the features hold, and what to tell of the others."""
    if arguments.images is None:
        return numpy.ones(len(boxes), dtype=bool), []
    if boxes.batch_indices is None:
        raise UsageError(f"argument --images: {shown(arguments.boxes)} does not name the images of its boxes")
    return of_listed_images(boxes, arguments.boxes, arguments.images)


def _crowd(boxes):
    values = boxes.extras.get("iscrowd", [0] * len(boxes))
    return numpy.array([value in _TRUE for value in values], dtype=bool)


def _per_roi(batch_indices, arrays, count):
    """Keyword arguments that have a row for each RoI."""
    _check_rows(arrays, count)
    return {"batch_indices": batch_indices, **arrays}


def _check_rows(arrays, count):
    for name, array in arrays.items():
        if array is not None and (array.ndim == 0 or len(array) != count):
            raise ValueError(f"{name}: shape {array.shape} for {count} RoIs")


def _naming_files(arguments, boxes):
    """Put the file, and the box's place in it, before what the library says about an argument."""
    files = dict.fromkeys(("rois", "batch_indices", "boxes", "box_indices", "mask_indices"), arguments.boxes)
    files |= dict.fromkeys(("features", "image", "masks"), arguments.features)
    files["feature_pyramid"] = [arguments.features, *(arguments.level or ())]

    def place(file, row):
        return f"{boxes.place(row)}: " if file is arguments.boxes and boxes.source != "row" else ""

    return naming_files(files | array_files(arguments), place)


def _result(call, features, rois, per_roi, layout):
    """Let the operator judge every box, on no channel, and tell shape and dtype of the result.

    A bad box is found before any work, and its row is the row of the file. Masks, of no layout, have no channel to leave
    out: one cell of each makes one pixel a box.
    """
    if layout is None:
        call(features[:, :1, :1], rois, **per_roi, output_size=1)
    else:
        call(features[:, :0] if layout == "NCHW" else features[..., :0], rois, **per_roi)
    none = call(features, rois[:0], **_rows(per_roi, slice(0)))
    return (len(rois), *none.shape[1:]), none.dtype


def _rows(per_roi, rows):
    return {name: None if array is None else array[rows] for name, array in per_roi.items()}


@contextlib.contextmanager
def _destination(path, shape, dtype):
    """Yield a function that stores some rows of the result and returns how many."""
    if path == STREAM:
        numpy.lib.format.write_array_header_2_0(
            sys.stdout.buffer, {"descr": dtype.str, "fortran_order": False, "shape": shape}
        )
        yield _to_stream
        sys.stdout.buffer.flush()
        return
    with replacing(path) as temporary:
        out = _create(temporary, shape, dtype)

        def store(rows, pool_rows):
            pool_rows(out=out[rows])
            return len(out[rows])

        yield store
        out.flush()


def _to_stream(rows, pool_rows):
    result = numpy.ascontiguousarray(pool_rows())
    sys.stdout.buffer.write(result.reshape(-1).view(numpy.uint8).data if result.size else b"")
    return len(result)


def _create(path, shape, dtype):
    """A memory-mapped array whose blocks are on the disk already.

    Without that a full disk shows itself as a fatal signal in the middle of the work.
    """
    try:
        return _allocated(path, shape, dtype)
    except (OSError, OverflowError, ValueError) as error:
        size = math.prod(shape) * dtype.itemsize
        told = f"no room for {'x'.join(map(str, shape))} {dtype}, {size:,} bytes"
        reason = error.strerror if isinstance(error, OSError) else error
        raise OSError(getattr(error, "errno", None) or errno.EFBIG, f"{told}: {reason}") from None


def _allocated(path, shape, dtype):
    out = numpy.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):
        descriptor = os.open(path, os.O_RDWR)
        try:
            os.posix_fallocate(descriptor, 0, os.fstat(descriptor).st_size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
        finally:
            os.close(descriptor)
    return out


def _chunks(shape, dtype, image_bytes):
    """Slices of boxes: about `_CHUNK_BYTES` of output each, no less than an image is large."""
    row_bytes = max(int(numpy.prod(shape[1:], dtype=object)) * dtype.itemsize, 1)
    step = max(max(_CHUNK_BYTES, image_bytes) // row_bytes, 1)
    return [slice(first, first + step) for first in range(0, shape[0], step)]


@contextlib.contextmanager
def _terminable():
    """Turn SIGTERM into an exception, so that the temporary file is removed then too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number, frame):
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
