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

    ctypedef enum fastroi_arithmetic:
        FASTROI_ARITHMETIC_F64
        FASTROI_ARITHMETIC_F32

    ctypedef enum fastroi_align_coordinates:
        FASTROI_ALIGN_ASYMMETRIC
        FASTROI_ALIGN_HALF_PIXEL
        FASTROI_ALIGN_IMAGE_HALF_PIXEL
        FASTROI_ALIGN_HALF_PIXEL_LEAST_ONE
        FASTROI_ALIGN_CLAMPED_HALF_PIXEL
        FASTROI_ALIGN_CLAMPED_OUTPUT_HALF_PIXEL
        FASTROI_ALIGN_CLAMPED_ASYMMETRIC
        FASTROI_ALIGN_CLAMPED_ALIGN_CORNERS

    ctypedef enum fastroi_align_reduce:
        FASTROI_ALIGN_MEAN
        FASTROI_ALIGN_MAX
        FASTROI_ALIGN_MAX_CORNERS
        FASTROI_ALIGN_MAX_FROM_ZERO
        FASTROI_ALIGN_MAX_INSIDE

    ctypedef struct fastroi_roi_align_params:
        size_t struct_size
        int32_t coordinates
        int32_t reduce
        int32_t arithmetic
        int64_t sampling_h
        int64_t sampling_w
        double scale_h
        double scale_w

    ctypedef enum fastroi_channel_order:
        FASTROI_CHANNELS_CLASS_MAJOR
        FASTROI_CHANNELS_BIN_MAJOR

    ctypedef enum fastroi_ps_roi_pool_rule:
        FASTROI_PS_RULE_RFCN
        FASTROI_PS_RULE_OPENVINO
        FASTROI_PS_RULE_TORCHVISION
        FASTROI_PS_RULE_CHAINERCV

    ctypedef struct fastroi_ps_roi_pool_params:
        size_t struct_size
        int32_t rule
        int32_t channel_order
        int32_t arithmetic
        int64_t group_h
        int64_t group_w
        double scale_h
        double scale_w

    ctypedef struct fastroi_ps_roi_align_params:
        size_t struct_size
        int32_t coordinates
        int32_t channel_order
        int32_t arithmetic
        int64_t group_h
        int64_t group_w
        int64_t sampling_h
        int64_t sampling_w
        double scale_h
        double scale_w

    ctypedef struct fastroi_scale_params:
        size_t struct_size
        double scale_h
        double scale_w

    ctypedef enum fastroi_crop_method:
        FASTROI_CROP_BILINEAR
        FASTROI_CROP_NEAREST

    ctypedef struct fastroi_crop_params:
        size_t struct_size
        int32_t method
        double extrapolation_value

    ctypedef enum fastroi_angle_unit:
        FASTROI_RADIANS
        FASTROI_DEGREES

    ctypedef struct fastroi_rotated_params:
        size_t struct_size
        int32_t aligned
        int32_t clockwise
        int32_t angle_unit
        int32_t arithmetic
        int64_t sampling_h
        int64_t sampling_w
        double scale_h
        double scale_w

    ctypedef struct fastroi_riroi_params:
        size_t struct_size
        int32_t clockwise
        int32_t angle_unit
        int32_t arithmetic
        int64_t orientations
        int64_t sampling_h
        int64_t sampling_w
        double scale_h
        double scale_w

    ctypedef struct fastroi_deform_roi_pool_params:
        size_t struct_size
        int32_t arithmetic
        int64_t sampling_h
        int64_t sampling_w
        double gamma
        double scale_h
        double scale_w

    ctypedef struct fastroi_deform_ps_roi_pool_params:
        size_t struct_size
        int32_t arithmetic
        int64_t group_h
        int64_t group_w
        int64_t part_h
        int64_t part_w
        int64_t sample_per_part
        double trans_std
        double scale_h
        double scale_w

    fastroi_status fastroi_roi_align_rotated(
        const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_rotated_params *params,
        const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error,
    ) noexcept
    fastroi_status fastroi_riroi_align_rotated(
        const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_riroi_params *params,
        const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error,
    ) noexcept
    fastroi_status fastroi_deform_roi_pool(
        const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_tensor *offset,
        const fastroi_deform_roi_pool_params *params, const fastroi_tensor *out, const fastroi_exec *exec_,
        fastroi_error *error,
    ) noexcept
    fastroi_status fastroi_deform_ps_roi_pool(
        const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_tensor *trans,
        const fastroi_deform_ps_roi_pool_params *params, const fastroi_tensor *out, const fastroi_exec *exec_,
        fastroi_error *error,
    ) noexcept

    ctypedef enum fastroi_paste_rule:
        FASTROI_PASTE_DETECTRON2
        FASTROI_PASTE_DETECTRON2_FULL
        FASTROI_PASTE_DETECTRON

    ctypedef struct fastroi_paste_masks_params:
        size_t struct_size
        int32_t rule
        int32_t arithmetic
        int32_t zeroed
        double threshold

    ctypedef struct fastroi_crop_masks_params:
        size_t struct_size
        int32_t aligned
        int32_t arithmetic
        int64_t sampling_h
        int64_t sampling_w
        double threshold

    fastroi_status fastroi_paste_masks(
        const fastroi_tensor *masks, const fastroi_boxes *boxes, const fastroi_paste_masks_params *params,
        const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error,
    ) noexcept
    fastroi_status fastroi_crop_masks(
        const fastroi_tensor *masks, const fastroi_boxes *boxes, const fastroi_crop_masks_params *params,
        const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error,
    ) noexcept

    ctypedef enum fastroi_taps_op:
        FASTROI_TAPS_ALIGN_ASYMMETRIC
        FASTROI_TAPS_ALIGN_HALF_PIXEL
        FASTROI_TAPS_ALIGN_IMAGE_HALF_PIXEL
        FASTROI_TAPS_WARP
        FASTROI_TAPS_PRECISE
        FASTROI_TAPS_CROP

    fastroi_status fastroi_roi_align(
        const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_roi_align_params *params,
        const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error,
    ) noexcept
    fastroi_status fastroi_ps_roi_pool(
        const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_ps_roi_pool_params *params,
        const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error,
    ) noexcept
    fastroi_status fastroi_ps_roi_align(
        const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_ps_roi_align_params *params,
        const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error,
    ) noexcept
    fastroi_status fastroi_roi_warp(
        const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_scale_params *params,
        const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error,
    ) noexcept
    fastroi_status fastroi_prroi_pool(
        const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_scale_params *params,
        const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error,
    ) noexcept
    fastroi_status fastroi_crop_and_resize(
        const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_crop_params *params,
        const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error,
    ) noexcept
    fastroi_status fastroi_multiscale_roi_align(
        const fastroi_tensor *features, const double *scales, int32_t levels, const fastroi_boxes *boxes,
        const int64_t *level_of_roi, const fastroi_roi_align_params *params, const fastroi_tensor *out,
        const fastroi_exec *exec_, fastroi_error *error,
    ) noexcept
    fastroi_status fastroi_axis_taps(
        int32_t op, double lo, double hi, double scale, int64_t sampling_ratio, int64_t bins, int64_t extent,
        int64_t capacity, int64_t *bin, int64_t *cell, double *weight, int64_t *count, fastroi_error *error,
    ) noexcept
    fastroi_status fastroi_axis_points(
        int32_t op, double lo, double hi, double scale, int64_t sampling_ratio, int64_t bins, int64_t extent,
        int64_t capacity, double *interval, int64_t *grid, int64_t *bin, double *coordinate, double *weight,
        int64_t *count, fastroi_error *error,
    ) noexcept
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
