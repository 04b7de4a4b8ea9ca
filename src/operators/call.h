// What every operator starts with: parameters in bounds, one map, boxes and an output that agree.
#pragma once
#include "../type_codes.h"
#include "boxes.h"
#include "../run/run.h"
#include "../size.h"
#include "../plan/pace.h"
#include "../threads.h"
#include "operators.h"

namespace fastroi {

inline void check_scales(double scale_h, double scale_w) {
    check_scale(scale_h);
    check_scale(scale_w);
}

inline void check_sampling_ratio(int64_t ratio, const char* name = "sampling_ratio",
                                 int64_t most = max_sampling_ratio) {
    if (ratio > most)
        refuse(FASTROI_INVALID_VALUE, -1, "%s: %lld; at most %lld", name, (long long)ratio, (long long)most);
}

inline void check_sampling_ratios(int64_t sampling_h, int64_t sampling_w, int64_t most = max_sampling_ratio) {
    check_sampling_ratio(sampling_h, "sampling_ratio", most);
    check_sampling_ratio(sampling_w, "sampling_ratio", most);
}

inline const fastroi_boxes& checked(const fastroi_boxes* boxes) {
    if (!boxes) refuse(FASTROI_INVALID_VALUE, -1, "rois: NULL");
    return *boxes;
}

// The boxes that a request plans: all, read and checked; or none, where it is only to be checked or its result has no channels.
inline std::vector<Box> planned_boxes(const Request& request, int coordinates, int64_t images) {
    if (request.execution.flow == FASTROI_CHECK_SHAPES) {
        check_box_table(*request.boxes, coordinates, images);
        return {};
    }
    std::vector<Box> boxes = read_boxes(*request.boxes, coordinates, images, request.execution.stop);
    const bool nothing_to_do = request.out->shape[1] == 0 && !request.flow.lists();
    if (request.execution.flow == FASTROI_CHECK || nothing_to_do) boxes.clear();
    return boxes;
}

// As many as there are boxes at most: to ask how many processors there are takes as long as a small plan.
inline Planners planners_of(const Execution& execution, const std::vector<Box>& rois) {
    const int64_t most = std::max<int64_t>(1, std::min<int64_t>(execution.threads, (int64_t)rois.size()));
    return {usable_threads((int)most), execution.stop};
}

struct Call {
    Execution execution;
    Tensor map, out;
    int32_t dtype;  // of the features, which says in what arithmetic the call is computed
    Element out_element{};
    int64_t first_roi = 0;  // of the caller's result, where this is a piece of a call
    std::optional<Unfinished> unfinished;
    std::vector<Box> rois;
    Flow& flow;

    explicit Call(const Request& request, int64_t channels_per_output = 1, int coordinates = 4)
        : execution(request.execution),
          map(read_features(request.features, checked(request.boxes).count)),
          dtype(request.features->dtype),
          flow(request.flow) {
        if (map.channels % channels_per_output != 0)
            refuse(FASTROI_INVALID_VALUE, -1, "features: %lld channels are not a multiple of group_size's %lld bins",
                   (long long)map.channels, (long long)channels_per_output);
        out = read_output(request.out, request.boxes->count, map.channels / channels_per_output, "out");
        out_element = read_element(request.out->dtype, "out");
        rois = planned_boxes(request, coordinates, map.images);
    }

    Job job(std::vector<ChannelWindow> windows) const {
        return {{map}, out, std::move(windows), execution, {}, 0, (Element)dtype, out_element, first_roi, unfinished};
    }
    Job job() const { return job(whole_window(out)); }
    Planners planners() const { return planners_of(execution, rois); }
};

}  // namespace fastroi
