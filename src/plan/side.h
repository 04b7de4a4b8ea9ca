// One side of one box, and what each rule makes of it: a callable that hands out the bins one by one.
//
// taps_of(side)(p, sink) emits the weighted cells of bin p; ranges_of(side)(p) gives its cells; points_of(side)(p, visit) visits
// its sample points on the map and returns whether it has others.
#pragma once
#include "ps_rules.h"
#include "tap_rules.h"

namespace fastroi {

// An interval of the image, the bins that divide it, and the map that it lies on.
struct Side {
    double lo, hi;
    double scale;      // map cells per image pixel
    int64_t sampling;  // points per bin; <= 0: as many as a bin has cells
    int64_t bins, extent;
};

inline auto quantised_ranges(RangeRule rule, const Side& side) {
    const QuantisedAxis axis = quantise(rule, side.lo, side.hi, side.scale);
    return [=, bins = side.bins, extent = side.extent](int64_t p) {
        return axis.outside ? Range{0, 0} : clipped(range_of_bin(rule, axis, p, bins), extent);
    };
}

template <class Real>
auto position_sensitive_ranges(PsRule rule, const Side& side) {
    const PsAxis<Real> axis = ps_axis<Real>(rule, side.lo, side.hi, side.scale, side.bins);
    return [=, extent = side.extent](int64_t p) { return axis.outside ? Range{0, 0} : ps_bin(rule, axis, p, extent); };
}

// Ranges as the taps of a mean.
template <class Ranges>
auto mean_taps(const Ranges& ranges) {
    return [=](int64_t p, auto&& sink) { range_mean_taps(ranges(p), sink); };
}

template <class Real>
AlignAxis<Real> align_axis(const AlignRule& rule, const Side& side) {
    return align_axis<Real>(rule, side.lo, side.hi, side.scale, side.bins, side.sampling);
}

template <class Real>
auto align_taps(const AlignRule& rule, const Side& side) {
    const AlignAxis<Real> axis = align_axis<Real>(rule, side);
    return [=, extent = side.extent](int64_t p, auto&& sink) { align_taps(axis, p, extent, sink); };
}

template <class Real>
auto align_points(const AlignRule& rule, const Side& side) {
    const AlignAxis<Real> axis = align_axis<Real>(rule, side);
    return [=, extent = side.extent](int64_t p, auto&& visit) { return visit_align_points(axis, p, extent, visit); };
}

inline auto warp_taps(const Side& side) {
    const WarpAxis axis = warp_axis(side.lo, side.hi, side.scale, side.bins);
    return [=, extent = side.extent](int64_t p, auto&& sink) { warp_taps(axis, p, extent, sink); };
}

inline auto precise_taps(const Side& side) {
    const PreciseAxis axis = precise_axis(side.lo, side.hi, side.scale, side.bins);
    return [=, extent = side.extent](int64_t p, auto&& sink) { precise_taps(axis, p, extent, sink); };
}

inline auto area_taps(bool mean, const Side& side) {
    const AreaAxis axis = area_axis(side.lo, side.hi, side.scale, side.bins, side.extent);
    return [=, bins = side.bins](int64_t p, auto&& sink) { area_taps(axis, mean, p, bins, sink); };
}

inline auto crop_taps(bool nearest, CropEnd end, const Side& side) {
    const CropAxis axis = crop_axis(side.lo, side.hi, side.bins, side.extent, end);
    return [=, extent = side.extent](int64_t p, auto&& sink) {
        if (nearest)
            crop_nearest_taps(axis, p, extent, sink);
        else
            crop_bilinear_taps(axis, p, extent, sink);
    };
}

}  // namespace fastroi
