// The interpolating rules whose bins are not ranges of rows times ranges of columns of the map: rotated and deformable RoI
// pooling. Freestanding, like rules.h, but for cosine and sine: they are those of the library at hand, which no two round alike.
#pragma once
#include "tap_rules.h"

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define FASTROI_COS(x) cos(x)
#define FASTROI_SIN(x) sin(x)
#else
#define FASTROI_COS(x) __builtin_cos(x)
#define FASTROI_SIN(x) __builtin_sin(x)
#endif

namespace fastroi {

// Sample points are visited one by one here, not axis by axis.
constexpr int64_t max_gather_sampling = 1 << 10;

// --- rotated RoIAlign ----------------------------------------------------------------------------------------------------

// A box in its own frame, its centre the origin, and where that frame lies on the map.
template <class Real>
struct RotatedBox {
    AlignAxis<Real> y, x;
    Real centre_y, centre_x, cosine, sine;
    bool outside;
};

// More points on an axis than the type of the coordinates resolves to a fraction of a cell.
template <class Real>
FASTROI_RULE bool too_long_to_resolve(const AlignAxis<Real>& a, int64_t bins) {
    return (double)a.grid * (double)bins > (sizeof(Real) == 4 ? 16777216.0 : 1099511627776.0);
}

template <class Real>
FASTROI_RULE AlignAxis<Real> centred_axis(Real extent, int64_t bins, int64_t sampling_ratio) {
    if (!is_finite((double)extent)) return {0, 0, 0, true};
    const Real bin = extent / (Real)bins;
    const int64_t grid = sampling_ratio > 0 ? sampling_ratio : saturated((double)ceil_of(bin));
    return {-extent / 2, bin, grid < 0 ? 0 : grid, grid <= 0};
}

// What a caller says about the boxes of one call.
struct Rotation {
    bool aligned, clockwise, degrees;
    int64_t sampling_y, sampling_x;
    double scale_y, scale_x;
};

template <class Real>
FASTROI_RULE Real angle_in_radians(const Rotation& r, double angle) {
    const Real given = (Real)angle;
    return r.degrees ? (Real)((double)given * 3.14159265358979323846 / 180) : given;
}

// cx, cy, w, h: image pixels; a positive angle turns the box counter-clockwise on screen, or clockwise if the caller says so.
template <class Real>
FASTROI_RULE RotatedBox<Real> rotated_box(const Rotation& r, const double (&box)[5], int64_t rows, int64_t columns) {
    const Real radians = angle_in_radians<Real>(r, box[4]), angle = r.clockwise ? -radians : radians;
    const Real cosine = (Real)FASTROI_COS((double)angle), sine = (Real)FASTROI_SIN((double)angle);
    const bool aligned = r.aligned;
    const Real shift = aligned ? (Real)0.5 : 0;
    const Real centre_x = (Real)box[0] * (Real)r.scale_x - shift, centre_y = (Real)box[1] * (Real)r.scale_y - shift;
    Real width = (Real)box[2] * (Real)r.scale_x, height = (Real)box[3] * (Real)r.scale_y;
    if (!aligned && width < 1) width = 1;
    if (!aligned && height < 1) height = 1;
    const AlignAxis<Real> y = centred_axis(height, rows, r.sampling_y), x = centred_axis(width, columns, r.sampling_x);
    const bool outside = y.outside || x.outside || !is_finite((double)angle) || !is_finite((double)centre_x) ||
                         !is_finite((double)centre_y) || too_long_to_resolve(y, rows) ||
                         too_long_to_resolve(x, columns);
    return {y, x, centre_y, centre_x, cosine, sine, outside};
}

template <class Real>
FASTROI_RULE Real rotated_y(const RotatedBox<Real>& b, Real yy, Real xx) {
    return yy * b.cosine - xx * b.sine + b.centre_y;
}

template <class Real>
FASTROI_RULE Real rotated_x(const RotatedBox<Real>& b, Real yy, Real xx) {
    return yy * b.sine + xx * b.cosine + b.centre_x;
}

constexpr int64_t short_grid = 64;  // so few points are all tried

// The points of bin p on axis `a` of the box's frame that may reach the map: the map's middle in that frame, half of what it spans
// there, and what rounding may add to it.
template <class Real>
FASTROI_RULE PointSpan points_near_turned_map(const RotatedBox<Real>& b, const AlignAxis<Real>& a, int64_t p,
                                              double middle, double half, int64_t rows, int64_t columns) {
    const auto magnitude = [](double v) { return v < 0 ? -v : v; };
    const double unit = sizeof(Real) == 4 ? 6e-8 : 1.2e-16;
    const double size = magnitude((double)b.y.start) + magnitude((double)b.x.start) + magnitude((double)b.centre_y) +
                        magnitude((double)b.centre_x);
    const double reach = half + 1 + 16 * unit * (size + (double)(rows + columns));
    const double origin = (double)a.start + (double)p * (double)a.bin, step = (double)a.bin / (double)a.grid;
    const double first = FASTROI_FLOOR((middle - reach - origin) / step) - 2,
                 end = FASTROI_CEIL((middle + reach - origin) / step) + 2;
    const int64_t from = first > 0 ? saturated(first) : 0;
    const int64_t to = end < (double)a.grid ? saturated(end) : a.grid;
    return from < to ? PointSpan{from, to} : PointSpan{0, 0};
}

template <class Real>
FASTROI_RULE PointSpan point_rows_near_map(const RotatedBox<Real>& b, int64_t p, int64_t rows, int64_t columns) {
    if (b.y.grid <= short_grid) return {0, b.y.grid};
    const auto magnitude = [](double v) { return v < 0 ? -v : v; };
    const double cosine = (double)b.cosine, sine = (double)b.sine;
    const double middle = ((double)(rows - 1) / 2 - (double)b.centre_y) * cosine +
                          ((double)(columns - 1) / 2 - (double)b.centre_x) * sine;
    const double half = magnitude(cosine) * (double)(rows + 1) / 2 + magnitude(sine) * (double)(columns + 1) / 2;
    return points_near_turned_map(b, b.y, p, middle, half, rows, columns);
}

template <class Real>
FASTROI_RULE PointSpan point_columns_near_map(const RotatedBox<Real>& b, int64_t p, int64_t rows, int64_t columns) {
    if (b.x.grid <= short_grid) return {0, b.x.grid};
    const auto magnitude = [](double v) { return v < 0 ? -v : v; };
    const double cosine = (double)b.cosine, sine = (double)b.sine;
    const double middle = ((double)(columns - 1) / 2 - (double)b.centre_x) * cosine -
                          ((double)(rows - 1) / 2 - (double)b.centre_y) * sine;
    const double half = magnitude(sine) * (double)(rows + 1) / 2 + magnitude(cosine) * (double)(columns + 1) / 2;
    return points_near_turned_map(b, b.x, p, middle, half, rows, columns);
}

template <class Real>
FASTROI_RULE PointSpan points_of_row_near_map(const RotatedBox<Real>& b, int64_t pw, Real yy, int64_t rows,
                                              int64_t columns) {
    const int64_t count = b.x.grid;
    if (count <= short_grid) return {0, count};
    const bool forward = b.x.bin >= 0;
    const PointSpan y = span_in_zone(count, rows, (b.sine <= 0) == forward,
                                     [&](int64_t i) { return rotated_y(b, yy, align_coordinate(b.x, pw, i)); });
    const PointSpan x = span_in_zone(count, columns, (b.cosine >= 0) == forward,
                                     [&](int64_t i) { return rotated_x(b, yy, align_coordinate(b.x, pw, i)); });
    return {y.first > x.first ? y.first : x.first, y.end < x.end ? y.end : x.end};
}

// Whether the whole bin lies off the map: the corners of its points say so, as a coordinate is monotone along rows and columns.
template <class Real>
FASTROI_RULE bool bin_misses_map(const RotatedBox<Real>& b, int64_t ph, int64_t pw, int64_t rows, int64_t columns) {
    const Real ys[2] = {align_coordinate(b.y, ph, 0), align_coordinate(b.y, ph, b.y.grid - 1)};
    const Real xs[2] = {align_coordinate(b.x, pw, 0), align_coordinate(b.x, pw, b.x.grid - 1)};
    int above = 0, below = 0, left = 0, right = 0;
    for (const Real yy : ys)
        for (const Real xx : xs) {
            const Real y = rotated_y(b, yy, xx), x = rotated_x(b, yy, xx);
            above += y < -1;
            below += y > (Real)rows;
            left += x < -1;
            right += x > (Real)columns;
        }
    return above == 4 || below == 4 || left == 4 || right == 4;
}

template <class Real>
struct MapPoint {
    AlignPoint<Real> y, x;
};

// Where the point (yy, xx) of the box's own frame lies on the map.
template <class Real>
FASTROI_RULE MapPoint<Real> rotated_point(const RotatedBox<Real>& b, Real yy, Real xx, int64_t rows, int64_t columns) {
    return {align_point(rotated_y(b, yy, xx), rows), align_point(rotated_x(b, yy, xx), columns)};
}

struct NoRows {
    FASTROI_RULE void operator()(int64_t) const {}
};

constexpr int64_t few_points = 256;  // of a bin: sooner tried than known to be off the map

// Calls visit(y point, x point) for each of the bin's points that is on the map, in reading order of the box's own frame, and
// row(points) for each row of points that may reach it.
template <class Real, class Visit, class Row = NoRows>
FASTROI_RULE void visit_rotated_points(const RotatedBox<Real>& b, int64_t ph, int64_t pw, int64_t rows, int64_t columns,
                                       Visit&& visit, const Row& row = {}) {
    if (b.outside) return;
    if ((double)b.y.grid * (double)b.x.grid > few_points) {
        if (bin_misses_map(b, ph, pw, rows, columns)) return;
        const PointSpan point_columns = point_columns_near_map(b, pw, rows, columns);
        if (point_columns.first == point_columns.end) return;
    }
    const PointSpan point_rows = point_rows_near_map(b, ph, rows, columns);
    for (int64_t i = point_rows.first; i < point_rows.end; i++) {
        const Real yy = align_coordinate(b.y, ph, i);
        const PointSpan span = points_of_row_near_map(b, pw, yy, rows, columns);
        row(span.end - span.first);
        for (int64_t j = span.first; j < span.end; j++) {
            const MapPoint<Real> point = rotated_point(b, yy, align_coordinate(b.x, pw, j), rows, columns);
            if (!point.y.absent && !point.x.absent) visit(point.y, point.x);
        }
    }
}

// The four cells of a point and their weights, of which some may be zero: sink(row, column, weight).
template <class Real, class Sink>
FASTROI_RULE void cells_of_point(const AlignPoint<Real>& y, const AlignPoint<Real>& x, Sink&& sink) {
    const double yw = (double)y.weight, yh = (double)y.high_weight, xw = (double)x.weight, xh = (double)x.high_weight;
    sink(y.low, x.low, yw * xw);
    sink(y.low, x.low + 1, yw * xh);
    sink(y.low + 1, x.low, yh * xw);
    sink(y.low + 1, x.low + 1, yh * xh);
}

// What each of its points weighs in a bin.
template <class Real>
FASTROI_RULE double rotated_weight(const RotatedBox<Real>& b) {
    return 1.0 / ((double)b.y.grid * (double)b.x.grid);
}

// --- RiRoIAlign (mmcv) ----------------------------------------------------------------------------------------------------

// Output orientation o mixes input orientations (o - index) and (o - index + 1), modulo their number.
struct Orientation {
    int64_t index;
    double weight, next_weight;
};

template <class Real>
FASTROI_RULE Orientation orientation_of(Real angle, int64_t orientations) {
    const Real turns = (Real)((double)(angle * (Real)orientations) / 6.283185307179586);
    const double whole = FASTROI_FLOOR((double)turns);
    // So large a number has no fraction, be it that it is infinite.
    const double rest = is_finite((double)turns) ? (double)(Real)((double)turns - whole) : 0;
    const int64_t index = saturated(whole) % orientations;
    return {index < 0 ? index + orientations : index, (double)(Real)(1.0 - rest), rest};
}

// Orientation i of `count` from the unmixed ones, value(number); one of weight zero is never read.
template <class T, class Value>
FASTROI_RULE T mixed(const Orientation& o, int64_t i, int64_t count, const Value& value) {
    const int64_t from = (i - o.index + count) % count;
    T sum = 0;
    if (o.weight != 0) sum += (T)(o.weight * (double)value(from));
    if (o.next_weight != 0) sum += (T)(o.next_weight * (double)value((from + 1) % count));
    return sum;
}

// --- deformable RoI pooling ------------------------------------------------------------------------------------------------

// mmcv: RoIAlign with the half-pixel shift, each bin moved by gamma * extent * offset.
template <class Real>
struct MovableAxis {
    AlignAxis<Real> axis;
    Real extent;
};

template <class Real>
FASTROI_RULE MovableAxis<Real> movable_axis(double lo, double hi, double scale, int64_t bins, int64_t sampling_ratio) {
    const AlignRule half_pixel = {0, 0.5, no_least};
    const AlignAxis<Real> axis = align_axis<Real>(half_pixel, lo, hi, scale, bins, sampling_ratio);
    const Real start = (Real)lo * (Real)scale - (Real)0.5, end = (Real)hi * (Real)scale - (Real)0.5;
    return {axis, end - start};
}

template <class Real>
FASTROI_RULE AlignAxis<Real> moved(const MovableAxis<Real>& a, double gamma, double offset) {
    AlignAxis<Real> axis = a.axis;
    if (offset == 0) return axis;
    axis.start = axis.start + (Real)gamma * a.extent * (Real)offset;
    axis.outside = axis.outside || !is_finite((double)axis.start);
    return axis;
}

// Deformable PS-RoIPool (DCN, MXNet, OpenVINO): points at the starts of a bin's parts, the map reaching half a cell past its
// outer centres; the mean is over the points that are on the map.
template <class Real>
struct PartAxis {
    Real start, extent, bin;
    bool outside;
};

template <class Real>
FASTROI_RULE PartAxis<Real> part_axis(double lo, double hi, double scale, int64_t bins) {
    const Real start = (Real)round_half_away((double)(Real)lo) * (Real)scale - (Real)0.5;
    const Real end = ((Real)round_half_away((double)(Real)hi) + 1) * (Real)scale - (Real)0.5;
    Real extent = end - start;
    if (!is_finite((double)start) || !is_finite((double)extent)) return {0, 0, 0, true};
    if (extent < (Real)0.1) extent = (Real)0.1;
    return {start, extent, extent / (Real)bins, false};
}

// What an offset moves a bin by, in extents of the box.
template <class Real>
FASTROI_RULE Real part_shift(double offset, double trans_std) {
    return (Real)offset * (Real)trans_std;
}

// shift: what the bin moves by, in extents.
template <class Real, class Sink>
FASTROI_RULE void part_taps(const PartAxis<Real>& a, int64_t p, int64_t samples, Real shift, int64_t extent,
                            Sink&& sink) {
    if (a.outside) return;
    const Real corner = (Real)p * a.bin + a.start + shift * a.extent;
    const Real step = a.bin / (Real)samples;
    const auto on_map = [&](Real v) { return v >= (Real)-0.5 && v <= (Real)extent - (Real)0.5; };
    int64_t count = 0;
    for (int64_t i = 0; i < samples; i++) count += on_map(corner + (Real)i * step);
    TapMerger<Sink> merger{sink, count > 0 ? 1.0 / (double)count : 0};
    for (int64_t i = 0; i < samples; i++) {
        const Real v = corner + (Real)i * step;
        if (!on_map(v)) continue;
        const CellPlace<Real> cell = cell_of(v < 0 ? 0 : v, extent);
        merger.add(cell.low, 1 - (double)cell.fraction, (double)cell.fraction);
    }
    merger.finish();
}

}  // namespace fastroi
