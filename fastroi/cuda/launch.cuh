// What the host passes to every kernel, as launch.py lays it out, and the shared memory it asks for.
#pragma once

#include "tap_rules.h"

namespace fastroi {

constexpr int max_levels = 16;

// A map in any layout; strides in elements.
struct Level {
    const void* data;
    int64_t image_stride, channel_stride, row_stride, column_stride;
    int64_t rows, columns;
    double scale_h, scale_w;
};

// One RoI after planning. image < 0: refused, its result is zero.
struct PlannedRoi {
    int64_t image, level, y_length, x_length;  // cells of all bins of an axis, taps where it has taps
    int64_t x_start, x_end;                    // hull of the touched columns
};

// Everything of a launch. 8-byte fields only, so that the host can lay it out without knowing a compiler's padding.
struct Launch {
    int64_t first, count;  // RoIs of the tables in this launch

    const void* boxes;
    int64_t boxes_are_double, box_columns, box_numbers, box_row_stride,
        box_column_stride;                 // 4 numbers a box, 5 with an angle
    const int64_t* batch_indices;          // or null
    int64_t batch_stride, one_image_each;  // box k belongs to image k
    const int64_t* levels_of_rois;         // or null
    int64_t level_stride;
    int64_t images, level_count;
    uint64_t* error;

    PlannedRoi* planned;
    int32_t *y_first, *x_first;  // bins + 1 each; of a gathering operator how many items each bin has; ranges have none
    void *y_items, *x_items;     // ranges, taps, samples or cells
    int32_t *y_absent, *x_absent;
    int64_t y_capacity, x_capacity;

    void* out;
    int64_t* argmax;  // or null
    int64_t out_strides[4], argmax_strides[4];
    int64_t channels, bins_h, bins_w;
    int64_t first_bin, planned_bins;      // of each RoI in this launch
    int64_t group_h, group_w, bin_major;  // group_h 0: every bin reads the channel of its own number

    int64_t rule, arithmetic_is_float;
    int64_t sampling_h, sampling_w;
    double outside;
    int64_t mean;
    int64_t corners, absent_is_zero, from_zero;

    int64_t aligned, clockwise, degrees, orientations;  // of boxes with an angle
    const void* offsets;  // of moved bins, or null: (RoI, 2 * class, part row, part column)
    int64_t offsets_are_double, offset_strides[4];
    int64_t classes, part_h, part_w, samples;
    double movement;
    int64_t mask_code, out_code;  // codes of Element
    double threshold;
    void* scratch;  // of bins whose cells do not fit into shared memory
    int64_t scratch_cells;

    int64_t channel_block, slices, shared_items, channels_fastest;  // shared_items of paste_masks: the rows of a block
    int64_t staged;      // wide kernels: results go through shared memory into a contiguous channels-first array
    int64_t way;         // 0, or the Way that the kernel is part of: it does nothing where another was chosen
    int64_t* choice;     // a Way
    int64_t many_cells;  // of a RoI, from which on planes are worth keeping
    const void* source;  // of pack the map, of mix what is not mixed and rounded yet
    int64_t source_strides[4];
    Level levels[max_levels];
};

// As many bytes as the host asks for with each launch.
struct alignas(16) SharedWords {
    uint32_t words[4];
};
extern __shared__ SharedWords dynamic_shared[];

}  // namespace fastroi
