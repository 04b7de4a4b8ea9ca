// The ranges of position-sensitive RoI pooling. Freestanding, like rules.h.
#pragma once
#include "rules.h"

namespace fastroi {

// rfcn: R-FCN, MXNet, Paddle: round(x1) * scale to (round(x2) + 1) * scale, at least 0.1.
// openvino: the same with round(x2 + 1); ncnn and OpenCV too.
// torchvision: rounded after scaling, no + 1, at least 1; cells of the last row and column are never pooled.
// chainercv: not rounded, at least 0.1.
enum class PsRule : int32_t { FASTROI_PS_ROI_POOL_RULES(FASTROI_NAME_ONLY) };

template <class Real>
struct PsAxis {
    Real start, bin;
    bool outside;
};

template <class Real>
FASTROI_RULE PsAxis<Real> ps_axis(PsRule rule, double lo, double hi, double scale, int64_t bins) {
    const Real s = (Real)scale, x1 = (Real)lo, x2 = (Real)hi;
    Real start = 0, end = 0, least = (Real)0.1;
    switch (rule) {
        case PsRule::rfcn:
            start = (Real)round_half_away(x1) * s;
            end = ((Real)round_half_away(x2) + 1) * s;
            break;
        case PsRule::openvino:
            start = (Real)round_half_away(x1) * s;
            end = (Real)round_half_away(x2 + 1) * s;
            break;
        case PsRule::torchvision:
            start = (Real)round_half_away(x1 * s);
            end = (Real)round_half_away(x2 * s);
            least = 1;
            break;
        case PsRule::chainercv:
            start = x1 * s;
            end = x2 * s;
            break;
    }
    Real extent = end - start;
    if (!is_finite(start) || !is_finite(extent)) return {0, 0, true};
    if (extent < least) extent = least;
    return {start, extent / (Real)bins, false};
}

// torchvision adds the integer start after rounding the bin's edges, the others before.
template <class Real>
FASTROI_RULE Range ps_bin(PsRule rule, const PsAxis<Real>& a, int64_t p, int64_t extent) {
    const Real before = (Real)p * a.bin, after = (Real)(p + 1) * a.bin;
    if (rule == PsRule::torchvision) {
        const double lo = FASTROI_FLOOR((double)before) + (double)a.start,
                     hi = FASTROI_CEIL((double)after) + (double)a.start;
        return clipped({saturated(lo), saturated(hi)}, extent - 1);
    }
    return clipped(
        {saturated(FASTROI_FLOOR((double)(before + a.start))), saturated(FASTROI_CEIL((double)(after + a.start)))},
        extent);
}

}  // namespace fastroi
