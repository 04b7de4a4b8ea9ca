// The operators whose bins each read channels of their own.
#include "planning.h"
#include "groups.h"

namespace fastroi {

namespace {

Groups checked_groups(int64_t rows, int64_t columns, int32_t order, const fastroi_tensor* out) {
    if (!out) refuse(FASTROI_INVALID_VALUE, -1, "out: NULL");
    if (rows < 0 || columns < 0 || rows > max_bins || columns > max_bins)
        refuse(FASTROI_INVALID_VALUE, -1, "group_size: %lld x %lld", (long long)rows, (long long)columns);
    return {rows ? rows : std::max<int64_t>(1, out->shape[2]), columns ? columns : std::max<int64_t>(1, out->shape[3]),
            order == FASTROI_CHANNELS_BIN_MAJOR};
}

// One axis per group, each of the group's bins: what a window visits lies together, which pays for collecting it by itself.
template <class T, class BinTaps>
const TapAxis<T>* collect_groups(Collector<T>& collector, Arena& arena, int64_t groups, int64_t bins,
                                 const BinTaps& taps) {
    TapAxis<T>* const axes = arena.allocate<TapAxis<T>>(groups);
    for (int64_t g = 0; g < groups; g++) {
        const Range group = bins_of_group(g, groups, bins);
        axes[g] = collector.collect(arena, std::max(0, group.end - group.start),
                                    [&](int64_t p, auto&& sink) { taps(group.start + p, sink); });
    }
    return axes;
}

template <class T, class SidesOf, class TapsOf>
TapPlan<T> plan_group_taps(const Batch& batch, const Groups& groups, const SidesOf& sides, const TapsOf& taps) {
    return TapPlan<T>::template build<T>(
        batch.rois.data(), batch.first, batch.count, batch.threads,
        [&](Collector<T>& collector, Arena& arena, const Box& box) {
            const Sides s = sides(box);
            const TapAxis<T>* y = collect_groups(collector, arena, groups.rows, s.y.bins, taps(s.y));
            return std::make_pair(y, collect_groups(collector, arena, groups.columns, s.x.bins, taps(s.x)));
        });
}

}  // namespace

void ps_roi_pool(const Request& request, const fastroi_ps_roi_pool_params& p) {
    check_scales(p.scale_h, p.scale_w);
    const Groups groups = checked_groups(p.group_h, p.group_w, p.channel_order, request.out);
    const Call call(request, product(groups.rows, groups.columns, "group_size"));
    const Job job = call.job(channel_windows(groups, call.out));
    const SidesOnMap sides{call.map, call.out, p.scale_h, p.scale_w};
    with_arithmetic(p.arithmetic, [&](auto real) {
        const auto ranges = [&](const Side& side) {
            return position_sensitive_ranges<decltype(real)>((PsRule)p.rule, side);
        };
        with_element_type(call.dtype, [&](auto element) {
            for_each_batch(call.rois, job, [&](const Batch& batch) {
                call.flow.take(MeanOverRanges<decltype(element)>{{plan_ranges(batch, job.out, sides, ranges)}}, job);
            });
        });
    });
}

void ps_roi_align(const Request& request, const fastroi_ps_roi_align_params& p) {
    check_scales(p.scale_h, p.scale_w);
    check_sampling_ratios(p.sampling_h, p.sampling_w);
    const Groups groups = checked_groups(p.group_h, p.group_w, p.channel_order, request.out);
    const Call call(request, product(groups.rows, groups.columns, "group_size"));
    const Job job = call.job(channel_windows(groups, call.out));
    const SidesOnMap sides{call.map, call.out, p.scale_h, p.scale_w, p.sampling_h, p.sampling_w};
    const AlignRule rule = align_rule(p.aligned);
    with_arithmetic(p.arithmetic, [&](auto real) {
        const auto taps = [&](const Side& side) { return align_taps<decltype(real)>(rule, side); };
        with_element_type(call.dtype, [&](auto element) {
            using T = decltype(element);
            for_each_batch(call.rois, job, [&](const Batch& batch) {
                call.flow.take(SumOverTaps<T>{{plan_group_taps<T>(batch, groups, sides, taps)}, 0}, job);
            });
        });
    });
}

}  // namespace fastroi
