// Plans of interpolating operators: collects what a tap rule emits into axes for the kernels.
#pragma once
#include <algorithm>

#include "../refusal.h"
#include "../threads.h"
#include "arena.h"
#include "box.h"
#include "pace.h"
#include "tap_rules.h"

namespace fastroi {

// Taps or sample points of one axis while a rule emits them; reused from RoI to RoI.
template <class T>
class Collector {
public:
    Collector() = default;
    explicit Collector(const Pace& pace) : pace_(pace) {}
    void keep_pace(const Pace& pace) { pace_ = pace; }

    // taps(p, sink) emits bin p, of so many sample points. Bins whose cells descend (mirrored boxes) are fine.
    template <class BinTaps>
    TapAxis<T> collect(Arena& arena, int64_t bins, const BinTaps& taps, bool mean = false, int64_t points = 1) {
        first_.clear();
        index_.clear();
        weight_.clear();
        next_look_ = steps_between_looks;
        for (int64_t p = 0; p < bins; p++) {
            first_.push_back(checked_position());
            pace_.worked(points);
            taps(p, [this](int64_t index, double weight) { push(index, (T)weight); });
        }
        first_.push_back(checked_position());
        list_cells(index_);
        return {keep(arena, first_),
                keep(arena, index_),
                keep(arena, weight_),
                keep(arena, cells_),
                bins,
                (int64_t)cells_.size(),
                hull(),
                mean};
    }

    // points(p, visit) visits the points of bin p that lie on the map and returns whether others do not.
    template <class BinPoints>
    SampleAxis<T> collect_samples(Arena& arena, int64_t bins, const BinPoints& points) {
        first_.clear();
        index_.clear();
        next_look_ = steps_between_looks;
        samples_.clear();
        absent_.clear();
        for (int64_t p = 0; p < bins; p++) {
            first_.push_back((int32_t)samples_.size());
            pace_.worked(1);
            absent_.push_back(points(p, [this](const auto& point) { this->push_point(point); }));
            if (samples_.size() > max_bins) refuse(FASTROI_OVERFLOW, -1, "sampling_ratio: too many sample points");
        }
        first_.push_back((int32_t)samples_.size());
        std::sort(index_.begin(), index_.end());
        index_.erase(std::unique(index_.begin(), index_.end()), index_.end());
        cells_ = index_;
        return {keep(arena, first_),
                keep(arena, samples_),
                keep(arena, absent_),
                keep(arena, cells_),
                bins,
                (int64_t)cells_.size(),
                hull()};
    }

private:
    int32_t checked_position() const {
        if (index_.size() > (size_t)max_bins) refuse(FASTROI_OVERFLOW, -1, "output_size: too many taps for one RoI");
        return (int32_t)index_.size();
    }
    // Of a bin that has many.
    void look_around(size_t taps) {
        if (taps < next_look_) return;
        next_look_ = taps + steps_between_looks;
        pace_.worked(steps_between_looks);
    }
    void push(int64_t index, T weight) {
        if (weight == 0) return;
        look_around(index_.size());
        index_.push_back((int32_t)index);
        weight_.push_back(weight);
    }
    template <class Point>
    void push_point(const Point& point) {
        look_around(samples_.size());
        samples_.push_back({(int32_t)point.low, (T)point.weight, (T)point.high_weight});
        if (samples_.back().weight != 0) index_.push_back((int32_t)point.low);
        if (samples_.back().high_weight != 0) index_.push_back((int32_t)point.low + 1);
    }

    // Bins come in order, so a cell is new exactly when it passes the last one; only mirrored bins need sorting.
    void list_cells(const std::vector<int32_t>& indices) {
        cells_.clear();
        bool in_order = true;
        for (int32_t cell : indices) {
            if (cells_.empty() || cell > cells_.back())
                cells_.push_back(cell);
            else
                in_order = in_order && is_among_last_two(cell);
        }
        if (in_order) return;
        cells_ = indices;
        std::sort(cells_.begin(), cells_.end());
        cells_.erase(std::unique(cells_.begin(), cells_.end()), cells_.end());
    }
    bool is_among_last_two(int32_t cell) const {
        return cell == cells_.back() || (cells_.size() > 1 && cell == cells_[cells_.size() - 2]);
    }
    Range hull() const { return cells_.empty() ? Range{0, 0} : Range{cells_.front(), cells_.back() + 1}; }

    template <class Item>
    static const Item* keep(Arena& arena, const std::vector<Item>& items) {
        Item* const kept = arena.allocate<Item>(items.size());
        std::copy(items.begin(), items.end(), kept);
        return kept;
    }

    Pace pace_;
    size_t next_look_ = steps_between_looks;
    std::vector<int32_t> first_, index_, cells_;
    std::vector<T> weight_;
    std::vector<Sample<T>> samples_;
    std::vector<unsigned char> absent_;
};

// The planned RoIs of boxes [first, first + count), whatever their axes are, with the memory the axes point to.
template <class Axis>
class AxisPlan {
public:
    // plan_roi(collector, arena, box) returns the pair of pointers to the y and x axes, in the arena.
    template <class T, class PlanRoi>
    static AxisPlan build(const Box* boxes, int64_t first, int64_t count, const Planners& planners,
                          const PlanRoi& plan_roi) {
        AxisPlan plan;
        plan.rois_.resize(count);
        const int parts = (int)std::max<int64_t>(1, std::min<int64_t>(planners.threads, count / rois_per_thread));
        plan.arenas_.resize(parts);
        plan_on_threads(planners, parts, [&](int part, const Pace& pace) {
            Collector<T> collector(pace);
            for (int64_t i = count * part / parts; i < count * (part + 1) / parts; i++) {
                const Box& box = boxes[first + i];
                const auto axes = plan_roi(collector, plan.arenas_[part], box);
                plan.rois_[i] = {box.image, first + i, axes.first, axes.second};
            }
        });
        return plan;
    }

    const std::vector<PlannedRoi<Axis>>& rois() const { return rois_; }

private:
    static constexpr int64_t rois_per_thread = 32;

    std::vector<Arena> arenas_;
    std::vector<PlannedRoi<Axis>> rois_;
};

template <class T>
using TapPlan = AxisPlan<TapAxis<T>>;
template <class T>
using SamplePlan = AxisPlan<SampleAxis<T>>;

}  // namespace fastroi
