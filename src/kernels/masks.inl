// Rows of masks. Loops that the compiler turns into vectors of each instruction set; it contracts and reorders nothing.
#pragma once
#include "kernel_table.h"

namespace fastroi {
namespace {

void combine(const double* __restrict low, double a, const double* __restrict high, double b, double* __restrict to,
             int64_t count) {
    for (int64_t i = 0; i < count; i++) to[i] = a * low[i] + b * high[i];
}

void interpolate(const double* __restrict row, const PasteTap* __restrict taps, double* __restrict to, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        to[i] = taps[i].low_weight * row[taps[i].low] + taps[i].high_weight * row[taps[i].high];
}

template <class Stored>
void add_row(const Stored* __restrict row, double weight, double* __restrict sums, int64_t count) {
    for (int64_t i = 0; i < count; i++) sums[i] += weight * (double)row[i];
}

template <class Value>
void mark(const double* __restrict values, Value threshold, bool strict, uint8_t* __restrict to, int64_t count) {
    if (strict) {
        for (int64_t i = 0; i < count; i++) to[i] = (Value)values[i] > threshold;
    } else {
        for (int64_t i = 0; i < count; i++) to[i] = (Value)values[i] >= threshold;
    }
}

constexpr MaskKernels mask_kernels() {
    return {combine, interpolate, mark<float>, mark<double>, add_row<uint8_t>, add_row<float>, add_row<double>};
}

}  // namespace
}  // namespace fastroi
