// The promise of axis_plan.h, looked at: every index of a built plan lies inside the map, and every list is as long as it says.
// Compiled into what fuzzes and sanitizes (-DFASTROI_CHECK_PLANS, see run.cpp) and into unit tests; results of wrong plans would be
// read from memory that is not the caller's.
#pragma once
#include <stdio.h>
#include <stdlib.h>

#include "../type_codes.h"
#include "plan_part.h"

namespace fastroi {

// Collects what is wrong with the axes of one part: the first fault, in words.
class PlanFaults {
public:
    const char* first() const { return text_[0] ? text_ : nullptr; }

    void look_at(const RangeAxis& axis, int64_t extent) {
        if (!lies_inside(axis.hull, extent)) return;
        for (int64_t p = 0; p < axis.count; p++) {
            const Range bin = axis.bins[p];
            if (is_empty(bin)) continue;
            if (bin.start < axis.hull.start || bin.end > axis.hull.end)
                return fault("bin %lld: range %lld..%lld leaves the hull", p, bin.start, bin.end);
            if (bin.end - bin.start > axis.longest) return fault("bin %lld is longer than %lld", p, axis.longest);
        }
    }

    template <class T>
    void look_at(const TapAxis<T>& axis, int64_t extent) {
        if (!lies_inside(axis.hull, extent) || !lists_ascend(axis.first, axis.count)) return;
        for (int32_t t = axis.first[0]; t < axis.first[axis.count]; t++)
            if (!is_in(axis.hull, axis.index[t])) return fault("tap %lld: cell %lld leaves the hull", t, axis.index[t]);
        look_at_cells(axis.cells, axis.cell_count, axis.hull);
    }

    template <class T>
    void look_at(const SampleAxis<T>& axis, int64_t extent) {
        if (!lies_inside(axis.hull, extent) || !lists_ascend(axis.first, axis.count)) return;
        for (int32_t s = axis.first[0]; s < axis.first[axis.count]; s++) {
            const Sample<T>& sample = axis.samples[s];
            if ((sample.weight != 0 && !is_in(axis.hull, sample.low)) ||
                (sample.high_weight != 0 && !is_in(axis.hull, (int64_t)sample.low + 1)))
                return fault("point %lld: cell %lld leaves the hull", s, sample.low);
        }
        look_at_cells(axis.cells, axis.cell_count, axis.hull);
    }

    // Both axes at once: cells stand in y, their columns' hull in x.
    template <class T>
    void look_at(const GatherAxis<T>& y, const GatherAxis<T>& x, int64_t rows, int64_t columns) {
        if (!lies_inside(y.hull, rows) || !lies_inside(x.hull, columns) || !lists_ascend(y.first, y.count * y.columns))
            return;
        for (int32_t t = y.first[0]; t < y.first[y.count * y.columns]; t++)
            if (!is_in(y.hull, y.cells[t].row) || !is_in(x.hull, y.cells[t].column))
                return fault("cell %lld: row %lld, column %lld", t, y.cells[t].row, y.cells[t].column);
    }

    // Positions are cells plus one, and 0 is the zero before them.
    void look_at(const PasteTap& tap, int64_t cells) {
        if (tap.low < 0 || tap.low > cells || tap.high < 0 || tap.high > cells)
            fault("positions %lld and %lld of %lld cells", tap.low, tap.high, cells);
    }

    void look_at_cell(int64_t cell, int64_t extent) {
        if (cell < 0 || cell >= extent) fault("cell %lld of %lld", cell, extent);
    }

private:
    template <class... Numbers>
    void fault(const char* format, Numbers... numbers) {
        if (!text_[0]) write(format, (long long)numbers...);
    }
    template <class... Numbers>
    void write(const char* format, Numbers... numbers) {
        snprintf(text_, sizeof text_, format, numbers...);
    }
    static bool is_in(Range r, int64_t cell) { return cell >= r.start && cell < r.end; }
    bool lies_inside(Range hull, int64_t extent) {
        if (is_empty(hull) || (hull.start >= 0 && hull.end <= extent)) return true;
        fault("hull %lld..%lld leaves %lld cells", hull.start, hull.end, extent);
        return false;
    }
    bool lists_ascend(const int32_t* first, int64_t count) {
        for (int64_t p = 0; p < count; p++)
            if (first[p] < 0 || first[p] > first[p + 1]) return fault("bin %lld begins behind its end", p), false;
        return true;
    }
    void look_at_cells(const int32_t* cells, int64_t count, Range hull) {
        for (int64_t i = 0; i < count; i++)
            if (!is_in(hull, cells[i]) || (i > 0 && cells[i] <= cells[i - 1]))
                return fault("listed cell %lld: %lld", i, cells[i]);
    }

    char text_[128] = "";
};

template <class Reduction>
void look_at_plan(PlanFaults& faults, const Reduction& reduction, const Job& job) {
    for (int64_t i = 0; i < reduction.count(); i++) {
        const Tensor& map = job.maps[reduction.image(i) / job.maps[0].images];
        for (const ChannelWindow& w : job.windows) {
            faults.look_at(reduction.y(i, w), map.rows);
            faults.look_at(reduction.x(i, w), map.columns);
        }
    }
}

template <class T>
void look_at_plan(PlanFaults& faults, const SumOverCells<T>& reduction, const Job& job) {
    for (int64_t i = 0; i < reduction.count(); i++)
        for (const ChannelWindow& w : job.windows)
            faults.look_at(reduction.y(i, w), reduction.x(i, w), job.maps[0].rows, job.maps[0].columns);
}

template <class T>
void look_at_plan(PlanFaults& faults, const MixedOrientations<T>& mixing, const Job&) {
    for (const Orientation& o : mixing.of_roi) faults.look_at_cell(o.index, mixing.orientations);
}

template <class Real>
void look_at_pixels(PlanFaults& faults, const PasteAxis<Real>& axis, int64_t pixels) {
    for (int64_t pixel = axis.first; pixel < axis.end; pixel++) {
        faults.look_at_cell(pixel, pixels);
        faults.look_at(paste_tap(axis, pixel), axis.cells);
    }
}

template <class Taps>
void look_at_taps(PlanFaults& faults, const Taps& taps, int64_t bins, int64_t extent) {
    for (int64_t p = 0; p < bins; p++) taps(p, [&](int64_t cell, double) { faults.look_at_cell(cell, extent); });
}

inline void look_at_plan(PlanFaults& faults, const MaskPart& part, const Job& job) {
    const Tensor &masks = job.maps[0], &out = job.out;
    with_arithmetic(part.arithmetic, [&](auto real) {
        using Real = decltype(real);
        for (int64_t k = 0; k < (int64_t)part.boxes.size(); k++) {
            if (part.kind == MaskPart::paste) {
                look_at_pixels(faults, pasted_rows<Real>(part, masks, out, k), out.rows);
                look_at_pixels(faults, pasted_columns<Real>(part, masks, out, k), out.columns);
            } else {
                look_at_taps(faults, cropped_rows<Real>(part, masks, out, k), out.rows, masks.rows);
                look_at_taps(faults, cropped_columns<Real>(part, masks, out, k), out.columns, masks.columns);
            }
        }
    });
}

// What is wrong with a part, or nothing.
inline PlanFaults faults_of(const PlanPart& part, const Job& job) {
    PlanFaults faults;
    std::visit([&](const auto& reduction) { look_at_plan(faults, reduction, job); }, part);
    return faults;
}

inline void require_sound_plan(const PlanPart& part, const Job& job) {
    const PlanFaults faults = faults_of(part, job);
    if (!faults.first()) return;
    fprintf(stderr, "fastroi: a plan reaches outside of its map: %s\n", faults.first());
    abort();
}

}  // namespace fastroi
