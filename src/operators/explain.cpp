// One axis of one box, listed for explanation: the ranges and sample points of a rule.
#include <cmath>

#include "call.h"

namespace fastroi {
namespace {

void check_axis(const Side& side, int64_t least_extent) {
    check_scale(side.scale);
    check_sampling_ratio(side.sampling);
    if (!std::isfinite(side.lo) || !std::isfinite(side.hi))
        refuse(FASTROI_INVALID_VALUE, -1, "box: [%g, %g]; coordinates must be finite", side.lo, side.hi);
    if (side.bins < 1 || side.bins > max_bins)
        refuse(FASTROI_INVALID_VALUE, -1, "output_size: %lld", (long long)side.bins);
    if (side.extent < least_extent) refuse(FASTROI_INVALID_VALUE, -1, "map_size: %lld", (long long)side.extent);
    if (side.extent > max_bins) refuse(FASTROI_OVERFLOW, -1, "map_size: %lld", (long long)side.extent);
}

void check_code(int32_t code, int32_t count, const char* name) {
    if (code < 0 || code >= count) refuse(FASTROI_INVALID_VALUE, -1, "%s: unknown code %d", name, code);
}

}  // namespace

void axis_ranges(int32_t rule_code, const Side& side, double* interval, int64_t* edges) {
    check_code(rule_code, range_rule_count, "rule");
    check_axis(side, INT64_MIN);
    const RangeRule rule = (RangeRule)rule_code;
    const QuantisedAxis axis = quantise(rule, side.lo, side.hi, side.scale);
    interval[0] = axis.lo;
    interval[1] = axis.hi;
    for (int64_t p = 0; p < side.bins; p++) {
        CellRange r = axis.outside ? CellRange{0, 0} : range_of_bin(rule, axis, p, side.bins);
        if (side.extent >= 0) {
            const Range inside = clipped(r, side.extent);
            r = {inside.start, inside.end};
        }
        edges[2 * p] = r.start;
        edges[2 * p + 1] = r.end;
    }
}

namespace {

struct PointList {
    int64_t capacity;
    int64_t* bin;
    double *coordinate, *weight;
    int64_t count = 0;

    void add(int64_t p, double v, double w) {
        if (count < capacity) bin[count] = p, coordinate[count] = v, weight[count] = w;
        count++;
    }
    // One point per bin, whose weight is that of its taps.
    template <class Coordinate, class Taps>
    void add_one_per_bin(int64_t bins, const Coordinate& coordinate_of, const Taps& taps) {
        for (int64_t p = 0; p < bins; p++) {
            double share = 0;
            taps(p, [&](int64_t, double w) { share += w; });
            add(p, coordinate_of(p), share);
        }
    }
    void add_align(const AlignAxis<double>& a, const Side& side) {
        for (int64_t p = 0; p < side.bins && !a.outside; p++) {
            const PointSpan span = points_near_map(a, p, side.extent);
            for (int64_t i = span.first; i < span.end; i++) {
                const double v = align_coordinate(a, p, i);
                const bool counts = a.clamped || !align_point(v, side.extent).absent;
                add(p, v, counts ? 1 / (double)a.grid : 0);
            }
        }
    }
};

}  // namespace

int64_t axis_points(int32_t op, const Side& side, int64_t capacity, double* interval, int64_t* grid, int64_t* bin,
                    double* coordinate, double* weight) {
    check_code(op, FASTROI_POINTS_CROP_EXACT + 1, "op");
    check_axis(side, 1);
    PointList points{capacity, bin, coordinate, weight};
    const auto spans = [&](double start, double step) {
        interval[0] = start, interval[1] = start + step * (double)side.bins;
    };
    *grid = 1;
    if (op < align_rule_count) {
        const AlignAxis<double> a = align_axis<double>(align_rule(op), side);
        *grid = a.grid;
        spans(a.start, a.bin);
        points.add_align(a, side);
    } else if (op == FASTROI_POINTS_WARP) {
        const WarpAxis a = warp_axis(side.lo, side.hi, side.scale, side.bins);
        spans(a.start, a.bin);
        points.add_one_per_bin(side.bins, [&](int64_t p) { return a.start + (double)p * a.bin; }, warp_taps(side));
    } else if (op == FASTROI_POINTS_PRECISE) {
        const PreciseAxis a = precise_axis(side.lo, side.hi, side.scale, side.bins);
        *grid = 0;
        spans(a.start, a.bin);
    } else {
        const CropEnd end = op == FASTROI_POINTS_CROP ? CropEnd::tensorflow : CropEnd::exact;
        const CropAxis a = crop_axis(side.lo, side.hi, side.bins, side.extent, end);
        interval[0] = crop_coordinate(a, 0), interval[1] = crop_coordinate(a, side.bins - 1);
        points.add_one_per_bin(
            side.bins, [&](int64_t p) { return (double)crop_coordinate(a, p); }, crop_taps(false, end, side));
    }
    return points.count;
}

}  // namespace fastroi
