// The operators whose bins are rows times columns and read all channels: RoIPool, RoIAlign, RoIWarp, PrRoIPool, area pooling,
// crop_and_resize.
#include "planning.h"

namespace fastroi {

// --- RoIPool ---------------------------------------------------------------------------------------------------------

namespace {

Tensor read_argmax(const fastroi_tensor* argmax, const Call& call) {
    if (!argmax) return {};
    check_dtype(*argmax, FASTROI_INT64, "argmax");
    const Tensor offsets = read_output(argmax, call.out.images, call.map.channels, "argmax");
    if (offsets.rows != call.out.rows || offsets.columns != call.out.columns)
        refuse(FASTROI_INVALID_VALUE, -1, "argmax: its shape differs from out's");
    return offsets;
}

}  // namespace

void roi_pool(const Request& request, const fastroi_roi_pool_params& p) {
    check_scales(p.scale_h, p.scale_w);
    if (p.reduce == FASTROI_REDUCE_MEAN && p.argmax) refuse(FASTROI_INVALID_VALUE, -1, "argmax: a mean has none");
    const Call call(request);
    const SidesOnMap sides{call.map, call.out, p.scale_h, p.scale_w};
    const auto ranges = [&](const Side& side) { return quantised_ranges((RangeRule)p.rule, side); };
    if (p.reduce == FASTROI_REDUCE_MEAN)
        return sum_taps(call, Finish::mean, 0, sides, [&](const Side& side) { return mean_taps(ranges(side)); });
    Job job = call.job();
    job.argmax = read_argmax(p.argmax, call);
    with_arithmetic_of(call.dtype, [&](auto element) {
        for_each_batch(call.rois, job, no_lists, [&](const Batch& batch) {
            call.flow.take(
                MaxOverRanges<decltype(element)>{{plan_ranges(batch, job.out, sides, ranges)}, call.map.columns}, job);
        });
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

template <class T, class SidesOf, class PointsOf>
SamplePlan<T> plan_samples(const Batch& batch, const SidesOf& sides, const PointsOf& points) {
    return SamplePlan<T>::template build<T>(
        batch.rois.data(), batch.first, batch.count, batch.planners,
        [&](Collector<T>& collector, Arena& arena, const Box& box) {
            const Sides s = sides(box);
            const SampleAxis<T>* y = arena.keep(collector.collect_samples(arena, s.y.bins, points(s.y)));
            return std::make_pair(y, arena.keep(collector.collect_samples(arena, s.x.bins, points(s.x))));
        });
}

template <class T, class Real, class SidesOf>
PlanPart align_part(const AlignRule& rule, int32_t reduce, const Batch& batch, const SidesOf& sides) {
    if (reduce == FASTROI_ALIGN_MEAN)
        return SumOverTaps<T>{
            {plan_taps<T>(batch, Finish::sum, sides, [&](const Side& s) { return align_taps<Real>(rule, s); })}, 0};
    const auto points = [&](const Side& s) { return align_points<Real>(rule, s); };
    return MaxOverSamples<T>{{plan_samples<T>(batch, sides, points)}, sample_maxima[reduce - FASTROI_ALIGN_MAX]};
}

// p: the params of either operator.
template <class Params, class SidesOf>
void align(Flow& flow, const Params& p, int32_t dtype, const std::vector<Box>& rois, const Job& job,
           const SidesOf& sides) {
    const AlignRule rule = align_rule(p.aligned);
    const auto run_batch = [&](const Batch& batch) {
        with_arithmetic_of(dtype, [&](auto element) {
            with_arithmetic(p.arithmetic, [&](auto real) {
                flow.take(align_part<decltype(element), decltype(real)>(rule, p.reduce, batch, sides), job);
            });
        });
    };
    if (p.reduce == FASTROI_ALIGN_MEAN)
        for_each_batch(rois, job, taps_of_sides(sides), run_batch);
    else
        for_each_batch(rois, job, points_of_sides(sides), run_batch);
}

// Maps of as many images and channels, of one dtype.
std::vector<Tensor> read_levels(const fastroi_tensor* features, int32_t levels, int64_t count) {
    std::vector<Tensor> maps;
    for (int32_t level = 0; level < levels; level++) {
        const Tensor map = read_features(features + level, count);
        if (features[level].dtype != features[0].dtype)
            refuse(FASTROI_INVALID_TYPE, -1, "features[%d]: dtype code %d; %d required, as in level 0", level,
                   features[level].dtype, features[0].dtype);
        maps.push_back(map);
        if (map.images != maps[0].images || map.channels != maps[0].channels)
            refuse(FASTROI_INVALID_VALUE, -1,
                   "features[%d]: %lld images of %lld channels; %lld of %lld required, as in level 0", level,
                   (long long)map.images, (long long)map.channels, (long long)maps[0].images,
                   (long long)maps[0].channels);
    }
    return maps;
}

void check_level(int64_t level, int64_t k, int32_t levels) {
    if (level < 0 || level >= levels)
        refuse(FASTROI_INVALID_VALUE, k, "levels[%lld]: %lld is outside [0, %d)", (long long)k, (long long)level,
               levels);
}

}  // namespace

void roi_align(const Request& request, const fastroi_roi_align_params& p) {
    check_scales(p.scale_h, p.scale_w);
    check_sampling_ratios(p.sampling_h, p.sampling_w);
    const Call call(request);
    align(call.flow, p, call.dtype, call.rois, call.job(),
          SidesOnMap{call.map, call.out, p.scale_h, p.scale_w, p.sampling_h, p.sampling_w});
}

void multiscale_roi_align(const Request& request, const fastroi_multiscale_roi_align_params& p) {
    check_sampling_ratios(p.sampling_h, p.sampling_w);
    if (!request.features || !p.scales || p.levels < 1)
        refuse(FASTROI_INVALID_VALUE, -1, "features: %d levels; at least one required", p.levels);
    const int64_t count = checked(request.boxes).count;
    if (!p.level_of_roi && count > 0) refuse(FASTROI_INVALID_VALUE, -1, "levels: NULL");
    const double* const scales_w = p.horizontal_scales ? p.horizontal_scales : p.scales;
    for (int32_t level = 0; level < p.levels; level++) check_scales(p.scales[level], scales_w[level]);
    Job job{read_levels(request.features, p.levels, count), {}, {}, request.execution};
    const std::vector<Tensor>& maps = job.maps;
    job.map_element = (Element)request.features[0].dtype;
    job.out = read_output(request.out, count, maps[0].channels, "out");
    job.out_element = read_element(request.out->dtype, "out");
    job.windows = whole_window(job.out);
    std::vector<Box> rois = planned_boxes(request, 4, maps[0].images);
    if (request.execution.flow != FASTROI_CHECK_SHAPES)
        for (int64_t k = 0; k < count; k++) check_level(p.level_of_roi[k], k, p.levels);
    // Image i of level l is image l * N + i of the plan.
    for (size_t k = 0; k < rois.size(); k++) rois[k].image += p.level_of_roi[k] * maps[0].images;
    align(request.flow, p, request.features[0].dtype, rois, job, [&](const Box& box) {
        const int64_t level = box.image / maps[0].images;
        return SidesOnMap{maps[level], job.out, p.scales[level], scales_w[level], p.sampling_h, p.sampling_w}(box);
    });
}

// --- RoIWarp, PrRoIPool, area pooling, crop_and_resize -----------------------------------------------------------------------------

void roi_warp(const Request& request, const fastroi_roi_warp_params& p) {
    check_scales(p.scale_h, p.scale_w);
    const Call call(request);
    sum_taps(call, Finish::sum, 0, SidesOnMap{call.map, call.out, p.scale_h, p.scale_w},
             [](const Side& side) { return warp_taps(side); });
}

void prroi_pool(const Request& request, const fastroi_prroi_pool_params& p) {
    check_scales(p.scale_h, p.scale_w);
    const Call call(request);
    sum_taps(call, Finish::sum, 0, SidesOnMap{call.map, call.out, p.scale_h, p.scale_w},
             [](const Side& side) { return precise_taps(side); });
}

void area_pool(const Request& request, const fastroi_area_pool_params& p) {
    check_scales(p.scale_h, p.scale_w);
    const Call call(request);
    const bool mean = p.reduce == FASTROI_AREA_MEAN;
    sum_taps(call, Finish::sum, 0, SidesOnMap{call.map, call.out, p.scale_h, p.scale_w},
             [=](const Side& side) { return area_taps(mean, side); });
}

void crop_and_resize(const Request& request, const fastroi_crop_and_resize_params& p) {
    const Call call(request);
    const bool nearest = p.method == FASTROI_CROP_NEAREST;
    const CropEnd end = (CropEnd)p.end;
    sum_taps(call, Finish::sum, p.extrapolation_value, SidesOnMap{call.map, call.out},
             [=](const Side& side) { return crop_taps(nearest, end, side); });
}

}  // namespace fastroi
