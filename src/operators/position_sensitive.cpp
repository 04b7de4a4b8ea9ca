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

// The groups of one axis that have bins, of so many.
struct AxisGroups {
    int64_t groups;
    std::vector<int64_t> with_bins;
};

// One axis per group, each of the group's bins: what a window visits lies together, which pays for collecting it by itself.
template <class T, class BinTaps>
const TapAxis<T>* collect_groups(Collector<T>& collector, Arena& arena, const AxisGroups& of, const Side& side,
                                 const BinTaps& taps) {
    TapAxis<T>* const axes = arena.allocate<TapAxis<T>>(of.with_bins.size());
    for (size_t g = 0; g < of.with_bins.size(); g++) {
        const Range group = bins_of_group(of.with_bins[g], of.groups, side.bins);
        axes[g] = collector.collect(
            arena, group.end - group.start, [&](int64_t p, auto&& sink) { taps(group.start + p, sink); }, false,
            points_asked_for(side));
    }
    return axes;
}

template <class T, class SidesOf, class TapsOf>
TapPlan<T> plan_group_taps(const Batch& batch, const AxisGroups& rows, const AxisGroups& columns, const SidesOf& sides,
                           const TapsOf& taps) {
    return TapPlan<T>::template build<T>(
        batch.rois.data(), batch.first, batch.count, batch.planners,
        [&](Collector<T>& collector, Arena& arena, const Box& box) {
            const Sides s = sides(box);
            const TapAxis<T>* y = collect_groups(collector, arena, rows, s.y, taps(s.y));
            return std::make_pair(y, collect_groups(collector, arena, columns, s.x, taps(s.x)));
        });
}

}  // namespace

void ps_roi_pool(const Request& request, const fastroi_ps_roi_pool_params& p) {
    check_scales(p.scale_h, p.scale_w);
    const Groups groups = checked_groups(p.group_h, p.group_w, p.channel_order, request.out);
    const Call call(request, product(groups.rows, groups.columns, "group_size"));
    if (call.rois.empty()) return;
    const Job job = call.job(channel_windows(groups, call.out));
    const SidesOnMap sides{call.map, call.out, p.scale_h, p.scale_w};
    with_arithmetic(p.arithmetic, [&](auto real) {
        const auto ranges = [&](const Side& side) {
            return position_sensitive_ranges<decltype(real)>((PsRule)p.rule, side);
        };
        with_arithmetic_of(call.dtype, [&](auto element) {
            for_each_batch(call.rois, job, no_lists, [&](const Batch& batch) {
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
    if (call.rois.empty()) return;
    const Job job = call.job(channel_windows(groups, call.out));
    const SidesOnMap sides{call.map, call.out, p.scale_h, p.scale_w, p.sampling_h, p.sampling_w};
    const AlignRule rule = align_rule(p.aligned);
    const AxisGroups rows = {groups.rows, groups_with_bins(groups.rows, call.out.rows)},
                     columns = {groups.columns, groups_with_bins(groups.columns, call.out.columns)};
    with_arithmetic(p.arithmetic, [&](auto real) {
        const auto taps = [&](const Side& side) { return align_taps<decltype(real)>(rule, side); };
        with_arithmetic_of(call.dtype, [&](auto element) {
            using T = decltype(element);
            for_each_batch(call.rois, job, taps_of_sides(sides), [&](const Batch& batch) {
                call.flow.take(SumOverTaps<T>{{plan_group_taps<T>(batch, rows, columns, sides, taps)}, 0}, job);
            });
        });
    });
}

}  // namespace fastroi
