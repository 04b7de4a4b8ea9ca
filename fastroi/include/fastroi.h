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
 * strides are in bytes and may be negative or zero, data need not be aligned. NHWC is a matter of strides.
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
    const char *simd;             /* NULL: the active instruction set; else a name of fastroi_simd_name */
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

/*
 * The ranges a RoIPool rule gives one axis: bins half-open ranges, start in edges[2*p], end in edges[2*p+1],
 * clipped to [0, extent), or unclipped when extent is negative. interval receives the quantised box [lo, hi) in cells.
 */
FASTROI_API fastroi_status fastroi_axis_ranges(int32_t rule, double lo, double hi, double scale, int64_t bins,
                                               int64_t extent, double interval[2], int64_t *edges,
                                               fastroi_error *error);

FASTROI_API const char *fastroi_version(void);
FASTROI_API int32_t fastroi_abi_version(void);

/* Names of the instruction sets, best first, NULL past the end: compiled into this library, supported by this machine. */
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
