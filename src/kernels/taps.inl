// Sums over weighted rows times weighted columns: columns first, in strips, or bin by bin.
#pragma once
#include <string.h>

#include "bin_rows.inl"
#include "watch.inl"

namespace fastroi {
namespace {

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
inline void weighted_rows_of_columns(const MapTile& map, const int32_t* index, const T* weight, int32_t count,
                                     Columns columns, int64_t i, T* scratch) {
    const unsigned char* column[N];
    Block<T, NV> sum[N];
    for (int k = 0; k < N; k++) {
        column[k] = map.origin + columns.cells[i + k] * map.column_stride;
        sum[k] = Block<T, NV>::product(Vec<T>::broadcast(weight[0]),
                                       Block<T, NV>::load(column[k] + index[0] * map.row_stride));
    }
    for (int32_t t = 1; t < count; t++) {
        const Vec<T> w = Vec<T>::broadcast(weight[t]);
        const ptrdiff_t row = index[t] * map.row_stride;
        for (int k = 0; k < N; k++) sum[k].add_product(w, Block<T, NV>::load(column[k] + row));
    }
    for (int k = 0; k < N; k++)
        sum[k].store(scratch + (columns.cells[i + k] - columns.first) * (ptrdiff_t)Block<T, NV>::lanes);
}

template <class T, int NV, class W>
inline void weighted_rows(W& watch, const MapTile& map, const int32_t* index, const T* weight, int32_t count,
                          Columns columns, T* scratch) {
    if (count <= 4) watch.read(count * columns.count);
    switch (count) {
        case 1: return weighted_rows_of<T, NV, 1>(map, index, weight, columns, scratch);
        case 2: return weighted_rows_of<T, NV, 2>(map, index, weight, columns, scratch);
        case 3: return weighted_rows_of<T, NV, 3>(map, index, weight, columns, scratch);
        case 4: return weighted_rows_of<T, NV, 4>(map, index, weight, columns, scratch);
    }
    constexpr int together = NV == 1 ? 8 : NV == 2 ? 4 : NV == 4 ? 2 : 1;
    int64_t i = 0;
    for (; i + together <= columns.count; i += together) {
        weighted_rows_of_columns<T, NV, together>(map, index, weight, count, columns, i, scratch);
        watch.read((int64_t)together * count);
    }
    for (; i < columns.count; i++) {
        weighted_rows_of_columns<T, NV, 1>(map, index, weight, count, columns, i, scratch);
        watch.read(count);
    }
}

// The bin's taps [first, end), added to `sum` if the bin has been started, else starting it.
template <class T, int NV>
inline Block<T, NV> weighted_columns(const T* scratch, int32_t first_column, const TapAxis<T>& x, int32_t first,
                                     int32_t end, bool started, const void* bin) {
    constexpr int lanes = Block<T, NV>::lanes;
    const auto cell = [&](int32_t t) {
        return Block<T, NV>::load(scratch + (x.index[t] - first_column) * (ptrdiff_t)lanes);
    };
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
[[gnu::always_inline]] inline void bin_column_sums(const ReducedRows<T>& rows, const TapAxis<T>& y, const TapAxis<T>& x,
                                                   int64_t pw, T outside, const BinTile& bins) {
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

template <class T, int NV, class W>
inline void sum_taps_with(W& watch, const MapTile& map, const TapAxis<T>& y, const TapAxis<T>& x, T outside,
                          const BinTile& bins, T* scratch) {
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
                weighted_rows<T, NV>(watch, map, y.index + first, y.weight + first, count, columns,
                                     scratch + (p - ph) * pitch);
        }
        for (int64_t pw = 0; pw < x.count; pw++) {
            bin_column_sums<T, NV>(rows, y, x, pw, outside, bins);
            watch.read((rows.end_row - ph) * ((int64_t)1 + x.first[pw + 1] - x.first[pw]));
        }
    }
}

template <class T, int NV>
void sum_taps(const MapTile& map, const TapAxis<T>& y, const TapAxis<T>& x, T outside, const BinTile& bins,
              T* scratch) {
    reduce_with(map, [&map, &y, &x, &bins, scratch, outside](auto& watch) {
        sum_taps_with<T, NV>(watch, map, y, x, outside, bins, scratch);
    });
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

template <class T, int NV, class W>
inline void add_strip_with(W& watch, const MapTile& map, const TapAxis<T>& y, const TapAxis<T>& x, Range strip,
                           const BinTile& bins, T* scratch) {
    const Columns columns = columns_in_strip(x, strip);
    if (columns.count == 0) return;
    const ptrdiff_t row = (ptrdiff_t)(strip.end - strip.start) * Block<T, NV>::lanes;
    for (int64_t ph = 0; ph < y.count; ph++) {
        const int32_t first = y.first[ph], count = y.first[ph + 1] - first;
        if (count)
            weighted_rows<T, NV>(watch, map, y.index + first, y.weight + first, count, columns, scratch + ph * row);
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
        watch.read(y.count * (end - begin));
    }
}

template <class T, int NV>
void add_strip(const MapTile& map, const TapAxis<T>& y, const TapAxis<T>& x, Range strip, const BinTile& bins,
               T* scratch) {
    reduce_with(map, [&map, &y, &x, &bins, scratch, strip](auto& watch) {
        add_strip_with<T, NV>(watch, map, y, x, strip, bins, scratch);
    });
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

// p + offset in one register. Left to itself the compiler adds the place of each vector in a block to every offset of a loop
// beforehand, and keeps more sums than there are registers.
inline const unsigned char* at_offset(const unsigned char* p, ptrdiff_t offset) {
    p += offset;
    asm("" : "+r"(p));
    return p;
}

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
        columns = x.index + x.first[pw], column_weights = x.weight + x.first[pw],
        column_count = x.first[pw + 1] - x.first[pw];
    }

    template <int NV>
    [[gnu::always_inline]] inline Block<T, NV> column_sum(const unsigned char* column) const {
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

    // The bin's sum for NV vectors of channels, from byte `at` of a cell on. Always inlined: as a function it would return through memory.
    template <int NV, class W>
    [[gnu::always_inline]] inline Block<T, NV> sum(W& watch, ptrdiff_t at) const {
        const auto column = [&](int32_t t) __attribute__((always_inline)) {
            watch.read(row_count);
            return column_sum<NV>(origin + at + columns[t] * column_stride);
        };
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

template <class T, class W, class Write, class Fill>
inline void sum_bin_by_bin(W& watch, const MapTile& map, const TapAxis<T>& y, const TapAxis<T>& x, const BinTile& bins,
                           const Write& write, const Fill& fill) {
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
        watch.read(x.count);
    }
}

template <class T, int NV>
void sum_bins(const MapTile& map, const TapAxis<T>& y, const TapAxis<T>& x, T outside, const BinTile& bins) {
    reduce_with(map, [&map, &y, &x, &bins, outside](auto& watch) {
        const Block<T, NV> nothing = Block<T, NV>::filled(outside);
        sum_bin_by_bin(
            watch, map, y, x, bins,
            [&](unsigned char* bin, const auto& cells) { cells.template sum<NV>(watch, 0).store(bin); },
            [&](unsigned char* bin) { nothing.store(bin); });
    });
}

// Vectors of a cache line, and of the most channels whose sums are kept in registers at a time.
template <class T>
constexpr int line_vectors = 64 / (int)sizeof(Vec<T>);
template <class T>
constexpr int wide_vectors = line_vectors<T> < 4 ? 4 : line_vectors<T>;

// Writes `bytes` of channels, a cache line at least. Streamed: whole lines of the output past the cache, and the ragged ends,
// which a neighbour shares, the ordinary way.
template <class T, class W, class Cells>
inline void write_bin(W& watch, const Cells& cells, ptrdiff_t bytes, unsigned char* bin, bool stream) {
    constexpr ptrdiff_t wide = Block<T, wide_vectors<T>>::bytes;
    alignas(64) unsigned char line[64];
    ptrdiff_t at = stream ? (ptrdiff_t)(-(uintptr_t)bin & 63) : 0;
    if (at > 0) {
        cells.template sum<line_vectors<T>>(watch, 0).store(line);
        memcpy(bin, line, at);
    }
    for (; at + wide <= bytes; at += wide) cells.template sum<wide_vectors<T>>(watch, at).write(bin + at, stream);
    for (; at + 64 <= bytes; at += 64) cells.template sum<line_vectors<T>>(watch, at).write(bin + at, stream);
    if (at < bytes) {
        cells.template sum<line_vectors<T>>(watch, bytes - 64).store(line);
        memcpy(bin + at, line + 64 - (bytes - at), bytes - at);
    }
}

template <class T>
void sum_whole_bins(const MapTile& map, int64_t channels, const TapAxis<T>& y, const TapAxis<T>& x, T outside,
                    const BinTile& bins, bool stream) {
    reduce_with(map, [&map, channels, &y, &x, outside, &bins, stream](auto& watch) {
        const ptrdiff_t bytes = channels * (ptrdiff_t)sizeof(T);
        sum_bin_by_bin(
            watch, map, y, x, bins,
            [&](unsigned char* bin, const auto& cells) {
                const bool lines_begin_with_a_channel = (uintptr_t)bin % sizeof(T) == 0;
                write_bin<T>(watch, cells, bytes, bin, stream && lines_begin_with_a_channel);
            },
            [&](unsigned char* bin) {
                for (int64_t c = 0; c < channels; c++) memcpy(bin + c * sizeof(T), &outside, sizeof(T));
            });
    });
}

}  // namespace
}  // namespace fastroi
