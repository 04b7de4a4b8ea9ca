// What a run works on: maps, output, windows, and how. Plain data.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include <memory>
#include <optional>
#include <vector>

#include "kernels/kernel_table.h"

namespace fastroi {

// A caller's 4-D array as bytes: images or RoIs, channels, rows, columns.
struct Tensor {
    unsigned char* data;
    int64_t images, channels, rows, columns;
    ptrdiff_t image_stride, channel_stride, row_stride, column_stride;
};

class StopSign;

struct Execution {
    int threads;
    const KernelTable* kernels;
    int32_t flow;  // fastroi_flow
    StopSign* stop;
};

// Which channels a window of bins reads: source channel = first + c * step for output channel c.
struct ChannelWindow {
    int64_t first, step;
    int64_t y_window, x_window;  // index of the axes in the planned RoI, where each window has its own
    Range bin_rows, bin_columns;
};

// Results that a last part makes what the caller is to have: until then the job's `out` is numbers of the arithmetic in this memory.
struct Unfinished {
    std::shared_ptr<unsigned char[]> memory;
    Tensor result;
    Element element;
};

// What every operator has: maps of one or several levels (image i of level l is the plan's image l * N + i), the output, the
// windows (one covering all bins unless position-sensitive) and how to run.
struct Job {
    std::vector<Tensor> maps;
    Tensor out;
    std::vector<ChannelWindow> windows;
    Execution execution;
    Tensor argmax{};            // int64, of out's shape; data may be null
    int64_t first_channel = 0;  // of the caller's result, where out is some of its channels
    // How the maps and the output are stored: as numbers of the arithmetic T unless given; then T must have a port for it.
    std::optional<Element> map_element = {}, out_element = {};
    int64_t first_roi = 0;  // of the caller's result, where out is some of its RoIs
    std::optional<Unfinished> unfinished = {};
};

// The one window of an operator that is not position-sensitive.
std::vector<ChannelWindow> whole_window(const Tensor& out);

}  // namespace fastroi
