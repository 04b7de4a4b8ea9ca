// Plans of operators that gather: every bin a list of weighted cells. A cell that several points of a bin touch is listed
// once, so a list is never longer than the map, however fine the grid of points.
#pragma once
#include <algorithm>
#include <tuple>

#include "../size.h"
#include "../threads.h"
#include "arena.h"
#include "gather_rules.h"
#include "box.h"
#include "pace.h"

namespace fastroi {

// The cells of one bin after another while a rule emits them; reused from RoI to RoI.
template <class T>
class CellCollector {
public:
    CellCollector() = default;
    explicit CellCollector(const Pace& pace) : pace_(pace) {}

    void begin() {
        first_.clear();
        cells_.clear();
        rows_ = columns_ = {0, 0};
    }
    void begin_bin() {
        first_.push_back(checked_position());
        pace_.worked(1);
    }
    // So many points or cells of a bin have been dealt with.
    void worked(int64_t steps) { pace_.worked(steps); }

    // Cells that a bin may name again and again: collected with add, scaled and kept by finish_bin.
    void begin_merging(bool few_points) {
        merging_.clear();
        few_ = few_points;
        few_count_ = 0;
        if (few_) return;
        stamp_++;
        if (slots_.empty()) slots_.resize(smallest_table);
    }
    void add(int64_t row, int64_t column, double weight) {
        const uint64_t key = (uint64_t)row << 32 | (uint64_t)column;
        if (few_) {
            few_keys_[few_count_] = key;
            few_weights_[few_count_] = weight;
            few_count_ += weight != 0;
        } else if (weight != 0) {
            in_table(key).weight += weight;
        }
    }
    void finish_bin(double scale) {
        if (few_) return keep_few(scale);
        for (const Sum& sum : merging_)
            keep_cell((int32_t)(sum.key >> 32), (int32_t)(sum.key & 0xffffffff), sum.weight * scale);
    }

    // Rows times columns of weighted taps, which are merged already.
    using Taps = std::vector<std::pair<int32_t, double>>;
    void add_product(const Taps& rows, const Taps& columns) {
        for (const auto& row : rows) {
            pace_.worked((int64_t)columns.size());
            for (const auto& column : columns) keep_cell(row.first, column.first, row.second * column.second);
        }
    }
    Taps& row_taps() { return row_taps_; }
    Taps& column_taps() { return column_taps_; }

    // The axes of what has been collected, `columns` bins a row.
    std::pair<GatherAxis<T>, GatherAxis<T>> axes(Arena& arena, int64_t columns) {
        const int64_t rows = (int64_t)first_.size() / columns;
        first_.push_back(checked_position());
        return {{keep(arena, first_), keep(arena, cells_), rows, columns, rows_},
                {nullptr, nullptr, columns, 0, columns_}};
    }

private:
    struct Sum {
        uint64_t key;  // row and column
        double weight;
    };
    struct Slot {
        uint64_t stamp = 0;
        int32_t sum = 0;
    };
    static constexpr size_t smallest_table = 256;
    static constexpr int few_cells = 16;  // of four points

    Sum& appended(uint64_t key) {
        merging_.push_back({key, 0});
        return merging_.back();
    }
    // Every pair compared and nothing branched on: which cells coincide cannot be predicted.
    void keep_few(double scale) {
        int first_of[few_cells];
        double sums[few_cells];
        for (int i = 0; i < few_count_; i++) {
            int first = i;
            for (int j = i - 1; j >= 0; j--) first = few_keys_[j] == few_keys_[i] ? j : first;
            first_of[i] = first;
            sums[i] = 0;
            sums[first] += few_weights_[i];
        }
        size_t end = cells_.size();
        cells_.resize(end + few_count_ + 1);
        for (int i = 0; i < few_count_; i++) {
            const int32_t row = (int32_t)(few_keys_[i] >> 32), column = (int32_t)(few_keys_[i] & 0xffffffff);
            const T cast = (T)(sums[i] * scale);
            cells_[end] = {row, column, cast};
            end += (first_of[i] == i) & (cast != 0);
            widen(rows_, row);
            widen(columns_, column);
        }
        cells_.resize(end);
    }
    Sum& in_table(uint64_t key) {
        if (2 * merging_.size() >= slots_.size()) grow_table();
        Slot& slot = slot_of(key);
        if (slot.stamp == stamp_) return merging_[slot.sum];
        slot = {stamp_, (int32_t)merging_.size()};
        return appended(key);
    }
    Slot& slot_of(uint64_t key) {
        const uint64_t mask = slots_.size() - 1;
        uint64_t at = (key * 0x9e3779b97f4a7c15u >> 32) & mask;
        while (slots_[at].stamp == stamp_ && merging_[slots_[at].sum].key != key) at = (at + 1) & mask;
        return slots_[at];
    }
    void grow_table() {
        if (merging_.size() > (size_t)max_bins / 4) refuse(FASTROI_OVERFLOW, -1, "features: a bin of too many cells");
        slots_.assign(4 * slots_.size(), {});
        for (size_t i = 0; i < merging_.size(); i++) slot_of(merging_[i].key) = {stamp_, (int32_t)i};
    }

    void keep_cell(int32_t row, int32_t column, double weight) {
        const T cast = (T)weight;
        if (cast == 0) return;
        cells_.push_back({row, column, cast});
        widen(rows_, row);
        widen(columns_, column);
    }
    static void widen(Range& hull, int32_t cell) {
        if (is_empty(hull)) hull = {cell, cell + 1};
        if (cell < hull.start) hull.start = cell;
        if (cell >= hull.end) hull.end = cell + 1;
    }
    int32_t checked_position() const {
        if (cells_.size() > (size_t)max_bins) refuse(FASTROI_OVERFLOW, -1, "output_size: too many cells for one RoI");
        return (int32_t)cells_.size();
    }
    template <class Item>
    static const Item* keep(Arena& arena, const std::vector<Item>& items) {
        Item* const kept = arena.allocate<Item>(items.size());
        std::copy(items.begin(), items.end(), kept);
        return kept;
    }

    Pace pace_;
    std::vector<int32_t> first_;
    std::vector<WeightedCell<T>> cells_;
    std::vector<Sum> merging_;
    std::vector<Slot> slots_;
    uint64_t stamp_ = 0;
    bool few_ = true;
    int few_count_ = 0;
    uint64_t few_keys_[few_cells + 1];
    double few_weights_[few_cells + 1];
    Range rows_ = {0, 0}, columns_ = {0, 0};
    Taps row_taps_, column_taps_;
};

// The planned RoIs of boxes [first, first + count), `windows` pairs of axes each, with the memory that they point to.
template <class T>
class GatherPlan {
public:
    // plan_window(collector, index of the box, window) hands the bins of a window to the collector, row by row; columns(window)
    // says how many a row has.
    template <class PlanWindow, class Columns>
    GatherPlan(const Box* boxes, int64_t first, int64_t count, int64_t windows, const Planners& planners,
               const Columns& columns, const PlanWindow& plan_window)
        : rois_(count),
          axes_((Size(2 * count, "output_size") * windows).count()),
          arenas_(std::max<int64_t>(1, std::min<int64_t>(planners.threads, count / rois_per_thread))) {
        const int64_t parts = (int64_t)arenas_.size();
        plan_on_threads(planners, (int)parts, [&](int part, const Pace& pace) {
            CellCollector<T> collector(pace);
            for (int64_t i = count * part / parts; i < count * (part + 1) / parts; i++) {
                GatherAxis<T>* const y = axes_.data() + 2 * i * windows;
                for (int64_t w = 0; w < windows; w++) {
                    collector.begin();
                    plan_window(collector, first + i, w);
                    std::tie(y[w], y[windows + w]) = collector.axes(arenas_[part], columns(w));
                }
                rois_[i] = {boxes[first + i].image, first + i, y, y + windows};
            }
        });
    }

    const std::vector<PlannedRoi<GatherAxis<T>>>& rois() const { return rois_; }

private:
    static constexpr int64_t rois_per_thread = 8;

    std::vector<PlannedRoi<GatherAxis<T>>> rois_;
    std::vector<GatherAxis<T>> axes_;
    std::vector<Arena> arenas_;
};

}  // namespace fastroi
