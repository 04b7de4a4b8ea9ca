# fastroi.h for Cython, made of it by tools/cython_declarations.py.
# _core.pyx is linked with the library; everything else goes through the capsule, by `cimport fastroi`.
from libc.stdint cimport int32_t, int64_t


cdef extern from *:
    """
    #ifdef FASTROI_LINKED
    #include "fastroi.h"
    #else
    #include "fastroi_capsule.h"
    #endif
    """
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
    ctypedef enum fastroi_flow:
        FASTROI_POOL
        FASTROI_CHECK
        FASTROI_CHECK_SHAPES
    ctypedef struct fastroi_exec:
        size_t struct_size
        int32_t num_threads
        const char *simd
        int (*cancel)(void *context) noexcept nogil
        void *cancel_context
        int32_t flow
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
    ctypedef enum fastroi_reduce:
        FASTROI_REDUCE_MAX
        FASTROI_REDUCE_MEAN
    ctypedef enum fastroi_arithmetic:
        FASTROI_ARITHMETIC_F64
        FASTROI_ARITHMETIC_F32
    ctypedef enum fastroi_aligned:
        FASTROI_ALIGNED_ASYMMETRIC
        FASTROI_ALIGNED_HALF_PIXEL
        FASTROI_ALIGNED_IMAGE
        FASTROI_ALIGNED_LEAST_ONE
        FASTROI_ALIGNED_CLAMP_HALF_PIXEL
        FASTROI_ALIGNED_CLAMP_OUTPUT_HALF_PIXEL
        FASTROI_ALIGNED_CLAMP_ASYMMETRIC
        FASTROI_ALIGNED_CLAMP_ALIGN_CORNERS
    ctypedef enum fastroi_align_reduce:
        FASTROI_ALIGN_MEAN
        FASTROI_ALIGN_MAX
        FASTROI_ALIGN_MAX_CORNERS
        FASTROI_ALIGN_MAX_FROM_ZERO
        FASTROI_ALIGN_MAX_INSIDE
    ctypedef enum fastroi_channel_order:
        FASTROI_CHANNELS_CLASS_MAJOR
        FASTROI_CHANNELS_BIN_MAJOR
    ctypedef enum fastroi_ps_roi_pool_rule:
        FASTROI_PS_RULE_RFCN
        FASTROI_PS_RULE_OPENVINO
        FASTROI_PS_RULE_TORCHVISION
        FASTROI_PS_RULE_CHAINERCV
    ctypedef enum fastroi_crop_method:
        FASTROI_CROP_BILINEAR
        FASTROI_CROP_NEAREST
    ctypedef enum fastroi_angle_unit:
        FASTROI_RADIANS
        FASTROI_DEGREES
    ctypedef enum fastroi_paste_rule:
        FASTROI_PASTE_DETECTRON2
        FASTROI_PASTE_DETECTRON2_FULL
        FASTROI_PASTE_DETECTRON
    ctypedef enum fastroi_operator_flags:
        FASTROI_TAKES_TURNED_BOXES
        FASTROI_TAKES_NORMALISED_BOXES
        FASTROI_TAKES_LEVELS
        FASTROI_TAKES_MASKS
    ctypedef struct fastroi_roi_pool_params:
        size_t struct_size
        int32_t rule
        int32_t reduce
        double scale_h
        double scale_w
        const fastroi_tensor * argmax
    ctypedef struct fastroi_roi_align_params:
        size_t struct_size
        int32_t aligned
        int32_t reduce
        int32_t arithmetic
        int64_t sampling_h
        int64_t sampling_w
        double scale_h
        double scale_w
    ctypedef struct fastroi_multiscale_roi_align_params:
        size_t struct_size
        int32_t aligned
        int32_t reduce
        int32_t arithmetic
        int64_t sampling_h
        int64_t sampling_w
        int32_t levels
        const double * scales
        const int64_t * level_of_roi
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
        int32_t aligned
        int32_t channel_order
        int32_t arithmetic
        int64_t group_h
        int64_t group_w
        int64_t sampling_h
        int64_t sampling_w
        double scale_h
        double scale_w
    ctypedef struct fastroi_roi_warp_params:
        size_t struct_size
        double scale_h
        double scale_w
    ctypedef struct fastroi_prroi_pool_params:
        size_t struct_size
        double scale_h
        double scale_w
    ctypedef struct fastroi_crop_and_resize_params:
        size_t struct_size
        int32_t method
        double extrapolation_value
    ctypedef struct fastroi_roi_align_rotated_params:
        size_t struct_size
        int32_t aligned
        int32_t clockwise
        int32_t angle_unit
        int32_t arithmetic
        int64_t sampling_h
        int64_t sampling_w
        double scale_h
        double scale_w
    ctypedef struct fastroi_riroi_align_rotated_params:
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
        const fastroi_tensor * offset
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
        const fastroi_tensor * trans
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
    ctypedef enum fastroi_operator_code:
        FASTROI_OPERATOR_roi_pool
        FASTROI_OPERATOR_roi_align
        FASTROI_OPERATOR_multiscale_roi_align
        FASTROI_OPERATOR_ps_roi_pool
        FASTROI_OPERATOR_ps_roi_align
        FASTROI_OPERATOR_roi_warp
        FASTROI_OPERATOR_prroi_pool
        FASTROI_OPERATOR_crop_and_resize
        FASTROI_OPERATOR_roi_align_rotated
        FASTROI_OPERATOR_riroi_align_rotated
        FASTROI_OPERATOR_deform_roi_pool
        FASTROI_OPERATOR_deform_ps_roi_pool
        FASTROI_OPERATOR_paste_masks
        FASTROI_OPERATOR_crop_masks
    fastroi_status fastroi_roi_pool(const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_roi_pool_params *params, const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error) noexcept nogil
    fastroi_status fastroi_roi_align(const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_roi_align_params *params, const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error) noexcept nogil
    fastroi_status fastroi_multiscale_roi_align(const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_multiscale_roi_align_params *params, const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error) noexcept nogil
    fastroi_status fastroi_ps_roi_pool(const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_ps_roi_pool_params *params, const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error) noexcept nogil
    fastroi_status fastroi_ps_roi_align(const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_ps_roi_align_params *params, const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error) noexcept nogil
    fastroi_status fastroi_roi_warp(const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_roi_warp_params *params, const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error) noexcept nogil
    fastroi_status fastroi_prroi_pool(const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_prroi_pool_params *params, const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error) noexcept nogil
    fastroi_status fastroi_crop_and_resize(const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_crop_and_resize_params *params, const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error) noexcept nogil
    fastroi_status fastroi_roi_align_rotated(const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_roi_align_rotated_params *params, const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error) noexcept nogil
    fastroi_status fastroi_riroi_align_rotated(const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_riroi_align_rotated_params *params, const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error) noexcept nogil
    fastroi_status fastroi_deform_roi_pool(const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_deform_roi_pool_params *params, const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error) noexcept nogil
    fastroi_status fastroi_deform_ps_roi_pool(const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_deform_ps_roi_pool_params *params, const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error) noexcept nogil
    fastroi_status fastroi_paste_masks(const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_paste_masks_params *params, const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error) noexcept nogil
    fastroi_status fastroi_crop_masks(const fastroi_tensor *features, const fastroi_boxes *boxes, const fastroi_crop_masks_params *params, const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error) noexcept nogil
    fastroi_status fastroi_run(int32_t operator_code, const fastroi_tensor *features, const fastroi_boxes *boxes, const void *params, const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_error *error) noexcept nogil
    ctypedef struct fastroi_field:
        const char *name
        const char *type
        size_t offset
        const char *of
        const char *const *choices
    ctypedef struct fastroi_operator:
        const char *name
        int32_t flags
        size_t params_size
        int32_t field_count
        const fastroi_field *fields
    const fastroi_operator *fastroi_operator_at(int32_t operator_code) noexcept nogil
    ctypedef enum fastroi_plan_reduce:
        FASTROI_PLAN_MAX
        FASTROI_PLAN_MEAN
        FASTROI_PLAN_SUM
        FASTROI_PLAN_MAX_POINTS
        FASTROI_PLAN_MIXED
    ctypedef enum fastroi_plan_axis:
        FASTROI_AXIS_ROW
        FASTROI_AXIS_COLUMN
        FASTROI_AXIS_CELL
        FASTROI_AXIS_CHANNEL
        FASTROI_AXIS_ORIENTATION
    ctypedef struct fastroi_plan_entry:
        int32_t axis
        int32_t point
        int64_t output_channel
        int64_t bin
        int64_t first, end
        double weight
    ctypedef struct fastroi_plan:
        size_t struct_size
        int64_t capacity
        fastroi_plan_entry *entries
        int64_t count
        int32_t reduce
    fastroi_status fastroi_list_plan(int32_t operator_code, const fastroi_tensor *features, const fastroi_boxes *boxes, const void *params, const fastroi_tensor *out, const fastroi_exec *exec_, fastroi_plan *plan, fastroi_error *error) noexcept nogil
    ctypedef enum fastroi_points_op:
        FASTROI_POINTS_WARP
        FASTROI_POINTS_PRECISE
        FASTROI_POINTS_CROP
    fastroi_status fastroi_axis_points(int32_t op, double lo, double hi, double scale, int64_t sampling_ratio, int64_t bins, int64_t extent, int64_t capacity, double interval[2], int64_t *grid, int64_t *bin, double *coordinate, double *weight, int64_t *count, fastroi_error *error) noexcept nogil
    fastroi_status fastroi_axis_ranges(int32_t rule, double lo, double hi, double scale, int64_t bins, int64_t extent, double interval[2], int64_t *edges, fastroi_error *error) noexcept nogil
    const char *fastroi_version() noexcept nogil
    int32_t fastroi_abi_version() noexcept nogil
    const char *fastroi_simd_compiled(int32_t index) noexcept nogil
    const char *fastroi_simd_supported(int32_t index) noexcept nogil
    const char *fastroi_simd_active() noexcept nogil
    fastroi_status fastroi_simd_activate(const char *name, fastroi_error *error) noexcept nogil
    int32_t fastroi_default_threads() noexcept nogil
    int32_t fastroi_has_openmp() noexcept nogil
    const char *fastroi_compiler() noexcept nogil
