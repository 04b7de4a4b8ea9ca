/* The C ABI as a C99 program meets it: versioned structs, refusals, cancellation. Exits 1 at the first surprise. */
#define _DEFAULT_SOURCE
#include <fastroi.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPECT(condition)                                                                \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            printf("line %d: %s\n  message: %s\n", __LINE__, #condition, error.message); \
            exit(1);                                                                     \
        }                                                                                \
    } while (0)

enum { C = 5, H = 9, W = 11, K = 4, P = 3, OUT = K * C * P * P };

static fastroi_error error;
static float map[C * H * W], pooled[OUT], reference[OUT];
static double rows[K][4] = {{0, 0, 60, 40}, {8, 8, 30, 70}, {-20, 5, 500, 9}, {40, 40, 41, 41}};

static const fastroi_tensor features = {map, FASTROI_FLOAT32, {1, C, H, W}, {sizeof map, H* W * 4, W * 4, 4}};
static const fastroi_tensor out = {pooled, FASTROI_FLOAT32, {K, C, P, P}, {C * P * P * 4, P* P * 4, P * 4, 4}};
static const fastroi_boxes boxes = {rows, FASTROI_FLOAT64, 4, K, {32, 8}, NULL, 0, 0};
static const fastroi_roi_pool_params params = {sizeof params, FASTROI_RULE_FAST_RCNN, FASTROI_REDUCE_MAX, 0.125, 0.125,
                                               NULL};

static fastroi_status pool(const fastroi_boxes* b, const fastroi_roi_pool_params* p, const fastroi_exec* exec) {
    return fastroi_roi_pool(&features, b, p, &out, exec, &error);
}

static int untouched(void) {
    for (int i = 0; i < OUT; i++)
        if (pooled[i] != -77) return 0;
    return 1;
}

static void forget_results(void) {
    for (int i = 0; i < OUT; i++) pooled[i] = -77;
}

/* `size` bytes that end where a page without any access begins. */
static void* before_the_edge(const void* from, size_t size) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char* pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + page, page, PROT_NONE)) exit(2);
    return memcpy(pages + page - size, from, size);
}

static int cancel_now(void* context) {
    ++*(int*)context;
    return 1;
}

static void structs_are_versioned(void) {
    fastroi_exec exec = {sizeof exec, 1, NULL, cancel_now, NULL, FASTROI_CHECK};
    const size_t before_cancel = offsetof(fastroi_exec, cancel);
    fastroi_roi_pool_params later = params;

    exec.struct_size = before_cancel; /* an older header, whose struct ended before the callback */
    const fastroi_exec* older = before_the_edge(&exec, before_cancel);
    EXPECT(pool(&boxes, &params, older) == FASTROI_OK);
    EXPECT(memcmp(pooled, reference, sizeof pooled) == 0);

    exec.struct_size = offsetof(fastroi_exec, flow); /* and one whose struct ended before the flow: it pools */
    forget_results();
    EXPECT(pool(&boxes, &params, before_the_edge(&exec, exec.struct_size)) == FASTROI_OK);
    EXPECT(memcmp(pooled, reference, sizeof pooled) == 0);
    later.struct_size = offsetof(fastroi_roi_pool_params, argmax);
    EXPECT(pool(&boxes, before_the_edge(&later, later.struct_size), NULL) == FASTROI_OK);

    later.struct_size = sizeof later + 64; /* a newer header; the known part is read */
    EXPECT(pool(&boxes, &later, NULL) == FASTROI_OK);

    forget_results();
    later.struct_size = offsetof(fastroi_roi_pool_params, scale_w); /* scale_w = 0, not what lies behind the struct */
    EXPECT(pool(&boxes, before_the_edge(&later, later.struct_size), NULL) == FASTROI_INVALID_VALUE);
    EXPECT(strstr(error.message, "spatial_scale"));
    later.struct_size = 0;
    EXPECT(pool(&boxes, &later, NULL) == FASTROI_INVALID_VALUE);
    EXPECT(strstr(error.message, "struct_size"));
    EXPECT(untouched());
}

static void appended_fields_keep_what_older_callers_meant(void) {
    const size_t before_end = offsetof(fastroi_crop_and_resize_params, end);
    fastroi_crop_and_resize_params crop = {sizeof crop, FASTROI_CROP_BILINEAR, -1, FASTROI_CROP_END_TENSORFLOW};
    const double scales[1] = {0.125}, other[1] = {0.5};
    const int64_t levels[K] = {0, 0, 0, 0};
    const size_t before_horizontal = offsetof(fastroi_multiscale_roi_align_params, horizontal_scales);
    fastroi_multiscale_roi_align_params align = {sizeof align, 1, 0, 0, 2, 2, 1, scales, levels, NULL};
    static float expected[OUT];

    EXPECT(fastroi_crop_and_resize(&features, &boxes, &crop, &out, NULL, &error) == FASTROI_OK);
    memcpy(expected, pooled, sizeof pooled);
    crop.end = 99; /* lies behind the struct of an older header */
    EXPECT(fastroi_crop_and_resize(&features, &boxes, &crop, &out, NULL, &error) == FASTROI_INVALID_VALUE);
    crop.struct_size = before_end;
    forget_results();
    EXPECT(fastroi_crop_and_resize(&features, &boxes, before_the_edge(&crop, before_end), &out, NULL, &error) ==
           FASTROI_OK);
    EXPECT(memcmp(pooled, expected, sizeof pooled) == 0);

    EXPECT(fastroi_multiscale_roi_align(&features, &boxes, &align, &out, NULL, &error) == FASTROI_OK);
    memcpy(expected, pooled, sizeof pooled);
    align.horizontal_scales = other;
    EXPECT(fastroi_multiscale_roi_align(&features, &boxes, &align, &out, NULL, &error) == FASTROI_OK);
    EXPECT(memcmp(pooled, expected, sizeof pooled) != 0);
    align.struct_size = before_horizontal;
    EXPECT(fastroi_multiscale_roi_align(&features, &boxes, before_the_edge(&align, before_horizontal), &out, NULL,
                                        &error) == FASTROI_OK);
    EXPECT(memcmp(pooled, expected, sizeof pooled) == 0);
    EXPECT(pool(&boxes, &params, NULL) == FASTROI_OK);
}

static void refusals_name_the_row(void) {
    fastroi_boxes b = boxes;
    const int32_t images[K] = {0, 0, 0, 1};
    forget_results();
    rows[2][3] = NAN;
    EXPECT(pool(&boxes, &params, NULL) == FASTROI_INVALID_VALUE);
    EXPECT(error.status == FASTROI_INVALID_VALUE && error.row == 2);
    EXPECT(strstr(error.message, "rois[2]") && strstr(error.message, "y2") && strstr(error.message, "nan"));
    rows[2][3] = 9;
    b.batch_indices = images;
    b.batch_dtype = FASTROI_INT32;
    b.batch_stride = 4;
    EXPECT(pool(&b, &params, NULL) == FASTROI_INVALID_VALUE);
    EXPECT(error.row == 3 && strstr(error.message, "batch_indices[3]"));
    b.batch_dtype = FASTROI_FLOAT32;
    EXPECT(pool(&b, &params, NULL) == FASTROI_INVALID_TYPE);
    EXPECT(error.row == -1 && strstr(error.message, "batch_indices"));
    EXPECT(untouched());
    EXPECT(pool(&boxes, &params, NULL) == FASTROI_OK);
    EXPECT(error.status == FASTROI_OK && error.row == -1 && error.message[0] == '\0');
}

static void null_is_refused(void) {
    forget_results();
    EXPECT(fastroi_roi_pool(NULL, &boxes, &params, &out, NULL, &error) == FASTROI_INVALID_VALUE);
    EXPECT(fastroi_roi_pool(&features, NULL, &params, &out, NULL, &error) == FASTROI_INVALID_VALUE);
    EXPECT(fastroi_roi_pool(&features, &boxes, NULL, &out, NULL, &error) == FASTROI_INVALID_VALUE);
    EXPECT(fastroi_roi_pool(&features, &boxes, &params, NULL, NULL, &error) == FASTROI_INVALID_VALUE);
    EXPECT(untouched());
    EXPECT(fastroi_roi_pool(NULL, &boxes, &params, &out, NULL, NULL) == FASTROI_INVALID_VALUE);
    EXPECT(fastroi_roi_pool(&features, &boxes, &params, &out, NULL, NULL) == FASTROI_OK);
}

static void codes_are_checked(void) {
    fastroi_roi_pool_params p = params;
    fastroi_exec exec = {sizeof exec, 0, "sse9", NULL, NULL, FASTROI_POOL};
    fastroi_tensor whole = features;
    forget_results();
    p.rule = 99;
    EXPECT(pool(&boxes, &p, NULL) == FASTROI_INVALID_VALUE && strstr(error.message, "rule"));
    p = params;
    p.reduce = -1;
    EXPECT(pool(&boxes, &p, NULL) == FASTROI_INVALID_VALUE && strstr(error.message, "reduce"));
    EXPECT(pool(&boxes, &params, &exec) == FASTROI_INVALID_VALUE && strstr(error.message, "sse9"));
    exec.simd = NULL;
    exec.num_threads = -1;
    EXPECT(pool(&boxes, &params, &exec) == FASTROI_INVALID_VALUE && strstr(error.message, "num_threads"));
    whole.dtype = FASTROI_INT32;
    EXPECT(fastroi_roi_pool(&whole, &boxes, &params, &out, NULL, &error) == FASTROI_INVALID_TYPE);
    EXPECT(untouched());
    EXPECT(fastroi_simd_activate("sse9", &error) == FASTROI_INVALID_VALUE && strstr(error.message, "sse9"));
    EXPECT(fastroi_simd_activate(NULL, &error) == FASTROI_INVALID_VALUE);
    EXPECT(fastroi_operator_at(-1) == NULL && fastroi_operator_at(99) == NULL);
    EXPECT(fastroi_run(99, &features, &boxes, &params, &out, NULL, &error) == FASTROI_INVALID_VALUE &&
           strstr(error.message, "99"));
    exec.num_threads = 0;
    exec.flow = 9;
    EXPECT(pool(&boxes, &params, &exec) == FASTROI_INVALID_VALUE && strstr(error.message, "flow"));
    EXPECT(fastroi_simd_compiled(-1) == NULL && fastroi_simd_compiled(99) == NULL);
    EXPECT(fastroi_abi_version() == FASTROI_ABI_VERSION);
}

static void a_check_writes_nothing(void) {
    fastroi_exec exec = {sizeof exec, 1, NULL, NULL, NULL, FASTROI_CHECK};
    const float y2 = rows[2][3];
    forget_results();
    EXPECT(pool(&boxes, &params, &exec) == FASTROI_OK && untouched());
    rows[2][3] = NAN;
    EXPECT(pool(&boxes, &params, &exec) == FASTROI_INVALID_VALUE && error.row == 2);
    exec.flow = FASTROI_CHECK_SHAPES;
    EXPECT(pool(&boxes, &params, &exec) == FASTROI_OK && untouched());
    rows[2][3] = y2;
}

static void a_plan_is_listed(void) {
    fastroi_plan_entry entries[2 * P];
    fastroi_plan plan = {sizeof plan, 0, NULL, 0, 0};
    fastroi_boxes one = boxes;
    fastroi_tensor one_out = out;
    EXPECT(fastroi_list_plan(FASTROI_OPERATOR_roi_pool, &features, &boxes, &params, &out, NULL, &plan, &error) ==
           FASTROI_INVALID_VALUE);
    one.count = one_out.shape[0] = 1;
    EXPECT(fastroi_list_plan(FASTROI_OPERATOR_roi_pool, &features, &one, &params, &one_out, NULL, &plan, &error) ==
           FASTROI_OK);
    EXPECT(plan.count == 2 * P && plan.reduce == FASTROI_PLAN_MAX);
    plan.capacity = 2 * P;
    plan.entries = entries;
    EXPECT(fastroi_list_plan(FASTROI_OPERATOR_roi_pool, &features, &one, &params, &one_out, NULL, &plan, &error) ==
           FASTROI_OK);
    EXPECT(entries[0].axis == FASTROI_AXIS_ROW && entries[0].bin == 0 && entries[0].first == 0 &&
           entries[0].weight == 1);
    EXPECT(entries[P].axis == FASTROI_AXIS_COLUMN && entries[2 * P - 1].bin == P - 1);
    {
        fastroi_exec exec = {sizeof exec, 1, NULL, NULL, NULL, FASTROI_CHECK};
        EXPECT(fastroi_list_plan(FASTROI_OPERATOR_roi_pool, &features, &one, &params, &one_out, &exec, &plan, &error) ==
               FASTROI_INVALID_VALUE);
        EXPECT(strstr(error.message, "flow"));
    }
    plan.capacity = -1;
    EXPECT(fastroi_list_plan(FASTROI_OPERATOR_roi_pool, &features, &one, &params, &one_out, NULL, &plan, &error) ==
           FASTROI_INVALID_VALUE);
}

static void a_long_call_can_be_cancelled(void) {
    enum { side = 300, count = 3000, channels = 64 };
    const size_t map_bytes = (size_t)side * side * channels * 4, out_bytes = (size_t)count * channels * P * P * 4;
    float *large = calloc(map_bytes, 1), *result = calloc(out_bytes, 1);
    double* whole = calloc(count, 4 * sizeof *whole);
    int calls = 0;
    fastroi_exec exec = {sizeof exec, 1, NULL, cancel_now, &calls, FASTROI_POOL};
    const fastroi_tensor big = {large, FASTROI_FLOAT32, {1, channels, side, side}, {0, side * side * 4, side * 4, 4}};
    const fastroi_tensor big_out = {
        result, FASTROI_FLOAT32, {count, channels, P, P}, {channels * P * P * 4, P * P * 4, P * 4, 4}};
    const fastroi_boxes all = {whole, FASTROI_FLOAT64, 4, count, {32, 8}, NULL, 0, 0};
    fastroi_roi_pool_params mine = params;
    if (!large || !result || !whole) exit(2);
    for (int k = 0; k < count; k++) {
        whole[4 * k] = k % 7;
        whole[4 * k + 1] = k % 5;
        whole[4 * k + 2] = side - 1 - k % 11;
        whole[4 * k + 3] = side - 1 - k % 13;
    }
    mine.scale_h = mine.scale_w = 1;
    mine.reduce = FASTROI_REDUCE_MEAN; /* reads every cell of every bin: many intervals between polls, on any machine */
    EXPECT(fastroi_roi_pool(&big, &all, &mine, &big_out, &exec, &error) == FASTROI_CANCELLED);
    EXPECT(calls == 1 && error.status == FASTROI_CANCELLED && error.message[0]);
    free(large);
    free(result);
    free(whole);
    EXPECT(pool(&boxes, &params, NULL) == FASTROI_OK);
    EXPECT(memcmp(pooled, reference, sizeof pooled) == 0);
}

int main(void) {
    for (int i = 0; i < C * H * W; i++) map[i] = (float)(i * 7919 % 1009);
    EXPECT(pool(&boxes, &params, NULL) == FASTROI_OK);
    memcpy(reference, pooled, sizeof reference);
    structs_are_versioned();
    appended_fields_keep_what_older_callers_meant();
    refusals_name_the_row();
    null_is_refused();
    codes_are_checked();
    a_check_writes_nothing();
    a_plan_is_listed();
    a_long_call_can_be_cancelled();
    for (int i = 0; i < OUT; i++) printf("%g ", reference[i]);
    printf("\n");
    return 0;
}
