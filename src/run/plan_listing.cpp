#include "plan_listing.h"

#include "../type_codes.h"

namespace fastroi {
namespace {

// Where a window's entries are: which axis, from which bin on, and for which output channels.
struct Place {
    fastroi_plan& plan;
    int32_t axis;
    int64_t first_bin, output_channel;

    void add(int64_t bin, int64_t first, int64_t end, double weight, int32_t point = -1) const {
        if (plan.count < plan.capacity)
            plan.entries[plan.count] = {axis, point, output_channel, first_bin + bin, first, end, weight};
        plan.count++;
    }
};

void list(const Place& place, const RangeAxis& axis) {
    for (int64_t p = 0; p < axis.count; p++)
        if (!is_empty(axis.bins[p])) place.add(p, axis.bins[p].start, axis.bins[p].end, 1);
}

template <class T>
void list(const Place& place, const TapAxis<T>& axis) {
    for (int64_t p = 0; p < axis.count; p++)
        for (int32_t t = axis.first[p]; t < axis.first[p + 1]; t++)
            place.add(p, axis.index[t], axis.index[t] + 1, axis.weight[t]);
}

template <class T>
void list(const Place& place, const SampleAxis<T>& axis) {
    for (int64_t p = 0; p < axis.count; p++) {
        int32_t point = 0;
        for (int32_t s = axis.first[p]; s < axis.first[p + 1]; s++, point++) {
            const Sample<T>& sample = axis.samples[s];
            if (sample.weight != 0) place.add(p, sample.low, sample.low + 1, sample.weight, point);
            if (sample.high_weight != 0) place.add(p, sample.low + 1, sample.low + 2, sample.high_weight, point);
        }
        if (axis.absent[p]) place.add(p, 0, 0, 0, point);
    }
}

// Bins of a window among all bins, and cells by their number on the map.
template <class T>
void list(const Place& place, const GatherAxis<T>& axis, int64_t bins_per_row, int64_t map_columns) {
    for (int64_t b = 0; b < axis.count * axis.columns; b++)
        for (int32_t t = axis.first[b]; t < axis.first[b + 1]; t++) {
            const int64_t cell = axis.cells[t].row * map_columns + axis.cells[t].column;
            place.add(b / axis.columns * bins_per_row + b % axis.columns, cell, cell + 1, axis.cells[t].weight);
        }
}

void list_channels(const Place& place, const ChannelWindow& w, int64_t bins_per_row) {
    for (int64_t ph = w.bin_rows.start; ph < w.bin_rows.end; ph++)
        for (int64_t pw = w.bin_columns.start; pw < w.bin_columns.end; pw++)
            place.add(ph * bins_per_row + pw, w.first, w.first + w.step, 1);
}

// Windows beside one another share the axis of their row, those below one another that of their column: each is listed once.
template <class Reduction>
void list_axes(fastroi_plan& plan, const Reduction& reduction, const Job& job) {
    for (const ChannelWindow& w : job.windows) {
        if (w.bin_columns.start == 0)
            list(Place{plan, FASTROI_AXIS_ROW, w.bin_rows.start, job.first_channel}, reduction.y(0, w));
        if (w.bin_rows.start == 0)
            list(Place{plan, FASTROI_AXIS_COLUMN, w.bin_columns.start, job.first_channel}, reduction.x(0, w));
    }
}

template <class T>
void list_axes(fastroi_plan& plan, const SumOverCells<T>& reduction, const Job& job) {
    for (const ChannelWindow& w : job.windows) {
        const int64_t first_bin = w.bin_rows.start * job.out.columns + w.bin_columns.start;
        list(Place{plan, FASTROI_AXIS_CELL, first_bin, job.first_channel}, reduction.y(0, w), job.out.columns,
             job.maps[0].columns);
    }
}

template <class T>
int32_t reduce_of(const MaxOverRanges<T>&) {
    return FASTROI_PLAN_MAX;
}
template <class T>
int32_t reduce_of(const MeanOverRanges<T>&) {
    return FASTROI_PLAN_MEAN;
}
template <class T>
int32_t reduce_of(const SumOverTaps<T>& sum) {
    return sum.plan.rois()[0].y->mean ? FASTROI_PLAN_MEAN : FASTROI_PLAN_SUM;
}
template <class T>
int32_t reduce_of(const MaxOverSamples<T>&) {
    return FASTROI_PLAN_MAX_POINTS;
}
template <class T>
int32_t reduce_of(const SumOverCells<T>&) {
    return FASTROI_PLAN_SUM;
}

template <class Reduction>
void list_part(fastroi_plan& plan, const Reduction& reduction, const Job& job) {
    plan.reduce = reduce_of(reduction);
    list_axes(plan, reduction, job);
    if (job.windows.size() == 1 && job.windows[0].step == 1) return;
    for (const ChannelWindow& w : job.windows)
        list_channels(Place{plan, FASTROI_AXIS_CHANNEL, 0, job.first_channel}, w, job.out.columns);
}

template <class T>
void list_part(fastroi_plan& plan, const MixedOrientations<T>& mixing, const Job& job) {
    const Orientation& o = mixing.of_roi[0];
    const Place place{plan, FASTROI_AXIS_ORIENTATION, 0, 0};
    plan.reduce = FASTROI_PLAN_MIXED;
    if (job.out.channels == 0) return;  // of no channels there may be any number of orientations
    for (int64_t i = 0; i < mixing.orientations; i++) {
        const int64_t from = (i - o.index + mixing.orientations) % mixing.orientations,
                      next = (from + 1) % mixing.orientations;
        if (o.weight != 0) place.add(i, from, from + 1, o.weight);
        if (o.next_weight != 0) place.add(i, next, next + 1, o.next_weight);
    }
}

template <class Taps>
void list_taps(const Place& place, int64_t bins, const Taps& taps) {
    for (int64_t p = 0; p < bins; p++)
        taps(p, [&](int64_t cell, double weight) { place.add(p, cell, cell + 1, weight); });
}

// A pixel's cells; positions are cells plus one, and 0 is none.
template <class Real>
void list_pixels(const Place& place, const PasteAxis<Real>& axis) {
    for (int64_t pixel = axis.first; pixel < axis.end; pixel++) {
        const PasteTap tap = paste_tap(axis, pixel);
        if (tap.low_weight != 0 && tap.low > 0) place.add(pixel, tap.low - 1, tap.low, tap.low_weight);
        if (tap.high_weight != 0 && tap.high > 0) place.add(pixel, tap.high - 1, tap.high, tap.high_weight);
    }
}

void list_part(fastroi_plan& plan, const MaskPart& part, const Job& job) {
    const Place rows{plan, FASTROI_AXIS_ROW, 0, 0}, columns{plan, FASTROI_AXIS_COLUMN, 0, 0};
    const Tensor &masks = job.maps[0], &out = job.out;
    plan.reduce = FASTROI_PLAN_SUM;
    with_arithmetic(part.arithmetic, [&](auto real) {
        using Real = decltype(real);
        if (part.kind == MaskPart::paste) {
            list_pixels(rows, pasted_rows<Real>(part, masks, out, 0));
            list_pixels(columns, pasted_columns<Real>(part, masks, out, 0));
        } else {
            list_taps(rows, out.rows, cropped_rows<Real>(part, masks, out, 0));
            list_taps(columns, out.columns, cropped_columns<Real>(part, masks, out, 0));
        }
    });
}

}  // namespace

void PlanListing::take(PlanPart part, const Job& job) {
    std::visit([&](const auto& reduction) { list_part(plan_, reduction, job); }, part);
}

}  // namespace fastroi
