"""``struct Launch`` of fastroi.cu."""

import ctypes

import numpy as np

MAX_LEVELS = 16


class Level(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in ("data", "image_stride", "channel_stride", "row_stride", "column_stride")),
        *((name, ctypes.c_int64) for name in ("rows", "columns")),
        *((name, ctypes.c_double) for name in ("scale_h", "scale_w")),
    ]


class Launch(ctypes.Structure):
    """``struct Launch`` of fastroi.cu."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in (
            "first", "count",
            "boxes", "boxes_are_double", "box_columns", "box_numbers", "box_row_stride", "box_column_stride",
            "batch_indices", "batch_stride", "one_image_each", "levels_of_rois", "level_stride", "images", "level_count", "error",
            "planned", "y_first", "x_first", "y_items", "x_items", "y_absent", "x_absent", "y_capacity", "x_capacity",
            "out", "argmax",
        )),
        ("out_strides", ctypes.c_int64 * 4),
        ("argmax_strides", ctypes.c_int64 * 4),
        *((name, ctypes.c_int64) for name in (
            "channels", "bins_h", "bins_w", "first_bin", "planned_bins", "group_h", "group_w", "bin_major",
            "rule", "arithmetic_is_float", "sampling_h", "sampling_w",
        )),
        ("outside", ctypes.c_double),
        *((name, ctypes.c_int64) for name in (
            "mean", "corners", "absent_is_zero", "from_zero",
            "aligned", "clockwise", "degrees", "orientations", "offsets", "offsets_are_double",
        )),
        ("offset_strides", ctypes.c_int64 * 4),
        *((name, ctypes.c_int64) for name in ("classes", "part_h", "part_w", "samples")),
        ("movement", ctypes.c_double),
        ("mask_code", ctypes.c_int64),
        ("out_code", ctypes.c_int64),
        ("threshold", ctypes.c_double),
        *((name, ctypes.c_int64) for name in (
            "scratch", "scratch_cells", "channel_block", "slices", "shared_items", "channels_fastest", "staged",
            "way", "choice", "many_cells", "source",
        )),
        ("source_strides", ctypes.c_int64 * 4),
        ("levels", Level * MAX_LEVELS),
    ]  # fmt: skip


BY_VALUE = np.dtype((np.void, ctypes.sizeof(Launch)))  # one item: CuPy passes it as a struct
