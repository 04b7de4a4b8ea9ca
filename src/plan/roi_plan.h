// From the caller's boxes to axis plans: the only place below the ABI that reads boxes, and the only one that refuses them.
#pragma once
#include <stdint.h>

#include <vector>

#include "../../fastroi/include/fastroi.h"
#include "axis_plan.h"
#include "rules.h"

namespace fastroi {

constexpr int max_box_coordinates = 5;

// A private, validated copy of one box. Everything after this works on it: a caller that rewrites its array meanwhile
// can make the result stale, never an index wrong.
struct Box {
    double coordinate[max_box_coordinates];
    int64_t image;
};

// Reads and checks every box: `coordinates` finite numbers a row (4: x1 y1 x2 y2) and an image index in [0, images).
std::vector<Box> read_boxes(const fastroi_boxes& boxes, int coordinates, int64_t images);

// One RoI of a plan: where it reads and where its result goes. y and x point to one axis per window: a window is a run of
// bins that reads the same channels, and only position-sensitive operators have more than one an axis.
template <class Axis>
struct PlannedRoi {
    int64_t image, output;
    const Axis *y, *x;
};

struct MapSize {
    int64_t rows, columns;
};

struct OutputSize {
    int64_t rows, columns;
};

// RoIPool: ranges for boxes [first, first + count). Owns what the axes point to.
class RangePlan {
public:
    RangePlan(RangeRule rule, const Box* boxes, int64_t first, int64_t count, MapSize map, OutputSize output,
              double scale_y, double scale_x, int threads);

    const std::vector<PlannedRoi<RangeAxis>>& rois() const { return rois_; }

private:
    std::vector<Range> ranges_;
    std::vector<RangeAxis> axes_;
    std::vector<PlannedRoi<RangeAxis>> rois_;
};

}  // namespace fastroi
