// What every operator starts with: parameters read and checked, one map, boxes and an output that agree, and batches.
#pragma once
#include <algorithm>

#include "descriptors.h"
#include "threads.h"

namespace fastroi {

// Calls body with a value of the element type.
template <class Body>
void with_element_type(int32_t dtype, const Body& body) {
    if (dtype == FASTROI_FLOAT32)
        body(float{});
    else
        body(double{});
}

template <class Params>
Params read_params(const Params* params) {
    if (!params) refuse(FASTROI_INVALID_VALUE, -1, "params: NULL");
    return read_struct(params, Params{}, "params");
}

inline void check_code(int32_t code, int32_t count, const char* name) {
    if (code < 0 || code >= count) refuse(FASTROI_INVALID_VALUE, -1, "%s: unknown code %d", name, code);
}

inline void check_scales(double scale_h, double scale_w) {
    check_scale(scale_h);
    check_scale(scale_w);
}

inline const fastroi_boxes& checked(const fastroi_boxes* boxes) {
    if (!boxes) refuse(FASTROI_INVALID_VALUE, -1, "rois: NULL");
    return *boxes;
}

// What nearly every operator starts with: one map, boxes and an output that agree, and boxes read.
struct Call {
    Execution execution;
    Tensor map, out;
    int32_t dtype;
    std::vector<Box> rois;

    Call(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_tensor* result, const fastroi_exec* exec,
         int64_t channels_per_output = 1, int coordinates = 4)
        : execution(read_execution(exec)), map(read_features(features, checked(boxes).count)), dtype(features->dtype) {
        if (map.channels % channels_per_output != 0)
            refuse(FASTROI_INVALID_VALUE, -1, "features: %lld channels are not a multiple of group_size's %lld bins",
                   (long long)map.channels, (long long)channels_per_output);
        out = read_output(result, dtype, boxes->count, map.channels / channels_per_output, "out");
        rois = read_boxes(*boxes, coordinates, map.images);
    }

    Job job(std::vector<ChannelWindow> windows) const { return {{map}, out, std::move(windows), execution}; }
    Job job() const { return job(whole_window(out)); }
    int threads() const { return usable_threads(execution.threads); }
};

}  // namespace fastroi
