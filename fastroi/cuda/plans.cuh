// Boxes read, and their plans: a block a RoI, by the rules of the CPU.
#pragma once

#include "ps_rules.h"
#include "tap_rules.h"
#include "elements.cuh"
#include "launch.cuh"

namespace fastroi {

// --- reading boxes ------------------------------------------------------------------------------------------------------

// The error word is (row << 8 | code), the smallest of the call: which row is reported does not depend on timing.
enum ErrorCode : int32_t {
    error_coordinate = 1,  // 1..4: x1, y1, x2, y2
    error_fraction = 5,
    error_image = 6,
    error_level = 7,
    error_capacity = 8,
    error_batch_index = 9,
    error_rotated_coordinate = 10,  // 10..14: cx, cy, w, h, angle
    error_offset = 15,
    error_trans = 16,
    error_mask_cell = 17,
};

__device__ inline void report(const Launch& launch, int64_t row, int code) {
    atomicMin((unsigned long long*)launch.error, (unsigned long long)row << 8 | (unsigned long long)code);
}

struct RoiBox {
    double number[5];      // x1, y1, x2, y2, or cx, cy, w, h, angle
    int64_t image, level;  // image < 0: refused
};

// The interval of a box on one axis.
__device__ inline double low_side(const RoiBox& box, bool is_y) { return box.number[is_y]; }
__device__ inline double high_side(const RoiBox& box, bool is_y) { return box.number[2 + is_y]; }

__device__ inline double box_number(const Launch& launch, int64_t row, int64_t column) {
    const int64_t at = row * launch.box_row_stride + column * launch.box_column_stride;
    return launch.boxes_are_double ? ((const double*)launch.boxes)[at] : (double)((const float*)launch.boxes)[at];
}

// Every thread of the block reads the box; only one of them reports.
__device__ inline RoiBox read_box(const Launch& launch, int64_t row) {
    const int64_t skipped = launch.box_columns - launch.box_numbers;
    const int first_error = launch.box_numbers == 5 ? error_rotated_coordinate : error_coordinate;
    RoiBox box = {};
    int code = 0;
#pragma unroll
    for (int i = 0; i < 5; i++) {
        if (i == launch.box_numbers) break;
        box.number[i] = box_number(launch, row, i + skipped);
        if (!is_finite(box.number[i]) && code == 0) code = first_error + i;
    }
    int64_t &image = box.image, &level = box.level;
    if (skipped) {
        const double number = box_number(launch, row, 0);
        if (code == 0 && (!is_finite(number) || FASTROI_FLOOR(number) != number)) code = error_fraction;
        if (code == 0 && (number < 0 || number >= (double)launch.images)) code = error_image;
        image = code == 0 ? (int64_t)number : 0;
    } else if (launch.batch_indices) {
        image = launch.batch_indices[row * launch.batch_stride];
        if (code == 0 && (image < 0 || image >= launch.images)) code = error_batch_index;
    } else if (launch.one_image_each) {
        image = row;
    }
    if (launch.levels_of_rois) {
        level = launch.levels_of_rois[row * launch.level_stride];
        if (code == 0 && (level < 0 || level >= launch.level_count)) code = error_level;
    }
    if (code == 0) return box;
    if (threadIdx.x == 0) report(launch, row, code);
    return {{}, -1, 0};
}

// --- plans --------------------------------------------------------------------------------------------------------------

__device__ inline bool no_cells(Range r) { return r.end <= r.start; }

__device__ inline Range planned_range(const Launch& launch, double lo, double hi, double scale, int64_t p, int64_t bins,
                                      int64_t extent) {
    const RangeRule rule = (RangeRule)launch.rule;
    const QuantisedAxis axis = quantise(rule, lo, hi, scale);
    return axis.outside ? Range{0, 0} : clipped(range_of_bin(rule, axis, p, bins), extent);
}

__device__ inline void plan_ranges(const Launch& launch) {
    const int64_t k = blockIdx.x, row = launch.first + k;
    const RoiBox box = read_box(launch, row);
    PlannedRoi roi = {box.image, box.level, 0, 0, 0, 0};
    if (box.image >= 0) {
        const Level& map = launch.levels[box.level];
        Range* const y = (Range*)launch.y_items + k * launch.bins_h;
        Range* const x = (Range*)launch.x_items + k * launch.bins_w;
        for (int64_t p = threadIdx.x; p < launch.bins_h; p += blockDim.x)
            y[p] = planned_range(launch, low_side(box, true), high_side(box, true), map.scale_h, p, launch.bins_h,
                                 map.rows);
        for (int64_t p = threadIdx.x; p < launch.bins_w; p += blockDim.x)
            x[p] = planned_range(launch, low_side(box, false), high_side(box, false), map.scale_w, p, launch.bins_w,
                                 map.columns);
        __syncthreads();
        if (threadIdx.x == 0) {
            for (int64_t p = 0; p < launch.bins_h; p++)
                if (!no_cells(y[p])) roi.y_length += y[p].end - y[p].start;
            for (int64_t p = 0; p < launch.bins_w; p++) {
                if (no_cells(x[p])) continue;
                roi.x_length += x[p].end - x[p].start;
                if (roi.x_end == 0 || x[p].start < roi.x_start) roi.x_start = x[p].start;
                if (x[p].end > roi.x_end) roi.x_end = x[p].end;
            }
        }
    }
    if (threadIdx.x == 0) launch.planned[k] = roi;
}

template <class A>
struct Tap {
    int32_t index;
    A weight;
};

enum TapRule : int64_t {
    tap_range_mean,
    tap_align,
    tap_ps_mean,
    tap_warp,
    tap_precise,
    tap_area,
    tap_crop,
    tap_crop_nearest
};

// Calls use(taps) with the rule's callable taps(bin, sink).
template <class Use>
__device__ inline void with_axis_taps(const Launch& launch, int64_t kind, double lo, double hi, double scale,
                                      int64_t bins, int64_t extent, int64_t sampling, Use&& use) {
    switch (kind) {
        case tap_range_mean:
            return use([&](int64_t p, auto&& sink) {
                range_mean_taps(planned_range(launch, lo, hi, scale, p, bins, extent), sink);
            });
        case tap_align: {
            const AlignRule rule = align_rule((int32_t)launch.aligned);
            if (launch.arithmetic_is_float) {
                const AlignAxis<float> axis = align_axis<float>(rule, lo, hi, scale, bins, sampling);
                return use([&](int64_t p, auto&& sink) { align_taps(axis, p, extent, sink); });
            }
            const AlignAxis<double> axis = align_axis<double>(rule, lo, hi, scale, bins, sampling);
            return use([&](int64_t p, auto&& sink) { align_taps(axis, p, extent, sink); });
        }
        case tap_ps_mean: {
            const PsRule rule = (PsRule)launch.rule;
            if (launch.arithmetic_is_float) {
                const PsAxis<float> axis = ps_axis<float>(rule, lo, hi, scale, bins);
                return use([&](int64_t p, auto&& sink) {
                    if (!axis.outside) range_mean_taps(ps_bin(rule, axis, p, extent), sink);
                });
            }
            const PsAxis<double> axis = ps_axis<double>(rule, lo, hi, scale, bins);
            return use([&](int64_t p, auto&& sink) {
                if (!axis.outside) range_mean_taps(ps_bin(rule, axis, p, extent), sink);
            });
        }
        case tap_warp: {
            const WarpAxis axis = warp_axis(lo, hi, scale, bins);
            return use([&](int64_t p, auto&& sink) { warp_taps(axis, p, extent, sink); });
        }
        case tap_precise: {
            const PreciseAxis axis = precise_axis(lo, hi, scale, bins);
            return use([&](int64_t p, auto&& sink) { precise_taps(axis, p, extent, sink); });
        }
        case tap_area: {
            const AreaAxis axis = area_axis(lo, hi, scale, bins, extent);
            return use([&](int64_t p, auto&& sink) {
                area_taps(axis, (AreaReduce)launch.rule == AreaReduce::mean, p, bins, sink);
            });
        }
        default: {
            const CropAxis axis = crop_axis(lo, hi, bins, extent, (CropEnd)launch.rule);
            return use([&](int64_t p, auto&& sink) {
                if (kind == tap_crop_nearest)
                    crop_nearest_taps(axis, p, extent, sink);
                else
                    crop_bilinear_taps(axis, p, extent, sink);
            });
        }
    }
}

// Where a block lists the items of one axis: bins in parallel, each counted first, so that they end up packed and in order.
// visit(p, emit) emits bin p. Returns the number of items; beyond `capacity` nothing is written.
template <class Item, class Visit>
__device__ inline int64_t list_items(int64_t bins, int64_t capacity, int32_t* first, Item* items, Visit&& visit) {
    int64_t* const counts = (int64_t*)dynamic_shared;
    int64_t base = 0;
    for (int64_t block = 0; block < bins; block += blockDim.x) {
        const int64_t p = block + threadIdx.x;
        const int64_t threads = bins - block < blockDim.x ? bins - block : blockDim.x;
        int64_t count = 0;
        if (p < bins) visit(p, [&](const Item&) { count++; });
        __syncthreads();
        counts[threadIdx.x] = count;
        __syncthreads();
        int64_t position = base;
        for (int64_t t = 0; t < threads; t++) {
            if (t < (int64_t)threadIdx.x) position += counts[t];
            base += counts[t];
        }
        if (p < bins) {
            first[p] = (int32_t)(position < capacity ? position : capacity);
            visit(p, [&](const Item& item) {
                if (position < capacity) items[position] = item;
                position++;
            });
        }
    }
    if (threadIdx.x == 0) first[bins] = (int32_t)(base < capacity ? base : capacity);
    return base;
}

__device__ inline void finish_plan(const Launch& launch, PlannedRoi roi) {
    if (threadIdx.x != 0) return;
    if (roi.y_length > launch.y_capacity || roi.x_length > launch.x_capacity) {
        report(launch, launch.first + blockIdx.x, error_capacity);
        roi = {-1, 0, 0, 0, 0, 0};
    }
    launch.planned[blockIdx.x] = roi;
}

// The first and last column of some bin; each thread looks through a part of the taps.
template <class A>
__device__ inline void find_hull(const Launch& launch, const Tap<A>* taps, PlannedRoi& roi) {
    Range* const parts = (Range*)dynamic_shared;
    const int64_t listed = roi.x_length < launch.x_capacity ? roi.x_length : launch.x_capacity;
    Range hull = {0x7fffffff, 0};
    __syncthreads();
    for (int64_t t = threadIdx.x; t < listed; t += blockDim.x) {
        const int32_t index = taps[t].index;
        hull = {index < hull.start ? index : hull.start, index >= hull.end ? index + 1 : hull.end};
    }
    parts[threadIdx.x] = hull;
    __syncthreads();
    if (threadIdx.x != 0 || listed == 0) return;
    for (uint32_t t = 1; t < blockDim.x; t++) {
        hull.start = parts[t].start < hull.start ? parts[t].start : hull.start;
        hull.end = parts[t].end > hull.end ? parts[t].end : hull.end;
    }
    roi.x_start = hull.start;
    roi.x_end = hull.end;
}

template <class A>
__device__ inline void plan_taps(const Launch& launch, int64_t kind) {
    const int64_t k = blockIdx.x;
    const RoiBox box = read_box(launch, launch.first + k);
    PlannedRoi roi = {box.image, box.level, 0, 0, 0, 0};
    if (box.image >= 0) {
        const Level& map = launch.levels[box.level];
        // One text for both axes keeps the rules from being compiled twice.
        for (int axis = 0; axis < 2; axis++) {
            const bool is_y = axis == 0;
            const int64_t bins = is_y ? launch.bins_h : launch.bins_w;
            const int64_t capacity = is_y ? launch.y_capacity : launch.x_capacity;
            int32_t* const first = (is_y ? launch.y_first : launch.x_first) + k * (bins + 1);
            Tap<A>* const items = (Tap<A>*)(is_y ? launch.y_items : launch.x_items) + k * capacity;
            int64_t length = 0;
            with_axis_taps(launch, kind, low_side(box, is_y), high_side(box, is_y), is_y ? map.scale_h : map.scale_w,
                           bins, is_y ? map.rows : map.columns, is_y ? launch.sampling_h : launch.sampling_w,
                           [&](auto&& taps) {
                               length = list_items<Tap<A>>(bins, capacity, first, items, [&](int64_t p, auto&& emit) {
                                   taps(p, [&](int64_t index, double weight) {
                                       const Tap<A> tap = {(int32_t)index, (A)weight};
                                       if (tap.weight != 0) emit(tap);
                                   });
                               });
                           });
            (is_y ? roi.y_length : roi.x_length) = length;
        }
        find_hull(launch, (const Tap<A>*)launch.x_items + k * launch.x_capacity, roi);
    }
    finish_plan(launch, roi);
}

template <class A, class Real>
__device__ inline void plan_samples_of(const Launch& launch) {
    const int64_t k = blockIdx.x;
    const RoiBox box = read_box(launch, launch.first + k);
    PlannedRoi roi = {box.image, box.level, 0, 0, 0, 0};
    if (box.image >= 0) {
        const Level& map = launch.levels[box.level];
        const AlignRule rule = align_rule((int32_t)launch.aligned);
        for (int axis = 0; axis < 2; axis++) {
            const bool is_y = axis == 0;
            const int64_t bins = is_y ? launch.bins_h : launch.bins_w;
            const int64_t capacity = is_y ? launch.y_capacity : launch.x_capacity;
            const int64_t extent = is_y ? map.rows : map.columns;
            int32_t* const first = (is_y ? launch.y_first : launch.x_first) + k * (bins + 1);
            int32_t* const absent = (is_y ? launch.y_absent : launch.x_absent) + k * bins;
            Sample<A>* const items = (Sample<A>*)(is_y ? launch.y_items : launch.x_items) + k * capacity;
            const AlignAxis<Real> a =
                align_axis<Real>(rule, low_side(box, is_y), high_side(box, is_y), is_y ? map.scale_h : map.scale_w,
                                 bins, is_y ? launch.sampling_h : launch.sampling_w);
            const int64_t length = list_items<Sample<A>>(bins, capacity, first, items, [&](int64_t p, auto&& emit) {
                absent[p] = visit_align_points(a, p, extent, [&](const AlignPoint<Real>& point) {
                    emit(Sample<A>{(int32_t)point.low, (A)point.weight, (A)point.high_weight});
                });
            });
            (is_y ? roi.y_length : roi.x_length) = length;
        }
    }
    finish_plan(launch, roi);
}

template <class A>
__device__ inline void plan_samples(const Launch& launch) {
    if (launch.arithmetic_is_float)
        plan_samples_of<A, float>(launch);
    else
        plan_samples_of<A, double>(launch);
}

}  // namespace fastroi
