/*
 * Fixed cases for the instruction-count gate, through the C ABI: `callgrind_driver --list` prints
 * their names, `callgrind_driver NAME` runs one twice. Only the second run is inside
 * measured_call(), the function callgrind counts: the first one chooses the instruction set and
 * touches the memory. One thread, so that counts repeat.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastroi.h"

typedef struct {
    const char* name;
    int64_t channels, height, width, rois, bins;
    double scale, low, high; /* sides in pixels, log-uniform */
    int interleaved, is_double, with_argmax, rule, reduce;
} Case;

/* Append-only: a name keeps its numbers. */
static const Case kCases[] = {
    {"pool_article_7x7", 512, 16, 16, 60, 7, 1.0 / 32, 64, 400, 0, 0, 0, FASTROI_RULE_FAST_RCNN, 0},
    {"pool_article_3x3", 512, 16, 16, 60, 3, 1.0 / 32, 64, 400, 0, 0, 0, FASTROI_RULE_FAST_RCNN, 0},
    {"pool_article_nhwc", 512, 16, 16, 60, 7, 1.0 / 32, 64, 400, 1, 0, 0, FASTROI_RULE_FAST_RCNN, 0},
    {"pool_article_double", 512, 16, 16, 60, 7, 1.0 / 32, 64, 400, 0, 1, 0, FASTROI_RULE_FAST_RCNN, 0},
    {"pool_article_argmax", 512, 16, 16, 60, 7, 1.0 / 32, 64, 400, 0, 0, 1, FASTROI_RULE_FAST_RCNN, 0},
    {"pool_article_mean", 512, 16, 16, 60, 7, 1.0 / 32, 64, 400, 0, 0, 0, FASTROI_RULE_FAST_RCNN, 1},
    {"pool_article_floor", 512, 16, 16, 60, 7, 1.0 / 32, 64, 400, 0, 0, 0, FASTROI_RULE_FLOOR, 0},
    {"pool_vgg", 512, 38, 50, 40, 7, 1.0 / 16, 32, 600, 0, 0, 0, FASTROI_RULE_FAST_RCNN, 0},
    {"pool_huge_boxes", 64, 200, 272, 40, 7, 1.0 / 4, 400, 800, 0, 0, 0, FASTROI_RULE_FAST_RCNN, 0},
    {"pool_one_on_large_map", 256, 200, 272, 1, 7, 1.0 / 4, 32, 64, 0, 0, 0, FASTROI_RULE_FAST_RCNN, 0},
    {"pool_call_overhead", 1, 4, 4, 1, 1, 1.0, 2, 2, 0, 0, 0, FASTROI_RULE_FAST_RCNN, 0},
};
enum { kCaseCount = sizeof kCases / sizeof kCases[0] };

static uint64_t random_state = 20201122;

/* Uniform in [0, 1): a fixed generator, so that counts do not depend on a C library. */
static double uniform(void) {
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (double)(random_state >> 11) / 9007199254740992.0;
}

static void* allocate(size_t bytes) {
    void* memory = malloc(bytes ? bytes : 1);
    if (!memory) {
        fprintf(stderr, "out of memory\n");
        exit(2);
    }
    memset(memory, 0, bytes);
    return memory;
}

static fastroi_tensor tensor(int dtype, int64_t item, int64_t n, int64_t c, int64_t h, int64_t w, int interleaved) {
    fastroi_tensor t;
    memset(&t, 0, sizeof t);
    t.dtype = dtype;
    t.shape[0] = n;
    t.shape[1] = c;
    t.shape[2] = h;
    t.shape[3] = w;
    t.strides[0] = c * h * w * item;
    t.strides[1] = interleaved ? item : h * w * item;
    t.strides[2] = interleaved ? w * c * item : w * item;
    t.strides[3] = interleaved ? c * item : item;
    t.data = allocate((size_t)(n * c * h * w * item));
    return t;
}

static void fill(fastroi_tensor* t) {
    const int64_t count = t->shape[0] * t->shape[1] * t->shape[2] * t->shape[3];
    for (int64_t i = 0; i < count; ++i) {
        const double value = uniform() - 0.5;
        if (t->dtype == FASTROI_FLOAT64)
            ((double*)t->data)[i] = value;
        else
            ((float*)t->data)[i] = (float)value;
    }
}

static void place(const Case* c, double extent, double* low, double* high) {
    const double half = c->low * pow(c->high / c->low, uniform()) / 2, centre = uniform() * extent;
    *low = centre > half ? centre - half : 0;
    *high = centre + half < extent ? centre + half : extent;
}

static float* boxes_of(const Case* c) {
    float* boxes = allocate((size_t)c->rois * 4 * sizeof(float));
    for (int64_t k = 0; k < c->rois; ++k) {
        double low, high;
        for (int axis = 0; axis < 2; ++axis) {
            place(c, (double)(axis ? c->height : c->width) / c->scale, &low, &high);
            boxes[4 * k + axis] = (float)low;
            boxes[4 * k + 2 + axis] = (float)high;
        }
    }
    return boxes;
}

typedef struct {
    fastroi_tensor map, out, argmax;
    fastroi_boxes boxes;
    fastroi_roi_pool_params params;
    fastroi_exec exec;
} Call;

static fastroi_status run(Call* c, fastroi_error* error) {
    return fastroi_roi_pool(&c->map, &c->boxes, &c->params, &c->out, &c->exec, error);
}

/* What callgrind counts; kept a function of its own. */
__attribute__((noinline)) fastroi_status measured_call(Call* c, fastroi_error* error) { return run(c, error); }

static int execute(const Case* c) {
    const int dtype = c->is_double ? FASTROI_FLOAT64 : FASTROI_FLOAT32;
    const int64_t item = c->is_double ? 8 : 4;
    Call call;
    fastroi_error error;
    memset(&call, 0, sizeof call);
    memset(&error, 0, sizeof error);
    call.map = tensor(dtype, item, 1, c->channels, c->height, c->width, c->interleaved);
    fill(&call.map);
    call.out = tensor(dtype, item, c->rois, c->channels, c->bins, c->bins, c->interleaved);
    call.argmax = tensor(FASTROI_INT64, 8, c->rois, c->channels, c->bins, c->bins, c->interleaved);
    call.params.argmax = c->with_argmax ? &call.argmax : NULL;
    call.boxes.data = boxes_of(c);
    call.boxes.dtype = FASTROI_FLOAT32;
    call.boxes.columns = 4;
    call.boxes.count = c->rois;
    call.boxes.strides[0] = 4 * (int64_t)sizeof(float);
    call.boxes.strides[1] = (int64_t)sizeof(float);
    call.params.struct_size = sizeof call.params;
    call.params.rule = c->rule;
    call.params.reduce = c->reduce;
    call.params.scale_h = call.params.scale_w = c->scale;
    call.exec.struct_size = sizeof call.exec;
    call.exec.num_threads = 1;
    call.exec.simd = getenv("FASTROI_SIMD");

    if (run(&call, &error) != FASTROI_OK || measured_call(&call, &error) != FASTROI_OK) {
        fprintf(stderr, "%s: %s\n", c->name, error.message);
        return 1;
    }
    free((void*)call.boxes.data);
    free(call.argmax.data);
    free(call.out.data);
    free(call.map.data);
    return 0;
}

int main(int argc, char** argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s --list | CASE\n", argv[0]);
        return 2;
    }
    for (int i = 0; i < kCaseCount; ++i) {
        if (!strcmp(argv[1], "--list"))
            puts(kCases[i].name);
        else if (!strcmp(argv[1], kCases[i].name))
            return execute(&kCases[i]);
    }
    if (!strcmp(argv[1], "--list")) return 0;
    fprintf(stderr, "no case named %s\n", argv[1]);
    return 2;
}
