# fastroi.h for Cython. One file declares the C ABI: fastroi/__init__.pxd re-exports it, _core.pyx uses it.
from libc.stdint cimport int32_t, int64_t


cdef extern from "fastroi.h" nogil:
    ctypedef enum fastroi_status:
        FASTROI_OK
        FASTROI_INVALID_VALUE
        FASTROI_INVALID_TYPE
        FASTROI_OVERFLOW
        FASTROI_OUT_OF_MEMORY
        FASTROI_CANCELLED

    ctypedef enum fastroi_dtype:
        FASTROI_FLOAT32
        FASTROI_FLOAT64
        FASTROI_FLOAT16
        FASTROI_INT8
        FASTROI_INT16
        FASTROI_INT32
        FASTROI_INT64
        FASTROI_UINT8
        FASTROI_UINT16
        FASTROI_UINT32
        FASTROI_UINT64

    ctypedef struct fastroi_error:
        fastroi_status status
        int64_t row
        char message[256]

    ctypedef struct fastroi_tensor:
        void *data
        int32_t dtype
        int64_t shape[4]
        int64_t strides[4]

    ctypedef struct fastroi_boxes:
        const void *data
        int32_t dtype
        int32_t columns
        int64_t count
        int64_t strides[2]
        const void *batch_indices
        int32_t batch_dtype
        int64_t batch_stride

    ctypedef struct fastroi_exec:
        size_t struct_size
        int32_t num_threads
        const char *simd
        int (*cancel)(void *context) noexcept nogil
        void *cancel_context

    ctypedef enum fastroi_roi_pool_rule:
        FASTROI_RULE_FLOOR
        FASTROI_RULE_FAST_RCNN
        FASTROI_RULE_FAST_RCNN_F32
        FASTROI_RULE_FAST_RCNN_F64
        FASTROI_RULE_CHAINER
        FASTROI_RULE_ACL
        FASTROI_RULE_MMCV
        FASTROI_RULE_MNN
        FASTROI_RULE_OPENCV

    const char *fastroi_roi_pool_rule_name(int32_t rule) noexcept

    ctypedef enum fastroi_reduce:
        FASTROI_REDUCE_MAX
        FASTROI_REDUCE_MEAN

    ctypedef struct fastroi_roi_pool_params:
        size_t struct_size
        int32_t rule
        int32_t reduce
        double scale_h
        double scale_w

    fastroi_status fastroi_roi_pool(
        const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_roi_pool_params *params,
        const fastroi_tensor *out, const fastroi_tensor *argmax, const fastroi_exec *exec_, fastroi_error *error,
    ) noexcept
    fastroi_status fastroi_axis_ranges(
        int32_t rule, double lo, double hi, double scale, int64_t bins, int64_t extent, double *interval,
        int64_t *edges, fastroi_error *error,
    ) noexcept

    const char *fastroi_version() noexcept
    int32_t fastroi_abi_version() noexcept
    const char *fastroi_simd_compiled(int32_t index) noexcept
    const char *fastroi_simd_supported(int32_t index) noexcept
    const char *fastroi_simd_active() noexcept
    fastroi_status fastroi_simd_activate(const char *name, fastroi_error *error) noexcept
    int32_t fastroi_default_threads() noexcept
    int32_t fastroi_has_openmp() noexcept
    const char *fastroi_compiler() noexcept
