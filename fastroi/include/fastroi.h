/*
 * fastroi: Region-of-Interest operators on strided arrays. The C ABI.
 *
 * Every call reads its inputs once, validates a private copy of the boxes, and either refuses before
 * a single output byte is written or fills the whole output. No exception crosses this boundary and
 * no memory changes owner. Calls are thread-safe as long as no two of them share an output.
 *
 * Descriptors start with `struct_size`: set it to sizeof the struct. A later library accepts the
 * smaller structs of earlier headers; fields a caller does not know keep their documented defaults.
 */
#ifndef FASTROI_H
#define FASTROI_H

#include <stddef.h>
#include <stdint.h>

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
    FASTROI_INVALID_VALUE = 1,  /* an argument's value is out of its domain       */
    FASTROI_INVALID_TYPE = 2,   /* a dtype this operator does not take            */
    FASTROI_OVERFLOW = 3,       /* a product of sizes exceeds int64 or memory     */
    FASTROI_OUT_OF_MEMORY = 4,  /* scratch memory could not be had                */
    FASTROI_CANCELLED = 5       /* the cancel callback said stop; `out` is partly written */
} fastroi_status;

typedef enum fastroi_dtype {
    FASTROI_FLOAT32 = 0,
    FASTROI_FLOAT64 = 1,
    FASTROI_FLOAT16 = 2, /* boxes only */
    FASTROI_INT8 = 3,    /* INT8 .. UINT64: boxes and batch indices */
    FASTROI_INT16 = 4,
    FASTROI_INT32 = 5,
    FASTROI_INT64 = 6,
    FASTROI_UINT8 = 7,
    FASTROI_UINT16 = 8,
    FASTROI_UINT32 = 9,
    FASTROI_UINT64 = 10
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

/* How a call runs. Zero everything but struct_size for the defaults; NULL in a call means the same. */
typedef struct fastroi_exec {
    size_t struct_size;
    int32_t num_threads;          /* 0: fastroi_default_threads() */
    const char *simd;             /* NULL: the active instruction set; else a name of fastroi_simd_supported */
    int (*cancel)(void *context); /* polled by the calling thread, at most every 20 ms; nonzero stops the call */
    void *cancel_context;
} fastroi_exec;

/* Quantisation rules of RoIPool; formulas and sources in docs/rules.md. */
typedef enum fastroi_roi_pool_rule {
    FASTROI_RULE_FLOOR = 0,         /* the article: floor the box, floor the bins, drop the rest */
    FASTROI_RULE_FAST_RCNN = 1,     /* Fast R-CNN with exact integer edges (OpenVINO)            */
    FASTROI_RULE_FAST_RCNN_F32 = 2, /* Caffe, ONNX Runtime, Paddle, torchvision float32          */
    FASTROI_RULE_FAST_RCNN_F64 = 3, /* torchvision float64                                       */
    FASTROI_RULE_CHAINER = 4,
    FASTROI_RULE_ACL = 5,
    FASTROI_RULE_MMCV = 6,
    FASTROI_RULE_MNN = 7,
    FASTROI_RULE_OPENCV = 8
} fastroi_roi_pool_rule;

/* The rule's name as the Python API spells it ("fast_rcnn"); NULL for a code that is none. */
FASTROI_API const char *fastroi_roi_pool_rule_name(int32_t rule);

typedef enum fastroi_reduce { FASTROI_REDUCE_MAX = 0, FASTROI_REDUCE_MEAN = 1 } fastroi_reduce;

typedef struct fastroi_roi_pool_params {
    size_t struct_size;
    int32_t rule;   /* fastroi_roi_pool_rule */
    int32_t reduce; /* fastroi_reduce */
    double scale_h; /* map cells per image pixel, > 0 and finite */
    double scale_w;
} fastroi_roi_pool_params;

/*
 * RoIPool. out is (K, C, PH, PW) of the features' dtype; its PH, PW are the output size. argmax, if not
 * NULL, is an int64 tensor of the same shape: y*W + x of the first maximum, -1 for an empty bin (max only).
 */
FASTROI_API fastroi_status fastroi_roi_pool(const fastroi_tensor *features, const fastroi_boxes *boxes,
                                            const fastroi_roi_pool_params *params, const fastroi_tensor *out,
                                            const fastroi_tensor *argmax, const fastroi_exec *exec,
                                            fastroi_error *error);

/* The type that coordinates, bin edges, grid sizes and zone tests are computed in: part of the rule. */
typedef enum fastroi_arithmetic { FASTROI_ARITHMETIC_F64 = 0, FASTROI_ARITHMETIC_F32 = 1 } fastroi_arithmetic;

/* How RoIAlign takes a box to the map; x is an image coordinate, s the scale. */
typedef enum fastroi_align_coordinates {
    FASTROI_ALIGN_ASYMMETRIC = 0,          /* x*s, extents at least 1: aligned=False, ONNX output_half_pixel  */
    FASTROI_ALIGN_HALF_PIXEL = 1,          /* x*s - 0.5: aligned=True, ONNX half_pixel                        */
    FASTROI_ALIGN_IMAGE_HALF_PIXEL = 2,    /* (x + 0.5)*s - 0.5: OpenVINO half_pixel                          */
    FASTROI_ALIGN_HALF_PIXEL_LEAST_ONE = 3, /* x*s - 0.5, extents at least 1: OpenVINO's detectron extractor  */
    /* Below, points off the map move to its outer cells however far they lie, and an adaptive grid has at least one point:
       TensorRT's PyramidROIAlign. */
    FASTROI_ALIGN_CLAMPED_HALF_PIXEL = 4,        /* x*s - 0.5 */
    FASTROI_ALIGN_CLAMPED_OUTPUT_HALF_PIXEL = 5, /* x*s       */
    FASTROI_ALIGN_CLAMPED_ASYMMETRIC = 6,        /* x*s, each point at the start of its share of the bin              */
    FASTROI_ALIGN_CLAMPED_ALIGN_CORNERS = 7      /* the same, bins extent / (bins - 1) apart                          */
} fastroi_align_coordinates;

typedef enum fastroi_align_reduce {
    FASTROI_ALIGN_MEAN = 0,         /* mean of all sample points; one outside [-1, H] x [-1, W] counts as 0      */
    FASTROI_ALIGN_MAX = 1,          /* maximum of the interpolated points, outside as 0: mmcv, MNN, TVM          */
    FASTROI_ALIGN_MAX_CORNERS = 2,  /* maximum of each point's four weighted corners: ONNX Runtime               */
    FASTROI_ALIGN_MAX_FROM_ZERO = 3, /* MAX, but never below 0: OpenVINO                                         */
    FASTROI_ALIGN_MAX_INSIDE = 4    /* maximum of the points that are on the map: Chainer                        */
} fastroi_align_reduce;

typedef struct fastroi_roi_align_params {
    size_t struct_size;
    int32_t coordinates; /* fastroi_align_coordinates */
    int32_t reduce;      /* fastroi_align_reduce */
    int32_t arithmetic;  /* fastroi_arithmetic */
    int64_t sampling_h;  /* points a bin and axis; <= 0: ceil(extent / bins) */
    int64_t sampling_w;
    double scale_h; /* map cells per image pixel; fastroi_multiscale_roi_align has scales of its own */
    double scale_w;
} fastroi_roi_align_params;

/* RoIAlign. out is (K, C, PH, PW) of the features' dtype. */
FASTROI_API fastroi_status fastroi_roi_align(const fastroi_tensor *features, const fastroi_boxes *boxes,
                                             const fastroi_roi_align_params *params, const fastroi_tensor *out,
                                             const fastroi_exec *exec, fastroi_error *error);

/*
 * RoIAlign on a feature pyramid: `levels` maps of the same images, channels and dtype, RoI k from level level_of_roi[k] with
 * scales[level_of_roi[k]] map cells per image pixel. Results in the order of the boxes.
 */
FASTROI_API fastroi_status fastroi_multiscale_roi_align(const fastroi_tensor *features, const double *scales, int32_t levels,
                                                        const fastroi_boxes *boxes, const int64_t *level_of_roi,
                                                        const fastroi_roi_align_params *params, const fastroi_tensor *out,
                                                        const fastroi_exec *exec, fastroi_error *error);

/* Which input channel bin (gh, gw) of output channel c reads, in a map of C * GH * GW channels. */
typedef enum fastroi_channel_order {
    FASTROI_CHANNELS_CLASS_MAJOR = 0, /* (c * GH + gh) * GW + gw */
    FASTROI_CHANNELS_BIN_MAJOR = 1    /* (gh * GW + gw) * C + c  */
} fastroi_channel_order;

typedef enum fastroi_ps_roi_pool_rule {
    FASTROI_PS_RULE_RFCN = 0,        /* R-FCN, MXNet, Paddle: round(x1)*s to (round(x2) + 1)*s, at least 0.1           */
    FASTROI_PS_RULE_OPENVINO = 1,    /* the same with round(x2 + 1): OpenVINO, ncnn, OpenCV                            */
    FASTROI_PS_RULE_TORCHVISION = 2, /* round(x*s), at least 1, without the map's last row and column                  */
    FASTROI_PS_RULE_CHAINERCV = 3    /* x*s, at least 0.1                                                              */
} fastroi_ps_roi_pool_rule;

typedef struct fastroi_ps_roi_pool_params {
    size_t struct_size;
    int32_t rule;          /* fastroi_ps_roi_pool_rule */
    int32_t channel_order; /* fastroi_channel_order */
    int32_t arithmetic;    /* fastroi_arithmetic */
    int64_t group_h;       /* GH, GW; 0: PH, PW */
    int64_t group_w;
    double scale_h;
    double scale_w;
} fastroi_ps_roi_pool_params;

/* Position-sensitive RoI pooling (mean). out is (K, C / (GH * GW), PH, PW). */
FASTROI_API fastroi_status fastroi_ps_roi_pool(const fastroi_tensor *features, const fastroi_boxes *boxes,
                                               const fastroi_ps_roi_pool_params *params, const fastroi_tensor *out,
                                               const fastroi_exec *exec, fastroi_error *error);

typedef struct fastroi_ps_roi_align_params {
    size_t struct_size;
    int32_t coordinates;   /* fastroi_align_coordinates */
    int32_t channel_order; /* fastroi_channel_order */
    int32_t arithmetic;    /* fastroi_arithmetic */
    int64_t group_h;       /* GH, GW; 0: PH, PW */
    int64_t group_w;
    int64_t sampling_h; /* <= 0: ceil(extent / bins) */
    int64_t sampling_w;
    double scale_h;
    double scale_w;
} fastroi_ps_roi_align_params;

/* Position-sensitive RoIAlign (mean). out is (K, C / (GH * GW), PH, PW). */
FASTROI_API fastroi_status fastroi_ps_roi_align(const fastroi_tensor *features, const fastroi_boxes *boxes,
                                                const fastroi_ps_roi_align_params *params, const fastroi_tensor *out,
                                                const fastroi_exec *exec, fastroi_error *error);

typedef struct fastroi_scale_params {
    size_t struct_size;
    double scale_h;
    double scale_w;
} fastroi_scale_params;

/* RoIWarp (MNC): one point a bin, at its start corner, of the box rounded on the map. out is (K, C, PH, PW). */
FASTROI_API fastroi_status fastroi_roi_warp(const fastroi_tensor *features, const fastroi_boxes *boxes,
                                            const fastroi_scale_params *params, const fastroi_tensor *out,
                                            const fastroi_exec *exec, fastroi_error *error);

/* Precise RoI pooling: the exact mean of the bilinear surface over each bin. out is (K, C, PH, PW). */
FASTROI_API fastroi_status fastroi_prroi_pool(const fastroi_tensor *features, const fastroi_boxes *boxes,
                                              const fastroi_scale_params *params, const fastroi_tensor *out,
                                              const fastroi_exec *exec, fastroi_error *error);

typedef enum fastroi_crop_method { FASTROI_CROP_BILINEAR = 0, FASTROI_CROP_NEAREST = 1 } fastroi_crop_method;

typedef struct fastroi_crop_params {
    size_t struct_size;
    int32_t method;             /* fastroi_crop_method */
    double extrapolation_value; /* for output cells whose point is off the map */
} fastroi_crop_params;

/*
 * TensorFlow's crop_and_resize. Boxes are x1 y1 x2 y2 normalised to [0, 1] between the centres of the first and last cell;
 * a flipped box mirrors. out is (K, C, CH, CW) of the features' dtype.
 */
FASTROI_API fastroi_status fastroi_crop_and_resize(const fastroi_tensor *features, const fastroi_boxes *boxes,
                                                   const fastroi_crop_params *params, const fastroi_tensor *out,
                                                   const fastroi_exec *exec, fastroi_error *error);

typedef enum fastroi_angle_unit { FASTROI_RADIANS = 0, FASTROI_DEGREES = 1 } fastroi_angle_unit;

typedef struct fastroi_rotated_params {
    size_t struct_size;
    int32_t aligned;     /* 1: centre*s - 0.5, extents as they are; 0: centre*s, extents at least 1 */
    int32_t clockwise;   /* 0: a positive angle turns the box counter-clockwise on screen */
    int32_t angle_unit;  /* fastroi_angle_unit */
    int32_t arithmetic;  /* fastroi_arithmetic */
    int64_t sampling_h;  /* points a bin along the box's height, at most 1024; <= 0: ceil(extent / bins) */
    int64_t sampling_w;
    double scale_h;
    double scale_w;
} fastroi_rotated_params;

/* Rotated RoIAlign (mean). Boxes have five coordinates, cx cy w h angle, or six columns. out is (K, C, PH, PW). */
FASTROI_API fastroi_status fastroi_roi_align_rotated(const fastroi_tensor *features, const fastroi_boxes *boxes,
                                                     const fastroi_rotated_params *params, const fastroi_tensor *out,
                                                     const fastroi_exec *exec, fastroi_error *error);

typedef struct fastroi_riroi_params {
    size_t struct_size;
    int32_t clockwise;   /* of the box; the orientations take the angle as given */
    int32_t angle_unit;  /* fastroi_angle_unit */
    int32_t arithmetic;  /* fastroi_arithmetic */
    int64_t orientations; /* input channel: class * orientations + orientation */
    int64_t sampling_h;
    int64_t sampling_w;
    double scale_h;
    double scale_w;
} fastroi_riroi_params;

/* Rotation-invariant RoIAlign (mmcv): rotated RoIAlign with aligned = 0, then orientations turned by the box's angle. */
FASTROI_API fastroi_status fastroi_riroi_align_rotated(const fastroi_tensor *features, const fastroi_boxes *boxes,
                                                       const fastroi_riroi_params *params, const fastroi_tensor *out,
                                                       const fastroi_exec *exec, fastroi_error *error);

typedef struct fastroi_deform_roi_pool_params {
    size_t struct_size;
    int32_t arithmetic; /* fastroi_arithmetic */
    int64_t sampling_h; /* at most 1024; <= 0: ceil(extent / bins) */
    int64_t sampling_w;
    double gamma; /* a bin moves by gamma * extent * offset */
    double scale_h;
    double scale_w;
} fastroi_deform_roi_pool_params;

/* Deformable RoI pooling (mmcv). offset: NULL or (K, 2, PH, PW), x first. out is (K, C, PH, PW). */
FASTROI_API fastroi_status fastroi_deform_roi_pool(const fastroi_tensor *features, const fastroi_boxes *boxes,
                                                   const fastroi_tensor *offset, const fastroi_deform_roi_pool_params *params,
                                                   const fastroi_tensor *out, const fastroi_exec *exec, fastroi_error *error);

typedef struct fastroi_deform_ps_roi_pool_params {
    size_t struct_size;
    int32_t arithmetic;      /* fastroi_arithmetic */
    int64_t group_h;         /* input channel of bin (gh, gw) of output channel c: (c * GH + gh) * GW + gw */
    int64_t group_w;
    int64_t part_h;          /* rows and columns of trans */
    int64_t part_w;
    int64_t sample_per_part; /* points a bin and axis, at most 1024 */
    double trans_std;        /* a bin moves by trans_std * extent * trans */
    double scale_h;
    double scale_w;
} fastroi_deform_ps_roi_pool_params;

/*
 * Deformable position-sensitive RoI pooling (DCN, MXNet, OpenVINO). trans: NULL or (K, 2 * classes, part_h, part_w), x plane of
 * each class first. out is (K, C / (GH * GW), PH, PW); its channels are divided evenly among the classes.
 */
FASTROI_API fastroi_status fastroi_deform_ps_roi_pool(const fastroi_tensor *features, const fastroi_boxes *boxes,
                                                      const fastroi_tensor *trans,
                                                      const fastroi_deform_ps_roi_pool_params *params,
                                                      const fastroi_tensor *out, const fastroi_exec *exec,
                                                      fastroi_error *error);

typedef enum fastroi_paste_rule {
    FASTROI_PASTE_DETECTRON2 = 0,      /* pixel centres, zeros around the mask, clipped a pixel around the box; >= threshold */
    FASTROI_PASTE_DETECTRON2_FULL = 1, /* the same without clipping */
    FASTROI_PASTE_DETECTRON = 2        /* mask padded, box grown to match and truncated to pixels; > threshold */
} fastroi_paste_rule;

typedef struct fastroi_paste_masks_params {
    size_t struct_size;
    int32_t rule;       /* fastroi_paste_rule */
    int32_t arithmetic; /* fastroi_arithmetic */
    int32_t zeroed;     /* 1: out is all zeros already, so that only the pixels of the boxes are written */
    double threshold;   /* >= 0 */
} fastroi_paste_masks_params;

/*
 * Masks (K, 1, h, w) of uint8, float32 or float64 pasted into images by box k. out is (K, 1, H, W): of uint8, 1 where the mask
 * reaches the threshold; or of float64 for float64 masks and float32 for others, the interpolated values.
 */
FASTROI_API fastroi_status fastroi_paste_masks(const fastroi_tensor *masks, const fastroi_boxes *boxes,
                                               const fastroi_paste_masks_params *params, const fastroi_tensor *out,
                                               const fastroi_exec *exec, fastroi_error *error);

typedef struct fastroi_crop_masks_params {
    size_t struct_size;
    int32_t aligned;    /* RoIAlign's; 1: detectron2, 0: torchvision */
    int32_t arithmetic; /* fastroi_arithmetic */
    int64_t sampling_h; /* <= 0: ceil(extent / bins) */
    int64_t sampling_w;
    double threshold; /* >= 0 */
} fastroi_crop_masks_params;

/* Masks (N, 1, H, W) of images cropped to boxes by RoIAlign at scale 1. out is (K, 1, h, w), of a type as in fastroi_paste_masks. */
FASTROI_API fastroi_status fastroi_crop_masks(const fastroi_tensor *masks, const fastroi_boxes *boxes,
                                              const fastroi_crop_masks_params *params, const fastroi_tensor *out,
                                              const fastroi_exec *exec, fastroi_error *error);

/* Whose taps fastroi_axis_taps lists. The first three are codes of fastroi_align_coordinates. */
typedef enum fastroi_taps_op {
    FASTROI_TAPS_ALIGN_ASYMMETRIC = 0,
    FASTROI_TAPS_ALIGN_HALF_PIXEL = 1,
    FASTROI_TAPS_ALIGN_IMAGE_HALF_PIXEL = 2,
    FASTROI_TAPS_WARP = 3,
    FASTROI_TAPS_PRECISE = 4,
    FASTROI_TAPS_CROP = 5
} fastroi_taps_op;

/*
 * The weighted cells of each bin of one axis, as the kernels use them: tap t is weight[t] * map[cell[t]] in bin[t], by bin and
 * cell ascending. At most `capacity` are written; count receives how many there are.
 */
FASTROI_API fastroi_status fastroi_axis_taps(int32_t op, double lo, double hi, double scale, int64_t sampling_ratio,
                                             int64_t bins, int64_t extent, int64_t capacity, int64_t *bin, int64_t *cell,
                                             double *weight, int64_t *count, fastroi_error *error);

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
/* 1 if built with OpenMP. */
FASTROI_API int32_t fastroi_has_openmp(void);
/* Compiler that built the library, for bug reports. */
FASTROI_API const char *fastroi_compiler(void);

#ifdef __cplusplus
}
#endif
#endif
