# What an operator would do, and where a rule takes a box to lie: lists for explanation. Part of _core.pyx.

def list_plan(Params params, list features, int dtype, rois, batch_indices, out, int out_dtype):
    """(reduce, [(axis, point, output channel, bin, first, end, weight), ...]) of one box: see fastroi_list_plan."""
    cdef Call call = Call(params, features, dtype, rois, batch_indices, out, out_dtype)
    cdef fastroi_error error
    cdef fastroi_plan plan
    cdef fastroi_plan_entry *e
    cdef int64_t i
    memset(&plan, 0, sizeof(plan))
    plan.struct_size = sizeof(plan)
    try:
        while True:
            check(fastroi_list_plan(params.operator.code, call.maps, &call.boxes, params.memory, &call.out, &call.exec_, &plan,
                                    &error), &error)
            if plan.count <= plan.capacity:
                break
            free(plan.entries)
            plan.capacity = plan.count
            plan.entries = <fastroi_plan_entry *>malloc(plan.count * sizeof(fastroi_plan_entry))
            if plan.entries == NULL:
                raise MemoryError()
        entries = []
        for i in range(plan.count):
            e = &plan.entries[i]
            entries.append((e.axis, e.point, e.output_channel, e.bin, e.first, e.end, e.weight))
        return plan.reduce, entries
    finally:
        free(plan.entries)


def axis_points(int op, double lo, double hi, double scale, int64_t sampling_ratio, int64_t bins, int64_t extent):
    """((lo, hi), grid, [(bin, coordinate, weight), ...]): the interval the bins divide, points a bin, and the sample points.

    A whole coordinate is the centre of a cell. op is a fastroi_points_op.
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
    cdef int32_t code = choice_code("roi_pool", "rule", rule)
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


cdef int32_t choice_code(str operator, str name, value) except -1:
    return Params(operator, **{name: value})[name]
