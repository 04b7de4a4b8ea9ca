// The interpolating rules: one interval of a box in, weighted cells of every bin out. All the semantics of RoIAlign, RoIWarp,
// PrRoIPool and crop_and_resize live here; freestanding for the same reasons as rules.h.
//
// Every rule hands its taps to a sink, `sink(index, weight)`, ascending and merged. Real is the rule's arithmetic type.
#pragma once
#include "rules.h"

namespace fastroi {

// --- merging -----------------------------------------------------------------------------------------------------------

// Adds up the taps of points that come in ascending order; a finished cell goes to the sink, scaled, unless it weighs nothing.
template <class Sink>
struct TapMerger {
    Sink& sink;
    double scale;
    int64_t index = -2;
    double weight = 0, next_weight = 0;

    FASTROI_RULE void add(int64_t low, double low_weight, double high_weight) {
        if (low != index) {
            emit(index, weight);
            if (low == index + 1) {
                weight = next_weight;
            } else {
                emit(index + 1, next_weight);
                weight = 0;
            }
            index = low;
            next_weight = 0;
        }
        weight += low_weight;
        next_weight += high_weight;
    }
    FASTROI_RULE void finish() {
        emit(index, weight);
        emit(index + 1, next_weight);
    }

private:
    FASTROI_RULE void emit(int64_t cell, double total) {
        if (total != 0) sink(cell, total * scale);
    }
};

// --- RoIAlign ------------------------------------------------------------------------------------------------------------

// How a box becomes an interval of the map: (x + before) * scale - after; extents below `least` are raised to it. Without a
// least extent a reversed box stays reversed: its points run backwards, and an adaptive grid has none.
struct AlignRule {
    double before, after, least;
    double phase = 0.5;  // where in its share of the bin a point lies
    bool clamped =
        false;  // points off the map move to its outer cells, however far; an adaptive grid has at least one point
    bool to_end = false;  // the last bin starts at the end of the interval: bins are extent / (bins - 1) apart
};

constexpr int64_t max_sampling_ratio = 1 << 20;
constexpr double no_least = -__builtin_inf();

enum class Aligned : int32_t { FASTROI_ALIGNEDS(FASTROI_NAME_ONLY) };
constexpr int32_t align_rule_count = FASTROI_COUNT(FASTROI_ALIGNEDS);

FASTROI_RULE AlignRule align_rule(int32_t aligned) {
    switch ((Aligned)aligned) {
        case Aligned::asymmetric: return {0, 0, 1};
        case Aligned::half_pixel: return {0, 0.5, no_least};
        case Aligned::image: return {0.5, 0.5, no_least};
        case Aligned::least_one: return {0, 0.5, 1};
        case Aligned::clamp_half_pixel: return {0, 0.5, no_least, 0.5, true};
        case Aligned::clamp_output_half_pixel: return {0, 0, no_least, 0.5, true};
        case Aligned::clamp_asymmetric: return {0, 0, no_least, 0, true};
        case Aligned::clamp_align_corners: break;
    }
    return {0, 0, no_least, 0, true, true};
}

// Points of an adaptive grid: more of them Real can neither count nor tell apart.
template <class Real>
constexpr double most_points = sizeof(Real) == 4 ? 16777216.0 : max_corner;

template <class Real>
struct AlignAxis {
    Real start, bin;
    int64_t grid;  // points per bin; 0: none
    bool outside;
    Real phase = (Real)0.5;
    bool clamped = false;
};

FASTROI_RULE float ceil_of(float v) { return (float)FASTROI_CEIL((double)v); }
FASTROI_RULE double ceil_of(double v) { return FASTROI_CEIL(v); }

template <class Real>
FASTROI_RULE AlignAxis<Real> align_axis(const AlignRule& rule, double lo, double hi, double scale, int64_t bins,
                                        int64_t sampling_ratio) {
    const Real start = ((Real)lo + (Real)rule.before) * (Real)scale - (Real)rule.after;
    const Real end = ((Real)hi + (Real)rule.before) * (Real)scale - (Real)rule.after;
    Real extent = end - start;
    if (!is_finite(start) || !is_finite(extent)) return {0, 0, 0, true};
    if (extent < (Real)rule.least) extent = (Real)rule.least;
    const Real bin = extent / (Real)bins;
    const double wanted = (double)ceil_of(bin);
    int64_t grid =
        sampling_ratio > 0 ? sampling_ratio : saturated(wanted < most_points<Real> ? wanted : most_points<Real>);
    const int64_t fewest = rule.clamped ? 1 : 0;
    if (grid < fewest) grid = fewest;
    const Real step = rule.to_end && bins > 1 ? extent / (Real)(bins - 1) : bin;
    return {start, step, grid, grid == 0, (Real)rule.phase, rule.clamped};
}

template <class Real>
struct AlignPoint {
    int64_t low;
    Real weight, high_weight;
    bool absent;
    int64_t times = 1;  // points of the bin that lie here
};

template <class Real>
FASTROI_RULE AlignPoint<Real> align_point(Real v, int64_t extent) {
    if (!(v >= -1 && v <= (Real)extent)) return {0, 0, 0, true};
    if (v <= 0) v = 0;
    const CellPlace<Real> cell = cell_of(v, extent);
    return {cell.low, 1 - cell.fraction, cell.fraction, false};
}

// The i-th of the bin's grid points. As the references write it: start + p * bin + (i + .5) * bin / grid.
template <class Real>
FASTROI_RULE Real align_coordinate(const AlignAxis<Real>& a, int64_t p, int64_t i) {
    return a.start + (Real)p * a.bin + ((Real)i + a.phase) * a.bin / (Real)a.grid;
}

struct PointSpan {
    int64_t first, end;
};

constexpr double most_spare_points = 4096;

FASTROI_RULE double farthest_in_steps(double coordinate, double step) {
    const double steps = coordinate / step;
    return steps < 0 ? -steps : steps;
}

// The first i of [0, count) for which `reached`, false and then true, is true.
template <class Reached>
FASTROI_RULE int64_t first_reached(int64_t count, const Reached& reached) {
    int64_t first = 0, end = count;
    while (first < end) {
        const int64_t middle = first + (end - first) / 2;
        if (reached(middle))
            end = middle;
        else
            first = middle + 1;
    }
    return first;
}

// The points whose coordinate is in [-1, extent]: rounding keeps a coordinate monotone along a row of points.
template <class Coordinate>
FASTROI_RULE PointSpan span_in_zone(int64_t count, int64_t extent, bool rising, const Coordinate& at) {
    using Real = decltype(at((int64_t)0));
    const Real end = (Real)extent;
    const auto enough = [&](int64_t i) { return rising ? at(i) >= -1 : at(i) <= end; };
    const auto too_far = [&](int64_t i) { return rising ? !(at(i) <= end) : !(at(i) >= -1); };
    return {first_reached(count, enough), first_reached(count, too_far)};
}

// The points that may lie on the map, a little generously: an adaptive grid can have 10^30 of them elsewhere. An empty span
// stands at the end of the grid if all points come before the map, else at its beginning.
template <class Real>
FASTROI_RULE PointSpan points_near_map(const AlignAxis<Real>& a, int64_t p, int64_t extent) {
    constexpr int64_t few = 4;  // sooner tried than found
    if (a.grid <= few) return {0, a.grid};
    const double step = (double)a.bin / (double)a.grid;
    const double origin = (double)a.start + (double)p * (double)a.bin;
    double first = (-2 - origin) / step - 2, end = ((double)extent + 1 - origin) / step + 2;
    if (step < 0) {
        const double swap = first;
        first = end - 4;
        end = swap + 4;
    }
    // Rounding moves a coordinate by a few units in the last place of the box's largest one, that is of the whole row of points.
    const double grid = (double)a.grid;
    const double slack =
        2 + 8 * (sizeof(Real) == 4 ? 0x1p-24 : 0x1p-53) * (grid * (double)(p + 1) + farthest_in_steps(a.start, step));
    first = FASTROI_FLOOR(first - slack);
    end = FASTROI_CEIL(end + slack);
    if (!(first > 0)) first = 0;
    if (!(end < grid)) end = grid;
    if (!(first < end)) return first >= grid ? PointSpan{a.grid, a.grid} : PointSpan{0, 0};
    // Where rounding may move points past the whole map, being generous is to try them all.
    if (end - first > most_spare_points && slack > most_spare_points / 4)
        return span_in_zone(a.grid, extent, a.bin >= 0, [&](int64_t i) { return align_coordinate(a, p, i); });
    return {(int64_t)first, (int64_t)end};
}

// Calls visit(point) for the points of bin p, ascending: all that lie on or beyond an outer cell's centre are one point of it.
template <class Real, class Visit>
FASTROI_RULE void visit_clamped_points(const AlignAxis<Real>& a, int64_t p, int64_t extent, Visit&& visit) {
    const PointSpan span = points_near_map(a, p, extent);
    const int64_t count = span.end - span.first;
    const auto coordinate = [&](int64_t k) {
        return align_coordinate(a, p, a.bin < 0 ? span.end - 1 - k : span.first + k);
    };
    int64_t k = 0;
    while (k < count && coordinate(k) <= 0) k++;
    const int64_t below = k + (a.bin < 0 ? a.grid - span.end : span.first);
    if (below > 0) visit(AlignPoint<Real>{0, 1, 0, false, below});
    int64_t within = 0;
    for (; k < count; k++, within++) {
        const Real v = coordinate(k);
        if (!(v < (Real)(extent - 1))) break;
        visit(align_point(v, extent));
    }
    if (below + within < a.grid) visit(AlignPoint<Real>{extent - 1, 1, 0, false, a.grid - below - within});
}

// Calls visit(point) for each point of bin p that is on the map, in ascending order of coordinate, and returns whether some
// point is not on the map.
template <class Real, class Visit>
FASTROI_RULE bool visit_align_points(const AlignAxis<Real>& a, int64_t p, int64_t extent, Visit&& visit) {
    if (a.outside) return false;
    if (a.clamped) {
        visit_clamped_points(a, p, extent, visit);
        return false;
    }
    const PointSpan span = points_near_map(a, p, extent);
    const int64_t count = span.end - span.first;
    bool absent = count < a.grid;
    for (int64_t k = 0; k < count; k++) {
        const int64_t i = a.bin < 0 ? span.end - 1 - k : span.first + k;
        const AlignPoint<Real> point = align_point(align_coordinate(a, p, i), extent);
        if (point.absent)
            absent = true;
        else
            visit(point);
    }
    return absent;
}

template <class Real, class Sink>
FASTROI_RULE void align_taps(const AlignAxis<Real>& a, int64_t p, int64_t extent, Sink&& sink) {
    TapMerger<Sink> merger{sink, a.grid > 0 ? 1.0 / (double)a.grid : 0};
    visit_align_points(a, p, extent, [&](const AlignPoint<Real>& point) {
        merger.add(point.low, (double)point.weight * (double)point.times,
                   (double)point.high_weight * (double)point.times);
    });
    merger.finish();
}

// --- RoIWarp (MNC) -------------------------------------------------------------------------------------------------------

struct WarpAxis {
    double start, bin;
    bool outside;
};

FASTROI_RULE WarpAxis warp_axis(double lo, double hi, double scale, int64_t bins) {
    const double first = round_half_away(lo * scale), last = round_half_away(hi * scale);
    if (!is_finite(first) || !is_finite(last)) return {0, 0, true};
    const double extent = last - first > 0 ? last - first : 0;
    return {first, extent / (double)bins, false};
}

// One point a bin, at the bin's start corner; the map reaches half a cell past its outer centres.
template <class Sink>
FASTROI_RULE void warp_taps(const WarpAxis& a, int64_t p, int64_t extent, Sink&& sink) {
    double v = a.start + (double)p * a.bin;
    if (a.outside || !(v >= -0.5 && v <= (double)extent - 0.5)) return;
    const CellPlace<double> cell = cell_of(v < 0 ? 0 : v, extent);
    sink(cell.low, 1 - cell.fraction);
    if (cell.fraction > 0) sink(cell.low + 1, cell.fraction);
}

// --- PrRoIPool -----------------------------------------------------------------------------------------------------------

struct PreciseAxis {
    double start, bin;
    bool outside;  // not finite, or of no length: the bins are 0
};

FASTROI_RULE PreciseAxis precise_axis(double lo, double hi, double scale, int64_t bins) {
    const double start = lo * scale, end = hi * scale;
    if (!is_finite(start) || !is_finite(end - start)) return {0, 0, true};
    const double bin = (end - start) / (double)bins;
    return {start, bin, !(bin > 0)};
}

// What the part of [lo, lo + length] inside [left, left + 1] adds to the mean of 1 + slope * t over it. A part that is not cut
// has the length itself, which lo + length - lo has not once it is short: the mean must not depend on that difference.
FASTROI_RULE double hat_half_mean(double lo, double length, double left, double slope) {
    const double hi = lo + length, right = left + 1;
    if (lo >= left && hi <= right) return 1 + slope * (lo + 0.5 * length);
    const double from = lo > left ? lo : left, to = hi < right ? hi : right;
    return to > from ? (to - from) / length * (1 + slope * 0.5 * (from + to)) : 0;
}

FASTROI_RULE double hat_mean(double lo, double length) {
    return hat_half_mean(lo, length, -1, 1) + hat_half_mean(lo, length, 0, -1);
}

template <class Sink>
FASTROI_RULE void precise_taps(const PreciseAxis& a, int64_t p, int64_t extent, Sink&& sink) {
    if (a.outside) return;
    const double lo = a.start + (double)p * a.bin, hi = lo + a.bin;
    const int64_t first = clamped(saturated(FASTROI_FLOOR(lo)), extent);
    const int64_t end = clamped(saturated(FASTROI_CEIL(hi)) + 1, extent);
    for (int64_t cell = first; cell < end; cell++) {
        const double weight = hat_mean(lo - (double)cell, a.bin);
        if (weight != 0) sink(cell, weight);
    }
}

// --- area pooling --------------------------------------------------------------------------------------------------------

enum class AreaReduce : int32_t { FASTROI_AREA_REDUCES(FASTROI_NAME_ONLY) };

struct AreaAxis {
    double start, end, bin;  // of the clipped interval, in cells' edges
};

FASTROI_RULE double clamped_edge(double v, int64_t extent) {
    return !(v > 0) ? 0 : v < (double)extent ? v : (double)extent;
}

FASTROI_RULE AreaAxis area_axis(double lo, double hi, double scale, int64_t bins, int64_t extent) {
    const double start = clamped_edge(lo * scale, extent), end = clamped_edge(hi * scale, extent);
    return {start, end, (end - start) / (double)bins};
}

FASTROI_RULE int64_t clamped_cell(int64_t cell, int64_t last) { return cell < last ? cell : last; }

// The length of each cell in bin p, or its share. A bin within one cell has the length of the bin itself, which the difference
// of its edges has not once it is short.
template <class Sink>
FASTROI_RULE void area_taps(const AreaAxis& a, bool mean, int64_t p, int64_t bins, Sink&& sink) {
    if (!(a.bin > 0)) return;
    const double lo = a.start + (double)p * a.bin, hi = p + 1 < bins ? a.start + (double)(p + 1) * a.bin : a.end;
    const int64_t last = (int64_t)FASTROI_CEIL(a.end) - 1, first = clamped_cell((int64_t)lo, last);
    if (hi <= (double)(first + 1)) return sink(first, mean ? 1 : a.bin);
    for (int64_t cell = first; cell <= last && (double)cell < hi; cell++) {
        const double from = lo > (double)cell ? lo : (double)cell,
                     to = hi < (double)(cell + 1) ? hi : (double)(cell + 1);
        if (to > from) sink(cell, mean ? (to - from) / a.bin : to - from);
    }
}

// --- crop_and_resize (TensorFlow) ----------------------------------------------------------------------------------------

enum class CropEnd : int32_t { FASTROI_CROP_ENDS(FASTROI_NAME_ONLY) };

struct CropAxis {
    float start, step;
    int64_t last;  // the output cell that lies on the end of the box, or none: -1
    float end;
};

// lo, hi: normalised, 0 the centre of the first cell and 1 that of the last; hi < lo mirrors.
// A single output cell samples the middle of the box.
FASTROI_RULE CropAxis crop_axis(double lo, double hi, int64_t bins, int64_t extent, CropEnd end) {
    const float a = (float)lo, b = (float)hi, span = (float)(extent - 1);
    if (bins == 1) return {0.5f * (a + b) * span, 0, -1, 0};
    const float step = (b - a) * span / (float)(bins - 1);
    return {a * span, step, end == CropEnd::exact ? bins - 1 : -1, b * span};
}

FASTROI_RULE float crop_coordinate(const CropAxis& a, int64_t p) {
    return p == a.last ? a.end : a.start + (float)p * a.step;
}

template <class Sink>
FASTROI_RULE void crop_bilinear_taps(const CropAxis& a, int64_t p, int64_t extent, Sink&& sink) {
    const float v = crop_coordinate(a, p);
    if (!(v >= 0 && v <= (float)(extent - 1))) return;
    const CellPlace<float> cell = cell_of(v, extent);
    const double fraction = (double)cell.fraction;
    sink(cell.low, 1 - fraction);
    if (fraction > 0) sink(cell.low + 1, fraction);
}

template <class Sink>
FASTROI_RULE void crop_nearest_taps(const CropAxis& a, int64_t p, int64_t extent, Sink&& sink) {
    const float v = crop_coordinate(a, p);
    if (!(v >= 0 && v <= (float)(extent - 1))) return;
    sink(cell_of(round_half_away((double)v), extent).low, 1.0);
}

// --- mean over ranges: weights of 1 for an axis marked `mean` -------------------------------------------------------

template <class Sink>
FASTROI_RULE void range_mean_taps(Range r, Sink&& sink) {
    for (int64_t cell = r.start; cell < r.end; cell++) sink(cell, 1.0);
}

}  // namespace fastroi
