#include "operators.h"

#include <algorithm>
#include <cmath>

#include "call.h"
#include "plan/ps_rules.h"

namespace fastroi {
namespace {

// RoIs planned and run at a time: bounds the memory of plans, not the size of a call.
constexpr int64_t rois_per_batch = 16384;
constexpr int64_t plan_entries_per_batch = 1 << 22;

int64_t batch_size(const Tensor& out) {
    const int64_t fitting = plan_entries_per_batch / (out.rows + out.columns);
    return fitting < 1 ? 1 : fitting < rois_per_batch ? fitting : rois_per_batch;
}

template <class Body>
void for_each_batch(int64_t rois, const Tensor& out, const Body& body) {
    const int64_t step = batch_size(out);
    for (int64_t first = 0; first < rois; first += step) body(first, std::min<int64_t>(step, rois - first));
}

void check_sampling_ratio(int64_t ratio) {
    if (ratio > max_sampling_ratio)
        refuse(FASTROI_INVALID_VALUE, -1, "sampling_ratio: %lld; at most %lld", (long long)ratio, (long long)max_sampling_ratio);
}

// --- planning by taps ------------------------------------------------------------------------------------------------

template <class Axis>
const Axis* kept(Arena& arena, const Axis& axis) {
    Axis* const copy = arena.allocate<Axis>(1);
    *copy = axis;
    return copy;
}

// What the bins of a sum become: itself, or the mean over cells whose taps all weigh 1.
enum class Finish { sum, mean };

// y_taps(box) and x_taps(box) return a callable that emits (bin, sink).
template <class T, class YTaps, class XTaps>
TapPlan<T> plan_taps(const Call& call, int64_t first, int64_t count, Finish finish, const YTaps& y_taps, const XTaps& x_taps) {
    const bool mean = finish == Finish::mean;
    return TapPlan<T>::template build<T>(
        call.rois.data(), first, count, call.threads(), [&](Collector<T>& collector, Arena& arena, const Box& box) {
            const TapAxis<T>* y = kept(arena, collector.collect(arena, call.out.rows, y_taps(box), mean));
            return std::make_pair(y, kept(arena, collector.collect(arena, call.out.columns, x_taps(box), mean)));
        });
}

template <class YTaps, class XTaps>
void run_taps(const Call& call, Finish finish, double outside, const YTaps& y_taps, const XTaps& x_taps) {
    with_element_type(call.dtype, [&](auto element) {
        using T = decltype(element);
        for_each_batch((int64_t)call.rois.size(), call.out, [&](int64_t first, int64_t count) {
            run_sum_taps<T>(plan_taps<T>(call, first, count, finish, y_taps, x_taps), call.job(), (T)outside);
        });
    });
}

// --- RoIPool ---------------------------------------------------------------------------------------------------------

RangeRule checked_rule(int32_t rule) {
    check_code(rule, range_rule_count, "rule");
    return (RangeRule)rule;
}

auto ranges_of(RangeRule rule, double lo, double hi, double scale, int64_t bins, int64_t extent) {
    const QuantisedAxis axis = quantise(rule, lo, hi, scale);
    return [=](int64_t p) { return axis.outside ? Range{0, 0} : clipped(range_of_bin(rule, axis, p, bins), extent); };
}

// The same as taps of a mean.
template <class Ranges>
auto mean_taps_of(const Ranges& ranges) {
    return [=](int64_t p, auto&& sink) { range_mean_taps(ranges(p), sink); };
}

}  // namespace

void roi_pool(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_roi_pool_params* params,
              const fastroi_tensor* out, const fastroi_tensor* argmax, const fastroi_exec* exec) {
    const fastroi_roi_pool_params p = read_params(params);
    check_scales(p.scale_h, p.scale_w);
    const RangeRule rule = checked_rule(p.rule);
    check_code(p.reduce, 2, "reduce");
    if (p.reduce == FASTROI_REDUCE_MEAN && argmax) refuse(FASTROI_INVALID_VALUE, -1, "argmax: a mean has none");
    const Call call(features, boxes, out, exec);
    Tensor offsets{};
    if (argmax) {
        offsets = read_output(argmax, FASTROI_INT64, boxes->count, call.map.channels, "argmax");
        if (offsets.rows != call.out.rows || offsets.columns != call.out.columns)
            refuse(FASTROI_INVALID_VALUE, -1, "argmax: its shape differs from out's");
    }
    const auto y = [&](const Box& b) { return ranges_of(rule, b.coordinate[1], b.coordinate[3], p.scale_h, call.out.rows, call.map.rows); };
    const auto x = [&](const Box& b) { return ranges_of(rule, b.coordinate[0], b.coordinate[2], p.scale_w, call.out.columns, call.map.columns); };
    if (p.reduce == FASTROI_REDUCE_MEAN)
        return run_taps(
            call, Finish::mean, 0, [&](const Box& b) { return mean_taps_of(y(b)); }, [&](const Box& b) { return mean_taps_of(x(b)); });
    for_each_batch((int64_t)call.rois.size(), call.out, [&](int64_t first, int64_t count) {
        const RangePlan plan(call.rois.data(), first, count, {call.out.rows, call.out.columns}, call.threads(), y, x);
        with_element_type(call.dtype, [&](auto element) { run_max_ranges<decltype(element)>(plan, call.job(), offsets); });
    });
}

// --- RoIAlign --------------------------------------------------------------------------------------------------------

namespace {

constexpr SampleMaximum sample_maxima[] = {
    {false, true, false},   // FASTROI_ALIGN_MAX
    {true, true, false},    // FASTROI_ALIGN_MAX_CORNERS
    {false, true, true},    // FASTROI_ALIGN_MAX_FROM_ZERO
    {false, false, false},  // FASTROI_ALIGN_MAX_INSIDE
};

struct Alignment {
    AlignRule rule;
    fastroi_roi_align_params params;

    explicit Alignment(const fastroi_roi_align_params* from) : params(read_params(from)) {
        check_code(params.coordinates, align_rule_count, "aligned");
        check_code(params.reduce, 5, "reduce");
        check_code(params.arithmetic, 2, "arithmetic");
        check_sampling_ratio(params.sampling_h);
        check_sampling_ratio(params.sampling_w);
        rule = align_rule(params.coordinates);
    }
};

template <class Real>
auto align_taps_of(const AlignRule& rule, double lo, double hi, double scale, int64_t sampling, int64_t bins, int64_t extent) {
    const AlignAxis<Real> axis = align_axis<Real>(rule, lo, hi, scale, bins, sampling);
    return [=](int64_t p, auto&& sink) { align_taps(axis, p, extent, sink); };
}

template <class Real>
auto align_points_of(const AlignRule& rule, double lo, double hi, double scale, int64_t sampling, int64_t bins, int64_t extent) {
    const AlignAxis<Real> axis = align_axis<Real>(rule, lo, hi, scale, bins, sampling);
    return [=](int64_t p, auto&& visit) { return visit_align_points(axis, p, extent, visit); };
}

// The map and scale of each RoI: one level, or the level its image number says.
struct Levels {
    const std::vector<Tensor>& maps;
    const double *scales_h, *scales_w;

    int64_t level(const Box& box) const { return box.image / maps[0].images; }
};

template <class T, class Real>
void align_batch(const Alignment& a, const Levels& levels, const std::vector<Box>& rois, int64_t first, int64_t count,
                 const Job& job) {
    const int threads = usable_threads(job.execution.threads);
    const auto axes = [&](const Box& b, const auto& y_of, const auto& x_of) {
        const int64_t level = levels.level(b);
        const Tensor& map = levels.maps[level];
        return std::make_pair(y_of(b.coordinate[1], b.coordinate[3], levels.scales_h[level], map.rows),
                              x_of(b.coordinate[0], b.coordinate[2], levels.scales_w[level], map.columns));
    };
    if (a.params.reduce == FASTROI_ALIGN_MEAN) {
        const auto taps = [&](int64_t sampling, int64_t bins) {
            return [=, &a](double lo, double hi, double scale, int64_t extent) {
                return align_taps_of<Real>(a.rule, lo, hi, scale, sampling, bins, extent);
            };
        };
        const auto plan = TapPlan<T>::template build<T>(
            rois.data(), first, count, threads, [&](Collector<T>& collector, Arena& arena, const Box& box) {
                const auto [y, x] = axes(box, taps(a.params.sampling_h, job.out.rows), taps(a.params.sampling_w, job.out.columns));
                const TapAxis<T>* y_axis = kept(arena, collector.collect(arena, job.out.rows, y));
                return std::make_pair(y_axis, kept(arena, collector.collect(arena, job.out.columns, x)));
            });
        return run_sum_taps<T>(plan, job, 0);
    }
    const auto points = [&](int64_t sampling, int64_t bins) {
        return [=, &a](double lo, double hi, double scale, int64_t extent) {
            return align_points_of<Real>(a.rule, lo, hi, scale, sampling, bins, extent);
        };
    };
    const auto plan = SamplePlan<T>::template build<T>(
        rois.data(), first, count, threads, [&](Collector<T>& collector, Arena& arena, const Box& box) {
            const auto [y, x] = axes(box, points(a.params.sampling_h, job.out.rows), points(a.params.sampling_w, job.out.columns));
            const SampleAxis<T>* y_axis = kept(arena, collector.collect_samples(arena, job.out.rows, y));
            return std::make_pair(y_axis, kept(arena, collector.collect_samples(arena, job.out.columns, x)));
        });
    run_max_samples<T>(plan, job, sample_maxima[a.params.reduce - FASTROI_ALIGN_MAX]);
}

void align_all(const Alignment& a, const Levels& levels, const std::vector<Box>& rois, int32_t dtype, const Job& job) {
    for_each_batch((int64_t)rois.size(), job.out, [&](int64_t first, int64_t count) {
        with_element_type(dtype, [&](auto element) {
            with_element_type(a.params.arithmetic == FASTROI_ARITHMETIC_F32 ? FASTROI_FLOAT32 : FASTROI_FLOAT64, [&](auto real) {
                align_batch<decltype(element), decltype(real)>(a, levels, rois, first, count, job);
            });
        });
    });
}

}  // namespace

void roi_align(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_roi_align_params* params,
               const fastroi_tensor* out, const fastroi_exec* exec) {
    const Alignment alignment(params);
    check_scales(alignment.params.scale_h, alignment.params.scale_w);
    const Call call(features, boxes, out, exec);
    const Job job = call.job();
    align_all(alignment, {job.maps, &alignment.params.scale_h, &alignment.params.scale_w}, call.rois, call.dtype, job);
}

void multiscale_roi_align(const fastroi_tensor* features, const double* scales, int32_t levels, const fastroi_boxes* boxes,
                          const int64_t* level_of_roi, const fastroi_roi_align_params* params, const fastroi_tensor* out,
                          const fastroi_exec* exec) {
    const Alignment alignment(params);
    if (!features || !scales || levels < 1) refuse(FASTROI_INVALID_VALUE, -1, "features: %d levels; at least one required", levels);
    const int64_t count = checked(boxes).count;
    if (!level_of_roi && count > 0) refuse(FASTROI_INVALID_VALUE, -1, "levels: NULL");
    Job job{{}, {}, {}, read_execution(exec)};
    for (int32_t level = 0; level < levels; level++) {
        check_scale(scales[level]);
        job.maps.push_back(read_features(features + level, count));
        if (features[level].dtype != features[0].dtype)
            refuse(FASTROI_INVALID_TYPE, -1, "features[%d]: dtype code %d; %d required, as in level 0", level, features[level].dtype,
                   features[0].dtype);
        if (job.maps[level].images != job.maps[0].images || job.maps[level].channels != job.maps[0].channels)
            refuse(FASTROI_INVALID_VALUE, -1, "features[%d]: %lld images of %lld channels; %lld of %lld required, as in level 0",
                   level, (long long)job.maps[level].images, (long long)job.maps[level].channels, (long long)job.maps[0].images,
                   (long long)job.maps[0].channels);
    }
    job.out = read_output(out, features[0].dtype, count, job.maps[0].channels, "out");
    job.windows = whole_window(job.out);
    std::vector<Box> rois = read_boxes(*boxes, 4, job.maps[0].images);
    for (int64_t k = 0; k < count; k++) {
        const int64_t level = level_of_roi[k];
        if (level < 0 || level >= levels)
            refuse(FASTROI_INVALID_VALUE, k, "levels[%lld]: %lld is outside [0, %d)", (long long)k, (long long)level, levels);
        rois[k].image += level * job.maps[0].images;
    }
    align_all(alignment, {job.maps, scales, scales}, rois, features[0].dtype, job);
}

// --- position-sensitive ------------------------------------------------------------------------------------------------

namespace {

struct Groups {
    int64_t rows, columns;
    bool bin_major;
};

Groups checked_groups(int64_t rows, int64_t columns, int32_t order, const fastroi_tensor* out) {
    check_code(order, 2, "channel_order");
    if (!out) refuse(FASTROI_INVALID_VALUE, -1, "out: NULL");
    if (rows < 0 || columns < 0 || rows > max_bins || columns > max_bins)
        refuse(FASTROI_INVALID_VALUE, -1, "group_size: %lld x %lld", (long long)rows, (long long)columns);
    return {rows ? rows : std::max<int64_t>(1, out->shape[2]), columns ? columns : std::max<int64_t>(1, out->shape[3]),
            order == FASTROI_CHANNELS_BIN_MAJOR};
}

// The bins p of `bins` that belong to group g of `groups`: floor(p * groups / bins) == g.
Range bins_of_group(int64_t g, int64_t groups, int64_t bins) {
    return {(int32_t)((g * bins + groups - 1) / groups), (int32_t)(((g + 1) * bins + groups - 1) / groups)};
}

std::vector<ChannelWindow> channel_windows(const Groups& groups, const Tensor& out) {
    std::vector<ChannelWindow> windows;
    for (int64_t gh = 0; gh < groups.rows; gh++)
        for (int64_t gw = 0; gw < groups.columns; gw++) {
            const Range rows = bins_of_group(gh, groups.rows, out.rows), columns = bins_of_group(gw, groups.columns, out.columns);
            if (is_empty(rows) || is_empty(columns)) continue;
            const int64_t group = gh * groups.columns + gw;
            if (groups.bin_major)
                windows.push_back({group * out.channels, 1, gh, gw, rows, columns});
            else
                windows.push_back({group, groups.rows * groups.columns, gh, gw, rows, columns});
        }
    return windows;
}

// One axis per group, each of the group's bins: what a window visits lies together, which pays for collecting it by itself.
template <class T, class BinTaps>
const TapAxis<T>* collect_groups(Collector<T>& collector, Arena& arena, int64_t groups, int64_t bins, const BinTaps& taps) {
    TapAxis<T>* const axes = arena.allocate<TapAxis<T>>(groups);
    for (int64_t g = 0; g < groups; g++) {
        const Range group = bins_of_group(g, groups, bins);
        axes[g] = collector.collect(arena, std::max(0, group.end - group.start),
                                    [&](int64_t p, auto&& sink) { taps(group.start + p, sink); });
    }
    return axes;
}

template <class Real>
auto ps_ranges_of(PsRule rule, double lo, double hi, double scale, int64_t bins, int64_t extent) {
    const PsAxis<Real> axis = ps_axis<Real>(rule, lo, hi, scale, bins);
    return [=](int64_t p) { return axis.outside ? Range{0, 0} : ps_bin(rule, axis, p, extent); };
}

}  // namespace

void ps_roi_pool(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_ps_roi_pool_params* params,
                 const fastroi_tensor* out, const fastroi_exec* exec) {
    const fastroi_ps_roi_pool_params p = read_params(params);
    check_scales(p.scale_h, p.scale_w);
    check_code(p.rule, ps_rule_count, "rule");
    check_code(p.arithmetic, 2, "arithmetic");
    const Groups groups = checked_groups(p.group_h, p.group_w, p.channel_order, out);
    const Call call(features, boxes, out, exec, product(groups.rows, groups.columns, "group_size"));
    const PsRule rule = (PsRule)p.rule;
    with_element_type(p.arithmetic == FASTROI_ARITHMETIC_F32 ? FASTROI_FLOAT32 : FASTROI_FLOAT64, [&](auto real) {
        using Real = decltype(real);
        const Job job = call.job(channel_windows(groups, call.out));
        for_each_batch((int64_t)call.rois.size(), call.out, [&](int64_t first, int64_t count) {
            const RangePlan plan(
                call.rois.data(), first, count, {call.out.rows, call.out.columns}, call.threads(),
                [&](const Box& b) { return ps_ranges_of<Real>(rule, b.coordinate[1], b.coordinate[3], p.scale_h, call.out.rows, call.map.rows); },
                [&](const Box& b) {
                    return ps_ranges_of<Real>(rule, b.coordinate[0], b.coordinate[2], p.scale_w, call.out.columns, call.map.columns);
                });
            with_element_type(call.dtype, [&](auto element) { run_mean_ranges<decltype(element)>(plan, job); });
        });
    });
}

void ps_roi_align(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_ps_roi_align_params* params,
                  const fastroi_tensor* out, const fastroi_exec* exec) {
    const fastroi_ps_roi_align_params p = read_params(params);
    check_scales(p.scale_h, p.scale_w);
    check_code(p.coordinates, align_rule_count, "aligned");
    check_code(p.arithmetic, 2, "arithmetic");
    check_sampling_ratio(p.sampling_h);
    check_sampling_ratio(p.sampling_w);
    const Groups groups = checked_groups(p.group_h, p.group_w, p.channel_order, out);
    const Call call(features, boxes, out, exec, product(groups.rows, groups.columns, "group_size"));
    const AlignRule rule = align_rule(p.coordinates);
    with_element_type(p.arithmetic == FASTROI_ARITHMETIC_F32 ? FASTROI_FLOAT32 : FASTROI_FLOAT64, [&](auto real) {
        using Real = decltype(real);
        const auto y = [&](const Box& b) {
            return align_taps_of<Real>(rule, b.coordinate[1], b.coordinate[3], p.scale_h, p.sampling_h, call.out.rows, call.map.rows);
        };
        const auto x = [&](const Box& b) {
            return align_taps_of<Real>(rule, b.coordinate[0], b.coordinate[2], p.scale_w, p.sampling_w, call.out.columns, call.map.columns);
        };
        const Job job = call.job(channel_windows(groups, call.out));
        with_element_type(call.dtype, [&](auto element) {
            using T = decltype(element);
            for_each_batch((int64_t)call.rois.size(), call.out, [&](int64_t first, int64_t count) {
                const auto plan = TapPlan<T>::template build<T>(
                    call.rois.data(), first, count, call.threads(), [&](Collector<T>& collector, Arena& arena, const Box& box) {
                        const TapAxis<T>* y_axes = collect_groups(collector, arena, groups.rows, call.out.rows, y(box));
                        return std::make_pair(y_axes, collect_groups(collector, arena, groups.columns, call.out.columns, x(box)));
                    });
                run_sum_taps<T>(plan, job, 0);
            });
        });
    });
}

// --- RoIWarp, PrRoIPool, crop_and_resize ---------------------------------------------------------------------------------

namespace {

auto warp_taps_of(double lo, double hi, double scale, int64_t bins, int64_t extent) {
    const WarpAxis axis = warp_axis(lo, hi, scale, bins);
    return [=](int64_t p, auto&& sink) { warp_taps(axis, p, extent, sink); };
}

auto precise_taps_of(double lo, double hi, double scale, int64_t bins, int64_t extent) {
    const PreciseAxis axis = precise_axis(lo, hi, scale, bins);
    return [=](int64_t p, auto&& sink) { precise_taps(axis, p, extent, sink); };
}

auto crop_taps_of(bool nearest, double lo, double hi, int64_t bins, int64_t extent) {
    const CropAxis axis = crop_axis(lo, hi, bins, extent);
    return [=](int64_t p, auto&& sink) {
        if (nearest)
            crop_nearest_taps(axis, p, extent, sink);
        else
            crop_bilinear_taps(axis, p, extent, sink);
    };
}

}  // namespace

void roi_warp(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_scale_params* params,
              const fastroi_tensor* out, const fastroi_exec* exec) {
    const fastroi_scale_params p = read_params(params);
    check_scales(p.scale_h, p.scale_w);
    const Call call(features, boxes, out, exec);
    run_taps(
        call, Finish::sum, 0, [&](const Box& b) { return warp_taps_of(b.coordinate[1], b.coordinate[3], p.scale_h, call.out.rows, call.map.rows); },
        [&](const Box& b) { return warp_taps_of(b.coordinate[0], b.coordinate[2], p.scale_w, call.out.columns, call.map.columns); });
}

void prroi_pool(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_scale_params* params,
                const fastroi_tensor* out, const fastroi_exec* exec) {
    const fastroi_scale_params p = read_params(params);
    check_scales(p.scale_h, p.scale_w);
    const Call call(features, boxes, out, exec);
    run_taps(
        call, Finish::sum, 0, [&](const Box& b) { return precise_taps_of(b.coordinate[1], b.coordinate[3], p.scale_h, call.out.rows, call.map.rows); },
        [&](const Box& b) { return precise_taps_of(b.coordinate[0], b.coordinate[2], p.scale_w, call.out.columns, call.map.columns); });
}

void crop_and_resize(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_crop_params* params,
                     const fastroi_tensor* out, const fastroi_exec* exec) {
    const fastroi_crop_params p = read_params(params);
    check_code(p.method, 2, "method");
    const Call call(features, boxes, out, exec);
    const bool nearest = p.method == FASTROI_CROP_NEAREST;
    run_taps(
        call, Finish::sum, p.extrapolation_value,
        [&](const Box& b) { return crop_taps_of(nearest, b.coordinate[1], b.coordinate[3], call.out.rows, call.map.rows); },
        [&](const Box& b) { return crop_taps_of(nearest, b.coordinate[0], b.coordinate[2], call.out.columns, call.map.columns); });
}

// --- explanation -------------------------------------------------------------------------------------------------------

void axis_ranges(int32_t rule_code, double lo, double hi, double scale, int64_t bins, int64_t extent, double* interval,
                 int64_t* edges) {
    const RangeRule rule = checked_rule(rule_code);
    check_scale(scale);
    if (!std::isfinite(lo) || !std::isfinite(hi))
        refuse(FASTROI_INVALID_VALUE, -1, "box: [%g, %g]; coordinates must be finite", lo, hi);
    if (bins < 1 || bins > max_bins) refuse(FASTROI_INVALID_VALUE, -1, "output_size: %lld", (long long)bins);
    if (extent > max_bins) refuse(FASTROI_OVERFLOW, -1, "map_size: %lld", (long long)extent);
    const QuantisedAxis axis = quantise(rule, lo, hi, scale);
    interval[0] = axis.lo;
    interval[1] = axis.hi;
    for (int64_t p = 0; p < bins; p++) {
        CellRange r = axis.outside ? CellRange{0, 0} : range_of_bin(rule, axis, p, bins);
        if (extent >= 0) {
            const Range inside = clipped(r, extent);
            r = {inside.start, inside.end};
        }
        edges[2 * p] = r.start;
        edges[2 * p + 1] = r.end;
    }
}

namespace {

void check_explained_axis(int32_t op, double lo, double hi, double scale, int64_t sampling_ratio, int64_t bins, int64_t extent) {
    check_code(op, 6, "op");
    check_scale(scale);
    check_sampling_ratio(sampling_ratio);
    if (!std::isfinite(lo) || !std::isfinite(hi))
        refuse(FASTROI_INVALID_VALUE, -1, "box: [%g, %g]; coordinates must be finite", lo, hi);
    if (bins < 1 || bins > max_bins) refuse(FASTROI_INVALID_VALUE, -1, "output_size: %lld", (long long)bins);
    if (extent < 1 || extent > max_bins) refuse(FASTROI_INVALID_VALUE, -1, "map_size: %lld", (long long)extent);
}

}  // namespace

int64_t axis_taps(int32_t op, double lo, double hi, double scale, int64_t sampling_ratio, int64_t bins, int64_t extent,
                  int64_t capacity, int64_t* bin, int64_t* cell, double* weight) {
    check_explained_axis(op, lo, hi, scale, sampling_ratio, bins, extent);
    int64_t count = 0;
    const auto list = [&](const auto& taps) {
        for (int64_t p = 0; p < bins; p++)
            taps(p, [&](int64_t index, double w) {
                if (count < capacity) bin[count] = p, cell[count] = index, weight[count] = w;
                count++;
            });
    };
    if (op <= FASTROI_TAPS_ALIGN_IMAGE_HALF_PIXEL)
        list(align_taps_of<double>(align_rule(op), lo, hi, scale, sampling_ratio, bins, extent));
    else if (op == FASTROI_TAPS_WARP)
        list(warp_taps_of(lo, hi, scale, bins, extent));
    else if (op == FASTROI_TAPS_PRECISE)
        list(precise_taps_of(lo, hi, scale, bins, extent));
    else
        list(crop_taps_of(false, lo, hi, bins, extent));
    return count;
}

int64_t axis_points(int32_t op, double lo, double hi, double scale, int64_t sampling_ratio, int64_t bins, int64_t extent,
                    int64_t capacity, double* interval, int64_t* grid, int64_t* bin, double* coordinate, double* weight) {
    check_explained_axis(op, lo, hi, scale, sampling_ratio, bins, extent);
    int64_t count = 0;
    const auto list = [&](int64_t p, double v, double w) {
        if (count < capacity) bin[count] = p, coordinate[count] = v, weight[count] = w;
        count++;
    };
    const auto one_a_bin = [&](const auto& coordinate_of, const auto& taps) {
        for (int64_t p = 0; p < bins; p++) {
            double share = 0;
            taps(p, [&](int64_t, double w) { share += w; });
            list(p, coordinate_of(p), share);
        }
    };
    *grid = op == FASTROI_TAPS_PRECISE ? 0 : 1;
    if (op <= FASTROI_TAPS_ALIGN_IMAGE_HALF_PIXEL) {
        const AlignAxis<double> a = align_axis<double>(align_rule(op), lo, hi, scale, bins, sampling_ratio);
        *grid = a.grid;
        interval[0] = a.start, interval[1] = a.start + a.bin * (double)bins;
        for (int64_t p = 0; p < bins && !a.outside; p++) {
            const PointSpan span = points_near_map(a, p, extent);
            for (int64_t i = span.first; i < span.end; i++) {
                const double v = align_coordinate(a, p, i);
                list(p, v, align_point(v, extent).absent ? 0 : 1 / (double)a.grid);
            }
        }
    } else if (op == FASTROI_TAPS_WARP) {
        const WarpAxis a = warp_axis(lo, hi, scale, bins);
        interval[0] = a.start, interval[1] = a.start + a.bin * (double)bins;
        one_a_bin([&](int64_t p) { return a.start + (double)p * a.bin; }, warp_taps_of(lo, hi, scale, bins, extent));
    } else if (op == FASTROI_TAPS_PRECISE) {
        const PreciseAxis a = precise_axis(lo, hi, scale, bins);
        interval[0] = a.start, interval[1] = a.start + a.bin * (double)bins;
    } else {
        const CropAxis a = crop_axis(lo, hi, bins, extent);
        interval[0] = crop_coordinate(a, 0), interval[1] = crop_coordinate(a, bins - 1);
        one_a_bin([&](int64_t p) { return (double)crop_coordinate(a, p); }, crop_taps_of(false, lo, hi, bins, extent));
    }
    return count;
}

}  // namespace fastroi
