// The quantisation rules: one interval of a box in, the cells of every bin out. All the semantics of RoIPool live here.
//
// Freestanding on purpose: the CPU build and a GPU compiler read this same text. No standard library, no allocation, no
// exceptions, no intrinsic. Contraction must be off (-ffp-contract=off, --fmad=false): a fused product moves bin edges.
//
// A rule is a row of FASTROI_ROI_POOL_RULES, a case in quantise() and one in range_of_bin().
#pragma once
#include "../../fastroi/include/fastroi_choices.h"
#include "axis_plan.h"

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define FASTROI_RULE __host__ __device__ inline
#define FASTROI_FLOOR(x) floor(x)
#define FASTROI_CEIL(x) ceil(x)
#define FASTROI_TRUNC(x) trunc(x)
#else
#define FASTROI_RULE inline
#define FASTROI_FLOOR(x) __builtin_floor(x)
#define FASTROI_CEIL(x) __builtin_ceil(x)
#define FASTROI_TRUNC(x) __builtin_trunc(x)
#endif

namespace fastroi {

enum class RangeRule : int32_t { FASTROI_ROI_POOL_RULES(FASTROI_NAME_ONLY) };
constexpr int32_t range_rule_count = FASTROI_COUNT(FASTROI_ROI_POOL_RULES);

// Beyond this a double no longer counts cells; quantised corners saturate here, so that no later sum leaves int64.
constexpr double max_corner = 9007199254740992.0;
constexpr int64_t max_bins = 0x7fffffff;

FASTROI_RULE double round_half_away(double v) {
    const double t = FASTROI_TRUNC(v);
    const double rest = v - t;
    return rest >= 0.5 ? t + 1 : rest <= -0.5 ? t - 1 : t;
}

FASTROI_RULE double round_half_even(double v) {
    const double below = FASTROI_FLOOR(v);
    const double rest = v - below;
    const bool below_is_even = FASTROI_FLOOR(below / 2) * 2 == below;
    return rest > 0.5 || (rest == 0.5 && !below_is_even) ? below + 1 : below;
}

// OpenCV's: the float sum v + 0.5 is itself rounded, so 0.49999997f gives 1.
FASTROI_RULE double round_by_adding_half_f32(float v) { return FASTROI_TRUNC((double)(v + (v >= 0 ? 0.5f : -0.5f))); }

FASTROI_RULE bool is_finite(double v) { return v - v == 0; }

FASTROI_RULE int64_t saturated(double v) {
    return v >= max_corner ? (int64_t)max_corner : v <= -max_corner ? -(int64_t)max_corner : (int64_t)v;
}

// A quantised interval: `start` and `length` in cells for the rules that round the box, lo and hi for the one that does not.
struct QuantisedAxis {
    double lo, hi;
    int64_t start, length;
    bool outside;  // a scaled coordinate is not finite, or the rule skips such a box: every bin is empty
};

FASTROI_RULE int64_t at_least_one(int64_t n) { return n < 1 ? 1 : n; }

FASTROI_RULE QuantisedAxis outside_axis(double lo, double hi) { return {lo, hi, 0, 0, true}; }

FASTROI_RULE QuantisedAxis integer_axis(int64_t start, int64_t length) {
    return {(double)start, (double)(start + length), start, length, false};
}

FASTROI_RULE QuantisedAxis from_corners(double first, double last, int64_t plus) {
    const int64_t start = saturated(first);
    return integer_axis(start, at_least_one(saturated(last) - start + plus));
}

// lo, hi: the box on this axis in image pixels, finite; scale: cells per pixel.
FASTROI_RULE QuantisedAxis quantise(RangeRule rule, double lo, double hi, double scale) {
    const double lo64 = lo * scale, hi64 = hi * scale, extent64 = (hi - lo) * scale;
    const float scale32 = (float)scale;
    const float lo32 = (float)lo * scale32, hi32 = (float)hi * scale32;

    switch (rule) {
        case RangeRule::floor:
            if (!is_finite(lo64) || !is_finite(extent64)) return outside_axis(lo64, lo64 + extent64);
            return integer_axis(saturated(FASTROI_FLOOR(lo64)), at_least_one(saturated(FASTROI_FLOOR(extent64))));
        case RangeRule::fast_rcnn:
        case RangeRule::fast_rcnn_f64:
            if (!is_finite(lo64) || !is_finite(hi64)) return outside_axis(lo64, hi64);
            return from_corners(round_half_away(lo64), round_half_away(hi64), 1);
        case RangeRule::chainer:
            if (!is_finite(lo64) || !is_finite(hi64)) return outside_axis(lo64, hi64);
            return from_corners(round_half_even(lo64), round_half_even(hi64), 0);
        case RangeRule::fast_rcnn_f32:
        case RangeRule::mnn:
            if (!is_finite(lo32) || !is_finite(hi32)) return outside_axis(lo32, hi32);
            return from_corners(round_half_away(lo32), round_half_away(hi32), 1);
        case RangeRule::opencv:
            if (!is_finite(lo32) || !is_finite(hi32)) return outside_axis(lo32, hi32);
            return from_corners(round_by_adding_half_f32(lo32), round_by_adding_half_f32(hi32), 1);
        case RangeRule::acl: {
            const float extent32 = (float)(hi - lo) * scale32;
            if (!is_finite(lo32) || !is_finite(extent32)) return outside_axis(lo32, lo32 + extent32);
            return integer_axis(saturated(round_half_away(lo32)), at_least_one(saturated(round_half_away(extent32))));
        }
        case RangeRule::mmcv: {
            const float past32 = ((float)hi + 1.0f) * scale32;
            const float extent32 = past32 - lo32;
            if (!is_finite(lo32) || !is_finite(extent32) || !(extent32 > 0)) return outside_axis(lo32, past32);
            return {lo32, past32, 0, 0, false};
        }
    }
    return outside_axis(lo64, hi64);
}

struct CellRange {
    int64_t start, end;
};

FASTROI_RULE CellRange floor_rule_bin(int64_t start, int64_t length, int64_t p, int64_t bins) {
    const int64_t cells_per_bin = length / bins;
    if (cells_per_bin == 0) return {start + p * length / bins, start + p * length / bins + 1};
    return {start + p * cells_per_bin, start + (p + 1) * cells_per_bin};
}

// floor(p * length / bins) and ceil((p + 1) * length / bins), split so that no product overflows.
FASTROI_RULE CellRange exact_bin(int64_t start, int64_t length, int64_t p, int64_t bins) {
    const int64_t whole = length / bins, rest = length % bins;
    return {start + p * whole + p * rest / bins, start + (p + 1) * whole + ((p + 1) * rest + bins - 1) / bins};
}

template <class Real>
FASTROI_RULE CellRange float_bin(int64_t start, int64_t length, int64_t p, int64_t bins) {
    const Real size = (Real)length / (Real)bins;
    const Real before = (Real)p * size, after = (Real)(p + 1) * size;
    return {start + (int64_t)FASTROI_FLOOR((double)before), start + (int64_t)FASTROI_CEIL((double)after)};
}

FASTROI_RULE int64_t acl_edge(int64_t start, int64_t length, int64_t p, int64_t bins) {
    const float quotient = (float)p / (float)bins;
    const float edge = quotient * (float)length;
    return start + (int64_t)FASTROI_FLOOR((double)edge);
}

FASTROI_RULE CellRange mmcv_bin(double lo, double hi, int64_t p, int64_t bins) {
    const float begin = (float)lo, size = ((float)hi - begin) / (float)bins;
    const float before = (float)p * size, after = (float)(p + 1) * size;
    return {saturated(FASTROI_FLOOR((double)(before + begin))), saturated(FASTROI_CEIL((double)(after + begin)))};
}

// `size` added up n times, each sum rounded. Between two powers of two every addition adds the same, but for the first, which may be a
// tie that makes the sum even: long ways are gone in one step for each power of two.
FASTROI_RULE float added_up(float size, int64_t n) {
    constexpr int64_t few = 64;
    float sum = 0;
    if (n <= few) {
        for (int64_t i = 0; i < n; i++) sum = sum + size;
        return sum;
    }
    float top = 1;  // the power of two that the sum has not reached
    while (top > size) top = top / 2;
    while (!(size < top)) top = top * 2;
    while (n > 0) {
        const float before = sum;
        sum = sum + size;
        n--;
        while (!(sum < top)) top = top * 2;
        const float added = (sum + size) - sum;
        if (added == 0) return sum;
        if (before < top / 2) continue;
        const float larger = added > size ? added : size;
        const double steps = FASTROI_FLOOR(((double)top - (double)sum) / (double)larger) - 1;
        const int64_t jump = steps < (double)n ? (int64_t)steps : n;
        if (jump <= 0) continue;
        sum = (float)((double)sum + (double)jump * (double)added);
        n -= jump;
    }
    return sum;
}

// MNN adds the bin size up instead of multiplying; the rounding error of the running sum is the rule.
FASTROI_RULE CellRange mnn_bin(int64_t start, int64_t length, int64_t p, int64_t bins) {
    const float size = (float)length / (float)bins;
    const float edge = added_up(size, p);
    const float next = edge + size;
    return {start + (int64_t)FASTROI_FLOOR((double)edge), start + (int64_t)FASTROI_CEIL((double)next)};
}

FASTROI_RULE CellRange opencv_bin(int64_t start, int64_t length, int64_t p, int64_t bins) {
    const float size = (float)length / (float)bins, begin = (float)start;
    const float before = (float)p * size, after = (float)(p + 1) * size;
    const float first = begin + before, last = begin + (float)FASTROI_CEIL((double)after);
    return {(int64_t)FASTROI_TRUNC((double)first), (int64_t)last};
}

// The cells of bin p, not clipped. 0 <= p < bins <= max_bins; the axis is not outside.
FASTROI_RULE CellRange range_of_bin(RangeRule rule, const QuantisedAxis& a, int64_t p, int64_t bins) {
    switch (rule) {
        case RangeRule::floor: return floor_rule_bin(a.start, a.length, p, bins);
        case RangeRule::fast_rcnn: return exact_bin(a.start, a.length, p, bins);
        case RangeRule::fast_rcnn_f32: return float_bin<float>(a.start, a.length, p, bins);
        case RangeRule::fast_rcnn_f64:
        case RangeRule::chainer: return float_bin<double>(a.start, a.length, p, bins);
        case RangeRule::acl: return {acl_edge(a.start, a.length, p, bins), acl_edge(a.start, a.length, p + 1, bins)};
        case RangeRule::mmcv: return mmcv_bin(a.lo, a.hi, p, bins);
        case RangeRule::mnn: return mnn_bin(a.start, a.length, p, bins);
        case RangeRule::opencv: return opencv_bin(a.start, a.length, p, bins);
    }
    return {0, 0};
}

// Where a coordinate in [0, extent - 1] lies: between the centres of cell `low` and the next, or on that of the last cell. Held to the
// map here and nowhere else: a float32 that stands for the last of more than 2^24 cells may lie past it.
template <class Real>
struct CellPlace {
    int64_t low;
    Real fraction;
};

template <class Real>
FASTROI_RULE CellPlace<Real> cell_of(Real v, int64_t extent) {
    const int64_t low = (int64_t)v;
    if (low >= extent - 1) return {extent - 1, 0};
    return {low, v - (Real)low};
}

FASTROI_RULE int64_t clamped(int64_t v, int64_t extent) { return v < 0 ? 0 : v > extent ? extent : v; }

// The range as kernels take it: inside [0, extent), {0, 0} when nothing is left. extent < 2^31.
FASTROI_RULE Range clipped(CellRange r, int64_t extent) {
    const int64_t start = clamped(r.start, extent), end = clamped(r.end, extent);
    if (end <= start) return {0, 0};
    return {(int32_t)start, (int32_t)end};
}

}  // namespace fastroi
