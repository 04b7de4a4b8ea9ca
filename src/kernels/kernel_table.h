// The seam between run.cpp and the kernels of one instruction set: plain structs and function pointers.
// May include element.h and plan/axis_plan.h; must not know a rule, a RoI or a thread.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "../element.h"
#include "../plan/axis_plan.h"

namespace fastroi {

// Whom a reduction of very many cells asks, now and then, whether it is to go on: look() throws if not.
struct Watch {
    void (*look)(Watch& watch, int64_t cells);
};

// A map whose channels are contiguous: `origin` is the (possibly virtual) address of channel lane 0 at cell (0, 0).
struct MapTile {
    const unsigned char* origin;
    ptrdiff_t row_stride, column_stride;  // bytes
    Watch* watch = nullptr;               // of a reduction that takes long
};

// One RoI's bins, channel lanes contiguous: bin (ph, pw) at data + ph * row_stride + pw * column_stride.
struct BinTile {
    unsigned char* data;
    ptrdiff_t row_stride, column_stride;  // bytes
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

// What a maximum over sample points takes as its candidates.
struct SampleMaximum {
    bool corners;         // each weighted corner of a point by itself, not their sum
    bool absent_is_zero;  // a point outside the map is a candidate of value 0; otherwise it is left out
    bool from_zero;       // the maximum starts at 0, not at minus infinity
};

// A map of few channels: planes whose rows are contiguous numbers, of one channel or of all of them in turn.
struct LineMap {
    const unsigned char* origin;         // (possibly virtual) address of cell (0, 0) of the first plane
    ptrdiff_t plane_stride, row_stride;  // bytes
    int64_t interleaved;                 // numbers per column: channels of a plane
    Watch* watch = nullptr;
};

// Lines [first, end): line l is bin row l % y.count of plane l / y.count.
struct Lines {
    int64_t first, end;
};

constexpr int line_bytes = 64;  // of the lines that are reduced together
constexpr int64_t line_scratch_bytes = 36 << 10;

// Bin rows whose reduced columns a kernel keeps together, in the first-level cache.
constexpr int64_t column_scratch_bytes = 16 << 10;

// The way of one element into the arithmetic T and back; without a way in where maps of it are computed in another. No other kernel knows
// how a map or an output is stored.
template <class T>
struct Port {
    // Widens cells [rows) x [columns) into dst, blocks packed densely row by row.
    void (*pack)(const PlanarBlock& map, Range rows, Range columns, T* dst);

    // Widens `count` numbers, `stride` bytes apart, into a contiguous run.
    void (*load_line)(const unsigned char* from, ptrdiff_t stride, int64_t count, T* to);

    // Rounds rows x columns bins of lanes and transposes them into planes. staging: (rows * columns * lanes + lanes) numbers
    // or, if they are larger, elements.
    void (*unpack)(const BinTile& bins, int64_t rows, int64_t columns, const PlanarBins& out, T* staging);

    // Rounds a contiguous run and writes it past the cache.
    void (*stream)(const T* src, unsigned char* dst, int64_t count);
};

// Kernels of one arithmetic at one block width; a MapTile and a BinTile hold numbers of T. A block is `lanes` channels; every
// MapTile cell read and every bin written is one block, so tails are the caller's business (overlapping or zero-padded blocks).
template <class T>
struct BlockKernels {
    int64_t lanes;

    // bins = max over y x x, NaN ignored; an empty bin gets 0. scratch: one block per column of x.hull,
    // and column_scratch_bytes.
    void (*max_ranges)(const MapTile& map, const RangeAxis& y, const RangeAxis& x, const BinTile& bins, T* scratch);

    // The same out of tables of maxima: begin fills the bins, then each cover raises some of them (start: sets them) to the
    // maxima of its runs, whatever their size. Cell (y, x) of `maxima` holds the maximum over a run of rows and of columns.
    void (*begin_maxima)(const RangeAxis& y, const RangeAxis& x, const BinTile& bins);
    void (*raise_to_runs)(const MapTile& maxima, const RunCover& y, const RunCover& x, bool start, const BinTile& bins);

    // dst cell = max of the cells at a and b, `cells` blocks of each; dst may be a. A table of runs of 2^(j+1) rows (columns)
    // is made of that of 2^j by its cells and those 2^j rows (columns) on.
    void (*max_cells)(const T* a, const T* b, T* dst, int64_t cells);

    // bins = mean over y x x; an empty bin gets 0.
    void (*mean_ranges)(const MapTile& map, const RangeAxis& y, const RangeAxis& x, const BinTile& bins);

    // offsets[bin * lanes + lane]: y * map_width + x of the first cell equal to the bin's maximum, -1 if none.
    void (*argmax_ranges)(const MapTile& map, const RangeAxis& y, const RangeAxis& x, const BinTile& bins,
                          int64_t map_width, int64_t* offsets);

    // bins = sum over taps: columns of weighted rows first, then weighted columns; `outside` where an axis has no tap.
    // scratch: one block per column of x.hull, and column_scratch_bytes.
    void (*sum_taps)(const MapTile& map, const TapAxis<T>& y, const TapAxis<T>& x, T outside, const BinTile& bins,
                     T* scratch);

    // The same sum, and its mean, bin by bin from the map: for axes whose bins share few columns.
    void (*sum_bins)(const MapTile& map, const TapAxis<T>& y, const TapAxis<T>& x, T outside, const BinTile& bins);

    // The same for all `channels`, a cache line of them or more, contiguous in the map and in the bins. stream: past the cache.
    void (*sum_whole_bins)(const MapTile& map, int64_t channels, const TapAxis<T>& y, const TapAxis<T>& x, T outside,
                           const BinTile& bins, bool stream);

    // The same sum in column strips, ascending: the strip that holds a bin's first tap starts it. A bin without taps is not
    // touched: begin_sums fills it.
    void (*begin_sums)(const TapAxis<T>& y, const TapAxis<T>& x, T outside, const BinTile& bins);
    void (*add_strip)(const MapTile& map, const TapAxis<T>& y, const TapAxis<T>& x, Range strip, const BinTile& bins,
                      T* scratch);

    // bins /= the number of taps of y x x: the last step of a mean over ranges.
    void (*divide_bins)(const TapAxis<T>& y, const TapAxis<T>& x, const BinTile& bins);

    // bins = max over the sample points of y x x, NaN ignored. scratch: one block per column of x.hull.
    void (*max_samples)(const MapTile& map, const SampleAxis<T>& y, const SampleAxis<T>& x, SampleMaximum mode,
                        const BinTile& bins, T* scratch);

    // bins = sum over the bin's weighted cells, in their order.
    void (*gather)(const MapTile& map, const GatherAxis<T>& y, const BinTile& bins);

    Port<T> ports[element_codes];  // by Element
    const Port<T>& port(Element element) const { return ports[(int)element]; }
};

// The same reductions of maps of few channels, with columns and lines as lanes. At most line_bytes of lines; bin column pw of channel
// j of line first + i goes to bins[(j * x.count + pw) * line_bytes / sizeof(T) + i], and the other lanes hold anything. scratch:
// line_scratch_bytes, finite or of the map.
template <class T>
struct LineKernels {
    int64_t vector_lanes;  // numbers of a row that are reduced together
    void (*max_range_lines)(const LineMap& map, const RangeAxis& y, const RangeAxis& x, Lines lines, T* bins,
                            T* scratch);
    void (*sum_tap_lines)(const LineMap& map, const TapAxis<T>& y, const TapAxis<T>& x, T outside, Lines lines, T* bins,
                          T* scratch);
    void (*max_sample_lines)(const LineMap& map, const SampleAxis<T>& y, const SampleAxis<T>& x, SampleMaximum mode,
                             Lines lines, T* bins, T* scratch);

    // y * map_width + x of the first cell of rows x columns that equals `value` in a channel of the first plane, -1 if none.
    int64_t (*find_in_lines)(const LineMap& map, int64_t channel, Range rows, Range columns, T value,
                             int64_t map_width);
};

constexpr int block_widths = 3;  // 64, 128 and 256 bytes

// Rows of masks, in float64. Products and sums are rounded apart on every instruction set: on which side of a threshold a pixel
// falls must not depend on the machine.
struct MaskKernels {
    // to[i] = a * low[i] + b * high[i].
    void (*combine)(const double* low, double a, const double* high, double b, double* to, int64_t count);

    // to[i] = the pixel of taps[i].
    void (*interpolate)(const double* row, const PasteTap* taps, double* to, int64_t count);

    // to[i] = whether values[i], rounded to the type of the threshold, reaches it; strict: exceeds it.
    void (*mark_f32)(const double* values, float threshold, bool strict, uint8_t* to, int64_t count);
    void (*mark_f64)(const double* values, double threshold, bool strict, uint8_t* to, int64_t count);

    // sums[i] += weight * row[i], by the element of the row: u8, f32, f64.
    void (*add_u8)(const uint8_t* row, double weight, double* sums, int64_t count);
    void (*add_f32)(const float* row, double weight, double* sums, int64_t count);
    void (*add_f64)(const double* row, double weight, double* sums, int64_t count);
};

struct KernelTable {
    const char* name;
    int packed_width, direct_width;  // index of the preferred block width: packed maps, channels-last maps
    void (*end_streaming)();         // makes streamed stores visible to other threads
    BlockKernels<float> f32[block_widths];
    BlockKernels<double> f64[block_widths];
    LineKernels<float> lines_f32;
    LineKernels<double> lines_f64;
    MaskKernels masks;
};

// One exported symbol per instruction set.
const KernelTable* kernels_baseline();
const KernelTable* kernels_avx2();
const KernelTable* kernels_avx512();
const KernelTable* kernels_neon();

}  // namespace fastroi
