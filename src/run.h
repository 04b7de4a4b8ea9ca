// From a plan to results: tiles, scratch memory, threads, cancellation. Knows no rule and no instruction.
#pragma once
#include <stdint.h>

#include "kernels/kernel_table.h"
#include "plan/roi_plan.h"

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

// out = max over the plan's ranges; argmax.data may be null. T is float or double.
template <class T>
void run_max_ranges(const RangePlan& plan, const Tensor& features, const Tensor& out, const Tensor& argmax,
                    const Execution& execution);

}  // namespace fastroi
