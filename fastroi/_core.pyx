# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Typed memoryviews over the C ABI of fastroi.h. No rule, no default and no arithmetic lives here.

Arrays arrive as unsigned integers of their item size plus a dtype code: any strides, read-only where they are inputs, and no
element type needs a path of its own. Operators and their parameters are read from the library's table.
"""

import os
import threading

from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from fastroi.capi cimport *

from fastroi._checks.names import shown


cdef extern from "Python.h":
    int PyErr_CheckSignals() nogil  # declared without `except`: the pending exception is raised after the call returns
    unsigned long PyThread_get_thread_ident() noexcept nogil


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


# Signals reach the main thread only. No other asks for the GIL inside of a call: an interpreter that is ending never gives it, but ends
# the thread, through frames that must not be unwound.
cdef unsigned long main_thread = threading.main_thread().ident


def _after_fork_in_child():
    global main_thread
    main_thread = PyThread_get_thread_ident()


os.register_at_fork(after_in_child=_after_fork_in_child)


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


include "_params.pxi"

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
        self.exec_.struct_size = sizeof(self.exec_)
        if PyThread_get_thread_ident() == main_thread:
            self.exec_.cancel = interrupted
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


include "_listing.pxi"


# --- the library -----------------------------------------------------------------------------------------------------------

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


def elements():
    """{name: code} of what maps and results may be stored as."""
    cdef const fastroi_element *element
    cdef int index = 0
    codes = {}
    while True:
        element = fastroi_element_at(index)
        if element == NULL:
            return codes
        codes[element.name.decode()] = element.dtype
        index += 1


def usable_threads(int num_threads):
    return fastroi_usable_threads(num_threads)


def build_info():
    """How this library was built: version, compiler, openmp, abi_version."""
    return {
        "version": fastroi_version().decode(),
        "compiler": fastroi_compiler().decode(),
        "openmp": bool(fastroi_has_openmp()),
        "abi_version": fastroi_abi_version(),
    }
