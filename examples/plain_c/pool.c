/*
 * fastroi in a C99 program: the article's box (x 296, y 192, width 200, height 145) on a 16 x 16 map of stride 32,
 * pooled to 3 x 3. Prints the nine maxima, and what a refused call looks like.
 */
#include <fastroi.h>
#include <stdio.h>

#define SIDE 16
#define BINS 3

static fastroi_status pool(const float* map, double x2, float* pooled, fastroi_error* error) {
    const double box[4] = {296, 192, x2, 192 + 145};
    const fastroi_tensor features = {(void*)map, FASTROI_FLOAT32, {1, 1, SIDE, SIDE}, {0, 0, SIDE * 4, 4}};
    const fastroi_tensor out = {pooled, FASTROI_FLOAT32, {1, 1, BINS, BINS}, {0, 0, BINS * 4, 4}};
    const fastroi_boxes boxes = {.data = box, .dtype = FASTROI_FLOAT64, .columns = 4, .count = 1, .strides = {32, 8}};
    const fastroi_roi_pool_params params = {.struct_size = sizeof params,
                                            .rule = FASTROI_RULE_FLOOR,
                                            .reduce = FASTROI_REDUCE_MAX,
                                            .scale_h = 1.0 / 32,
                                            .scale_w = 1.0 / 32};
    return fastroi_roi_pool(&features, &boxes, &params, &out, NULL, error);
}

int main(void) {
    float map[SIDE * SIDE], pooled[BINS * BINS];
    fastroi_error error;
    for (int i = 0; i < SIDE * SIDE; i++) map[i] = (float)i;
    if (pool(map, 296 + 200, pooled, &error) != FASTROI_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    for (int i = 0; i < BINS * BINS; i++) printf("%g%c", pooled[i], i % BINS == BINS - 1 ? '\n' : ' ');
    if (pool(map, 1.0 / 0.0, pooled, &error) == FASTROI_OK) return 1;
    printf("refused: %s (row %lld)\n", error.message, (long long)error.row);
    return 0;
}
