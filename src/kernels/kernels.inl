// The kernels, once, over Vec<T>. Included by each isa_*.cpp after its vec_*.h; everything is in an anonymous namespace,
// so that no two instruction sets share a symbol. A plan is a proof that indices are in bounds: nothing here checks,
// allocates or fails.
//
// Words: a block is NV vectors of channel lanes, one map cell or one bin; a column pass reduces the rows of a bin row for
// every touched column into `scratch`, and a bin pass then reduces each bin's columns out of it.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel_table.h"

namespace fastroi {
namespace {

template <class T, int NV>
struct Block {
    using V = Vec<T>;
    static constexpr int lanes = NV * V::lanes;
    static constexpr ptrdiff_t bytes = NV * sizeof(V);
    V v[NV];

    static Block load(const void* p) {
        Block b;
        for (int i = 0; i < NV; i++) b.v[i] = V::load((const char*)p + i * (ptrdiff_t)sizeof(V));
        return b;
    }
    void store(void* p) const {
        for (int i = 0; i < NV; i++) v[i].store((char*)p + i * (ptrdiff_t)sizeof(V));
    }
    static Block filled(T x) {
        Block b;
        for (int i = 0; i < NV; i++) b.v[i] = V::broadcast(x);
        return b;
    }
    void raise_to(const Block& candidate) {
        for (int i = 0; i < NV; i++) v[i] = V::max(candidate.v[i], v[i]);
    }
    void add(const Block& cell) {
        for (int i = 0; i < NV; i++) v[i] = V::add(v[i], cell.v[i]);
    }
    void add_product(V weight, const Block& cell) {
        for (int i = 0; i < NV; i++) v[i] = V::multiply_add(weight, cell.v[i], v[i]);
    }
    void write(void* p, bool stream) const {
        if (!stream) return store(p);
        for (int i = 0; i < NV; i++) v[i].stream((char*)p + i * (ptrdiff_t)sizeof(V));
    }
    Block divided_by(V divisor) const {
        Block b;
        for (int i = 0; i < NV; i++) b.v[i] = V::divide(v[i], divisor);
        return b;
    }
    static Block product(V weight, const Block& cell) {
        Block b;
        for (int i = 0; i < NV; i++) b.v[i] = V::multiply(weight, cell.v[i]);
        return b;
    }
};

template <class T>
constexpr T minus_infinity = -(T)__builtin_inff();

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

inline const unsigned char* cell_address(const MapTile& map, int64_t y, int64_t x) {
    return map.origin + y * map.row_stride + x * map.column_stride;
}

inline unsigned char* bin_address(const BinTile& bins, int64_t ph, int64_t pw) {
    return bins.data + ph * bins.row_stride + pw * bins.column_stride;
}

// p + offset in one register. Left to itself the compiler adds the place of each vector in a block to every offset of a loop
// beforehand, and keeps more sums than there are registers.
inline const unsigned char* at_offset(const unsigned char* p, ptrdiff_t offset) {
    p += offset;
    asm("" : "+r"(p));
    return p;
}

// --- max over ranges -------------------------------------------------------------------------------------------------

template <class T, int NV>
inline Block<T, NV> max_of(const unsigned char* first, ptrdiff_t step, int64_t count, Block<T, NV> best) {
    for (int64_t i = 0; i < count; i++) best.raise_to(Block<T, NV>::load(first + i * step));
    return best;
}

// Reads N rows of every column: `height` <= N of them and the last again. A maximum does not mind, and a trip count that is
// the same for all bin rows of a RoI spares the branch predictor.
template <class T, int NV, int N>
inline void column_maxima_of(const unsigned char* first, ptrdiff_t row_stride, ptrdiff_t column_stride, int64_t height,
                             int64_t columns, T* scratch) {
    const Block<T, NV> lowest = Block<T, NV>::filled(minus_infinity<T>);
    ptrdiff_t row[N];
    for (int i = 0; i < N; i++) row[i] = smaller(i, height - 1) * row_stride;
    for (int64_t x = 0; x < columns; x++, first += column_stride, scratch += Block<T, NV>::lanes) {
        Block<T, NV> best = lowest;
        for (int i = 0; i < N; i++) best.raise_to(Block<T, NV>::load(first + row[i]));
        best.store(scratch);
    }
}

template <class T, int NV>
inline void column_maxima_of_any(const unsigned char* first, ptrdiff_t row_stride, ptrdiff_t column_stride, int64_t height,
                                 int64_t columns, T* scratch) {
    const Block<T, NV> lowest = Block<T, NV>::filled(minus_infinity<T>);
    for (int64_t x = 0; x < columns; x++, first += column_stride, scratch += Block<T, NV>::lanes)
        max_of<T, NV>(first, row_stride, height, lowest).store(scratch);
}

// `tallest`: of the RoI's bin rows.
template <class T, int NV>
inline void column_maxima(const MapTile& map, Range rows, Range columns, int64_t tallest, T* scratch) {
    const unsigned char* first = cell_address(map, rows.start, columns.start);
    const int64_t height = rows.end - rows.start, width = columns.end - columns.start;
    const ptrdiff_t row = map.row_stride, column = map.column_stride;
    switch (tallest) {
        case 1: return column_maxima_of<T, NV, 1>(first, row, column, height, width, scratch);
        case 2: return column_maxima_of<T, NV, 2>(first, row, column, height, width, scratch);
        case 3: return column_maxima_of<T, NV, 3>(first, row, column, height, width, scratch);
        case 4: return column_maxima_of<T, NV, 4>(first, row, column, height, width, scratch);
        case 5: return column_maxima_of<T, NV, 5>(first, row, column, height, width, scratch);
        case 6: return column_maxima_of<T, NV, 6>(first, row, column, height, width, scratch);
        default: return column_maxima_of_any<T, NV>(first, row, column, height, width, scratch);
    }
}

template <class T, int NV>
inline void fill_bin_row(const BinTile& bins, int64_t ph, int64_t count, T value) {
    const Block<T, NV> block = Block<T, NV>::filled(value);
    for (int64_t pw = 0; pw < count; pw++) block.store(bin_address(bins, ph, pw));
}

template <class T, int NV>
inline void fill_bin_column(const BinTile& bins, int64_t first_row, int64_t end_row, int64_t pw, T value) {
    const Block<T, NV> block = Block<T, NV>::filled(value);
    for (int64_t ph = first_row; ph < end_row; ph++) block.store(bin_address(bins, ph, pw));
}

// Reduced rows of the map, for the bin rows [first_row, end_row), `pitch` elements apart.
template <class T>
struct ReducedRows {
    const T* rows;
    ptrdiff_t pitch;
    int64_t first_row, end_row;
};

// As many bin rows as the first-level cache holds, reduced at `width` columns.
template <class T, int NV>
inline int64_t rows_together(int64_t width) {
    const int64_t fitting = column_scratch_bytes / (width * Block<T, NV>::bytes + 1);
    return fitting < 1 ? 1 : fitting;
}

// One column of bins: its place and width are looked up once for all bin rows. N: no bin is wider; 0: any width.
template <class T, int NV, int N>
inline void bin_column_maxima_of(const ReducedRows<T>& rows, ptrdiff_t first, int64_t width, unsigned char* bin, ptrdiff_t row_stride) {
    constexpr ptrdiff_t lanes = Block<T, NV>::lanes;
    ptrdiff_t cell[N + 1];
    for (int i = 1; i < N; i++) cell[i] = smaller(i, width - 1) * lanes;
    const T* row = rows.rows + first * lanes;
    for (int64_t ph = rows.first_row; ph < rows.end_row; ph++, row += rows.pitch, bin += row_stride) {
        Block<T, NV> best = Block<T, NV>::load(row);  // a column maximum, never NaN
        for (int i = 1; i < N; i++) best.raise_to(Block<T, NV>::load(row + cell[i]));
        if (N == 0) best = max_of<T, NV>((const unsigned char*)(row + lanes), Block<T, NV>::bytes, width - 1, best);
        best.store(bin);
    }
}

template <class T, int NV>
inline void bin_column_maxima(const ReducedRows<T>& rows, const RangeAxis& x, int64_t pw, const BinTile& bins) {
    const Range r = x.bins[pw];
    if (is_empty(r)) return fill_bin_column<T, NV>(bins, rows.first_row, rows.end_row, pw, 0);
    const ptrdiff_t first = r.start - x.hull.start;
    const int64_t width = r.end - r.start;
    unsigned char* const bin = bin_address(bins, rows.first_row, pw);
    switch (x.longest) {
        case 1: return bin_column_maxima_of<T, NV, 1>(rows, first, width, bin, bins.row_stride);
        case 2: return bin_column_maxima_of<T, NV, 2>(rows, first, width, bin, bins.row_stride);
        case 3: return bin_column_maxima_of<T, NV, 3>(rows, first, width, bin, bins.row_stride);
        case 4: return bin_column_maxima_of<T, NV, 4>(rows, first, width, bin, bins.row_stride);
        default: return bin_column_maxima_of<T, NV, 0>(rows, first, width, bin, bins.row_stride);
    }
}

template <class T, int NV>
void max_ranges(const MapTile& map, const RangeAxis& y, const RangeAxis& x, const BinTile& bins, T* scratch) {
    const int64_t width = x.hull.end - x.hull.start, together = rows_together<T, NV>(width);
    const ptrdiff_t pitch = width * Block<T, NV>::lanes;
    for (int64_t ph = 0; ph < y.count; ph += together) {
        const ReducedRows<T> rows = {scratch, pitch, ph, smaller(ph + together, y.count)};
        for (int64_t p = ph; p < rows.end_row; p++)
            if (!is_empty(y.bins[p])) column_maxima<T, NV>(map, y.bins[p], x.hull, y.longest, scratch + (p - ph) * pitch);
        for (int64_t pw = 0; pw < x.count; pw++) bin_column_maxima<T, NV>(rows, x, pw, bins);
        for (int64_t p = ph; p < rows.end_row; p++)
            if (is_empty(y.bins[p])) fill_bin_row<T, NV>(bins, p, x.count, 0);
    }
}

// --- max over ranges, by tables ----------------------------------------------------------------------------------------

template <class T, int NV>
void begin_maxima(const RangeAxis& y, const RangeAxis& x, const BinTile& bins) {
    const Block<T, NV> lowest = Block<T, NV>::filled(minus_infinity<T>), nothing = Block<T, NV>::filled(0);
    for (int64_t ph = 0; ph < y.count; ph++)
        for (int64_t pw = 0; pw < x.count; pw++)
            (is_empty(y.bins[ph]) || is_empty(x.bins[pw]) ? nothing : lowest).store(bin_address(bins, ph, pw));
}

// A few covered bin rows: where they are, and where the rows of the table that they read begin.
template <int NY>
struct CoveredRows {
    static constexpr int most = 16;
    int64_t count;
    ptrdiff_t bin[most], row[most * NY];

    CoveredRows(const MapTile& maxima, const RunCover& y, int64_t first, const BinTile& bins) : count(smaller(most, y.count - first)) {
        for (int64_t j = 0; j < count; j++) bin[j] = y.bins[first + j] * bins.row_stride;
        for (int64_t r = 0; r < count * NY; r++) row[r] = y.starts[first * NY + r] * maxima.row_stride;
    }
};

// NY, NX: runs a bin on either axis.
template <class T, int NV, int NY, int NX>
inline void raise_to_few_runs(const MapTile& maxima, const RunCover& y, const RunCover& x, bool start, const BinTile& bins) {
    for (int64_t first = 0; first < y.count; first += CoveredRows<NY>::most) {
        const CoveredRows<NY> rows(maxima, y, first, bins);
        const int32_t* columns = x.starts;
        for (int64_t i = 0; i < x.count; i++, columns += NX) {
            const unsigned char* column[NX];
            for (int c = 0; c < NX; c++) column[c] = maxima.origin + columns[c] * maxima.column_stride;
            unsigned char* const bin = bin_address(bins, 0, x.bins[i]);
            for (int64_t j = 0; j < rows.count; j++) {
                Block<T, NV> best = Block<T, NV>::filled(minus_infinity<T>);
                for (int r = 0; r < NY; r++)
                    for (int c = 0; c < NX; c++) best.raise_to(Block<T, NV>::load(column[c] + rows.row[j * NY + r]));
                if (!start) best.raise_to(Block<T, NV>::load(bin + rows.bin[j]));
                best.store(bin + rows.bin[j]);
            }
        }
    }
}

template <class T, int NV>
inline void raise_to_many_runs(const MapTile& maxima, const RunCover& y, const RunCover& x, bool start, const BinTile& bins) {
    for (int64_t j = 0; j < y.count; j++)
        for (int64_t i = 0; i < x.count; i++) {
            unsigned char* const bin = bin_address(bins, y.bins[j], x.bins[i]);
            Block<T, NV> best = Block<T, NV>::filled(minus_infinity<T>);
            for (int64_t r = 0; r < y.runs; r++)
                for (int64_t c = 0; c < x.runs; c++)
                    best.raise_to(Block<T, NV>::load(cell_address(maxima, y.starts[j * y.runs + r], x.starts[i * x.runs + c])));
            if (!start) best.raise_to(Block<T, NV>::load(bin));
            best.store(bin);
        }
}

template <class T, int NV>
void raise_to_runs(const MapTile& maxima, const RunCover& y, const RunCover& x, bool start, const BinTile& bins) {
    if (y.runs > 2 || x.runs > 2) return raise_to_many_runs<T, NV>(maxima, y, x, start, bins);
    switch (2 * y.runs + x.runs) {
        case 3: return raise_to_few_runs<T, NV, 1, 1>(maxima, y, x, start, bins);
        case 4: return raise_to_few_runs<T, NV, 1, 2>(maxima, y, x, start, bins);
        case 5: return raise_to_few_runs<T, NV, 2, 1>(maxima, y, x, start, bins);
        default: return raise_to_few_runs<T, NV, 2, 2>(maxima, y, x, start, bins);
    }
}

template <class T, int NV>
void max_cells(const T* a, const T* b, T* dst, int64_t cells) {
    const Block<T, NV> lowest = Block<T, NV>::filled(minus_infinity<T>);
    for (int64_t i = 0; i < cells * Block<T, NV>::lanes; i += Block<T, NV>::lanes) {
        Block<T, NV> best = lowest;
        best.raise_to(Block<T, NV>::load(a + i));
        best.raise_to(Block<T, NV>::load(b + i));
        best.store(dst + i);
    }
}

// --- mean over ranges --------------------------------------------------------------------------------------------------

template <class T, int NV>
inline Block<T, NV> sum_of(const unsigned char* first, ptrdiff_t step, int64_t count) {
    Block<T, NV> sum = Block<T, NV>::load(first);
    for (int64_t i = 1; i < count; i++) sum.add(Block<T, NV>::load(first + i * step));
    return sum;
}

template <class T, int NV>
inline Block<T, NV> mean_of(const MapTile& map, Range rows, Range columns) {
    const int64_t height = rows.end - rows.start, width = columns.end - columns.start;
    const unsigned char* const first = cell_address(map, rows.start, columns.start);
    Block<T, NV> sum = sum_of<T, NV>(first, map.row_stride, height);
    for (int64_t i = 1; i < width; i++) sum.add(sum_of<T, NV>(first + i * map.column_stride, map.row_stride, height));
    return sum.divided_by(Vec<T>::broadcast((T)(height * width)));
}

template <class T, int NV>
void mean_ranges(const MapTile& map, const RangeAxis& y, const RangeAxis& x, const BinTile& bins) {
    const Block<T, NV> nothing = Block<T, NV>::filled(0);
    for (int64_t ph = 0; ph < y.count; ph++)
        for (int64_t pw = 0; pw < x.count; pw++) {
            const bool empty = is_empty(y.bins[ph]) || is_empty(x.bins[pw]);
            (empty ? nothing : mean_of<T, NV>(map, y.bins[ph], x.bins[pw])).store(bin_address(bins, ph, pw));
        }
}

// --- argmax ----------------------------------------------------------------------------------------------------------

// Bit i: lane i of the cell equals the maximum.
template <class T, int NV>
inline uint64_t lanes_equal(const unsigned char* cell, const unsigned char* maximum) {
    uint64_t bits = 0;
    for (int i = 0; i < NV; i++) {
        const ptrdiff_t at = i * (ptrdiff_t)sizeof(Vec<T>);
        bits |= (uint64_t)Vec<T>::equal_lanes(Vec<T>::load(cell + at), Vec<T>::load(maximum + at)) << (i * Vec<T>::lanes);
    }
    return bits;
}

// Row-major search for each lane's maximum; a lane leaves `open` at its first hit, and the search ends with the last lane.
template <class T, int NV>
inline void first_offsets(const MapTile& map, Range rows, Range columns, const unsigned char* maximum, int64_t map_width,
                          int64_t* offsets) {
    constexpr int lanes = Block<T, NV>::lanes;
    uint64_t open = lanes == 64 ? ~(uint64_t)0 : ((uint64_t)1 << (lanes % 64)) - 1;
    for (int64_t y = rows.start; y < rows.end && open; y++)
        for (int64_t x = columns.start; x < columns.end && open; x++) {
            uint64_t hits = open & lanes_equal<T, NV>(cell_address(map, y, x), maximum);
            open &= ~hits;
            for (; hits; hits &= hits - 1) offsets[__builtin_ctzll(hits)] = y * map_width + x;
        }
}

template <class T, int NV>
void argmax_ranges(const MapTile& map, const RangeAxis& y, const RangeAxis& x, const BinTile& bins, int64_t map_width,
                   int64_t* offsets) {
    constexpr int lanes = Block<T, NV>::lanes;
    for (int64_t ph = 0; ph < y.count; ph++)
        for (int64_t pw = 0; pw < x.count; pw++, offsets += lanes) {
            for (int i = 0; i < lanes; i++) offsets[i] = -1;
            first_offsets<T, NV>(map, y.bins[ph], x.bins[pw], bin_address(bins, ph, pw), map_width, offsets);
        }
}

// --- sum over taps ---------------------------------------------------------------------------------------------------

// Columns to reduce, ascending, and the one that scratch starts with.
struct Columns {
    const int32_t* cells;
    int64_t count;
    int32_t first;
};

// N weighted rows of every column; the weights and row offsets of a short list stay in registers.
template <class T, int NV, int N>
inline void weighted_rows_of(const MapTile& map, const int32_t* index, const T* weight, Columns columns, T* scratch) {
    Vec<T> w[N];
    ptrdiff_t row[N];
    for (int t = 0; t < N; t++) {
        w[t] = Vec<T>::broadcast(weight[t]);
        row[t] = index[t] * map.row_stride;
    }
    const unsigned char* const origin = map.origin;
    const ptrdiff_t column_stride = map.column_stride;
    for (int64_t i = 0; i < columns.count; i++) {
        const unsigned char* column = origin + columns.cells[i] * column_stride;
        Block<T, NV> sum = Block<T, NV>::product(w[0], Block<T, NV>::load(column + row[0]));
        for (int t = 1; t < N; t++) sum.add_product(w[t], Block<T, NV>::load(column + row[t]));
        sum.store(scratch + (columns.cells[i] - columns.first) * (ptrdiff_t)Block<T, NV>::lanes);
    }
}

// A long list of weighted rows, for N columns together: each weight is fetched once for all of them.
template <class T, int NV, int N>
inline void weighted_rows_of_columns(const MapTile& map, const int32_t* index, const T* weight, int32_t count, Columns columns,
                                     int64_t i, T* scratch) {
    const unsigned char* column[N];
    Block<T, NV> sum[N];
    for (int k = 0; k < N; k++) {
        column[k] = map.origin + columns.cells[i + k] * map.column_stride;
        sum[k] = Block<T, NV>::product(Vec<T>::broadcast(weight[0]), Block<T, NV>::load(column[k] + index[0] * map.row_stride));
    }
    for (int32_t t = 1; t < count; t++) {
        const Vec<T> w = Vec<T>::broadcast(weight[t]);
        const ptrdiff_t row = index[t] * map.row_stride;
        for (int k = 0; k < N; k++) sum[k].add_product(w, Block<T, NV>::load(column[k] + row));
    }
    for (int k = 0; k < N; k++) sum[k].store(scratch + (columns.cells[i + k] - columns.first) * (ptrdiff_t)Block<T, NV>::lanes);
}

template <class T, int NV>
inline void weighted_rows(const MapTile& map, const int32_t* index, const T* weight, int32_t count, Columns columns,
                          T* scratch) {
    switch (count) {
        case 1: return weighted_rows_of<T, NV, 1>(map, index, weight, columns, scratch);
        case 2: return weighted_rows_of<T, NV, 2>(map, index, weight, columns, scratch);
        case 3: return weighted_rows_of<T, NV, 3>(map, index, weight, columns, scratch);
        case 4: return weighted_rows_of<T, NV, 4>(map, index, weight, columns, scratch);
    }
    constexpr int together = NV == 1 ? 8 : NV == 2 ? 4 : NV == 4 ? 2 : 1;
    int64_t i = 0;
    for (; i + together <= columns.count; i += together)
        weighted_rows_of_columns<T, NV, together>(map, index, weight, count, columns, i, scratch);
    for (; i < columns.count; i++) weighted_rows_of_columns<T, NV, 1>(map, index, weight, count, columns, i, scratch);
}

// The bin's taps [first, end), added to `sum` if the bin has been started, else starting it.
template <class T, int NV>
inline Block<T, NV> weighted_columns(const T* scratch, int32_t first_column, const TapAxis<T>& x, int32_t first, int32_t end,
                                     bool started, const void* bin) {
    constexpr int lanes = Block<T, NV>::lanes;
    const auto cell = [&](int32_t t) { return Block<T, NV>::load(scratch + (x.index[t] - first_column) * (ptrdiff_t)lanes); };
    Block<T, NV> sum;
    if (started)
        sum = Block<T, NV>::load(bin);
    else
        sum = Block<T, NV>::product(Vec<T>::broadcast(x.weight[first]), cell(first));
    for (int32_t t = first + !started; t < end; t++) sum.add_product(Vec<T>::broadcast(x.weight[t]), cell(t));
    return sum;
}

template <class T>
inline bool has_taps(const TapAxis<T>& axis, int64_t bin) {
    return axis.first[bin] < axis.first[bin + 1];
}

// One column of bins of N taps each: the weights are fetched once for all bin rows.
template <class T, int NV, int N>
inline void bin_column_sums_of(const ReducedRows<T>& rows, const TapAxis<T>& y, const TapAxis<T>& x, int64_t pw,
                               const BinTile& bins) {
    Vec<T> w[N];
    ptrdiff_t cell[N];
    for (int t = 0; t < N; t++) {
        w[t] = Vec<T>::broadcast(x.weight[x.first[pw] + t]);
        cell[t] = (x.index[x.first[pw] + t] - x.hull.start) * (ptrdiff_t)Block<T, NV>::lanes;
    }
    const T* row = rows.rows;
    unsigned char* bin = bin_address(bins, rows.first_row, pw);
    for (int64_t ph = rows.first_row; ph < rows.end_row; ph++, row += rows.pitch, bin += bins.row_stride) {
        if (!has_taps(y, ph)) continue;
        Block<T, NV> sum = Block<T, NV>::product(w[0], Block<T, NV>::load(row + cell[0]));
        for (int t = 1; t < N; t++) sum.add_product(w[t], Block<T, NV>::load(row + cell[t]));
        sum.store(bin);
    }
}

template <class T, int NV>
inline void bin_column_sums(const ReducedRows<T>& rows, const TapAxis<T>& y, const TapAxis<T>& x, int64_t pw, T outside,
                            const BinTile& bins) {
    const int32_t first = x.first[pw], end = x.first[pw + 1];
    switch (end - first) {
        case 1: return bin_column_sums_of<T, NV, 1>(rows, y, x, pw, bins);
        case 2: return bin_column_sums_of<T, NV, 2>(rows, y, x, pw, bins);
        case 3: return bin_column_sums_of<T, NV, 3>(rows, y, x, pw, bins);
        case 4: return bin_column_sums_of<T, NV, 4>(rows, y, x, pw, bins);
    }
    for (int64_t ph = rows.first_row; ph < rows.end_row; ph++) {
        const T* const row = rows.rows + (ph - rows.first_row) * rows.pitch;
        if (first == end)
            Block<T, NV>::filled(outside).store(bin_address(bins, ph, pw));
        else if (has_taps(y, ph))
            weighted_columns<T, NV>(row, x.hull.start, x, first, end, false, nullptr).store(bin_address(bins, ph, pw));
    }
}

template <class T, int NV>
void sum_taps(const MapTile& map, const TapAxis<T>& y, const TapAxis<T>& x, T outside, const BinTile& bins, T* scratch) {
    const Columns columns = {x.cells, x.cell_count, x.hull.start};
    const int64_t width = x.hull.end - x.hull.start, together = rows_together<T, NV>(width);
    const ptrdiff_t pitch = width * Block<T, NV>::lanes;
    for (int64_t ph = 0; ph < y.count; ph += together) {
        const ReducedRows<T> rows = {scratch, pitch, ph, smaller(ph + together, y.count)};
        for (int64_t p = ph; p < rows.end_row; p++) {
            const int32_t first = y.first[p], count = y.first[p + 1] - first;
            if (count == 0 || width == 0)
                fill_bin_row<T, NV>(bins, p, x.count, outside);
            else
                weighted_rows<T, NV>(map, y.index + first, y.weight + first, count, columns, scratch + (p - ph) * pitch);
        }
        for (int64_t pw = 0; pw < x.count; pw++) bin_column_sums<T, NV>(rows, y, x, pw, outside, bins);
    }
}

template <class T, int NV>
void begin_sums(const TapAxis<T>& y, const TapAxis<T>& x, T outside, const BinTile& bins) {
    for (int64_t ph = 0; ph < y.count; ph++)
        for (int64_t pw = 0; pw < x.count; pw++)
            if (y.first[ph] == y.first[ph + 1] || x.first[pw] == x.first[pw + 1])
                Block<T, NV>::filled(outside).store(bin_address(bins, ph, pw));
}

// Position of the first of the ascending items[first..end) that is not below `bound`.
inline int64_t lower_bound(const int32_t* items, int64_t first, int64_t end, int32_t bound) {
    while (first < end) {
        const int64_t middle = first + (end - first) / 2;
        if (items[middle] < bound)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

template <class T>
inline Columns columns_in_strip(const TapAxis<T>& x, Range strip) {
    const int64_t begin = lower_bound(x.cells, 0, x.cell_count, strip.start);
    return {x.cells + begin, lower_bound(x.cells, begin, x.cell_count, strip.end) - begin, strip.start};
}

template <class T, int NV>
void add_strip(const MapTile& map, const TapAxis<T>& y, const TapAxis<T>& x, Range strip, const BinTile& bins, T* scratch) {
    const Columns columns = columns_in_strip(x, strip);
    if (columns.count == 0) return;
    const ptrdiff_t row = (ptrdiff_t)(strip.end - strip.start) * Block<T, NV>::lanes;
    for (int64_t ph = 0; ph < y.count; ph++) {
        const int32_t first = y.first[ph], count = y.first[ph + 1] - first;
        if (count) weighted_rows<T, NV>(map, y.index + first, y.weight + first, count, columns, scratch + ph * row);
    }
    for (int64_t pw = 0; pw < x.count; pw++) {
        const int32_t first_tap = x.first[pw], end_tap = x.first[pw + 1];
        if (first_tap == end_tap || x.index[first_tap] >= strip.end || x.index[end_tap - 1] < strip.start) continue;
        const int32_t begin = (int32_t)lower_bound(x.index, first_tap, end_tap, strip.start);
        const int32_t end = (int32_t)lower_bound(x.index, begin, end_tap, strip.end);
        if (begin == end) continue;
        for (int64_t ph = 0; ph < y.count; ph++) {
            if (y.first[ph] == y.first[ph + 1]) continue;
            unsigned char* const bin = bin_address(bins, ph, pw);
            weighted_columns<T, NV>(scratch + ph * row, strip.start, x, begin, end, begin > first_tap, bin).store(bin);
        }
    }
}

template <class T, int NV>
void divide_bins(const TapAxis<T>& y, const TapAxis<T>& x, const BinTile& bins) {
    for (int64_t ph = 0; ph < y.count; ph++)
        for (int64_t pw = 0; pw < x.count; pw++) {
            const int64_t cells = (int64_t)(y.first[ph + 1] - y.first[ph]) * (x.first[pw + 1] - x.first[pw]);
            if (cells <= 1) continue;
            unsigned char* const bin = bin_address(bins, ph, pw);
            Block<T, NV>::load(bin).divided_by(Vec<T>::broadcast((T)cells)).store(bin);
        }
}

// --- sum over taps, bin by bin -----------------------------------------------------------------------------------------

// Where bins share few columns, sums of columns that wait in scratch save little. Each bin is read from the map instead: a
// column's weighted rows are added in a register, then weighted like any column. Same products, same order, same bits.

// The rows and columns of cells of one bin; N rows, or any number where N is 0.
template <class T, int N>
struct BinCells {
    const unsigned char* origin;
    ptrdiff_t row_stride, column_stride;
    const int32_t *rows, *columns;
    const T *row_weights, *column_weights;
    int32_t row_count, column_count;
    bool mean;
    Vec<T> weight[N > 0 ? N : 1];
    ptrdiff_t row[N > 0 ? N : 1];

    void take_rows(const MapTile& map, const TapAxis<T>& y, int64_t ph) {
        origin = map.origin, row_stride = map.row_stride, column_stride = map.column_stride;
        rows = y.index + y.first[ph], row_weights = y.weight + y.first[ph], row_count = y.first[ph + 1] - y.first[ph];
        mean = y.mean;
        for (int t = 0; t < N; t++) weight[t] = Vec<T>::broadcast(row_weights[t]), row[t] = rows[t] * row_stride;
    }
    void take_columns(const TapAxis<T>& x, int64_t pw) {
        columns = x.index + x.first[pw], column_weights = x.weight + x.first[pw], column_count = x.first[pw + 1] - x.first[pw];
    }

    template <int NV>
    Block<T, NV> column_sum(const unsigned char* column) const {
        if constexpr (N > 0) {
            Block<T, NV> sum = Block<T, NV>::product(weight[0], Block<T, NV>::load(at_offset(column, row[0])));
            for (int t = 1; t < N; t++) sum.add_product(weight[t], Block<T, NV>::load(at_offset(column, row[t])));
            return sum;
        } else {
            const auto cell = [&](int32_t t) { return Block<T, NV>::load(column + rows[t] * row_stride); };
            Block<T, NV> sum = Block<T, NV>::product(Vec<T>::broadcast(row_weights[0]), cell(0));
            for (int32_t t = 1; t < row_count; t++) sum.add_product(Vec<T>::broadcast(row_weights[t]), cell(t));
            return sum;
        }
    }

    // The bin's sum for NV vectors of channels, from byte `at` of a cell on.
    template <int NV>
    Block<T, NV> sum(ptrdiff_t at) const {
        const auto column = [&](int32_t t) { return column_sum<NV>(origin + at + columns[t] * column_stride); };
        Block<T, NV> sum = Block<T, NV>::product(Vec<T>::broadcast(column_weights[0]), column(0));
        for (int32_t t = 1; t < column_count; t++) sum.add_product(Vec<T>::broadcast(column_weights[t]), column(t));
        const int64_t taps = (int64_t)row_count * column_count;
        return mean && taps > 1 ? sum.divided_by(Vec<T>::broadcast((T)taps)) : sum;
    }
};

// Calls write(bin, cells) for each bin of the row that has taps, and fill(bin) for the others.
template <class T, int N, class Write, class Fill>
inline void each_bin(const MapTile& map, const TapAxis<T>& y, const TapAxis<T>& x, const BinTile& bins, int64_t ph,
                     const Write& write, const Fill& fill) {
    BinCells<T, N> cells;
    cells.take_rows(map, y, ph);
    unsigned char* bin = bin_address(bins, ph, 0);
    for (int64_t pw = 0; pw < x.count; pw++, bin += bins.column_stride) {
        if (!has_taps(x, pw)) {
            fill(bin);
            continue;
        }
        cells.take_columns(x, pw);
        write(bin, cells);
    }
}

template <class T, class Write, class Fill>
inline void sum_bin_by_bin(const MapTile& map, const TapAxis<T>& y, const TapAxis<T>& x, const BinTile& bins, const Write& write,
                           const Fill& fill) {
    for (int64_t ph = 0; ph < y.count; ph++) {
        switch (y.first[ph + 1] - y.first[ph]) {
            case 0:
                for (int64_t pw = 0; pw < x.count; pw++) fill(bin_address(bins, ph, pw));
                break;
            case 1: each_bin<T, 1>(map, y, x, bins, ph, write, fill); break;
            case 2: each_bin<T, 2>(map, y, x, bins, ph, write, fill); break;
            case 3: each_bin<T, 3>(map, y, x, bins, ph, write, fill); break;
            case 4: each_bin<T, 4>(map, y, x, bins, ph, write, fill); break;
            default: each_bin<T, 0>(map, y, x, bins, ph, write, fill);
        }
    }
}

template <class T, int NV>
void sum_bins(const MapTile& map, const TapAxis<T>& y, const TapAxis<T>& x, T outside, const BinTile& bins) {
    const Block<T, NV> nothing = Block<T, NV>::filled(outside);
    sum_bin_by_bin(
        map, y, x, bins, [](unsigned char* bin, const auto& cells) { cells.template sum<NV>(0).store(bin); },
        [&](unsigned char* bin) { nothing.store(bin); });
}

// Vectors of a cache line, and of the most channels whose sums are kept in registers at a time.
template <class T>
constexpr int line_vectors = 64 / (int)sizeof(Vec<T>);
template <class T>
constexpr int wide_vectors = line_vectors<T> < 4 ? 4 : line_vectors<T>;

// Writes `bytes` of channels, a cache line at least. Streamed: whole lines of the output past the cache, and the ragged ends,
// which a neighbour shares, the ordinary way.
template <class T, class Cells>
inline void write_bin(const Cells& cells, ptrdiff_t bytes, unsigned char* bin, bool stream) {
    constexpr ptrdiff_t wide = Block<T, wide_vectors<T>>::bytes;
    alignas(64) unsigned char line[64];
    ptrdiff_t at = stream ? (ptrdiff_t)(-(uintptr_t)bin & 63) : 0;
    if (at > 0) {
        cells.template sum<line_vectors<T>>(0).store(line);
        memcpy(bin, line, at);
    }
    for (; at + wide <= bytes; at += wide) cells.template sum<wide_vectors<T>>(at).write(bin + at, stream);
    for (; at + 64 <= bytes; at += 64) cells.template sum<line_vectors<T>>(at).write(bin + at, stream);
    if (at < bytes) {
        cells.template sum<line_vectors<T>>(bytes - 64).store(line);
        memcpy(bin + at, line + 64 - (bytes - at), bytes - at);
    }
}

template <class T>
void sum_whole_bins(const MapTile& map, int64_t channels, const TapAxis<T>& y, const TapAxis<T>& x, T outside,
                    const BinTile& bins, bool stream) {
    const ptrdiff_t bytes = channels * (ptrdiff_t)sizeof(T);
    sum_bin_by_bin(
        map, y, x, bins,
        [&](unsigned char* bin, const auto& cells) {
            const bool lines_begin_with_a_channel = (uintptr_t)bin % sizeof(T) == 0;
            write_bin<T>(cells, bytes, bin, stream && lines_begin_with_a_channel);
        },
        [&](unsigned char* bin) {
            for (int64_t c = 0; c < channels; c++) memcpy(bin + c * sizeof(T), &outside, sizeof(T));
        });
}

// --- max over sample points --------------------------------------------------------------------------------------------

// One candidate: weight * cells, or absent.
template <class T, int NV>
inline bool weighted_row(const MapTile& map, int32_t row, T weight, const SampleAxis<T>& x, T* scratch) {
    if (weight == 0) return false;
    for (int64_t i = 0; i < x.cell_count; i++) {
        const Block<T, NV> cell = Block<T, NV>::load(cell_address(map, row, x.cells[i]));
        Block<T, NV>::product(Vec<T>::broadcast(weight), cell).store(scratch + (x.cells[i] - x.hull.start) * Block<T, NV>::lanes);
    }
    return true;
}

template <class T, int NV>
inline void interpolated_row(const MapTile& map, const Sample<T>& y, const SampleAxis<T>& x, T* scratch) {
    for (int64_t i = 0; i < x.cell_count; i++) {
        const unsigned char* const cell = cell_address(map, y.low, x.cells[i]);
        Block<T, NV> sum = Block<T, NV>::filled(0);
        if (y.weight != 0) sum = Block<T, NV>::product(Vec<T>::broadcast(y.weight), Block<T, NV>::load(cell));
        if (y.high_weight != 0)
            sum.add_product(Vec<T>::broadcast(y.high_weight), Block<T, NV>::load(cell + map.row_stride));
        sum.store(scratch + (x.cells[i] - x.hull.start) * Block<T, NV>::lanes);
    }
}

template <class T, int NV>
inline void raise_bins_to_points(const T* row, const SampleAxis<T>& x, const BinTile& bins, int64_t ph) {
    constexpr int lanes = Block<T, NV>::lanes;
    for (int64_t pw = 0; pw < x.count; pw++) {
        Block<T, NV> best = Block<T, NV>::load(bin_address(bins, ph, pw));
        for (int32_t s = x.first[pw]; s < x.first[pw + 1]; s++) {
            const Sample<T>& point = x.samples[s];
            const T* const cell = row + (point.low - x.hull.start) * (ptrdiff_t)lanes;
            Block<T, NV> sum = Block<T, NV>::filled(0);
            if (point.weight != 0) sum = Block<T, NV>::product(Vec<T>::broadcast(point.weight), Block<T, NV>::load(cell));
            if (point.high_weight != 0)
                sum.add_product(Vec<T>::broadcast(point.high_weight), Block<T, NV>::load(cell + lanes));
            best.raise_to(sum);
        }
        best.store(bin_address(bins, ph, pw));
    }
}

// A missing corner is one of weight zero: it takes part as a 0.
template <class T, int NV>
inline void raise_bins_to_corners(const T* row, const SampleAxis<T>& x, const BinTile& bins, int64_t ph) {
    constexpr int lanes = Block<T, NV>::lanes;
    for (int64_t pw = 0; pw < x.count; pw++) {
        Block<T, NV> best = Block<T, NV>::load(bin_address(bins, ph, pw));
        for (int32_t s = x.first[pw]; s < x.first[pw + 1]; s++) {
            const Sample<T>& point = x.samples[s];
            const T* const cell = row + (point.low - x.hull.start) * (ptrdiff_t)lanes;
            const T weights[2] = {point.weight, point.high_weight};
            for (int corner = 0; corner < 2; corner++) {
                if (weights[corner] == 0)
                    best.raise_to(Block<T, NV>::filled(0));
                else
                    best.raise_to(Block<T, NV>::product(Vec<T>::broadcast(weights[corner]),
                                                        Block<T, NV>::load(cell + corner * lanes)));
            }
        }
        best.store(bin_address(bins, ph, pw));
    }
}

template <class T, int NV>
inline void raise_bins(const BinTile& bins, int64_t ph, int64_t pw, T value) {
    unsigned char* const bin = bin_address(bins, ph, pw);
    Block<T, NV> best = Block<T, NV>::load(bin);
    best.raise_to(Block<T, NV>::filled(value));
    best.store(bin);
}

template <class T, int NV>
inline void max_samples_of_bin_row(const MapTile& map, const SampleAxis<T>& y, const SampleAxis<T>& x, bool corners,
                                   const BinTile& bins, int64_t ph, T* scratch) {
    for (int32_t s = y.first[ph]; s < y.first[ph + 1]; s++) {
        const Sample<T>& point = y.samples[s];
        if (!corners) {
            interpolated_row<T, NV>(map, point, x, scratch);
            raise_bins_to_points<T, NV>(scratch, x, bins, ph);
            continue;
        }
        const T weights[2] = {point.weight, point.high_weight};
        for (int corner = 0; corner < 2; corner++) {
            if (weighted_row<T, NV>(map, point.low + corner, weights[corner], x, scratch))
                raise_bins_to_corners<T, NV>(scratch, x, bins, ph);
            else
                for (int64_t pw = 0; pw < x.count; pw++)
                    if (x.first[pw] < x.first[pw + 1]) raise_bins<T, NV>(bins, ph, pw, 0);
        }
    }
}

template <class T, int NV>
void max_samples(const MapTile& map, const SampleAxis<T>& y, const SampleAxis<T>& x, SampleMaximum mode,
                 const BinTile& bins, T* scratch) {
    for (int64_t ph = 0; ph < y.count; ph++) {
        fill_bin_row<T, NV>(bins, ph, x.count, mode.from_zero ? (T)0 : minus_infinity<T>);
        max_samples_of_bin_row<T, NV>(map, y, x, mode.corners, bins, ph, scratch);
        const bool row_has_points = y.first[ph] < y.first[ph + 1];
        for (int64_t pw = 0; pw < x.count; pw++) {
            const bool has_points = row_has_points && x.first[pw] < x.first[pw + 1];
            const bool has_absent = y.absent[ph] || x.absent[pw];
            if (!has_points)
                Block<T, NV>::filled(0).store(bin_address(bins, ph, pw));
            else if (has_absent && mode.absent_is_zero)
                raise_bins<T, NV>(bins, ph, pw, 0);
        }
    }
}

// --- gather ------------------------------------------------------------------------------------------------------------

template <class T, int NV>
inline Block<T, NV> weighted_cells(const MapTile& map, const WeightedCell<T>* cells, int32_t count) {
    Block<T, NV> sum = Block<T, NV>::product(Vec<T>::broadcast(cells->weight),
                                             Block<T, NV>::load(cell_address(map, cells->row, cells->column)));
    for (int32_t t = 1; t < count; t++)
        sum.add_product(Vec<T>::broadcast(cells[t].weight), Block<T, NV>::load(cell_address(map, cells[t].row, cells[t].column)));
    return sum;
}

template <class T, int NV>
void gather(const MapTile& map, const GatherAxis<T>& y, const BinTile& bins) {
    const int32_t* first = y.first;
    for (int64_t ph = 0; ph < y.count; ph++)
        for (int64_t pw = 0; pw < y.columns; pw++, first++) {
            unsigned char* const bin = bin_address(bins, ph, pw);
            if (first[0] == first[1])
                Block<T, NV>::filled(0).store(bin);
            else
                weighted_cells<T, NV>(map, y.cells + first[0], first[1] - first[0]).store(bin);
        }
}

// --- planar <-> blocked ----------------------------------------------------------------------------------------------

// Always inlined, or a tile goes through memory: left to itself the compiler stops inlining when the file has grown enough.
template <class T>
__attribute__((always_inline)) inline void load_transposed(const unsigned char* from, ptrdiff_t stride, Vec<T> (&v)[16 / sizeof(T)]) {
    constexpr int R = 16 / sizeof(T);
    for (int i = 0; i < R; i++) v[i] = Vec<T>::load_groups(from + i * stride, R * stride);
    Vec<T>::transpose_groups(v);
}

// Reads V::lanes rows of `columns` elements, `from_stride` bytes apart; writes a vector for each column, `to_stride` apart.
template <class T, int columns>
inline void transpose_tile(const unsigned char* from, ptrdiff_t from_stride, unsigned char* to, ptrdiff_t to_stride) {
    Vec<T> v[columns];
    load_transposed(from, from_stride, v);
    for (int i = 0; i < columns; i++) v[i].store(to + i * to_stride);
}

// Columns of the tile that an instruction set transposes best, and of the narrowest one it has.
template <class T>
constexpr int best_tile = Vec<T>::wide_tile ? 2 * 16 / (int)sizeof(T) : 16 / (int)sizeof(T);
template <class T>
constexpr int narrow_tile = 16 / (int)sizeof(T);

constexpr ptrdiff_t prefetch_distance = 512;

template <class T, int NV, int R>
inline void pack_row_transposed(const unsigned char* row, ptrdiff_t channel_stride, int64_t channels, int64_t columns,
                                T* dst) {
    constexpr int tiles_per_line = 64 / (R * (int)sizeof(T));
    constexpr int W = Vec<T>::lanes;
    for (int64_t first = 0; first < channels; first += W) {
        const int64_t lane = smaller(first, channels - W);
        const unsigned char* from = row + lane * channel_stride;
        unsigned char* to = (unsigned char*)(dst + lane);
        for (int64_t x = 0; x < columns; x += R) {
            const int64_t at = smaller(x, columns - R);
            // As many planes are read at once as there are lanes: more streams than the hardware follows.
            for (int64_t c = at / R % tiles_per_line; c < Vec<T>::lanes; c += tiles_per_line)
                __builtin_prefetch(from + c * channel_stride + at * (ptrdiff_t)sizeof(T) + prefetch_distance);
            transpose_tile<T, R>(from + at * (ptrdiff_t)sizeof(T), channel_stride, to + at * Block<T, NV>::bytes,
                              Block<T, NV>::bytes);
        }
    }
}

template <class T, int NV>
inline void pack_row_strided(const PlanarBlock& map, const unsigned char* row, int64_t columns, T* dst) {
    constexpr int lanes = Block<T, NV>::lanes;
    for (int64_t x = 0; x < columns; x++, row += map.column_stride, dst += lanes) {
        if (map.channel_stride == (ptrdiff_t)sizeof(T)) {
            memcpy(dst, row, map.channels * sizeof(T));
        } else {
            for (int64_t c = 0; c < map.channels; c++) memcpy(dst + c, row + c * map.channel_stride, sizeof(T));
        }
        for (int64_t c = map.channels; c < lanes; c++) dst[c] = 0;
    }
}

// Whole blocks of a channels-last map: one of many lines from each cell, which the hardware does not fetch ahead.
template <class T, int NV>
inline void pack_row_of_blocks(const unsigned char* row, ptrdiff_t column_stride, int64_t columns, T* dst) {
    constexpr int64_t ahead = 24;
    for (int64_t x = 0; x < columns; x++, row += column_stride, dst += Block<T, NV>::lanes) {
        for (int line = 0; line < Block<T, NV>::bytes; line += 64) __builtin_prefetch(row + ahead * column_stride + line);
        Block<T, NV>::load(row).store(dst);
    }
}

// Zeroes the vectors of lanes beyond the channels; the last of the channels are written over them.
template <class T, int NV>
inline void clear_lanes(int64_t channels, int64_t cells, T* dst) {
    constexpr int W = Vec<T>::lanes;
    const Vec<T> zero = Vec<T>::broadcast(0);
    for (int64_t lane = channels / W * W; lane < Block<T, NV>::lanes; lane += W)
        for (int64_t i = 0; i < cells; i++) zero.store(dst + i * Block<T, NV>::lanes + lane);
}

template <class T, int NV>
void pack(const PlanarBlock& map, Range rows, Range columns, T* dst) {
    constexpr int lanes = Block<T, NV>::lanes;
    int64_t height = rows.end - rows.start, width = columns.end - columns.start;
    const unsigned char* row = map.data + rows.start * map.row_stride + columns.start * map.column_stride;
    const bool contiguous = map.column_stride == (ptrdiff_t)sizeof(T);
    if (contiguous && map.row_stride == width * (ptrdiff_t)sizeof(T)) {
        width *= height;
        height = 1;
    }
    const bool transposed = contiguous && map.channels >= Vec<T>::lanes;
    if (transposed) clear_lanes<T, NV>(map.channels, height * width, dst);
    for (int64_t y = 0; y < height; y++, row += map.row_stride, dst += width * lanes) {
        if (transposed && width >= best_tile<T>)
            pack_row_transposed<T, NV, best_tile<T>>(row, map.channel_stride, map.channels, width, dst);
        else if (transposed && width >= narrow_tile<T>)
            pack_row_transposed<T, NV, narrow_tile<T>>(row, map.channel_stride, map.channels, width, dst);
        else if (map.channel_stride == (ptrdiff_t)sizeof(T) && map.channels == lanes)
            pack_row_of_blocks<T, NV>(row, map.column_stride, width, dst);
        else
            pack_row_strided<T, NV>(map, row, width, dst);
    }
}

// Whole cache lines past the cache; the ragged ends, which a neighbour shares, the ordinary way.
template <class T>
inline void stream_copy(const T* src, unsigned char* dst, int64_t bytes) {
    const unsigned char* from = (const unsigned char*)src;
    const int64_t head = smaller(bytes, (int64_t)(-(uintptr_t)dst & 63));
    memcpy(dst, from, head);
    int64_t at = head;
    for (; at + 64 <= bytes; at += 64)
        for (int i = 0; i < 64; i += (int)sizeof(Vec<T>)) Vec<T>::load(from + at + i).stream(dst + at + i);
    memcpy(dst + at, from + at, bytes - at);
}

template <class T>
void stream(const T* src, unsigned char* dst, int64_t count) {
    stream_copy<T>(src, dst, count * (int64_t)sizeof(T));
}

template <class T>
inline void copy_run(const T* src, unsigned char* dst, int64_t count, bool stream) {
    const int64_t bytes = count * (int64_t)sizeof(T);
    if (stream) {
        stream_copy<T>(src, dst, bytes);
    } else if (bytes >= 16 && bytes <= 32) {  // a row of 4 to 8 floats, of which there are thousands
        memcpy(dst, src, 16);
        memcpy(dst + bytes - 16, (const unsigned char*)src + bytes - 16, 16);
    } else {
        memcpy(dst, src, bytes);
    }
}

// planes[lane * count + bin]. With fewer bins than lanes a tile spills into the next plane's start, which is written after it.
template <class T, int NV>
inline void transpose_bins(const unsigned char* bins, int64_t count, T* planes) {
    constexpr int R = best_tile<T>;
    constexpr int W = Vec<T>::lanes;
    constexpr int64_t few = 2;  // bins over (49 = 3 * 16 + 1) that are cheaper one by one than as another row of tiles
    const int64_t in_tiles = count > W && count % W <= few ? count - count % W : count;
    for (int lane = 0; lane < Block<T, NV>::lanes; lane += R)
        for (int64_t b = 0; b < in_tiles; b += W) {
            const int64_t at = count < W ? 0 : smaller(b, in_tiles - W);
            transpose_tile<T, R>(bins + at * Block<T, NV>::bytes + lane * (ptrdiff_t)sizeof(T), Block<T, NV>::bytes,
                              (unsigned char*)(planes + lane * count + at), count * (ptrdiff_t)sizeof(T));
        }
    for (int64_t b = in_tiles; b < count; b++)
        for (int lane = 0; lane < Block<T, NV>::lanes; lane++) planes[lane * count + b] = ((const T*)(bins + b * Block<T, NV>::bytes))[lane];
}

// Lanes that stay neighbours: bin by bin.
template <class T, int NV>
inline void copy_bins(const BinTile& bins, int64_t rows, int64_t columns, const PlanarBins& out) {
    const bool whole = out.first_lane == 0 && out.end_lane == Block<T, NV>::lanes;
    for (int64_t ph = 0; ph < rows; ph++)
        for (int64_t pw = 0; pw < columns; pw++) {
            const T* bin = (const T*)bin_address(bins, ph, pw);
            unsigned char* to = out.data + ph * out.row_stride + pw * out.column_stride;
            if (whole && out.stream && ((uintptr_t)to & 63) == 0)
                for (int i = 0; i < NV; i++) Vec<T>::load((const char*)bin + i * sizeof(Vec<T>)).stream(to + i * sizeof(Vec<T>));
            else if (whole)
                Block<T, NV>::load(bin).store(to);
            else
                memcpy(to + out.first_lane * sizeof(T), bin + out.first_lane, (out.end_lane - out.first_lane) * sizeof(T));
        }
}

template <class T, int NV>
inline void scatter_bins(const BinTile& bins, int64_t rows, int64_t columns, const PlanarBins& out) {
    for (int64_t ph = 0; ph < rows; ph++)
        for (int64_t pw = 0; pw < columns; pw++) {
            const T* bin = (const T*)bin_address(bins, ph, pw);
            unsigned char* to = out.data + ph * out.row_stride + pw * out.column_stride;
            for (int64_t lane = out.first_lane; lane < out.end_lane; lane++)
                memcpy(to + lane * out.channel_stride, bin + lane, sizeof(T));
        }
}

template <class T, int NV>
void unpack(const BinTile& bins, int64_t rows, int64_t columns, const PlanarBins& out, T* staging) {
    const int64_t count = rows * columns, plane = count * (int64_t)sizeof(T);
    if (out.channel_stride == (ptrdiff_t)sizeof(T)) return copy_bins<T, NV>(bins, rows, columns, out);
    if (count < (int64_t)(16 / sizeof(T)) || out.column_stride != (ptrdiff_t)sizeof(T) || (rows > 1 && out.row_stride != columns * (ptrdiff_t)sizeof(T)))
        return scatter_bins<T, NV>(bins, rows, columns, out);
    const bool one_run = out.channel_stride == plane, whole = out.first_lane == 0 && out.end_lane == Block<T, NV>::lanes;
    if (one_run && whole && !out.stream && count >= Vec<T>::lanes && (uintptr_t)out.data % sizeof(T) == 0)
        return transpose_bins<T, NV>(bins.data, count, (T*)out.data);
    transpose_bins<T, NV>(bins.data, count, staging);
    if (one_run) {
        copy_run<T>(staging + out.first_lane * count, out.data + out.first_lane * plane,
                    (out.end_lane - out.first_lane) * count, out.stream);
    } else {
        for (int64_t lane = out.first_lane; lane < out.end_lane; lane++)
            copy_run<T>(staging + lane * count, out.data + lane * out.channel_stride, count, out.stream);
    }
}

// --- the table -------------------------------------------------------------------------------------------------------

template <class T, int bytes>
constexpr BlockKernels<T> block_kernels() {
    constexpr int NV = bytes / sizeof(Vec<T>);
    return {Block<T, NV>::lanes,
            pack<T, NV>,
            max_ranges<T, NV>,
            begin_maxima<T, NV>,
            raise_to_runs<T, NV>,
            max_cells<T, NV>,
            mean_ranges<T, NV>,
            argmax_ranges<T, NV>,
            sum_taps<T, NV>,
            sum_bins<T, NV>,
            sum_whole_bins<T>,
            begin_sums<T, NV>,
            add_strip<T, NV>,
            divide_bins<T, NV>,
            max_samples<T, NV>,
            gather<T, NV>,
            stream<T>,
            unpack<T, NV>};
}

constexpr KernelTable kernel_table(const char* name, int packed_width, int direct_width) {
    return {name,
            packed_width,
            direct_width,
            end_streaming,
            {block_kernels<float, 64>(), block_kernels<float, 128>(), block_kernels<float, 256>()},
            {block_kernels<double, 64>(), block_kernels<double, 128>(), block_kernels<double, 256>()}};
}

}  // namespace
}  // namespace fastroi
