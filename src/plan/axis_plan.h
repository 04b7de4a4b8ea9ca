// What a rule hands to a kernel, one axis of one RoI at a time. Plain data: every index in a built plan lies inside
// the map, so kernels check nothing. May include nothing but <stdint.h>.
#pragma once
#include <stdint.h>

namespace fastroi {

// The cells [start, end) of one bin; end <= start is an empty bin. Stored as 32 bits: a map axis of 2^31 cells or more is
// refused when the plan is built.
struct Range {
    int32_t start, end;
};

inline bool is_empty(Range r) { return r.end <= r.start; }

// One axis of one RoI as ranges: `bins` of them, and the hull of the non-empty ones.
struct RangeAxis {
    const Range* bins;
    int64_t count;
    Range hull;
};

// One axis of one RoI as weighted taps. Bin p sums weight[t] * cell[position[t]] for t in [first[p], first[p+1]).
// `cells` lists the touched map cells once each, ascending; `position` indexes that list, so that the partial sums of
// one axis can be kept densely and shared by neighbouring bins.
template <class T>
struct TapAxis {
    const int32_t* first;
    const int32_t* position;
    const T* weight;
    const int32_t* cells;
    int64_t count;
    int64_t cell_count;
};

// One axis of one RoI as samples of at most two taps: sample s of bin p, s in [first[p], first[p+1]), is
// weight[2s] * cell[position[2s]] + weight[2s+1] * cell[position[2s+1]]; an absent second tap has position -1,
// an absent sample (outside the map: contributes 0) has both absent.
template <class T>
struct SampleAxis {
    const int32_t* first;
    const int32_t* position;
    const T* weight;
    const int32_t* cells;
    int64_t count;
    int64_t cell_count;
};

}  // namespace fastroi
