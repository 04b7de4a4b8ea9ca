/*
 * fastroi: Region-of-Interest operators on strided arrays. The C ABI.
 *
 * Every call reads its inputs once and validates a private copy of the boxes. FASTROI_INVALID_VALUE and
 * FASTROI_INVALID_TYPE come before a single output byte is written, FASTROI_OK after all of them. Boxes are
 * planned and pooled some at a time: FASTROI_OUT_OF_MEMORY and FASTROI_CANCELLED, and FASTROI_OVERFLOW of a
 * plan, may come when earlier boxes are written: after them `out` and `argmax` may be partly written.
 * No exception crosses this boundary and no memory changes owner. Calls are thread-safe as long as no two of
 * them share an output.
 *
 * Descriptors start with `struct_size`: set it to sizeof the struct. A later library accepts the
 * smaller structs of earlier headers; fields a caller does not know keep their documented defaults.
 *
 * An operator is a row of FASTROI_OPERATORS and the fields of its params struct; all else that names one is made of these.
 */
#ifndef FASTROI_H
#define FASTROI_H

#include <stddef.h>
#include <stdint.h>

#include "fastroi_choices.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FASTROI_ABI_VERSION 1

#if defined(_WIN32)
#define FASTROI_API
#else
#define FASTROI_API __attribute__((visibility("default")))
#endif

typedef enum fastroi_status {
    FASTROI_OK = 0,
    FASTROI_INVALID_VALUE = 1, /* an argument's value is out of its domain       */
    FASTROI_INVALID_TYPE = 2,  /* a dtype this operator does not take            */
    FASTROI_OVERFLOW = 3,      /* a product of sizes exceeds int64 or memory     */
    FASTROI_OUT_OF_MEMORY = 4, /* memory for plans or scratch could not be had; `out` may be partly written */
    FASTROI_CANCELLED = 5      /* the cancel callback said stop; `out` is partly written */
} fastroi_status;

typedef enum fastroi_dtype {
    FASTROI_FLOAT32 = 0,
    FASTROI_FLOAT64 = 1,
    FASTROI_FLOAT16 = 2,
    FASTROI_INT8 = 3, /* INT8 .. UINT64: boxes and batch indices; of 8 and 16 bits: features and results, too */
    FASTROI_INT16 = 4,
    FASTROI_INT32 = 5,
    FASTROI_INT64 = 6,
    FASTROI_UINT8 = 7,
    FASTROI_UINT16 = 8,
    FASTROI_UINT32 = 9,
    FASTROI_UINT64 = 10,
    FASTROI_BFLOAT16 = 11
} fastroi_dtype;

/* What refused, in words and in numbers. The caller owns it; pass NULL if not wanted. */
typedef struct fastroi_error {
    fastroi_status status;
    int64_t row;       /* the offending RoI, or -1 */
    char message[256]; /* NUL-terminated, names the argument and the value */
} fastroi_error;

/*
 * A 4-D array in the logical order (image or RoI, channel, row, column), whatever its memory layout:
 * strides are in bytes and may be negative or zero, data need not be aligned; a large
 * output is written fastest at a multiple of 64. NHWC is a matter of strides.
 */
typedef struct fastroi_tensor {
    void *data;
    int32_t dtype; /* fastroi_dtype */
    int64_t shape[4];
    int64_t strides[4];
} fastroi_tensor;

/*
 * K boxes. columns = 4: x1 y1 x2 y2, the image index of row k in batch_indices (NULL: image 0).
 * columns = 5: image index first. Coordinates are image pixels; spatial_scale takes them to the map.
 */
typedef struct fastroi_boxes {
    const void *data;
    int32_t dtype; /* fastroi_dtype */
    int32_t columns;
    int64_t count;
    int64_t strides[2]; /* bytes: row, column */
    const void *batch_indices;
    int32_t batch_dtype; /* an integer fastroi_dtype */
    int64_t batch_stride;
} fastroi_boxes;

/* What a call does. */
typedef enum fastroi_flow {
    FASTROI_POOL = 0,
    FASTROI_CHECK = 1,       /* validates everything, boxes too, and writes nothing */
    FASTROI_CHECK_SHAPES = 2 /* validates what needs no look at an array's memory, which may lie on another device */
} fastroi_flow;

/* How a call runs. Zero everything but struct_size for the defaults; NULL in a call means the same. */
typedef struct fastroi_exec {
    size_t struct_size;
    int32_t num_threads;          /* 0: fastroi_default_threads(); else see fastroi_usable_threads() */
    const char *simd;             /* NULL: the active instruction set; else a name of fastroi_simd_supported */
    int (*cancel)(void *context); /* polled by the calling thread, at most every 20 ms; nonzero stops the call. It must
                                     return: an exception that leaves it ends the process, longjmp() is undefined */
    void *cancel_context;
    int32_t flow; /* fastroi_flow */
} fastroi_exec;

/* An enumeration for each list of fastroi_choices.h, which says what they mean: fastroi_roi_pool_rule, fastroi_reduce, ... */
#define FASTROI_ENUMERATION(name, CHOICES) typedef enum fastroi_##name{CHOICES(FASTROI_ENUMERATOR)} fastroi_##name;
FASTROI_CHOICES(FASTROI_ENUMERATION)

/*
 * --- params: FIELD(type, name, of) ---------------------------------------------------------------------------------------
 *
 * `of` names the list of choices that a code is one of, or is `number`, `flag` (0 or 1) or `array`.
 *
 * scale_h, scale_w: map cells per image pixel, positive and finite.
 * sampling_h, sampling_w: sample points per bin and axis; <= 0: ceil(extent / bins).
 * group_h, group_w: GH, GW of a position-sensitive operator; 0: PH, PW.
 */

#define FASTROI_SCALE_FIELDS(FIELD) \
    FIELD(double, scale_h, number)  \
    FIELD(double, scale_w, number)

#define FASTROI_SAMPLING_FIELDS(FIELD) \
    FIELD(int64_t, sampling_h, number) \
    FIELD(int64_t, sampling_w, number)

#define FASTROI_GROUP_FIELDS(FIELD) \
    FIELD(int64_t, group_h, number) \
    FIELD(int64_t, group_w, number)

/*
 * RoIPool. argmax: NULL, or an int64 tensor of out's shape that receives y*W + x of the first maximum, -1 for an empty bin
 * (max only).
 */
#define FASTROI_ROI_POOL_FIELDS(FIELD)  \
    FIELD(int32_t, rule, roi_pool_rule) \
    FIELD(int32_t, reduce, reduce)      \
    FASTROI_SCALE_FIELDS(FIELD)         \
    FIELD(const fastroi_tensor *, argmax, array)

/* RoIAlign. */
#define FASTROI_ROI_ALIGN_FIELDS(FIELD)    \
    FIELD(int32_t, aligned, aligned)       \
    FIELD(int32_t, reduce, align_reduce)   \
    FIELD(int32_t, arithmetic, arithmetic) \
    FASTROI_SAMPLING_FIELDS(FIELD)         \
    FASTROI_SCALE_FIELDS(FIELD)

/*
 * RoIAlign on a feature pyramid: `features` points to `levels` maps of the same images, channels and dtype; RoI k reads level
 * level_of_roi[k] with scales[level_of_roi[k]] map cells per image pixel. Results in the order of the boxes. horizontal_scales:
 * those of the columns, `scales` then being those of the rows; NULL: the same on both axes.
 */
#define FASTROI_MULTISCALE_ROI_ALIGN_FIELDS(FIELD) \
    FIELD(int32_t, aligned, aligned)               \
    FIELD(int32_t, reduce, align_reduce)           \
    FIELD(int32_t, arithmetic, arithmetic)         \
    FASTROI_SAMPLING_FIELDS(FIELD)                 \
    FIELD(int32_t, levels, number)                 \
    FIELD(const double *, scales, array)           \
    FIELD(const int64_t *, level_of_roi, array)    \
    FIELD(const double *, horizontal_scales, array)

/* Position-sensitive RoI pooling (mean). out is (K, C / (GH * GW), PH, PW). */
#define FASTROI_PS_ROI_POOL_FIELDS(FIELD)        \
    FIELD(int32_t, rule, ps_roi_pool_rule)       \
    FIELD(int32_t, channel_order, channel_order) \
    FIELD(int32_t, arithmetic, arithmetic)       \
    FASTROI_GROUP_FIELDS(FIELD)                  \
    FASTROI_SCALE_FIELDS(FIELD)

/* Position-sensitive RoIAlign (mean). out is (K, C / (GH * GW), PH, PW). */
#define FASTROI_PS_ROI_ALIGN_FIELDS(FIELD)       \
    FIELD(int32_t, aligned, aligned)             \
    FIELD(int32_t, channel_order, channel_order) \
    FIELD(int32_t, arithmetic, arithmetic)       \
    FASTROI_GROUP_FIELDS(FIELD)                  \
    FASTROI_SAMPLING_FIELDS(FIELD)               \
    FASTROI_SCALE_FIELDS(FIELD)

/*
 * TensorFlow's crop_and_resize. Boxes are x1 y1 x2 y2 normalised to [0, 1] between the centres of the first and last cell; a
 * flipped box mirrors. extrapolation_value: for output cells whose point is off the map. end: where the last row and column lie.
 */
#define FASTROI_CROP_AND_RESIZE_FIELDS(FIELD)  \
    FIELD(int32_t, method, crop_method)        \
    FIELD(double, extrapolation_value, number) \
    FIELD(int32_t, end, crop_end)

/*
 * Rotated RoIAlign (mean). aligned 1: centre*s - 0.5, extents as they are; 0: centre*s, extents at least 1. clockwise 0: a
 * positive angle turns the box counter-clockwise on screen. sampling_h, sampling_w: along the box's height and width, at most
 * 1024.
 */
#define FASTROI_ROI_ALIGN_ROTATED_FIELDS(FIELD) \
    FIELD(int32_t, aligned, flag)               \
    FIELD(int32_t, clockwise, flag)             \
    FIELD(int32_t, angle_unit, angle_unit)      \
    FIELD(int32_t, arithmetic, arithmetic)      \
    FASTROI_SAMPLING_FIELDS(FIELD)              \
    FASTROI_SCALE_FIELDS(FIELD)

/*
 * Rotation-invariant RoIAlign (mmcv): rotated RoIAlign with aligned = 0, then orientations turned by the box's angle, which
 * they take as given. Input channel: class * orientations + orientation.
 */
#define FASTROI_RIROI_ALIGN_ROTATED_FIELDS(FIELD) \
    FIELD(int32_t, clockwise, flag)               \
    FIELD(int32_t, angle_unit, angle_unit)        \
    FIELD(int32_t, arithmetic, arithmetic)        \
    FIELD(int64_t, orientations, number)          \
    FASTROI_SAMPLING_FIELDS(FIELD)                \
    FASTROI_SCALE_FIELDS(FIELD)

/*
 * Deformable RoI pooling (mmcv). offset: NULL or (K, 2, PH, PW), x first; a bin moves by gamma * extent * offset. At most 1024
 * points per bin and axis.
 */
#define FASTROI_DEFORM_ROI_POOL_FIELDS(FIELD) \
    FIELD(int32_t, arithmetic, arithmetic)    \
    FASTROI_SAMPLING_FIELDS(FIELD)            \
    FIELD(double, gamma, number)              \
    FASTROI_SCALE_FIELDS(FIELD)               \
    FIELD(const fastroi_tensor *, offset, array)

/*
 * Deformable position-sensitive RoI pooling (DCN, MXNet, OpenVINO). Input channel of bin (gh, gw) of output channel c:
 * (c * GH + gh) * GW + gw; out is (K, C / (GH * GW), PH, PW). trans: NULL or (K, 2 * classes, part_h, part_w), x plane of each
 * class first; a bin moves by trans_std * extent * trans; the output channels are divided evenly among the classes.
 * sample_per_part: points per bin and axis, at most 1024.
 */
#define FASTROI_DEFORM_PS_ROI_POOL_FIELDS(FIELD) \
    FIELD(int32_t, arithmetic, arithmetic)       \
    FASTROI_GROUP_FIELDS(FIELD)                  \
    FIELD(int64_t, part_h, number)               \
    FIELD(int64_t, part_w, number)               \
    FIELD(int64_t, sample_per_part, number)      \
    FIELD(double, trans_std, number)             \
    FASTROI_SCALE_FIELDS(FIELD)                  \
    FIELD(const fastroi_tensor *, trans, array)

/*
 * Masks (K, 1, h, w) of uint8, float32 or float64 pasted into images by box k. out is (K, 1, H, W): of uint8, 1 where the mask
 * reaches the threshold (>= 0); or of float64 for float64 masks and float32 for others, the interpolated values. A threshold
 * of at most 1 refuses masks of uint8 with a cell above 1. zeroed: out is all zeros already, so that only the pixels of the
 * boxes are written.
 */
#define FASTROI_PASTE_MASKS_FIELDS(FIELD)  \
    FIELD(int32_t, rule, paste_rule)       \
    FIELD(int32_t, arithmetic, arithmetic) \
    FIELD(int32_t, zeroed, flag)           \
    FIELD(double, threshold, number)

/*
 * Masks (N, 1, H, W) of images cropped to boxes by RoIAlign at scale 1; without batch_indices box k crops mask k. aligned is
 * RoIAlign's; 1: detectron2, 0: torchvision.
 * out is (K, 1, h, w), of a type, and the masks of values, as for pasted masks; only the cells near the boxes are looked at.
 */
#define FASTROI_CROP_MASKS_FIELDS(FIELD)   \
    FIELD(int32_t, aligned, flag)          \
    FIELD(int32_t, arithmetic, arithmetic) \
    FASTROI_SAMPLING_FIELDS(FIELD)         \
    FIELD(double, threshold, number)

/*
 * The exact overlap of cells and bins: cell i covers [i, i + 1), the scaled box is clipped to the map and its bins divide what is
 * left. An empty bin is 0.
 */
#define FASTROI_AREA_POOL_FIELDS(FIELD) \
    FIELD(int32_t, reduce, area_reduce) \
    FASTROI_SCALE_FIELDS(FIELD)

/*
 * --- operators: OPERATOR(name, fields, flags) ----------------------------------------------------------------------------
 *
 * fastroi_NAME takes fastroi_NAME_params: struct_size and the fields. out is (K, C, PH, PW) where nothing else is said; its PH, PW
 * are the output size.
 *
 * features and out may be of any two of fastroi_element_at(). float64 features are computed in float64, all others in float32, to
 * which they are widened exactly. A result is rounded once, to nearest, ties to even: beyond the largest number to infinity, and
 * integers saturated, NaN to 0.
 *
 * roi_warp (MNC): one point per bin, at its start corner, of the box rounded on the map. prroi_pool: the exact mean of the
 * bilinear surface over each bin.
 */
#define FASTROI_OPERATORS(OPERATOR)                                                               \
    OPERATOR(roi_pool, FASTROI_ROI_POOL_FIELDS, 0)                                                \
    OPERATOR(roi_align, FASTROI_ROI_ALIGN_FIELDS, 0)                                              \
    OPERATOR(multiscale_roi_align, FASTROI_MULTISCALE_ROI_ALIGN_FIELDS, FASTROI_TAKES_LEVELS)     \
    OPERATOR(ps_roi_pool, FASTROI_PS_ROI_POOL_FIELDS, 0)                                          \
    OPERATOR(ps_roi_align, FASTROI_PS_ROI_ALIGN_FIELDS, 0)                                        \
    OPERATOR(roi_warp, FASTROI_SCALE_FIELDS, 0)                                                   \
    OPERATOR(prroi_pool, FASTROI_SCALE_FIELDS, 0)                                                 \
    OPERATOR(crop_and_resize, FASTROI_CROP_AND_RESIZE_FIELDS, FASTROI_TAKES_NORMALISED_BOXES)     \
    OPERATOR(roi_align_rotated, FASTROI_ROI_ALIGN_ROTATED_FIELDS, FASTROI_TAKES_TURNED_BOXES)     \
    OPERATOR(riroi_align_rotated, FASTROI_RIROI_ALIGN_ROTATED_FIELDS, FASTROI_TAKES_TURNED_BOXES) \
    OPERATOR(deform_roi_pool, FASTROI_DEFORM_ROI_POOL_FIELDS, 0)                                  \
    OPERATOR(deform_ps_roi_pool, FASTROI_DEFORM_PS_ROI_POOL_FIELDS, 0)                            \
    OPERATOR(paste_masks, FASTROI_PASTE_MASKS_FIELDS, FASTROI_TAKES_MASKS)                        \
    OPERATOR(crop_masks, FASTROI_CROP_MASKS_FIELDS, FASTROI_TAKES_MASKS)                          \
    OPERATOR(area_pool, FASTROI_AREA_POOL_FIELDS, 0)

typedef enum fastroi_operator_flags {
    FASTROI_TAKES_TURNED_BOXES = 1,     /* five coordinates, cx cy w h angle */
    FASTROI_TAKES_NORMALISED_BOXES = 2, /* coordinates are parts of the map, and there is no scale */
    FASTROI_TAKES_LEVELS = 4,           /* `features` points to as many maps as the params say */
    FASTROI_TAKES_MASKS = 8             /* maps of one channel, of uint8 too; boxes are in their pixels */
} fastroi_operator_flags;

#define FASTROI_MEMBER(type, name, of) type name;
#define FASTROI_PARAMS(name, FIELDS, flags)  \
    typedef struct fastroi_##name##_params { \
        size_t struct_size;                  \
        FIELDS(FASTROI_MEMBER)               \
    } fastroi_##name##_params;
FASTROI_OPERATORS(FASTROI_PARAMS)

/* An operator's number, for fastroi_run. */
#define FASTROI_OPERATOR_CODE(name, fields, flags) FASTROI_OPERATOR_##name,
typedef enum fastroi_operator_code { FASTROI_OPERATORS(FASTROI_OPERATOR_CODE) } fastroi_operator_code;

/* fastroi_capsule.h declares these functions in another way. */
#ifndef FASTROI_NO_PROTOTYPES
#define FASTROI_PROTOTYPE(name, fields, flags)                                                                  \
    FASTROI_API fastroi_status fastroi_##name(const fastroi_tensor *features, const fastroi_boxes *boxes,       \
                                              const fastroi_##name##_params *params, const fastroi_tensor *out, \
                                              const fastroi_exec *exec, fastroi_error *error);
FASTROI_OPERATORS(FASTROI_PROTOTYPE)
#endif

/* Any of them; params points to its struct. FASTROI_INVALID_VALUE for an operator that this library does not have. */
FASTROI_API fastroi_status fastroi_run(int32_t operator_code, const fastroi_tensor *features,
                                       const fastroi_boxes *boxes, const void *params, const fastroi_tensor *out,
                                       const fastroi_exec *exec, fastroi_error *error);

/* What the table says of an operator, for callers that read it rather than this header. */
typedef struct fastroi_field {
    const char *name;
    const char *type;           /* as FIELD spells it */
    size_t offset;              /* in the params struct */
    const char *of;             /* "number", "flag", "array", or the name of a list of choices */
    int32_t choice_count;       /* 0 for what is no choice */
    const char *const *choices; /* names of the codes 0, 1, ..., NULL past the end; or NULL */
} fastroi_field;

typedef struct fastroi_operator {
    const char *name;
    int32_t flags;
    size_t params_size;
    int32_t field_count;
    const fastroi_field *fields;
} fastroi_operator;

/* The operator of a code; NULL for a code that is none. */
FASTROI_API const fastroi_operator *fastroi_operator_at(int32_t operator_code);

/* What becomes of the cells that a plan lists for a bin. */
typedef enum fastroi_plan_reduce {
    FASTROI_PLAN_MAX = 0,        /* their maximum */
    FASTROI_PLAN_MEAN = 1,       /* their sum, divided by their number */
    FASTROI_PLAN_SUM = 2,        /* the sum of weight * cell */
    FASTROI_PLAN_MAX_POINTS = 3, /* the maximum over points, each the sum of its weighted cells */
    FASTROI_PLAN_MIXED = 4       /* SUM, then orientations are mixed: the entries of axis ORIENTATION say how */
} fastroi_plan_reduce;

typedef enum fastroi_plan_axis {
    FASTROI_AXIS_ROW = 0,     /* bin: ph; cells: rows. A bin's cells are those of its row times those of its column */
    FASTROI_AXIS_COLUMN = 1,  /* bin: pw; cells: columns */
    FASTROI_AXIS_CELL = 2,    /* bin: ph * PW + pw; cells: y * W + x, where bins are no product of rows and columns */
    FASTROI_AXIS_CHANNEL = 3, /* bin: ph * PW + pw; the c-th output channel from output_channel on reads channel
                                 first + c * (end - first) */
    FASTROI_AXIS_ORIENTATION = 4 /* bin: output orientation; cells: orientations */
} fastroi_plan_axis;

/* Cells [first, end) of a bin, each with this weight. */
typedef struct fastroi_plan_entry {
    int32_t axis;  /* fastroi_plan_axis */
    int32_t point; /* of the bin, from 0, off the map with an empty range; -1: cells are not listed by points */
    int64_t output_channel; /* the first that this is about: not 0 for the later classes of deform_ps_roi_pool */
    int64_t bin;
    int64_t first, end;
    double weight;
} fastroi_plan_entry;

typedef struct fastroi_plan {
    size_t struct_size;
    int64_t capacity;            /* of entries */
    fastroi_plan_entry *entries; /* may be NULL if capacity is 0 */
    int64_t count;               /* receives how many there are; no more than capacity are written */
    int32_t reduce;              /* receives a fastroi_plan_reduce */
} fastroi_plan;

/*
 * What an operator does to one box, exactly as it will be run: boxes->count must be 1. The memory of features and out is not
 * looked at. Bins and points ascend within an axis; a bin without cells has no entries.
 */
FASTROI_API fastroi_status fastroi_list_plan(int32_t operator_code, const fastroi_tensor *features,
                                             const fastroi_boxes *boxes, const void *params, const fastroi_tensor *out,
                                             const fastroi_exec *exec, fastroi_plan *plan, fastroi_error *error);

/* Whose sample points are listed: the codes of fastroi_aligned for RoIAlign, then these. */
typedef enum fastroi_points_op {
    FASTROI_POINTS_WARP = FASTROI_COUNT(FASTROI_ALIGNEDS),
    FASTROI_POINTS_PRECISE,
    FASTROI_POINTS_CROP,
    FASTROI_POINTS_CROP_EXACT /* FASTROI_CROP_END_EXACT */
} fastroi_points_op;

/*
 * The sample points of each bin of one axis, as the kernels use them: point t of bin[t] lies at coordinate[t], where a whole
 * number is the centre of a cell, and has the share weight[t] in its bin, 0 for a point that is off the map. Points far off
 * the map are left out; *grid receives how many every bin has (0: none, or an operator that integrates instead).
 * interval receives the part of the axis that the bins divide. At most `capacity` points are written; count receives how many
 * there are. One float64 coordinate per point: the arithmetic is that of FASTROI_ARITHMETIC_F64.
 */
FASTROI_API fastroi_status fastroi_axis_points(int32_t op, double lo, double hi, double scale, int64_t sampling_ratio,
                                               int64_t bins, int64_t extent, int64_t capacity, double interval[2],
                                               int64_t *grid, int64_t *bin, double *coordinate, double *weight,
                                               int64_t *count, fastroi_error *error);

/*
 * The ranges a RoIPool rule gives one axis: bins half-open ranges, start in edges[2*p], end in edges[2*p+1],
 * clipped to [0, extent), or unclipped when extent is negative. interval receives the quantised box [lo, hi) in cells.
 */
FASTROI_API fastroi_status fastroi_axis_ranges(int32_t rule, double lo, double hi, double scale, int64_t bins,
                                               int64_t extent, double interval[2], int64_t *edges,
                                               fastroi_error *error);

FASTROI_API const char *fastroi_version(void);
FASTROI_API int32_t fastroi_abi_version(void);

/* What features and results may be stored as. */
typedef struct fastroi_element {
    const char *name; /* as NumPy spells it */
    int32_t dtype;    /* fastroi_dtype */
    int32_t size;     /* bytes */
} fastroi_element;

/* The elements, NULL past the end. */
FASTROI_API const fastroi_element *fastroi_element_at(int32_t index);

/* Names of the instruction sets, best first, NULL past the end: compiled into this library, supported by this machine.
 * Those that the environment variable FASTROI_SIMD_DISABLE lists, separated by commas, count as not supported, and so do those
 * that need them (avx512 needs avx2). It is read once; a name that does not exist is passed over. */
FASTROI_API const char *fastroi_simd_compiled(int32_t index);
FASTROI_API const char *fastroi_simd_supported(int32_t index);
/* The one calls use when exec->simd is NULL. */
FASTROI_API const char *fastroi_simd_active(void);
/* Makes `name` the active one; FASTROI_INVALID_VALUE if this machine or build lacks it. Not for use beside running calls. */
FASTROI_API fastroi_status fastroi_simd_activate(const char *name, fastroi_error *error);

/* Threads a call with num_threads = 0 uses: OpenMP's maximum now, capped by affinity and the cgroup quota. */
FASTROI_API int32_t fastroi_default_threads(void);
/*
 * Threads a call with this num_threads may use. No more than processors that affinity and the cgroup quota leave, unless the
 * environment variable FASTROI_OVERSUBSCRIBE is 1, read once; 1 inside a parallel region of OpenMP, and in a child forked
 * after several threads were used. A call runs on fewer where the system refuses threads, and results are the same.
 */
FASTROI_API int32_t fastroi_usable_threads(int32_t num_threads);
/* 1 if built with OpenMP. */
FASTROI_API int32_t fastroi_has_openmp(void);
/* Compiler that built the library, for bug reports. */
FASTROI_API const char *fastroi_compiler(void);

#ifdef __cplusplus
}
#endif
#endif
