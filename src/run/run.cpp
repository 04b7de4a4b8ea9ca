#include "run.h"

#include "pooling.h"
#if defined(FASTROI_CHECK_PLANS)
#include "plan_check.h"
#endif

namespace fastroi {

std::vector<ChannelWindow> whole_window(const Tensor& out) {
    return {{0, 1, 0, 0, {0, (int32_t)out.rows}, {0, (int32_t)out.columns}}};
}

namespace {

template <class Reduction>
void run(const Reduction& reduction, const Job& job) {
    Pooling<typename Reduction::Element, Reduction>(reduction, job, reduction.all())();
}

// A scan of ranges lists what it visits: some RoIs at a time, so that the list has a bound.
template <class T>
void run(const MaxOverRanges<T>& reduction, const Job& job) {
    const int64_t count = reduction.count(), step = rois_listed_at_once(reduction.plan.rois(), job.maps[0].rows);
    for (int64_t first = 0; first < count; first += step)
        Pooling<T, MaxOverRanges<T>>(reduction, job, {first, std::min(first + step, count)})();
}

template <class T>
void run(const MixedOrientations<T>& mixing, const Job& job) {
    mix_orientations(mixing, job);
}

void run(const MaskPart& masks, const Job& job) { pool_masks(masks, job); }

}  // namespace

void pool(const PlanPart& part, const Job& job) {
#if defined(FASTROI_CHECK_PLANS)
    require_sound_plan(part, job);
#endif
    std::visit([&](const auto& reduction) { run(reduction, job); }, part);
}

}  // namespace fastroi
