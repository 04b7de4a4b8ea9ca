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
from ._operators import add_operator, chosen, coordinates
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
"""
_CHUNK_BYTES = 64 * 2**20


def add_arguments(parser):
    """Add the arguments of this command."""
    parser.add_argument("features", metavar="FEATURES.npy", help="(N, C, H, W) or (C, H, W); see --layout")
    parser.add_argument("boxes", metavar="BOXES", help=".npy, .csv or COCO .json")
    parser.add_argument("-o", "--output", metavar="OUT.npy", required=True, help="the result")
    add_output_size(parser, required=True)
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
    add_operator(parser)


def run(arguments):
    """Pool and report in one line."""
    start = time.perf_counter()
    function, options, arrays = chosen(arguments)
    _check_paths(arguments)
    features = _load_features(arguments.features, arguments.layout)
    rois, batch_indices = _boxes.read_boxes(arguments.boxes, len(features), arguments.xywh, coordinates(arguments))
    per_roi = _per_roi(batch_indices, arrays, len(rois))
    call = functools.partial(
        function,
        output_size=arguments.output_size,
        spatial_scale=scale_of(arguments),
        layout=arguments.layout,
        num_threads=arguments.threads,
        **options,
    )
    shape, dtype = _result(call, features, rois, per_roi, arguments.layout)
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

    A bad box is found before any work, and its row is the row of the file.
    """
    axis = 1 if layout == "NCHW" else 3
    no_channel = features[:, :0] if axis == 1 else features[..., :0]
    call(no_channel, rois, **per_roi)
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
