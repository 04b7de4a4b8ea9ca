# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Typed memoryviews over the C ABI of fastroi.h. No rule, no default and no arithmetic lives here.

Arrays arrive as unsigned integers of their item size plus a dtype code: any strides, read-only where they are inputs, and no
element type needs a path of its own. Operators and their parameters are read from the library's table.
"""

from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from fastroi.capi cimport *


cdef extern from "Python.h":
    int PyErr_CheckSignals() nogil  # declared without `except`: the pending exception is raised after the call returns


cdef extern from *:
    """
    extern "C" const void *fastroi_function_table(void);
    """
    const void *fastroi_function_table()

_C_API = PyCapsule_New(<void *>fastroi_function_table(), "fastroi._core._C_API", NULL)  # for fastroi_capsule.h

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


# --- the table of operators -----------------------------------------------------------------------------------------------

cdef enum:
    MOST_PARAMS_BYTES = 256

cdef enum Kind:
    INT32, INT64, DOUBLE, TENSOR, DOUBLES, INT64S

_KINDS = {
    "int32_t": INT32, "int64_t": INT64, "double": DOUBLE,
    "const fastroi_tensor *": TENSOR, "const double *": DOUBLES, "const int64_t *": INT64S,
}


cdef class Field:
    """A field of an operator's params: what it is of, and the names of its codes if it is a choice."""

    cdef readonly str name, type, of
    cdef readonly tuple choices
    cdef readonly size_t offset
    cdef Kind kind
    cdef dict codes


cdef Field read_field(const fastroi_field *row):
    cdef Field field = Field.__new__(Field)
    cdef int code = 0
    field.name, field.type, field.of, field.offset = row.name.decode(), row.type.decode(), row.of.decode(), row.offset
    field.kind = _KINDS[field.type]
    if row.choices != NULL:
        names = []
        while row.choices[code] != NULL:
            names.append(row.choices[code].decode())
            code += 1
        field.choices, field.codes = tuple(names), {name: code for code, name in enumerate(names)}
    return field


cdef class Operator:
    """A row of FASTROI_OPERATORS: its name, the fields of its params by name, and what it takes."""

    cdef readonly str name
    cdef readonly dict fields
    cdef readonly int flags
    cdef dict pairs  # of fields that are called NAME_h and NAME_w, by NAME
    cdef int code
    cdef size_t params_size


cdef dict read_operators():
    cdef const fastroi_operator *row
    cdef Operator operator
    cdef int code = 0
    operators = {}
    while True:
        row = fastroi_operator_at(code)
        if row == NULL:
            return operators
        operator = Operator.__new__(Operator)
        operator.name, operator.flags, operator.code = row.name.decode(), row.flags, code
        if row.params_size > MOST_PARAMS_BYTES:
            raise ImportError(f"{operator.name}: params of {row.params_size} bytes")
        operator.params_size = row.params_size
        operator.fields = {}
        for i in range(row.field_count):
            field = read_field(&row.fields[i])
            operator.fields[field.name] = field
        operator.pairs = {
            name.removesuffix("_h"): (field, operator.fields[name.removesuffix("h") + "w"])
            for name, field in operator.fields.items() if name.endswith("_h")
        }
        operators[operator.name] = operator
        code += 1


OPERATORS = read_operators()


cdef class Params:
    """The parameters of one call of an operator, by name: choices by their names, flags, numbers; arrays with `attach`.

    A tuple stands for two fields, NAME_h and NAME_w.
    """

    cdef readonly Operator operator
    cdef readonly dict arrays
    cdef unsigned char memory[MOST_PARAMS_BYTES]

    def __init__(self, str operator, **values):
        cdef Operator row = <Operator>(<dict>OPERATORS)[operator]
        self.operator = row
        self.arrays = {}
        memset(self.memory, 0, row.params_size)
        (<size_t *>self.memory)[0] = row.params_size
        for name, value in values.items():
            if type(value) is tuple:
                vertical, horizontal = row.pairs[name]
                self.set(<Field>vertical, (<tuple>value)[0])
                self.set(<Field>horizontal, (<tuple>value)[1])
            else:
                self.set(<Field>row.fields[name], value)

    cdef int set(self, Field field, value) except -1:
        cdef unsigned char *at = self.memory + field.offset
        if field.codes is not None:
            code = field.codes.get(value) if type(value) is str else None
            if code is None:
                raise ValueError(f"{field.name}: {value!r} is not one of {', '.join(map(repr, field.choices))}")
            (<int32_t *>at)[0] = code
        elif field.kind == INT32:
            (<int32_t *>at)[0] = value
        elif field.kind == INT64:
            (<int64_t *>at)[0] = value
        else:
            (<double *>at)[0] = value
        return 0

    def __getitem__(self, str name):
        """The number that stands for a field: of a choice its code."""
        cdef Field field = self.operator.fields[name]
        cdef unsigned char *at = self.memory + field.offset
        if field.kind == INT32:
            return (<int32_t *>at)[0]
        return (<int64_t *>at)[0] if field.kind == INT64 else (<double *>at)[0]

    def attach(self, str name, array, int dtype=0):
        """An array that is a parameter: a view as `run` takes it with its dtype code, or numbers in one dimension."""
        self.arrays[name] = array, dtype

    def with_arrays(self, dict arrays):
        """The same parameters with other arrays."""
        cdef Params copy = Params.__new__(Params)
        copy.operator, copy.arrays = self.operator, arrays
        memcpy(copy.memory, self.memory, sizeof(self.memory))
        return copy

    cdef list point_to_arrays(self):
        """Put addresses into the params; what they point to lives as long as the result."""
        kept = []
        for name, (array, dtype) in self.arrays.items():
            self.point_to(<Field>self.operator.fields[name], array, dtype, kept)
        return kept

    cdef int point_to(self, Field field, array, int dtype, list kept) except -1:
        cdef void **at = <void **>(self.memory + field.offset)
        cdef const double[::1] doubles
        cdef const int64_t[::1] integers
        cdef Tensor tensor
        if field.kind == TENSOR:
            tensor = Tensor(array, dtype)
            kept.append(tensor)
            at[0] = &tensor.tensor
        elif field.kind == DOUBLES:
            doubles = array
            at[0] = <void *>&doubles[0]
        else:
            integers = array
            at[0] = <void *>&integers[0]
        return 0


# --- arrays ---------------------------------------------------------------------------------------------------------------

ctypedef fused item:
    uint8_t
    uint16_t
    uint32_t
    uint64_t


cdef fastroi_tensor described(const item[:, :, :, :] array, int dtype):
    cdef fastroi_tensor t
    t.data, t.dtype = <void *>&array[0, 0, 0, 0], dtype
    for i in range(4):
        t.shape[i], t.strides[i] = array.shape[i], array.strides[i]
    return t


cdef fastroi_tensor tensor_of(array, int dtype):
    """`array`: unsigned view; kept alive by the caller."""
    cdef Py_ssize_t size = array.itemsize
    if size == 4:
        return described[uint32_t](array, dtype)
    if size == 8:
        return described[uint64_t](array, dtype)
    return described[uint8_t](array, dtype) if size == 1 else described[uint16_t](array, dtype)


cdef class Tensor:
    """A descriptor that stays where it is."""

    cdef fastroi_tensor tensor

    def __init__(self, array, int dtype):
        self.tensor = tensor_of(array, dtype)


cdef fastroi_boxes rows_of(const item[:, :] rois, int dtype):
    cdef fastroi_boxes b
    memset(&b, 0, sizeof(b))
    b.data, b.dtype = <const void *>&rois[0, 0], dtype
    b.count, b.columns = rois.shape[0], <int32_t>rois.shape[1]
    b.strides[0], b.strides[1] = rois.strides[0], rois.strides[1]
    return b


cdef fastroi_boxes box_table(rois, const int64_t[:] batch_indices):
    """`rois`: unsigned view of float32 or float64 rows."""
    cdef fastroi_boxes b
    if rois.itemsize == 4:
        b = rows_of[uint32_t](rois, FASTROI_FLOAT32)
    else:
        b = rows_of[uint64_t](rois, FASTROI_FLOAT64)
    if batch_indices is not None:
        b.batch_indices = <const void *>&batch_indices[0]
        b.batch_dtype = FASTROI_INT64
        b.batch_stride = batch_indices.strides[0]
    return b


CHECK_SHAPES = FASTROI_CHECK_SHAPES
TAKES_TURNED_BOXES, TAKES_NORMALISED_BOXES = FASTROI_TAKES_TURNED_BOXES, FASTROI_TAKES_NORMALISED_BOXES
TAKES_LEVELS, TAKES_MASKS = FASTROI_TAKES_LEVELS, FASTROI_TAKES_MASKS


# --- calls ----------------------------------------------------------------------------------------------------------------

cdef class Call:
    """Descriptors of what every operator takes. The arrays are kept alive by the caller."""

    cdef fastroi_tensor first, out
    cdef fastroi_tensor *maps
    cdef fastroi_boxes boxes
    cdef fastroi_exec exec_
    cdef object kept

    def __cinit__(self, Params params, list features, int dtype, rois, batch_indices, out, int out_dtype):
        cdef Py_ssize_t count = len(features), i
        self.maps = &self.first if count == 1 else <fastroi_tensor *>malloc(count * sizeof(fastroi_tensor))
        if self.maps == NULL:
            raise MemoryError()
        for i in range(count):
            self.maps[i] = tensor_of(features[i], dtype)
        self.out = tensor_of(out, out_dtype)
        self.boxes = box_table(rois, batch_indices)
        self.exec_.struct_size, self.exec_.cancel = sizeof(self.exec_), interrupted
        if params.arrays:
            self.kept = params.point_to_arrays()

    def __dealloc__(self):
        if self.maps != &self.first:
            free(self.maps)


def run(Params params, list features, int dtype, rois, batch_indices, out, int out_dtype, int num_threads, bytes simd, int flow=0):
    """Call an operator on `features`, unsigned views of as many maps as it has levels; flow is a fastroi_flow."""
    cdef Call call = Call(params, features, dtype, rois, batch_indices, out, out_dtype)
    cdef fastroi_error error
    cdef fastroi_status status
    call.exec_.num_threads, call.exec_.flow = num_threads, flow
    if simd is not None:
        call.exec_.simd = simd
    with nogil:
        status = fastroi_run(params.operator.code, call.maps, &call.boxes, params.memory, &call.out, &call.exec_, &error)
    check(status, &error)


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
