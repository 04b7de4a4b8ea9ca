// What a rule hands to a kernel, one axis of one RoI at a time. Plain data: every index in a built plan lies inside
// the map (run/plan_check.h), so kernels check nothing. May include nothing but <stdint.h>.
#pragma once
#include <stdint.h>

namespace fastroi {

// The cells [start, end) of one bin; end <= start is an empty bin. Stored as 32 bits: a map axis of 2^31 cells or more is
// refused when the plan is built.
struct Range {
    int32_t start, end;
};

inline bool is_empty(Range r) { return r.end <= r.start; }

// One axis of one RoI as ranges: `bins` of them, the hull of the non-empty ones, and a length that no bin exceeds.
struct RangeAxis {
    const Range* bins;
    int64_t count;
    Range hull;
    int64_t longest;
};

// Some bins of one axis, each covered by `runs` runs of 2^level cells that may overlap: bin bins[i] is the union of the runs
// that start at starts[i * runs] .. starts[(i + 1) * runs - 1].
struct RunCover {
    const int32_t *bins, *starts;
    int64_t count, runs;
    int32_t level;
};

// One axis of one RoI as weighted taps: bin p sums weight[t] * cell[index[t]] for t in [first[p], first[p + 1]). Indices
// ascend within a bin, equal ones are merged and no weight is zero; a bin without taps is outside. `cells` lists the touched
// cells once each, ascending, so that partial sums are computed once and shared by neighbouring bins.
template <class T>
struct TapAxis {
    const int32_t* first;
    const int32_t* index;
    const T* weight;
    const int32_t* cells;
    int64_t count, cell_count;
    Range hull;
    bool mean;  // the weights are 1 and the bin's sum is divided by its number of taps
};

// One point on an axis: weight * cell[low] + high_weight * cell[low + 1]; a weight of zero means no such tap.
template <class T>
struct Sample {
    int32_t low;
    T weight, high_weight;
};

// One axis of one RoI as sample points: those of bin p are samples[first[p]] .. samples[first[p + 1]]. absent[p] says that
// the bin also has points outside the map.
template <class T>
struct SampleAxis {
    const int32_t* first;
    const Sample<T>* samples;
    const unsigned char* absent;
    const int32_t* cells;
    int64_t count, cell_count;
    Range hull;
};

// A cell of the map and its weight.
template <class T>
struct WeightedCell {
    int32_t row, column;
    T weight;
};

// One RoI whose bins are not ranges of rows times ranges of columns. Its y axis lists cells bin by bin: bin (ph, pw) sums
// cells[first[b]] .. cells[first[b + 1]], b = ph * columns + pw, in that order; a bin without cells is 0. Its x axis has
// nothing but count and hull.
template <class T>
struct GatherAxis {
    const int32_t* first;
    const WeightedCell<T>* cells;
    int64_t count, columns;
    Range hull;
};

// One pixel of a pasted mask on one axis: low_weight * row[low] + high_weight * row[high], where row[0] is a zero before the first
// cell. Where a weight is zero both positions are the other one's, so that no cell is read for nothing.
struct PasteTap {
    int32_t low, high;
    double low_weight, high_weight;
};

}  // namespace fastroi
