// A box as plans take it, and its place in a plan.
#pragma once
#include <stdint.h>

namespace fastroi {

constexpr int max_box_coordinates = 5;

// A private, validated copy of one box. Everything after this works on it: a caller that rewrites its array meanwhile
// can make the result stale, never an index wrong.
struct Box {
    double coordinate[max_box_coordinates];
    int64_t image;
};

// One RoI of a plan: where it reads and where its result goes. y and x point to one axis per window: a window is a run of
// bins that reads the same channels, and only position-sensitive operators have more than one an axis.
template <class Axis>
struct PlannedRoi {
    int64_t image, output;
    const Axis *y, *x;
};

}  // namespace fastroi
