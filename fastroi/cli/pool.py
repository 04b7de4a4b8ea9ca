"""``fastroi pool``: arrays in files, pooled into a file."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import signal
import threading
import time
from pathlib import Path

import numpy

from . import _boxes
from ._arguments import add_output_size, add_scale, positive_int, scale_of
from ._errors import UsageError
from ._files import replacing
from ._operators import OPERATORS, add_operator, chosen, extents, split_index
from ._progress import progress

HELP = "pool the boxes of a file from the features of a file"
DESCRIPTION = """\
Read features and boxes, write one array of pooled bins. Features and result are
memory-mapped, so that they may exceed the memory. The result appears under its
name only when it is complete.

  fastroi pool features.npy boxes.csv -o pooled.npy --output-size 7 --scale 1/16

BOXES is one of
  .npy   (K, 4) x1 y1 x2 y2, or (K, 5) batch x1 y1 x2 y2, in image pixels
  .csv   the same columns; or a header that names x1 y1 x2 y2 or x y w h, and
         batch if there are several images
  .json  COCO: the bbox (x y width height) of the annotations; the batch index of
         an image_id is its position in the list of images

For the rotated operators a box is cx cy w h angle in place of x1 y1 x2 y2, in .npy
or .csv. For --op crop_and_resize the boxes are x1 y1 x2 y2 in [0, 1] and --scale does not
apply. For --op multiscale_roi_align FEATURES.npy is the finest level, --scale its
scale, and every --level the next, of half that scale.

For --op paste_masks and crop_masks FEATURES.npy is (N, h, w) masks, and BOXES is .npy or
.csv in pixels of the image. Box k belongs to mask k, unless the batch column tells
another. paste_masks takes --image-size in place of --output-size:

  fastroi pool masks.npy boxes.csv -o pasted.npy --op paste_masks --image-size 640 480
"""
_CHUNK_BYTES = 64 * 2**20


def add_arguments(parser):
    """Add the arguments of this command."""
    parser.add_argument("features", metavar="FEATURES.npy", help="(N, C, H, W) or (C, H, W), see --layout; or masks")
    parser.add_argument("boxes", metavar="BOXES", help=".npy, .csv or COCO .json")
    parser.add_argument("-o", "--output", metavar="OUT.npy", required=True, help="the result")
    size = parser.add_mutually_exclusive_group(required=True)
    add_output_size(size)
    size.add_argument(
        "--image-size", type=positive_int, nargs=2, metavar=("W", "H"), help="of what masks are pasted into, in pixels"
    )
    add_scale(parser, required=False)
    parser.add_argument(
        "--layout",
        choices=("NCHW", "NHWC"),
        default="NCHW",
        help="of features and result (default: NCHW)",
    )
    parser.add_argument("--xywh", action="store_true", help="boxes are x y width height")
    parser.add_argument("--threads", type=positive_int, metavar="N", help="use N threads")
    parser.add_argument(
        "--progress",
        choices=("auto", "always", "never"),
        default="auto",
        help="a bar on stderr (default: auto, when it takes long and stderr is a terminal)",
    )
    add_operator(parser, "roi_pool")


def run(arguments):
    """Pool and report in one line."""
    start = time.perf_counter()
    function, options, arrays = chosen(arguments)
    _check_paths(arguments)
    features, rois, batch_indices = _load(arguments)
    per_roi = _per_roi(batch_indices, arrays, len(rois))
    call = functools.partial(
        function,
        output_size=extents(arguments),
        spatial_scale=scale_of(arguments),
        layout=arguments.layout,
        num_threads=arguments.threads,
        **options,
    )
    shape, dtype = _result(call, features, rois, per_roi, None if OPERATORS[arguments.op].masks else arguments.layout)
    with _terminable(), replacing(arguments.output) as temporary:
        out = _create(temporary, shape, dtype)
        with progress(len(rois), "RoIs", arguments.progress) as advance:
            for rows in _chunks(shape, dtype, features.nbytes // max(len(features), 1)):
                call(features, rois[rows], **_rows(per_roi, rows), out=out[rows])
                advance(len(out[rows]))
        out.flush()
    size = "x".join(map(str, shape))
    print(f"{arguments.output}: {size} {dtype} in {time.perf_counter() - start:.2f} s")


def _check_paths(arguments):
    """Refuse what could not be done at the end before anything is computed."""
    output = Path(arguments.output)
    if output.suffix.lower() != ".npy":
        raise UsageError(f"argument -o: {arguments.output!r} does not end in .npy")
    for name in (arguments.features, arguments.boxes):
        if output.exists() and Path(name).exists() and output.samefile(name):
            raise UsageError(f"argument -o: {arguments.output!r} is an input")


def _load(arguments):
    """Features or masks, boxes, and the batch index of each box if it has one beside its numbers."""
    operator = OPERATORS[arguments.op]
    if operator.masks:
        return _load_masks(arguments)
    features = _load_features(arguments.features, arguments.layout)
    return features, *_boxes.read_boxes(arguments.boxes, len(features), arguments.xywh, operator.coordinates)


def _load_masks(arguments):
    if Path(arguments.boxes).suffix.lower() == ".json":
        raise UsageError("argument BOXES: boxes of masks are read from .npy and .csv")
    masks = _boxes.load_array(arguments.features)
    if masks.ndim != 3:
        raise ValueError(f"{arguments.features}: expected (N, h, w) masks, found shape {masks.shape}")
    rois, numbers = split_index(*_boxes.read_boxes(arguments.boxes, len(masks), arguments.xywh))
    if numbers is None:
        if len(rois) != len(masks):
            raise ValueError(f"{arguments.boxes}: {len(rois)} boxes for {len(masks)} masks; a batch index is required")
        numbers = numpy.arange(len(rois))
    return masks, rois, numbers


def _load_features(path, layout):
    features = _boxes.load_array(path)
    if features.ndim == 3:
        features = features[None]
    if features.ndim != 4:
        expected = "(N, C, H, W)" if layout == "NCHW" else "(N, H, W, C)"
        raise ValueError(f"{path}: expected {expected} features, found shape {features.shape}")
    return features


def _per_roi(batch_indices, arrays, count):
    """Keyword arguments that have a row for each RoI."""
    for name, array in arrays.items():
        if array is not None and (array.ndim == 0 or len(array) != count):
            raise ValueError(f"{name}: shape {array.shape} for {count} RoIs")
    return {"batch_indices": batch_indices, **arrays}


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


def _create(path, shape, dtype):
    """A memory-mapped array whose blocks are on the disk already.

    Without that a full disk shows itself as a fatal signal in the middle of the work.
    """
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
