// The operators of fastroi.h, a function each: check the parameters, plan in batches, hand each part of the plan to the request's
// flow. Throw Refusal.
#pragma once
#include "../plan/side.h"
#include "../run/plan_part.h"
#include "descriptors.h"

namespace fastroi {

// What every operator is asked, beside its own parameters.
struct Request {
    const fastroi_tensor* features;
    const fastroi_boxes* boxes;
    const fastroi_tensor* out;
    Execution execution;
    Flow& flow;
};

#define FASTROI_DECLARE(name, fields, flags) void name(const Request& request, const fastroi_##name##_params& p);
FASTROI_OPERATORS(FASTROI_DECLARE)
#undef FASTROI_DECLARE

void axis_ranges(int32_t rule, const Side& side, double* interval, int64_t* edges);

// The sample points of one axis: see fastroi_axis_points.
int64_t axis_points(int32_t op, const Side& side, int64_t capacity, double* interval, int64_t* grid, int64_t* bin,
                    double* coordinate, double* weight);

}  // namespace fastroi
