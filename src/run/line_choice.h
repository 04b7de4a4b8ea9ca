// Whether lines are worth it: what they and channels as lanes would cost.
#pragma once
#include <stdint.h>

namespace fastroi {

constexpr int64_t most_line_channels = 32;

// What both ways do in a call.
struct LineWork {
    // Lines.
    double groups = 0;        // of lines that are reduced together
    double loads = 0;         // vectors of the map
    double pieces = 0;        // vectors of reduced rows
    double numbers = 0;       // of groups of lines, transposed
    double column_reads = 0;  // of groups of lines
    double values = 0;        // written
    double widened = 0;       // numbers that pass a port
    // Channels as lanes, in 64-byte vectors.
    double rois = 0, scanned = 0, bins = 0;
    double packed_cells = 0;
    double tables = 0;  // cycles, where maxima come out of tables
    double sums = 0;    // whether taps are summed; else maxima are found
};

bool lines_pay(const LineWork& work);

}  // namespace fastroi
