// What is done with one RoI on one channel block: a type for each kind of plan, which names its kernels and their costs.
#pragma once
#include <stdint.h>

#include <algorithm>

#include "../job.h"
#include "../plan/gather_plan.h"
#include "../plan/range_plan.h"
#include "../plan/tap_plan.h"
#include "../size.h"
#include "tiles.h"

namespace fastroi {

inline Range hull_of(Range a, Range b) {
    if (is_empty(a)) return b;
    if (is_empty(b)) return a;
    return {std::min(a.start, b.start), std::max(a.end, b.end)};
}

// What every reduction knows of its plan. `w` is a window; a group is its bin rows [first_bin, end_bin).
template <class Plan>
struct Planned {
    Plan plan;

    int64_t count() const { return (int64_t)plan.rois().size(); }
    Part all() const { return {0, count()}; }
    int64_t image(int64_t i) const { return plan.rois()[i].image; }
    int64_t output(int64_t i) const { return plan.rois()[i].output; }
    const auto& y(int64_t i, const ChannelWindow& w) const { return plan.rois()[i].y[w.y_window]; }
    const auto& x(int64_t i, const ChannelWindow& w) const { return plan.rois()[i].x[w.x_window]; }
};

inline Range rows_of_bins(const RangeAxis& y, int64_t first_bin, int64_t end_bin) {
    Range hull = {0, 0};
    for (int64_t p = first_bin; p < end_bin; p++) hull = hull_of(hull, y.bins[p]);
    return hull;
}

template <class T>
Range rows_of_bins(const TapAxis<T>& y, int64_t first_bin, int64_t end_bin) {
    Range hull = {0, 0};
    for (int32_t t = y.first[first_bin]; t < y.first[end_bin]; t++) hull = hull_of(hull, {y.index[t], y.index[t] + 1});
    return hull;
}

template <class T>
Range rows_of_bins(const SampleAxis<T>& y, int64_t first_bin, int64_t end_bin) {
    Range hull = {0, 0};
    for (int32_t s = y.first[first_bin]; s < y.first[end_bin]; s++) {
        const int32_t low = y.samples[s].low;
        if (y.samples[s].weight != 0) hull = hull_of(hull, {low, low + 1});
        if (y.samples[s].high_weight != 0) hull = hull_of(hull, {low + 1, low + 2});
    }
    return hull;
}

template <class T>
Range rows_of_bins(const GatherAxis<T>& y, int64_t first_bin, int64_t end_bin) {
    Range hull = {0, 0};
    for (int32_t t = y.first[first_bin * y.columns]; t < y.first[end_bin * y.columns]; t++)
        hull = hull_of(hull, {y.cells[t].row, y.cells[t].row + 1});
    return hull;
}

// Cells of the map that a RoI reads: ranges leave none out of their hull, samples and taps may.
inline int64_t listed_cells(const RangeAxis& y, const RangeAxis& x) {
    return is_empty(y.hull) || is_empty(x.hull) ? 0 : length(y.hull) * length(x.hull);
}
template <class T>
int64_t listed_cells(const TapAxis<T>& y, const TapAxis<T>& x) {
    return y.cell_count * x.cell_count;
}
template <class T>
int64_t listed_cells(const SampleAxis<T>& y, const SampleAxis<T>& x) {
    return y.cell_count * x.cell_count;
}
template <class T>
int64_t listed_cells(const GatherAxis<T>& y, const GatherAxis<T>&) {
    return y.first[y.count * y.columns] - y.first[0];
}

// What a reduction reads at most: cells of the map, sums of columns and bins.
inline int64_t reads_of(const RangeAxis& y, const RangeAxis& x) {
    return estimated_sum(estimated_product(y.count * (y.longest + 1), length(x.hull)),
                         estimated_product(y.count, x.count * (x.longest + 1)));
}
template <class T>
int64_t reads_of(const TapAxis<T>& y, const TapAxis<T>& x) {
    return estimated_sum(estimated_product((int64_t)y.first[y.count] - y.first[0], x.cell_count),
                         estimated_product(y.count, x.count + x.first[x.count] - x.first[0]));
}
template <class T>
int64_t reads_of(const SampleAxis<T>& y, const SampleAxis<T>& x) {
    return estimated_product((int64_t)y.first[y.count] - y.first[0] + y.count,
                             x.cell_count + x.count + x.first[x.count] - x.first[0]);
}
template <class T>
int64_t reads_of(const GatherAxis<T>& y, const GatherAxis<T>&) {
    return (int64_t)y.first[y.count * y.columns] - y.first[0] + y.count * y.columns;
}

// Columns of the map that a RoI scans.
inline int64_t listed_columns(const RangeAxis& x) { return length(x.hull); }
template <class T>
int64_t listed_columns(const TapAxis<T>& x) {
    return x.cell_count;
}
template <class T>
int64_t listed_columns(const SampleAxis<T>& x) {
    return x.cell_count;
}
template <class T>
int64_t listed_columns(const GatherAxis<T>&) {
    return 0;
}

// Cells that bin rows [first_bin, end_bin) list, or more.
inline int64_t listed_cells_of_bins(const RangeAxis& y, const RangeAxis& x, int64_t first_bin, int64_t end_bin) {
    return length(rows_of_bins(y, first_bin, end_bin)) * length(x.hull);
}
template <class T>
int64_t listed_cells_of_bins(const TapAxis<T>& y, const TapAxis<T>& x, int64_t first_bin, int64_t end_bin) {
    return std::min<int64_t>(y.cell_count, y.first[end_bin] - y.first[first_bin]) * x.cell_count;
}
template <class T>
int64_t listed_cells_of_bins(const SampleAxis<T>& y, const SampleAxis<T>& x, int64_t first_bin, int64_t end_bin) {
    return std::min<int64_t>(y.cell_count, 2 * (int64_t)(y.first[end_bin] - y.first[first_bin])) * x.cell_count;
}
template <class T>
int64_t listed_cells_of_bins(const GatherAxis<T>& y, const GatherAxis<T>&, int64_t first_bin, int64_t end_bin) {
    return y.first[end_bin * y.columns] - y.first[first_bin * y.columns];
}

inline RangeAxis bins_of(RangeAxis axis, int64_t first_bin, int64_t end_bin) {
    axis.bins += first_bin;
    axis.count = end_bin - first_bin;
    return axis;
}

template <class T>
TapAxis<T> bins_of(TapAxis<T> axis, int64_t first_bin, int64_t end_bin) {
    axis.first += first_bin;
    axis.count = end_bin - first_bin;
    return axis;
}

template <class T>
SampleAxis<T> bins_of(SampleAxis<T> axis, int64_t first_bin, int64_t end_bin) {
    axis.first += first_bin;
    axis.absent += first_bin;
    axis.count = end_bin - first_bin;
    return axis;
}

template <class T>
GatherAxis<T> bins_of(GatherAxis<T> axis, int64_t first_bin, int64_t end_bin) {
    axis.first += first_bin * axis.columns;
    axis.count = end_bin - first_bin;
    return axis;
}

template <class T>
struct MaxOverRanges : Planned<RangePlan> {
    using Element = T;
    int64_t map_columns;

    static constexpr bool scans_columns = true;
    static constexpr bool lines = true;
    static constexpr bool strips = false;
    static constexpr bool tables = true;

    void reduce(const BlockKernels<T>& kernels, const MapTile& map, const RangeAxis& y, const RangeAxis& x,
                const BinTile& bins, T* scratch) const {
        kernels.max_ranges(map, y, x, bins, scratch);
    }
    void reduce_lines(const LineKernels<T>& kernels, const LineMap& map, const RangeAxis& y, const RangeAxis& x,
                      Lines lines, T* bins, T* scratch) const {
        kernels.max_range_lines(map, y, x, lines, bins, scratch);
    }
    int64_t find(const LineKernels<T>& kernels, const LineMap& map, int64_t channel, Range rows, Range columns,
                 T maximum) const {
        return kernels.find_in_lines(map, channel, rows, columns, maximum, map_columns);
    }
    void argmax(const BlockKernels<T>& kernels, const MapTile& map, const RangeAxis& y, const RangeAxis& x,
                const BinTile& bins, int64_t* offsets) const {
        kernels.argmax_ranges(map, y, x, bins, map_columns, offsets);
    }
};

// Of position-sensitive operators: an axis is the window's share of the RoI's bins.
template <class T>
struct MeanOverRanges : Planned<RangePlan> {
    using Element = T;
    static constexpr bool scans_columns = false;
    static constexpr bool lines = false;
    static constexpr bool strips = false;
    static constexpr bool tables = false;

    RangeAxis y(int64_t i, const ChannelWindow& w) const { return share_of(*plan.rois()[i].y, w.bin_rows); }
    RangeAxis x(int64_t i, const ChannelWindow& w) const { return share_of(*plan.rois()[i].x, w.bin_columns); }

    void reduce(const BlockKernels<T>& kernels, const MapTile& map, const RangeAxis& y, const RangeAxis& x,
                const BinTile& bins, T*) const {
        kernels.mean_ranges(map, y, x, bins);
    }

private:
    static RangeAxis share_of(const RangeAxis& axis, Range bins) {
        RangeAxis share = bins_of(axis, bins.start, bins.end);
        share.hull = rows_of_bins(share, 0, share.count);
        return share;
    }
};

template <class T>
struct SumOverTaps : Planned<TapPlan<T>> {
    using Element = T;
    T outside;

    static constexpr bool scans_columns = true;
    static constexpr bool lines = true;
    static constexpr bool strips = true;
    static constexpr bool tables = false;

    void reduce(const BlockKernels<T>& kernels, const MapTile& map, const TapAxis<T>& y, const TapAxis<T>& x,
                const BinTile& bins, T* scratch) const {
        if (!bins_share_columns(y, x, block_store)) return kernels.sum_bins(map, y, x, outside, bins);
        kernels.sum_taps(map, y, x, outside, bins, scratch);
        finish(kernels, y, x, bins);
    }
    void reduce_lines(const LineKernels<T>& kernels, const LineMap& map, const TapAxis<T>& y, const TapAxis<T>& x,
                      Lines lines, T* bins, T* scratch) const {
        kernels.sum_tap_lines(map, y, x, outside, lines, bins, scratch);
    }
    // What storing a column's sum counts as in loads: a block's stay in the first-level cache, and whole bins also spare a copy.
    static constexpr int64_t block_store = 0, whole_bin_store = 2;

    // Loads of both ways of summing: sums of columns are stored and read again, but shared by bins.
    static bool bins_share_columns(const TapAxis<T>& y, const TapAxis<T>& x, int64_t store) {
        const int64_t rows = y.first[y.count] - y.first[0], taps = x.first[x.count] - x.first[0];
        if (rows > 4 * y.count) return true;  // a long list's weights are fetched anew for each column of each bin
        return rows * taps > rows * x.cell_count + y.count * taps + store * y.count * x.cell_count;
    }
    void finish(const BlockKernels<T>& kernels, const TapAxis<T>& y, const TapAxis<T>& x, const BinTile& bins) const {
        if (y.mean) kernels.divide_bins(y, x, bins);
    }
    void begin(const BlockKernels<T>& kernels, const TapAxis<T>& y, const TapAxis<T>& x, const BinTile& bins) const {
        kernels.begin_sums(y, x, outside, bins);
    }
    void reduce_strip(const BlockKernels<T>& kernels, const MapTile& map, const TapAxis<T>& y, const TapAxis<T>& x,
                      Range strip, const BinTile& bins, T* scratch) const {
        kernels.add_strip(map, y, x, strip, bins, scratch);
    }

    // Costs in tenths of a cell that a direct scan reads; fitted, see docs/performance.md.
    int64_t direct_cost(int64_t i, const ChannelWindow& w) const {
        const TapAxis<T>& rows = this->y(i, w);
        return estimated_product(10 * (int64_t)rows.first[rows.count], this->x(i, w).cell_count);
    }
    int64_t strip_cost(int64_t i, const ChannelWindow& w) const {
        return estimated_sum(direct_cost(i, w) / 10 * 8,
                             estimated_product(220 * this->y(i, w).count, this->x(i, w).count));
    }
    static int64_t packed_strip_cost(int64_t cells) { return estimated_product(10, cells); }
};

template <class T>
struct MaxOverSamples : Planned<SamplePlan<T>> {
    using Element = T;
    SampleMaximum mode;

    static constexpr bool scans_columns = true;
    static constexpr bool lines = true;
    static constexpr bool strips = false;
    static constexpr bool tables = false;

    void reduce(const BlockKernels<T>& kernels, const MapTile& map, const SampleAxis<T>& y, const SampleAxis<T>& x,
                const BinTile& bins, T* scratch) const {
        kernels.max_samples(map, y, x, mode, bins, scratch);
    }
    void reduce_lines(const LineKernels<T>& kernels, const LineMap& map, const SampleAxis<T>& y, const SampleAxis<T>& x,
                      Lines lines, T* bins, T* scratch) const {
        kernels.max_sample_lines(map, y, x, mode, lines, bins, scratch);
    }
};

template <class T>
struct SumOverCells : Planned<GatherPlan<T>> {
    using Element = T;
    static constexpr bool scans_columns = false;
    static constexpr bool lines = false;
    static constexpr bool strips = false;
    static constexpr bool tables = false;

    void reduce(const BlockKernels<T>& kernels, const MapTile& map, const GatherAxis<T>& y, const GatherAxis<T>&,
                const BinTile& bins, T*) const {
        kernels.gather(map, y, bins);
    }
};

}  // namespace fastroi
