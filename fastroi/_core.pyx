# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Typed memoryviews over the C ABI of fastroi.h. No rule, no default and no arithmetic lives here.

Arrays arrive as unsigned integers of their item size plus a dtype code: any strides, read-only where they are inputs, and
any future 16-bit float needs no second path.
"""

from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from fastroi.capi cimport *


cdef extern from "Python.h":
    int PyErr_CheckSignals() nogil  # declared without `except`: the pending exception is raised after the call returns


cdef extern from *:
    """
    extern "C" const void *fastroi_function_table(void);
    """
    const void *fastroi_function_table()

_C_API = PyCapsule_New(<void *>fastroi_function_table(), "fastroi._core._C_API", NULL)  # for fastroi_capsule.h


ctypedef const uint32_t[:, :, :, :] input32_t
ctypedef const uint64_t[:, :, :, :] input64_t

_EXCEPTIONS = {
    FASTROI_INVALID_VALUE: ValueError,
    FASTROI_INVALID_TYPE: TypeError,
    FASTROI_OVERFLOW: OverflowError,
    FASTROI_OUT_OF_MEMORY: MemoryError,
}


cdef int interrupted(void *context) noexcept nogil:
    with gil:
        return PyErr_CheckSignals() != 0


cdef int pending_exception() except -1:
    return -1


cdef int check(fastroi_status status, fastroi_error *error) except -1:
    if status == FASTROI_OK:
        return 0
    if status == FASTROI_CANCELLED:
        return pending_exception()
    raise _EXCEPTIONS[status](error.message.decode("utf-8", "replace"))


cdef inline void set_shape(fastroi_tensor *t, int dtype, Py_ssize_t *shape, Py_ssize_t *strides) noexcept:
    t.dtype = dtype
    for i in range(4):
        t.shape[i] = shape[i]
        t.strides[i] = strides[i]


cdef fastroi_tensor input_tensor(array, int dtype):
    """`array`: unsigned view of 4 or 8 bytes an item; kept alive by the caller."""
    cdef fastroi_tensor t
    cdef input32_t narrow
    cdef input64_t wide
    if array.itemsize == 4:
        narrow = array
        t.data = <void *>&narrow[0, 0, 0, 0]
        set_shape(&t, dtype, narrow.shape, narrow.strides)
    else:
        wide = array
        t.data = <void *>&wide[0, 0, 0, 0]
        set_shape(&t, dtype, wide.shape, wide.strides)
    return t


cdef fastroi_tensor output_tensor(array, int dtype):
    cdef fastroi_tensor t
    cdef uint32_t[:, :, :, :] narrow
    cdef uint64_t[:, :, :, :] wide
    if array.itemsize == 4:
        narrow = array
        t.data = <void *>&narrow[0, 0, 0, 0]
        set_shape(&t, dtype, narrow.shape, narrow.strides)
    else:
        wide = array
        t.data = <void *>&wide[0, 0, 0, 0]
        set_shape(&t, dtype, wide.shape, wide.strides)
    return t


cdef fastroi_boxes box_table(rois, const int64_t[:] batch_indices):
    """`rois`: unsigned view of float32 or float64 rows."""
    cdef fastroi_boxes b
    cdef const uint32_t[:, :] narrow
    cdef const uint64_t[:, :] wide
    memset(&b, 0, sizeof(b))
    if rois.itemsize == 4:
        narrow = rois
        b.data, b.dtype = <const void *>&narrow[0, 0], FASTROI_FLOAT32
        b.count, b.columns = narrow.shape[0], <int32_t>narrow.shape[1]
        b.strides[0], b.strides[1] = narrow.strides[0], narrow.strides[1]
    else:
        wide = rois
        b.data, b.dtype = <const void *>&wide[0, 0], FASTROI_FLOAT64
        b.count, b.columns = wide.shape[0], <int32_t>wide.shape[1]
        b.strides[0], b.strides[1] = wide.strides[0], wide.strides[1]
    if batch_indices is not None:
        b.batch_indices = <const void *>&batch_indices[0]
        b.batch_dtype = FASTROI_INT64
        b.batch_stride = batch_indices.strides[0]
    return b


cdef fastroi_exec execution(int num_threads, bytes simd):
    cdef fastroi_exec e
    memset(&e, 0, sizeof(e))
    e.struct_size = sizeof(e)
    e.num_threads = num_threads
    e.cancel = interrupted
    if simd is not None:
        e.simd = simd
    return e


cdef struct Call:
    fastroi_tensor features, out
    fastroi_boxes boxes
    fastroi_exec exec_


cdef Call read_call(features, rois, batch_indices, out, int dtype, int num_threads, bytes simd):
    """Descriptors of what every operator takes; the arrays are kept alive by the caller."""
    cdef Call call
    call.features = input_tensor(features, dtype)
    call.out = output_tensor(out, dtype)
    call.boxes = box_table(rois, batch_indices)
    call.exec_ = execution(num_threads, simd)
    return call


def roi_pool(features, rois, batch_indices, out, int dtype, int num_threads, bytes simd, argmax, int rule, int reduce,
             double scale_h, double scale_w):
    cdef Call call = read_call(features, rois, batch_indices, out, dtype, num_threads, simd)
    cdef fastroi_tensor offsets
    cdef const fastroi_tensor *where = NULL
    cdef fastroi_roi_pool_params params
    cdef fastroi_error error
    cdef fastroi_status status
    if argmax is not None:
        offsets = output_tensor(argmax, FASTROI_INT64)
        where = &offsets
    params.struct_size = sizeof(params)
    params.rule, params.reduce, params.scale_h, params.scale_w = rule, reduce, scale_h, scale_w
    with nogil:
        status = fastroi_roi_pool(&call.features, &call.boxes, &params, &call.out, where, &call.exec_, &error)
    check(status, &error)


cdef fastroi_roi_align_params align_params(int coordinates, int reduce, int arithmetic, int64_t sampling_h,
                                           int64_t sampling_w, double scale_h, double scale_w):
    cdef fastroi_roi_align_params params
    params.struct_size = sizeof(params)
    params.coordinates, params.reduce, params.arithmetic = coordinates, reduce, arithmetic
    params.sampling_h, params.sampling_w = sampling_h, sampling_w
    params.scale_h, params.scale_w = scale_h, scale_w
    return params


def roi_align(features, rois, batch_indices, out, int dtype, int num_threads, bytes simd, int coordinates, int reduce,
              int arithmetic, int64_t sampling_h, int64_t sampling_w, double scale_h, double scale_w):
    cdef Call call = read_call(features, rois, batch_indices, out, dtype, num_threads, simd)
    cdef fastroi_roi_align_params params = align_params(coordinates, reduce, arithmetic, sampling_h, sampling_w, scale_h,
                                                        scale_w)
    cdef fastroi_error error
    cdef fastroi_status status
    with nogil:
        status = fastroi_roi_align(&call.features, &call.boxes, &params, &call.out, &call.exec_, &error)
    check(status, &error)


def multiscale_roi_align(list features, rois, batch_indices, out, int dtype, int num_threads, bytes simd,
                         const int64_t[::1] level_of_roi, const double[::1] scales, int coordinates, int reduce,
                         int arithmetic, int64_t sampling_h, int64_t sampling_w):
    cdef Call call = read_call(features[0], rois, batch_indices, out, dtype, num_threads, simd)
    cdef fastroi_roi_align_params params = align_params(coordinates, reduce, arithmetic, sampling_h, sampling_w, 1, 1)
    cdef int32_t levels = <int32_t>len(features), level
    cdef fastroi_tensor *maps = <fastroi_tensor *>malloc(levels * sizeof(fastroi_tensor))
    cdef fastroi_error error
    cdef fastroi_status status
    if maps == NULL:
        raise MemoryError()
    try:
        for level in range(levels):
            maps[level] = input_tensor(features[level], dtype)
        with nogil:
            status = fastroi_multiscale_roi_align(maps, &scales[0], levels, &call.boxes, &level_of_roi[0], &params,
                                                  &call.out, &call.exec_, &error)
        check(status, &error)
    finally:
        free(maps)


def ps_roi_pool(features, rois, batch_indices, out, int dtype, int num_threads, bytes simd, int rule, int channel_order,
                int arithmetic, int64_t group_h, int64_t group_w, double scale_h, double scale_w):
    cdef Call call = read_call(features, rois, batch_indices, out, dtype, num_threads, simd)
    cdef fastroi_ps_roi_pool_params params
    cdef fastroi_error error
    cdef fastroi_status status
    params.struct_size = sizeof(params)
    params.rule, params.channel_order, params.arithmetic = rule, channel_order, arithmetic
    params.group_h, params.group_w, params.scale_h, params.scale_w = group_h, group_w, scale_h, scale_w
    with nogil:
        status = fastroi_ps_roi_pool(&call.features, &call.boxes, &params, &call.out, &call.exec_, &error)
    check(status, &error)


def ps_roi_align(features, rois, batch_indices, out, int dtype, int num_threads, bytes simd, int coordinates,
                 int channel_order, int arithmetic, int64_t group_h, int64_t group_w, int64_t sampling_h,
                 int64_t sampling_w, double scale_h, double scale_w):
    cdef Call call = read_call(features, rois, batch_indices, out, dtype, num_threads, simd)
    cdef fastroi_ps_roi_align_params params
    cdef fastroi_error error
    cdef fastroi_status status
    params.struct_size = sizeof(params)
    params.coordinates, params.channel_order, params.arithmetic = coordinates, channel_order, arithmetic
    params.group_h, params.group_w = group_h, group_w
    params.sampling_h, params.sampling_w = sampling_h, sampling_w
    params.scale_h, params.scale_w = scale_h, scale_w
    with nogil:
        status = fastroi_ps_roi_align(&call.features, &call.boxes, &params, &call.out, &call.exec_, &error)
    check(status, &error)


def scaled_operator(bint precise, features, rois, batch_indices, out, int dtype, int num_threads, bytes simd,
                    double scale_h, double scale_w):
    """PrRoIPool if `precise`, else RoIWarp."""
    cdef Call call = read_call(features, rois, batch_indices, out, dtype, num_threads, simd)
    cdef fastroi_scale_params params
    cdef fastroi_error error
    cdef fastroi_status status
    params.struct_size = sizeof(params)
    params.scale_h, params.scale_w = scale_h, scale_w
    with nogil:
        if precise:
            status = fastroi_prroi_pool(&call.features, &call.boxes, &params, &call.out, &call.exec_, &error)
        else:
            status = fastroi_roi_warp(&call.features, &call.boxes, &params, &call.out, &call.exec_, &error)
    check(status, &error)


def crop_and_resize(features, rois, batch_indices, out, int dtype, int num_threads, bytes simd, int method,
                    double extrapolation_value):
    cdef Call call = read_call(features, rois, batch_indices, out, dtype, num_threads, simd)
    cdef fastroi_crop_params params
    cdef fastroi_error error
    cdef fastroi_status status
    params.struct_size = sizeof(params)
    params.method, params.extrapolation_value = method, extrapolation_value
    with nogil:
        status = fastroi_crop_and_resize(&call.features, &call.boxes, &params, &call.out, &call.exec_, &error)
    check(status, &error)


def roi_align_rotated(features, rois, batch_indices, out, int dtype, int num_threads, bytes simd, bint aligned,
                      bint clockwise, int angle_unit, int arithmetic, int64_t sampling_h, int64_t sampling_w,
                      double scale_h, double scale_w):
    cdef Call call = read_call(features, rois, batch_indices, out, dtype, num_threads, simd)
    cdef fastroi_rotated_params params
    cdef fastroi_error error
    cdef fastroi_status status
    params.struct_size = sizeof(params)
    params.aligned, params.clockwise, params.angle_unit, params.arithmetic = aligned, clockwise, angle_unit, arithmetic
    params.sampling_h, params.sampling_w, params.scale_h, params.scale_w = sampling_h, sampling_w, scale_h, scale_w
    with nogil:
        status = fastroi_roi_align_rotated(&call.features, &call.boxes, &params, &call.out, &call.exec_, &error)
    check(status, &error)


def riroi_align_rotated(features, rois, batch_indices, out, int dtype, int num_threads, bytes simd, bint clockwise,
                        int angle_unit, int arithmetic, int64_t orientations, int64_t sampling_h, int64_t sampling_w,
                        double scale_h, double scale_w):
    cdef Call call = read_call(features, rois, batch_indices, out, dtype, num_threads, simd)
    cdef fastroi_riroi_params params
    cdef fastroi_error error
    cdef fastroi_status status
    params.struct_size = sizeof(params)
    params.clockwise, params.angle_unit, params.arithmetic = clockwise, angle_unit, arithmetic
    params.orientations = orientations
    params.sampling_h, params.sampling_w, params.scale_h, params.scale_w = sampling_h, sampling_w, scale_h, scale_w
    with nogil:
        status = fastroi_riroi_align_rotated(&call.features, &call.boxes, &params, &call.out, &call.exec_, &error)
    check(status, &error)


def deform_roi_pool(features, rois, batch_indices, out, int dtype, int num_threads, bytes simd, offset, int offset_dtype,
                    int arithmetic, int64_t sampling_h, int64_t sampling_w, double gamma, double scale_h, double scale_w):
    """`offset`: unsigned view, or None."""
    cdef Call call = read_call(features, rois, batch_indices, out, dtype, num_threads, simd)
    cdef fastroi_deform_roi_pool_params params
    cdef fastroi_tensor moves
    cdef const fastroi_tensor *where = NULL
    cdef fastroi_error error
    cdef fastroi_status status
    if offset is not None:
        moves = input_tensor(offset, offset_dtype)
        where = &moves
    params.struct_size = sizeof(params)
    params.arithmetic, params.gamma = arithmetic, gamma
    params.sampling_h, params.sampling_w, params.scale_h, params.scale_w = sampling_h, sampling_w, scale_h, scale_w
    with nogil:
        status = fastroi_deform_roi_pool(&call.features, &call.boxes, where, &params, &call.out, &call.exec_, &error)
    check(status, &error)


def deform_ps_roi_pool(features, rois, batch_indices, out, int dtype, int num_threads, bytes simd, trans, int trans_dtype,
                       int arithmetic, int64_t group_h, int64_t group_w, int64_t part_h, int64_t part_w,
                       int64_t sample_per_part, double trans_std, double scale_h, double scale_w):
    """`trans`: unsigned view, or None."""
    cdef Call call = read_call(features, rois, batch_indices, out, dtype, num_threads, simd)
    cdef fastroi_deform_ps_roi_pool_params params
    cdef fastroi_tensor moves
    cdef const fastroi_tensor *where = NULL
    cdef fastroi_error error
    cdef fastroi_status status
    if trans is not None:
        moves = input_tensor(trans, trans_dtype)
        where = &moves
    params.struct_size = sizeof(params)
    params.arithmetic, params.sample_per_part, params.trans_std = arithmetic, sample_per_part, trans_std
    params.group_h, params.group_w, params.part_h, params.part_w = group_h, group_w, part_h, part_w
    params.scale_h, params.scale_w = scale_h, scale_w
    with nogil:
        status = fastroi_deform_ps_roi_pool(&call.features, &call.boxes, where, &params, &call.out, &call.exec_, &error)
    check(status, &error)


cdef fastroi_tensor mask_tensor(array, int dtype):
    """`array`: unsigned view of masks, one byte an item or as `input_tensor` takes it."""
    cdef fastroi_tensor t
    cdef const uint8_t[:, :, :, :] bytes_
    if array.itemsize > 1:
        return input_tensor(array, dtype)
    bytes_ = array
    t.data = <void *>&bytes_[0, 0, 0, 0]
    set_shape(&t, dtype, bytes_.shape, bytes_.strides)
    return t


def paste_masks(masks, rois, out, int dtype, int out_dtype, int num_threads, int rule, int arithmetic, bint zeroed,
                double threshold):
    cdef fastroi_tensor source = mask_tensor(masks, dtype), target = mask_tensor(out, out_dtype)
    cdef fastroi_boxes boxes = box_table(rois, None)
    cdef fastroi_exec exec_ = execution(num_threads, None)
    cdef fastroi_paste_masks_params params
    cdef fastroi_error error
    cdef fastroi_status status
    params.struct_size = sizeof(params)
    params.rule, params.arithmetic, params.zeroed, params.threshold = rule, arithmetic, zeroed, threshold
    with nogil:
        status = fastroi_paste_masks(&source, &boxes, &params, &target, &exec_, &error)
    check(status, &error)


def crop_masks(masks, rois, batch_indices, out, int dtype, int out_dtype, int num_threads, bint aligned, int arithmetic,
               int64_t sampling_h, int64_t sampling_w, double threshold):
    cdef fastroi_tensor source = mask_tensor(masks, dtype), target = mask_tensor(out, out_dtype)
    cdef fastroi_boxes boxes = box_table(rois, batch_indices)
    cdef fastroi_exec exec_ = execution(num_threads, None)
    cdef fastroi_crop_masks_params params
    cdef fastroi_error error
    cdef fastroi_status status
    params.struct_size = sizeof(params)
    params.aligned, params.arithmetic, params.threshold = aligned, arithmetic, threshold
    params.sampling_h, params.sampling_w = sampling_h, sampling_w
    with nogil:
        status = fastroi_crop_masks(&source, &boxes, &params, &target, &exec_, &error)
    check(status, &error)


def axis_taps(int op, double lo, double hi, double scale, int64_t sampling_ratio, int64_t bins, int64_t extent):
    """[(bin, cell, weight), ...]: the taps of one axis exactly as the kernels use them; op is a fastroi_taps_op."""
    cdef fastroi_error error
    cdef int64_t count = 0, capacity = 0, t
    cdef int64_t *cells = NULL
    cdef double *weights = NULL
    check(fastroi_axis_taps(op, lo, hi, scale, sampling_ratio, bins, extent, 0, NULL, NULL, NULL, &count, &error), &error)
    capacity = count
    try:
        cells = <int64_t *>malloc(2 * (capacity + 1) * sizeof(int64_t))
        weights = <double *>malloc((capacity + 1) * sizeof(double))
        if cells == NULL or weights == NULL:
            raise MemoryError()
        check(fastroi_axis_taps(op, lo, hi, scale, sampling_ratio, bins, extent, capacity, cells, cells + capacity, weights,
                                &count, &error), &error)
        return [(cells[t], cells[capacity + t], weights[t]) for t in range(capacity)]
    finally:
        free(cells)
        free(weights)


def axis_points(int op, double lo, double hi, double scale, int64_t sampling_ratio, int64_t bins, int64_t extent):
    """((lo, hi), grid, [(bin, coordinate, weight), ...]): the interval the bins divide, points a bin, and the sample points.

    A whole coordinate is the centre of a cell. op is a fastroi_taps_op.
    """
    cdef fastroi_error error
    cdef double interval[2]
    cdef int64_t count = 0, capacity = 0, grid = 0, t
    cdef int64_t *bin = NULL
    cdef double *points = NULL
    check(fastroi_axis_points(op, lo, hi, scale, sampling_ratio, bins, extent, 0, interval, &grid, NULL, NULL, NULL, &count,
                              &error), &error)
    capacity = count
    try:
        bin = <int64_t *>malloc((capacity + 1) * sizeof(int64_t))
        points = <double *>malloc(2 * (capacity + 1) * sizeof(double))
        if bin == NULL or points == NULL:
            raise MemoryError()
        check(fastroi_axis_points(op, lo, hi, scale, sampling_ratio, bins, extent, capacity, interval, &grid, bin, points,
                                  points + capacity, &count, &error), &error)
        return (interval[0], interval[1]), grid, [(bin[t], points[t], points[capacity + t]) for t in range(capacity)]
    finally:
        free(bin)
        free(points)


def axis_ranges(str rule, double lo, double hi, double scale, int64_t bins, int64_t extent):
    """((lo, hi), ((start, end), ...)): the quantised interval in map cells and the half-open range of each bin.

    extent: cells of the map on this axis, which the ranges are clipped to; -1 leaves them unclipped.
    """
    cdef double interval[2]
    cdef fastroi_error error
    cdef int64_t *edges
    cdef int32_t code = rule_code(rule)
    if not 0 < bins < 1 << 31:
        raise ValueError(f"output_size: {bins}; it must be in [1, 2^31 - 1]")
    edges = <int64_t *>malloc(2 * bins * sizeof(int64_t))
    if edges == NULL:
        raise MemoryError()
    try:
        check(fastroi_axis_ranges(code, lo, hi, scale, bins, extent, interval, edges, &error), &error)
        return (interval[0], interval[1]), tuple([(edges[2 * p], edges[2 * p + 1]) for p in range(bins)])
    finally:
        free(edges)


def roi_pool_rules():
    """Names of the RoIPool rules; a rule's index is its code."""
    return tuple(names(fastroi_roi_pool_rule_name))


cdef int32_t rule_code(str rule) except -1:
    rules = roi_pool_rules()
    if rule not in rules:
        raise ValueError(f"rule: {rule!r} is not one of {', '.join(map(repr, rules))}")
    return rules.index(rule)


cdef list names(const char *(*name)(int32_t) noexcept nogil):
    cdef int32_t i = 0
    result = []
    while name(i) != NULL:
        result.append(name(i).decode())
        i += 1
    return result


def simd_compiled():
    return tuple(names(fastroi_simd_compiled))


def simd_supported():
    return tuple(names(fastroi_simd_supported))


def simd_active():
    return fastroi_simd_active().decode()


def simd_activate(str name):
    cdef fastroi_error error
    cdef bytes encoded = name.encode()
    check(fastroi_simd_activate(encoded, &error), &error)


def default_threads():
    return fastroi_default_threads()


def build_info():
    """How this library was built: version, compiler, openmp, abi_version."""
    return {
        "version": fastroi_version().decode(),
        "compiler": fastroi_compiler().decode(),
        "openmp": bool(fastroi_has_openmp()),
        "abi_version": fastroi_abi_version(),
    }
