// Sums over cells that a plan lists bin by bin, and the plans of moved bins.
#pragma once

#include "gather_rules.h"
#include "plans.cuh"
#include "walking.cuh"

namespace fastroi {

// --- gathered cells -----------------------------------------------------------------------------------------------------

// A cell of a listed bin. Weight and low word side by side: where offsets are short, one access of 8 bytes reads them.
template <class A>
struct alignas(16) ListedCell {
    A weight;
    int32_t low, high;

    __device__ ListedCell(A weight_, int64_t offset)
        : weight(weight_), low((int32_t)offset), high((int32_t)(offset >> 32)) {}
    __device__ ListedCell() {}
    __device__ int64_t offset() const { return (int64_t)high << 32 | (uint32_t)low; }
};

// The weighted sum of cells that come one by one, for V channels; none of a weight of zero.
template <class T, int V>
struct CellSum {
    using A = Sum<T>;
    A value[V];
    bool is_empty = true;

    __device__ CellSum() { set_all(value, no_sum<A>); }

    __device__ void add(const T* cell, A weight) {
        A v[V];
        load<T, V>(cell, v);
        add_product(value, weight, v);
        is_empty = false;
    }

    __device__ void finish() {
        if (is_empty) set_all(value, (A)0);
    }
};

// Where the lists of a bin are, by the number of its class and its own.
__device__ inline int64_t list_of(const Launch& launch, int64_t k, int64_t cls, int64_t bin) {
    return (k * launch.classes + cls) * launch.planned_bins + bin - launch.first_bin;
}

// Adds the cells of a planned bin; Offset is as wide as offsets in an image are.
template <bool products, class Offset, class T, int V>
__device__ inline void add_cells(const Launch& launch, int64_t list, const T* channel, Offset row_stride,
                                 Offset column_stride, CellSum<T, V>& sum) {
    using A = Sum<T>;
    const int32_t count = launch.y_first[list];
    if (!products) {
        const ListedCell<A>* const cells = opaque((const ListedCell<A>*)launch.y_items + list * launch.y_capacity);
#pragma unroll 4
        for (int32_t t = 0; t < count; t++) {
            const ListedCell<A> cell = loaded(cells + t);
            sum.add(channel + (Offset)cell.offset(), cell.weight);
        }
        return;
    }
    const Tap<double>* const y = (const Tap<double>*)launch.y_items + list * launch.y_capacity;
    const Tap<double>* const x = (const Tap<double>*)launch.x_items + list * launch.x_capacity;
    const int32_t columns = launch.x_first[list];
    for (int32_t s = 0; s < count; s++) {
        const Tap<double> row = loaded(y + s);
        const T* const cells = opaque(channel + row.index * row_stride);
#pragma unroll 2
        for (int32_t t = 0; t < columns; t++) {
            const Tap<double> column = loaded(x + t);
            const A weight = (A)(row.weight * column.weight);
            if (weight != 0) sum.add(cells + column.index * column_stride, weight);
        }
    }
}

__device__ inline int64_t class_of(const Launch& launch, int64_t channel) {
    return launch.classes == 1 ? 0 : channel / (launch.channels / launch.classes);
}

// Any layout: a thread per V channels of a bin.
template <class T, class R, int V, bool products>
__device__ inline void gather_direct(const Launch& launch) {
    const int64_t k = roi_of_block(launch);
    const PlannedRoi roi = launch.planned[k];
    const Level& map = launch.levels[0];
    const T* const image = (const T*)map.data + (roi.image < 0 ? 0 : roi.image) * map.image_stride;
    for_each_output<V>(launch, slice_of_block(launch), [&](const DirectItem& at) {
        CellSum<T, V> sum;
        const int64_t list = list_of(launch, k, class_of(launch, at.channel), at.ph * launch.bins_w + at.pw);
        const T* const channel = image + input_channel(launch, at) * map.channel_stride;
        if (roi.image >= 0) add_cells<products>(launch, list, channel, map.row_stride, map.column_stride, sum);
        sum.finish();
        write<R>(launch, k, at, sum.value);
    });
}

// Channels-last maps: a thread per 16 bytes of channels of a bin, 32-bit offsets in an image.
template <class T, class R, int V, bool products>
__device__ inline void gather_wide(const Launch& launch) {
    const int64_t k = roi_of_block(launch);
    const PlannedRoi roi = launch.planned[k];
    const Level& map = launch.levels[0];
    const T* const image = (const T*)map.data + (roi.image < 0 ? 0 : roi.image) * map.image_stride;
    const WideWork<R, V> work(launch, slice_of_block(launch), dynamic_shared);
    work.for_each(launch, [&](const DirectItem& at) {
        CellSum<T, V> sum;
        const int64_t list = list_of(launch, k, 0, at.ph * launch.bins_w + at.pw);
        if (roi.image >= 0)
            add_cells<products>(launch, list, opaque(image + at.channel), (int32_t)map.row_stride,
                                (int32_t)map.column_stride, sum);
        sum.finish();
        work.write(launch, k, at, sum.value);
    });
    work.finish(launch, k);
}

// --- moved bins ---------------------------------------------------------------------------------------------------------

__device__ inline double offset_number(const Launch& launch, int64_t row, int64_t plane, int64_t y, int64_t x) {
    const int64_t at = row * launch.offset_strides[0] + plane * launch.offset_strides[1] +
                       y * launch.offset_strides[2] + x * launch.offset_strides[3];
    return launch.offsets_are_double ? ((const double*)launch.offsets)[at] : (double)((const float*)launch.offsets)[at];
}

// Whether all offsets of a RoI are finite; every thread of the block looks at some and hears the answer.
__device__ inline bool offsets_are_finite(const Launch& launch, int64_t row) {
    int64_t* const parts = (int64_t*)dynamic_shared;
    const int64_t plane = launch.part_h * launch.part_w, count = launch.offsets ? 2 * launch.classes * plane : 0;
    bool are_finite = true;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x)
        are_finite = are_finite &&
                     is_finite(offset_number(launch, row, i / plane, i % plane / launch.part_w, i % launch.part_w));
    parts[threadIdx.x] = are_finite;
    __syncthreads();
    for (uint32_t t = 0; t < blockDim.x; t++) are_finite = are_finite && parts[t];
    return are_finite;
}

// The taps of one axis of one bin, moved by `offset`.
template <class Real, bool parts, class Sink>
__device__ inline void moved_taps(const Launch& launch, const RoiBox& box, bool is_y, int64_t p, double offset,
                                  Sink&& sink) {
    const Level& map = launch.levels[0];
    const double lo = low_side(box, is_y), hi = high_side(box, is_y), scale = is_y ? map.scale_h : map.scale_w;
    const int64_t bins = is_y ? launch.bins_h : launch.bins_w, extent = is_y ? map.rows : map.columns;
    if (parts) {
        const Real shift = part_shift<Real>(offset, launch.movement);
        return part_taps(part_axis<Real>(lo, hi, scale, bins), p, launch.samples, shift, extent, sink);
    }
    const MovableAxis<Real> axis =
        movable_axis<Real>(lo, hi, scale, bins, is_y ? launch.sampling_h : launch.sampling_w);
    align_taps(moved(axis, launch.movement, offset), p, extent, sink);
}

// Lists the taps of both axes of every bin, a thread per list.
template <class Real, bool parts>
__device__ inline void list_moved_taps(const Launch& launch, int64_t k, const RoiBox& box) {
    const int64_t lists = 2 * launch.classes * launch.planned_bins;
    for (int64_t i = threadIdx.x; i < lists; i += blockDim.x) {
        const bool is_y = i & 1;
        const int64_t cls = i / 2 / launch.planned_bins, bin = launch.first_bin + i / 2 % launch.planned_bins;
        const int64_t ph = bin / launch.bins_w, pw = bin % launch.bins_w, list = list_of(launch, k, cls, bin);
        const int64_t capacity = is_y ? launch.y_capacity : launch.x_capacity;
        Tap<double>* const taps = (Tap<double>*)(is_y ? launch.y_items : launch.x_items) + list * capacity;
        const double offset =
            launch.offsets ? offset_number(launch, launch.first + k, 2 * cls + is_y, ph * launch.part_h / launch.bins_h,
                                           pw * launch.part_w / launch.bins_w)
                           : 0;
        int64_t count = 0;
        moved_taps<Real, parts>(launch, box, is_y, is_y ? ph : pw, offset, [&](int64_t index, double weight) {
            if (count < capacity) taps[count] = {(int32_t)index, weight};
            count++;
        });
        if (count > capacity) report(launch, launch.first + k, error_capacity);
        (is_y ? launch.y_first : launch.x_first)[list] = (int32_t)(count <= capacity ? count : 0);
    }
}

template <bool parts>
__device__ inline void plan_moved(const Launch& launch) {
    const int64_t k = blockIdx.x, row = launch.first + k;
    RoiBox box = read_box(launch, row);
    if (!offsets_are_finite(launch, row) && box.image >= 0) {
        if (threadIdx.x == 0) report(launch, row, parts ? error_trans : error_offset);
        box.image = -1;
    }
    if (threadIdx.x == 0) launch.planned[k] = {box.image, 0, 0, 0, 0, 0};
    if (box.image < 0) return;
    if (launch.arithmetic_is_float)
        list_moved_taps<float, parts>(launch, k, box);
    else
        list_moved_taps<double, parts>(launch, k, box);
}

}  // namespace fastroi
