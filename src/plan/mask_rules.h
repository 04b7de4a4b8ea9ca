// Where a pixel of an image lies on the mask of a box, one axis at a time. Freestanding, like rules.h.
#pragma once
#include "rules.h"

namespace fastroi {

// detectron2: pixel centres, zeros around the mask, pixels from floor(lo) - 1 to ceil(hi) + 1; detectron2_full: the whole image;
// detectron: the box, grown by the width of a mask cell all around, truncated to pixels, its last one included.
enum class PasteRule : int32_t { FASTROI_PASTE_RULES(FASTROI_NAME_ONLY) };

template <class Real>
struct PasteAxis {
    PasteRule rule;
    Real lo, hi;
    int64_t first, end;  // pixels that may be set
    int64_t cells;
};

FASTROI_RULE int64_t clamped_pixel(double v, int64_t pixels) { return clamped(saturated(v), pixels); }

template <class Real>
FASTROI_RULE PasteAxis<Real> nothing_pasted(PasteRule rule, int64_t cells) {
    return {rule, 0, 1, 0, 0, cells};
}

template <class Real>
FASTROI_RULE PasteAxis<Real> paste_axis(PasteRule rule, double from, double to, int64_t cells, int64_t pixels) {
    Real lo = (Real)from, hi = (Real)to;
    if (!is_finite((double)(hi - lo)) || !is_finite((double)(hi + lo))) return nothing_pasted<Real>(rule, cells);
    if (rule == PasteRule::detectron) {
        const Real half = (hi - lo) * (Real)0.5 * ((Real)(cells + 2) / (Real)cells), middle = (hi + lo) * (Real)0.5;
        lo = (Real)FASTROI_TRUNC((double)(middle - half));
        hi = (Real)FASTROI_TRUNC((double)(middle + half));
        return {rule, lo, hi, clamped_pixel((double)lo, pixels), clamped_pixel((double)hi + 1, pixels), cells};
    }
    if (lo == hi) return nothing_pasted<Real>(rule, cells);
    if (rule == PasteRule::detectron2)
        return {rule,
                lo,
                hi,
                clamped_pixel(FASTROI_FLOOR((double)lo) - 1, pixels),
                clamped_pixel(FASTROI_CEIL((double)hi) + 1, pixels),
                cells};
    const double cell = ((double)hi - (double)lo) / (double)cells, reach = (cell < 0 ? -cell : cell) + 2;
    const double least = lo < hi ? (double)lo : (double)hi, most = lo < hi ? (double)hi : (double)lo;
    return {rule,
            lo,
            hi,
            clamped_pixel(FASTROI_FLOOR(least - reach), pixels),
            clamped_pixel(FASTROI_CEIL(most + reach), pixels),
            cells};
}

// A pixel's value: low_weight * mask[low] + high_weight * mask[low + 1]. Cells off the mask, which low may be, are 0.
struct PastePoint {
    int64_t low;
    double low_weight, high_weight;
};

template <class Real>
FASTROI_RULE PastePoint paste_point(const PasteAxis<Real>& a, int64_t pixel) {
    Real v;
    if (a.rule == PasteRule::detectron) {
        const int64_t cells = a.cells + 2;
        const Real pixels = a.hi - a.lo + 1;
        v = ((Real)pixel - a.lo + (Real)0.5) * ((Real)cells / pixels) - (Real)0.5;
        if (v < 0) v = 0;
        if (v > (Real)(cells - 1)) v = (Real)(cells - 1);
        v = v - 1;
    } else {
        const Real normalised = ((Real)pixel + (Real)0.5 - a.lo) / (a.hi - a.lo) * 2 - 1;
        v = ((normalised + 1) * (Real)a.cells - 1) / 2;
    }
    if (!(v > -1 && v < (Real)a.cells)) return {-1, 0, 0};
    const Real low = (Real)FASTROI_FLOOR((double)v);
    const Real fraction = v - low;
    return {(int64_t)low, (double)(1 - fraction), (double)fraction};
}

template <class Real>
FASTROI_RULE PasteTap paste_tap(const PasteAxis<Real>& a, int64_t pixel) {
    const PastePoint point = paste_point(a, pixel);
    const auto position = [&](int64_t cell) { return cell < 0 || cell >= a.cells ? 0 : (int32_t)cell + 1; };
    PasteTap tap = {position(point.low), position(point.low + 1), point.low_weight, point.high_weight};
    if (tap.low_weight == 0) tap.low = tap.high_weight == 0 ? 0 : tap.high;
    if (tap.high_weight == 0) tap.high = tap.low;
    return tap;
}

// Whether an interpolated value belongs to the mask; detectron's rule asks for more than the threshold.
template <class Value>
FASTROI_RULE bool is_in_mask(Value value, Value threshold, bool strict) {
    return strict ? value > threshold : value >= threshold;
}

}  // namespace fastroi
