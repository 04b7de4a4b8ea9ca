// From a plan to results, on all threads and until cancelled. Knows no rule and no instruction.
#pragma once
#include <stdint.h>

#include <vector>

#include "kernels/kernel_table.h"
#include "plan/gather_plan.h"
#include "plan/tap_plan.h"

namespace fastroi {

// A caller's 4-D array as bytes: images or RoIs, channels, rows, columns.
struct Tensor {
    unsigned char* data;
    int64_t images, channels, rows, columns;
    ptrdiff_t image_stride, channel_stride, row_stride, column_stride;
};

struct Execution {
    int threads;
    const KernelTable* kernels;
    int (*cancel)(void* context);
    void* cancel_context;
};

// Which channels a window of bins reads: source channel = first + c * step for output channel c.
struct ChannelWindow {
    int64_t first, step;
    int64_t y_window, x_window;  // index of the axes in the planned RoI, where each window has its own
    Range bin_rows, bin_columns;
};

// What every operator has: maps of one or several levels (image i of level l is the plan's image l * N + i), the output, the
// windows (one covering all bins unless position-sensitive) and how to run.
struct Job {
    std::vector<Tensor> maps;
    Tensor out;
    std::vector<ChannelWindow> windows;
    Execution execution;
};

// The one window of an operator that is not position-sensitive.
std::vector<ChannelWindow> whole_window(const Tensor& out);

// out = max over the plan's ranges; argmax.data may be null. T is float or double.
template <class T>
void run_max_ranges(const RangePlan& plan, const Job& job, const Tensor& argmax);

// out = mean over the plan's ranges, 0 for empty bins; each window takes its bins of the RoI's axes.
template <class T>
void run_mean_ranges(const RangePlan& plan, const Job& job);

// out = sum over the plan's taps, `outside` for bins without any.
template <class T>
void run_sum_taps(const TapPlan<T>& plan, const Job& job, T outside);

// out = max over the plan's sample points.
template <class T>
void run_max_samples(const SamplePlan<T>& plan, const Job& job, SampleMaximum mode);

// out = sum over the plan's weighted cells.
template <class T>
void run_gather(const GatherPlan<T>& plan, const Job& job);

}  // namespace fastroi
