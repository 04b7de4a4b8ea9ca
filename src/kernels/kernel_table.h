// The seam between run.cpp and the kernels of one instruction set: plain structs and function pointers.
// May include plan/axis_plan.h; must not know a rule, a RoI or a thread.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "../plan/axis_plan.h"

namespace fastroi {

// A map whose channels are contiguous: `origin` is the (possibly virtual) address of channel lane 0 at cell (0, 0).
struct MapTile {
    const unsigned char* origin;
    ptrdiff_t row_stride, column_stride;  // bytes
};

// One RoI's bins, channel lanes contiguous: bin (ph, pw) at data + ph * row_stride + pw * column_stride.
struct BinTile {
    unsigned char* data;
    ptrdiff_t row_stride, column_stride;  // bytes
};

// Row maxima over 2^level rows, level by level: tile[j] cell (y, x) holds max over rows [y, y + 2^j).
struct RowMaxima {
    const MapTile* levels;
};

// A block of channels of one image, planar or strided in any way: channel lane c at data + c * channel_stride.
struct PlanarBlock {
    const unsigned char* data;  // cell (0, 0) of the first channel
    ptrdiff_t channel_stride, row_stride, column_stride;
    int64_t channels;  // lanes that exist; the rest of a packed cell is zero
};

// Where the lanes of a BinTile go: channel lane c, bin (ph, pw).
struct PlanarBins {
    unsigned char* data;
    ptrdiff_t channel_stride, row_stride, column_stride;
    int64_t first_lane, end_lane;  // lanes to write
    bool stream;                   // bypass the cache: the output is larger than it
};

// Kernels of one element type at one block width. A block is `lanes` channels; every MapTile cell read and every bin
// written is one block, so tails are the caller's business (overlapping or zero-padded blocks).
template <class T>
struct BlockKernels {
    int64_t lanes;

    // Copies cells [rows) x [columns) into dst, blocks packed densely row by row.
    void (*pack)(const PlanarBlock& map, Range rows, Range columns, T* dst);

    // bins = max over y x x, NaN ignored; an empty bin gets 0. scratch: one block per column of x.hull.
    void (*max_ranges)(const MapTile& map, const RangeAxis& y, const RangeAxis& x, const BinTile& bins, T* scratch);

    // The same out of row maxima: every bin reads two rows, however tall.
    void (*max_ranges_doubled)(const RowMaxima& maxima, const RangeAxis& y, const RangeAxis& x, const BinTile& bins,
                               T* scratch);

    // dst cell = max of the cells at a and b, `cells` blocks of each.
    void (*max_cells)(const T* a, const T* b, T* dst, int64_t cells);

    // offsets[bin * lanes + lane]: y * map_width + x of the first cell equal to the bin's maximum, -1 if none.
    void (*argmax_ranges)(const MapTile& map, const RangeAxis& y, const RangeAxis& x, const BinTile& bins,
                          int64_t map_width, int64_t* offsets);

    // bins = sum over taps: columns of weighted rows first, then weighted columns. scratch: one block per x.cells entry.
    void (*sum_taps)(const MapTile& map, const TapAxis<T>& y, const TapAxis<T>& x, const BinTile& bins, T* scratch);

    // Transposes rows x columns bins of lanes into planes. staging: (rows * columns * lanes + lanes) elements.
    void (*unpack)(const BinTile& bins, int64_t rows, int64_t columns, const PlanarBins& out, T* staging);
};

constexpr int block_widths = 3;  // 64, 128 and 256 bytes

struct KernelTable {
    const char* name;
    int packed_width, direct_width;  // index of the preferred block width: packed maps, channels-last maps
    void (*end_streaming)();  // makes streamed stores visible to other threads
    BlockKernels<float> f32[block_widths];
    BlockKernels<double> f64[block_widths];
};

// One exported symbol per instruction set.
const KernelTable* kernels_baseline();
const KernelTable* kernels_avx2();
const KernelTable* kernels_avx512();
const KernelTable* kernels_neon();

}  // namespace fastroi
