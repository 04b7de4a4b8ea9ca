// How operators whose bins are rows times columns are planned: the sides of each box, some boxes at a time.
#pragma once
#include <algorithm>

#include "../plan/range_plan.h"
#include "../plan/side.h"
#include "../plan/tap_plan.h"
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
    int threads;
};

template <class Body>
void for_each_batch(const std::vector<Box>& rois, const Job& job, const Body& body) {
    constexpr int64_t most_rois = 16384, most_bins = 1 << 22;
    const int64_t count = (int64_t)rois.size(),
                  step = std::clamp<int64_t>(most_bins / (job.out.rows + job.out.columns), 1, most_rois);
    const int threads = usable_threads(job.execution.threads);
    for (int64_t first = 0; first < count; first += step)
        body(Batch{rois, first, std::min(step, count - first), threads});
}

// sides(box) are its sides; ranges(side) gives the cells of the bins of either.
template <class SidesOf, class RangesOf>
RangePlan plan_ranges(const Batch& batch, const Tensor& out, const SidesOf& sides, const RangesOf& ranges) {
    return RangePlan(batch.rois.data(), batch.first, batch.count, {out.rows, out.columns}, batch.threads,
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
        batch.rois.data(), batch.first, batch.count, batch.threads,
        [&](Collector<T>& collector, Arena& arena, const Box& box) {
            const Sides s = sides(box);
            const TapAxis<T>* y = arena.keep(collector.collect(arena, s.y.bins, taps(s.y), mean));
            return std::make_pair(y, arena.keep(collector.collect(arena, s.x.bins, taps(s.x), mean)));
        });
}

// An operator that is a sum over taps, from plan to result.
template <class SidesOf, class TapsOf>
void sum_taps(const Call& call, Finish finish, double outside, const SidesOf& sides, const TapsOf& taps) {
    const Job job = call.job();
    with_element_type(call.dtype, [&](auto element) {
        using T = decltype(element);
        for_each_batch(call.rois, job, [&](const Batch& batch) {
            call.flow.take(SumOverTaps<T>{{plan_taps<T>(batch, finish, sides, taps)}, (T)outside}, job);
        });
    });
}

}  // namespace fastroi
