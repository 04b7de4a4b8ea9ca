// How operators whose bins are rows times columns are planned: the sides of each box, some boxes at a time.
#pragma once
#include <algorithm>
#include <cmath>

#include "../plan/range_plan.h"
#include "../plan/side.h"
#include "../plan/tap_plan.h"
#include "../run/stop_sign.h"
#include "call.h"

namespace fastroi {

struct Sides {
    Side y, x;
};

// The sides of boxes on one map.
struct SidesOnMap {
    const Tensor &map, &out;
    double scale_h = 1, scale_w = 1;
    int64_t sampling_h = 0, sampling_w = 0;

    Sides operator()(const Box& box) const {
        const double* const c = box.coordinate;
        return {{c[1], c[3], scale_h, sampling_h, out.rows, map.rows},
                {c[0], c[2], scale_w, sampling_w, out.columns, map.columns}};
    }
};

// Boxes planned and run at a time: bounds the memory of plans, not the size of a call.
struct Batch {
    const std::vector<Box>& rois;
    int64_t first, count;
    Planners planners;
};

inline int64_t points_asked_for(const Side& side) { return std::max<int64_t>(1, side.sampling); }

// How long the list of a side may become, about: its bins share the cells along their edges.
inline double most_taps(const Side& side) {
    const double cells = std::min((double)side.extent, std::fabs(side.hi - side.lo) * side.scale);
    const double bins = (double)side.bins;
    return side.sampling > 0 ? std::min(2 * bins * (double)side.sampling, cells + 3 * bins) : cells + 3 * bins;
}
inline double most_samples(const Side& side) {
    return side.sampling > 0 ? (double)side.bins * (double)side.sampling : most_taps(side);
}

// What boxes list on both axes: of taps, of sample points, of nothing but a range for each bin.
template <class SidesOf>
auto taps_of_sides(const SidesOf& sides) {
    return [&sides](const Box& box) {
        const Sides s = sides(box);
        return most_taps(s.y) + most_taps(s.x);
    };
}
template <class SidesOf>
auto points_of_sides(const SidesOf& sides) {
    return [&sides](const Box& box) {
        const Sides s = sides(box);
        return most_samples(s.y) + most_samples(s.x);
    };
}
constexpr auto no_lists = [](const Box&) { return 0.0; };

template <class Listed, class Body>
void for_each_batch(const std::vector<Box>& rois, const Job& job, const Listed& listed, const Body& body) {
    constexpr int64_t most_rois = 16384, most_bins = 1 << 22;
    constexpr double most_listed = 1 << 21;
    const int64_t count = (int64_t)rois.size(),
                  step = std::clamp<int64_t>(most_bins / (job.out.rows + job.out.columns), 1, most_rois);
    StopSign* const stop = job.execution.stop;
    const Planners planners = planners_of(job.execution, rois);
    for (int64_t first = 0, end; first < count; first = end) {
        double total = listed(rois[first]);
        for (end = first + 1; end < std::min(first + step, count); end++)
            if ((total += listed(rois[end])) > most_listed) break;
        body(Batch{rois, first, end - first, planners});
        stop->poll();
        stop->throw_if_raised();
    }
}

// sides(box) are its sides; ranges(side) gives the cells of the bins of either.
template <class SidesOf, class RangesOf>
RangePlan plan_ranges(const Batch& batch, const Tensor& out, const SidesOf& sides, const RangesOf& ranges) {
    return RangePlan(batch.rois.data(), batch.first, batch.count, {out.rows, out.columns}, batch.planners,
                     [&](const Box& box) {
                         const Sides s = sides(box);
                         return std::make_pair(ranges(s.y), ranges(s.x));
                     });
}

// What the bins of a sum become: itself, or the mean over cells whose taps all weigh 1.
enum class Finish { sum, mean };

// Likewise; taps(side) hands out the bins of either.
template <class T, class SidesOf, class TapsOf>
TapPlan<T> plan_taps(const Batch& batch, Finish finish, const SidesOf& sides, const TapsOf& taps) {
    const bool mean = finish == Finish::mean;
    return TapPlan<T>::template build<T>(
        batch.rois.data(), batch.first, batch.count, batch.planners,
        [&](Collector<T>& collector, Arena& arena, const Box& box) {
            const Sides s = sides(box);
            const auto axis = [&](const Side& side) {
                return arena.keep(collector.collect(arena, side.bins, taps(side), mean, points_asked_for(side)));
            };
            const TapAxis<T>* y = axis(s.y);
            return std::make_pair(y, axis(s.x));
        });
}

// An operator that is a sum over taps, from plan to result.
template <class SidesOf, class TapsOf>
void sum_taps(const Call& call, Finish finish, double outside, const SidesOf& sides, const TapsOf& taps) {
    const Job job = call.job();
    with_arithmetic_of(call.dtype, [&](auto element) {
        using T = decltype(element);
        for_each_batch(call.rois, job, taps_of_sides(sides), [&](const Batch& batch) {
            call.flow.take(SumOverTaps<T>{{plan_taps<T>(batch, finish, sides, taps)}, (T)outside}, job);
        });
    });
}

}  // namespace fastroi
