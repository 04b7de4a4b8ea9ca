// Maxima over sample points.
#pragma once

#include "plans.cuh"
#include "walking.cuh"

namespace fastroi {

// One row of a sample point: both of its rows, weighted, or the one row of a corner. A row of weight zero is never read.
template <class T>
struct SampleRow {
    using A = Sum<T>;
    const T *low, *high;
    A weight, high_weight;

    __device__ A at(int64_t offset) const {
        A sum = 0;
        if (weight != 0) sum = weight * widened(low[offset]);
        if (high_weight != 0) sum = fused(high_weight, widened(high[offset]), sum);
        return sum;
    }
};

template <class T>
__device__ inline Sum<T> raised_to_points(Sum<T> best, const SampleRow<T>& row, const Sample<Sum<T>>* x, int32_t count,
                                          int64_t column_stride) {
    for (int32_t s = 0; s < count; s++) {
        Sum<T> sum = 0;
        if (x[s].weight != 0) sum = x[s].weight * row.at(x[s].low * column_stride);
        if (x[s].high_weight != 0) sum = fused(x[s].high_weight, row.at((x[s].low + 1) * column_stride), sum);
        best = raised(best, sum);
    }
    return best;
}

// Each corner by itself; a missing one takes part as a 0.
template <class T>
__device__ inline Sum<T> raised_to_corners(Sum<T> best, const SampleRow<T>& row, const Sample<Sum<T>>* x, int32_t count,
                                           int64_t column_stride) {
    using A = Sum<T>;
    const SampleRow<T> corners[2] = {{row.low, row.low, row.weight, 0}, {row.high, row.high, row.high_weight, 0}};
    for (int i = 0; i < 2; i++)
        for (int32_t s = 0; s < count; s++) {
            const bool has_row = corners[i].weight != 0;
            const A low = has_row && x[s].weight != 0 ? x[s].weight * corners[i].at(x[s].low * column_stride) : (A)0;
            const A high = has_row && x[s].high_weight != 0
                               ? x[s].high_weight * corners[i].at((x[s].low + 1) * column_stride)
                               : (A)0;
            best = raised(raised(best, low), high);
        }
    return best;
}

template <class T, class R>
__device__ inline void max_samples(const Launch& launch) {
    using A = Sum<T>;
    const int64_t k = roi_of_block(launch);
    const PlannedRoi roi = launch.planned[k];
    const Level& map = launch.levels[roi.level];
    const T* const image = (const T*)map.data + (roi.image < 0 ? 0 : roi.image) * map.image_stride;
    const Sample<A>* const y = (const Sample<A>*)launch.y_items + k * launch.y_capacity;
    const Sample<A>* const x = (const Sample<A>*)launch.x_items + k * launch.x_capacity;
    for_each_output<1>(launch, slice_of_block(launch), [&](const DirectItem& at) {
        A best[1] = {0};
        if (roi.image >= 0) {
            const int64_t row = k * (launch.bins_h + 1) + at.ph, column = k * (launch.bins_w + 1) + at.pw;
            const int32_t x_begin = launch.x_first[column], x_count = launch.x_first[column + 1] - x_begin;
            const T* const plane = image + at.channel * map.channel_stride;
            if (!launch.from_zero) best[0] = minus_infinity<A>();
            for (int32_t s = launch.y_first[row]; s < launch.y_first[row + 1]; s++) {
                const T* const low = plane + y[s].low * map.row_stride;
                const SampleRow<T> points = {low, low + map.row_stride, y[s].weight, y[s].high_weight};
                best[0] = launch.corners ? raised_to_corners(best[0], points, x + x_begin, x_count, map.column_stride)
                                         : raised_to_points(best[0], points, x + x_begin, x_count, map.column_stride);
            }
            const bool has_points = x_count > 0 && launch.y_first[row] < launch.y_first[row + 1];
            const bool has_absent =
                launch.y_absent[k * launch.bins_h + at.ph] || launch.x_absent[k * launch.bins_w + at.pw];
            if (!has_points)
                best[0] = 0;
            else if (has_absent && launch.absent_is_zero)
                best[0] = raised(best[0], (A)0);
        }
        write<R>(launch, k, at, best);
    });
}

}  // namespace fastroi
