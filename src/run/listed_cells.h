// The cells that a RoI lists, packed without those between: rows and columns that lie apart on the map become neighbours, and the
// axes are renumbered to match. Sums and maxima over them are the same bits.
#pragma once
#include <stdint.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "reductions.h"

namespace fastroi {

// Consecutive columns of the map, and the first packed column that holds them.
struct PackedRun {
    Range columns;
    int64_t at;
};

inline int32_t place_of(int32_t cell, const std::vector<int32_t>& cells) {
    return (int32_t)(std::lower_bound(cells.begin(), cells.end(), cell) - cells.begin());
}

inline void keep_each_once(std::vector<int32_t>& cells) {
    std::sort(cells.begin(), cells.end());
    cells.erase(std::unique(cells.begin(), cells.end()), cells.end());
}

// One axis of a RoI, or some bins of it, without the cells that it does not list.
template <class Axis>
class ListedAxis;

template <class T>
class ListedAxis<TapAxis<T>> {
public:
    TapAxis<T> of(const TapAxis<T>& axis) {
        const int32_t first = axis.first[0], end = axis.first[axis.count];
        cells.assign(axis.index + first, axis.index + end);
        keep_each_once(cells);
        index_.resize(end - first);
        for (int32_t t = first; t < end; t++) index_[t - first] = place_of(axis.index[t], cells);
        positions_.resize(cells.size());
        std::iota(positions_.begin(), positions_.end(), 0);
        first_.resize(axis.count + 1);
        for (int64_t p = 0; p <= axis.count; p++) first_[p] = axis.first[p] - first;
        const int64_t count = (int64_t)cells.size();
        return {first_.data(), index_.data(), axis.weight + first, positions_.data(),
                axis.count,    count,         {0, (int32_t)count}, axis.mean};
    }
    std::vector<int32_t> cells;

private:
    std::vector<int32_t> first_, index_, positions_;
};

template <class T>
class ListedAxis<SampleAxis<T>> {
public:
    SampleAxis<T> of(const SampleAxis<T>& axis) {
        const int32_t first = axis.first[0], end = axis.first[axis.count];
        samples_.assign(axis.samples + first, axis.samples + end);
        cells.clear();
        for (const Sample<T>& s : samples_) {
            if (s.weight != 0) cells.push_back(s.low);
            if (s.high_weight != 0) cells.push_back(s.low + 1);
        }
        keep_each_once(cells);
        for (Sample<T>& s : samples_) s.low = s.weight != 0 ? place_of(s.low, cells) : place_of(s.low + 1, cells) - 1;
        positions_.resize(cells.size());
        std::iota(positions_.begin(), positions_.end(), 0);
        first_.resize(axis.count + 1);
        for (int64_t p = 0; p <= axis.count; p++) first_[p] = axis.first[p] - first;
        const int64_t count = (int64_t)cells.size();
        return {first_.data(), samples_.data(), axis.absent, positions_.data(), axis.count, count, {0, (int32_t)count}};
    }
    std::vector<int32_t> cells;

private:
    std::vector<Sample<T>> samples_;
    std::vector<int32_t> first_, positions_;
};

// Rows times columns, renumbered.
template <class Axis>
class ListedCells {
public:
    void renumber(const Axis& y_bins, const Axis& x_bins) {
        y = rows_.of(y_bins);
        x = columns_.of(x_bins);
        find_runs();
    }
    // pack_run(row and columns of the map, packed row, first packed column) for each run of cells.
    template <class PackRun>
    void each_run(const PackRun& pack_run) const {
        for (int64_t r = 0; r < (int64_t)rows_.cells.size(); r++)
            for (const PackedRun& run : runs_) pack_run(rows_.cells[r], run.columns, r, run.at);
    }
    int64_t columns() const { return (int64_t)columns_.cells.size(); }
    Axis y, x;

private:
    void find_runs() {
        const std::vector<int32_t>& cells = columns_.cells;
        runs_.clear();
        for (int64_t i = 0; i < (int64_t)cells.size(); i++)
            if (i > 0 && cells[i] == cells[i - 1] + 1)
                runs_.back().columns.end++;
            else
                runs_.push_back({{cells[i], cells[i] + 1}, i});
    }

    ListedAxis<Axis> rows_, columns_;
    std::vector<PackedRun> runs_;
};

// Cells one after the other, in the order in which the bins list them.
template <class T>
class ListedCells<GatherAxis<T>> {
public:
    void renumber(const GatherAxis<T>& y_bins, const GatherAxis<T>& x_bins) {
        const int64_t bins = y_bins.count * y_bins.columns;
        const int32_t first = y_bins.first[0], end = y_bins.first[bins];
        listed_ = y_bins.cells + first;
        cells_.assign(listed_, y_bins.cells + end);
        for (int64_t i = 0; i < columns(); i++) cells_[i].row = 0, cells_[i].column = (int32_t)i;
        first_.resize(bins + 1);
        for (int64_t b = 0; b <= bins; b++) first_[b] = y_bins.first[b] - first;
        y = {first_.data(), cells_.data(), y_bins.count, y_bins.columns, {0, 1}};
        x = {x_bins.first, x_bins.cells, x_bins.count, x_bins.columns, {0, (int32_t)columns()}};
    }
    template <class PackRun>
    void each_run(const PackRun& pack_run) const {
        for (int64_t i = 0; i < columns(); i++)
            pack_run(listed_[i].row, Range{listed_[i].column, listed_[i].column + 1}, 0, i);
    }
    int64_t columns() const { return (int64_t)cells_.size(); }
    GatherAxis<T> y, x;

private:
    const WeightedCell<T>* listed_ = nullptr;
    std::vector<WeightedCell<T>> cells_;
    std::vector<int32_t> first_;
};

// Ranges list all cells of their hull.
template <>
class ListedCells<RangeAxis> {};

}  // namespace fastroi
