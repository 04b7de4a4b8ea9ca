// Ports: planar elements <-> blocks of arithmetic. Packing maps, unpacking bins, streaming.
#pragma once
#include <string.h>

#include "elements.inl"

namespace fastroi {
namespace {

// Always inlined, or a tile goes through memory: left to itself the compiler stops inlining when the file has grown enough.
template <class E, class T = typename E::Arithmetic>
__attribute__((always_inline)) inline void load_transposed(E element, const unsigned char* from, ptrdiff_t stride,
                                                           Vec<T> (&v)[16 / sizeof(T)]) {
    constexpr int R = 16 / sizeof(T);
    for (int i = 0; i < R; i++) v[i] = load_groups(element, from + i * stride, R * stride);
    Vec<T>::transpose_groups(v);
}

// Reads V::lanes rows of `columns` elements, `from_stride` bytes apart; writes a vector for each column, `to_stride` apart, as Out.
template <class E, int columns, class Out = Own<typename E::Arithmetic>, class T = typename E::Arithmetic>
inline void transpose_tile(const unsigned char* from, ptrdiff_t from_stride, unsigned char* to, ptrdiff_t to_stride) {
    Vec<T> v[columns];
    load_transposed(E{}, from, from_stride, v);
    for (int i = 0; i < columns; i++) store(Out{}, v[i], to + i * to_stride);
}

// Columns of the narrowest tile there is, and of the one that an instruction set transposes best.
template <class E>
constexpr int narrow_tile = 16 / (int)sizeof(typename E::Arithmetic);
template <class E>
constexpr int best_tile = is_own<E> && Vec<typename E::Arithmetic>::wide_tile ? 2 * narrow_tile<E> : narrow_tile<E>;

constexpr ptrdiff_t prefetch_distance = 512;

template <class E, int NV, int R, class T = typename E::Arithmetic>
inline void pack_row_transposed(const unsigned char* row, ptrdiff_t channel_stride, int64_t channels, int64_t columns,
                                T* dst) {
    constexpr int tiles_per_line = 64 / (R * (int)item<E>);
    constexpr int W = Vec<T>::lanes;
    for (int64_t first = 0; first < channels; first += W) {
        const int64_t lane = smaller(first, channels - W);
        const unsigned char* from = row + lane * channel_stride;
        unsigned char* to = (unsigned char*)(dst + lane);
        for (int64_t x = 0; x < columns; x += R) {
            const int64_t at = smaller(x, columns - R);
            // As many planes are read at once as there are lanes: more streams than the hardware follows.
            for (int64_t c = at / R % tiles_per_line; c < Vec<T>::lanes; c += tiles_per_line)
                __builtin_prefetch(from + c * channel_stride + at * item<E> + prefetch_distance);
            transpose_tile<E, R>(from + at * item<E>, channel_stride, to + at * Block<T, NV>::bytes,
                                 Block<T, NV>::bytes);
        }
    }
}

template <class E, int NV, class T = typename E::Arithmetic>
inline void pack_row_strided(const PlanarBlock& map, const unsigned char* row, int64_t columns, T* dst) {
    constexpr int lanes = Block<T, NV>::lanes;
    for (int64_t x = 0; x < columns; x++, row += map.column_stride, dst += lanes) {
        if (map.channel_stride == item<E>) {
            widen_run<E>(row, map.channels, dst);
        } else {
            // Stored as bytes: the compiler vectorises a loop over typed stores, which costs more than it saves for a few channels.
            for (int64_t c = 0; c < map.channels; c++) {
                const T number = widened<E>(row + c * map.channel_stride);
                memcpy(dst + c, &number, sizeof number);
            }
        }
        for (int64_t c = map.channels; c < lanes; c++) dst[c] = 0;
    }
}

// Whole blocks of a channels-last map: one of many lines from each cell, which the hardware does not fetch ahead.
template <class E, int NV, class T = typename E::Arithmetic>
inline void pack_row_of_blocks(const unsigned char* row, ptrdiff_t column_stride, int64_t columns, T* dst) {
    constexpr int64_t ahead = 24;
    constexpr int64_t bytes = Block<T, NV>::lanes * item<E>;
    for (int64_t x = 0; x < columns; x++, row += column_stride, dst += Block<T, NV>::lanes) {
        for (int64_t line = 0; line < bytes; line += 64) __builtin_prefetch(row + ahead * column_stride + line);
        load_block<E, NV>(row).store(dst);
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

template <class E, int NV, class T = typename E::Arithmetic>
void pack(const PlanarBlock& map, Range rows, Range columns, T* dst) {
    constexpr int lanes = Block<T, NV>::lanes;
    int64_t height = rows.end - rows.start, width = columns.end - columns.start;
    const unsigned char* row = map.data + rows.start * map.row_stride + columns.start * map.column_stride;
    const bool contiguous = map.column_stride == item<E>;
    if (contiguous && map.row_stride == width * item<E>) {
        width *= height;
        height = 1;
    }
    const bool transposed = contiguous && map.channels >= Vec<T>::lanes;
    if (transposed) clear_lanes<T, NV>(map.channels, height * width, dst);
    for (int64_t y = 0; y < height; y++, row += map.row_stride, dst += width * lanes) {
        if (transposed && width >= best_tile<E>)
            pack_row_transposed<E, NV, best_tile<E>>(row, map.channel_stride, map.channels, width, dst);
        else if (transposed && width >= narrow_tile<E>)
            pack_row_transposed<E, NV, narrow_tile<E>>(row, map.channel_stride, map.channels, width, dst);
        else if (map.channel_stride == item<E> && map.channels == lanes)
            pack_row_of_blocks<E, NV>(row, map.column_stride, width, dst);
        else
            pack_row_strided<E, NV>(map, row, width, dst);
    }
}

template <class E, class T = typename E::Arithmetic>
void load_line(const unsigned char* from, ptrdiff_t stride, int64_t count, T* to) {
    if (stride == item<E>) return widen_run<E>(from, count, to);
    for (int64_t i = 0; i < count; i++) to[i] = widened<E>(from + i * stride);
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

// Rounded in pieces that end where a cache line does.
template <class E, class T = typename E::Arithmetic>
inline void stream_rounded(const T* src, unsigned char* dst, int64_t count) {
    constexpr int64_t piece = 1024;
    alignas(64) unsigned char rounded[piece];
    while (count > 0) {
        const int64_t n = smaller(count, (piece - (int64_t)((uintptr_t)dst & 63)) / item<E>);
        round_run<E>(src, n, rounded);
        stream_copy<T>((const T*)rounded, dst, n * item<E>);
        src += n, dst += n * item<E>, count -= n;
    }
}

template <class E, class T = typename E::Arithmetic>
void stream(const T* src, unsigned char* dst, int64_t count) {
    if constexpr (is_own<E>)
        stream_copy<T>(src, dst, count * item<E>);
    else
        stream_rounded<E>(src, dst, count);
}

inline void copy_run(const unsigned char* src, unsigned char* dst, int64_t bytes) {
    if (bytes >= 16 && bytes <= 32) {  // a row of 4 to 8 floats, of which there are thousands
        memcpy(dst, src, 16);
        memcpy(dst + bytes - 16, src + bytes - 16, 16);
    } else {
        memcpy(dst, src, bytes);
    }
}

template <class T>
inline void write_run(const unsigned char* src, unsigned char* dst, int64_t bytes, bool past_cache) {
    if (past_cache)
        stream_copy<T>((const T*)src, dst, bytes);
    else
        copy_run(src, dst, bytes);
}

// One bin, a number to each plane.
template <class E, int NV, class T = typename E::Arithmetic>
inline void scatter_bin(const unsigned char* bin, unsigned char* to, ptrdiff_t plane) {
    typename E::Stored rounded[Block<T, NV>::lanes];
    if constexpr (!is_own<E>) store_block<E, NV>(Block<T, NV>::load(bin), (unsigned char*)rounded);
    const unsigned char* const numbers = is_own<E> ? bin : (const unsigned char*)rounded;
    for (int lane = 0; lane < Block<T, NV>::lanes; lane++) memcpy(to + lane * plane, numbers + lane * item<E>, item<E>);
}

// Fewer bins than lanes. What lies behind the last bin is nobody's number, and is not rounded.
template <class E, int NV, class T = typename E::Arithmetic>
inline void transpose_few_bins(const unsigned char* bins, int64_t count, unsigned char* planes) {
    constexpr int R = best_tile<Own<T>>;
    T numbers[R][Vec<T>::lanes];
    for (int first = 0; first < Block<T, NV>::lanes; first += R) {
        transpose_tile<Own<T>, R>(bins + first * (ptrdiff_t)sizeof(T), Block<T, NV>::bytes, (unsigned char*)numbers,
                                  sizeof numbers[0]);
        for (int i = 0; i < R; i++)
            store(E{}, Vec<T>::load_part(numbers[i], count), planes + (first + i) * count * item<E>);
    }
}

// Rounded, at planes[lane * count + bin]. With fewer bins than lanes a tile spills into the next plane's start, which is written
// after it.
template <class E, int NV, class T = typename E::Arithmetic>
[[gnu::always_inline]] inline void transpose_bins(const unsigned char* bins, int64_t count, unsigned char* planes) {
    constexpr int R = best_tile<Own<T>>;
    constexpr int W = Vec<T>::lanes;
    constexpr int64_t few = 2;  // bins over (49 = 3 * 16 + 1) that are cheaper one by one than as another row of tiles
    if (!is_own<E> && count < W) return transpose_few_bins<E, NV>(bins, count, planes);
    const int64_t in_tiles = count > W && count % W <= few ? count - count % W : count;
    for (int lane = 0; lane < Block<T, NV>::lanes; lane += R)
        for (int64_t b = 0; b < in_tiles; b += W) {
            const int64_t at = count < W ? 0 : smaller(b, in_tiles - W);
            transpose_tile<Own<T>, R, E>(bins + at * Block<T, NV>::bytes + lane * (ptrdiff_t)sizeof(T),
                                         Block<T, NV>::bytes, planes + (lane * count + at) * item<E>, count * item<E>);
        }
    for (int64_t b = in_tiles; b < count; b++)
        scatter_bin<E, NV>(bins + b * Block<T, NV>::bytes, planes + b * item<E>, count * item<E>);
}

// Lanes that stay neighbours: bin by bin.
template <class E, int NV, class T = typename E::Arithmetic>
inline void copy_bins(const BinTile& bins, int64_t rows, int64_t columns, const PlanarBins& out) {
    const bool whole = out.first_lane == 0 && out.end_lane == Block<T, NV>::lanes;
    for (int64_t ph = 0; ph < rows; ph++)
        for (int64_t pw = 0; pw < columns; pw++) {
            const T* bin = (const T*)bin_address(bins, ph, pw);
            unsigned char* to = out.data + ph * out.row_stride + pw * out.column_stride;
            if (is_own<E> && whole && out.stream && ((uintptr_t)to & 63) == 0)
                Block<T, NV>::load(bin).write(to, true);
            else if (whole)
                store_block<E, NV>(Block<T, NV>::load(bin), to);
            else
                round_run<E>(bin + out.first_lane, out.end_lane - out.first_lane, to + out.first_lane * item<E>);
        }
}

template <class E, int NV, class T = typename E::Arithmetic>
inline void scatter_bins(const BinTile& bins, int64_t rows, int64_t columns, const PlanarBins& out) {
    for (int64_t ph = 0; ph < rows; ph++)
        for (int64_t pw = 0; pw < columns; pw++) {
            const T* bin = (const T*)bin_address(bins, ph, pw);
            unsigned char* to = out.data + ph * out.row_stride + pw * out.column_stride;
            for (int64_t lane = out.first_lane; lane < out.end_lane; lane++)
                write_rounded<E>(bin[lane], to + lane * out.channel_stride);
        }
}

template <class E, int NV, class T = typename E::Arithmetic>
void unpack(const BinTile& bins, int64_t rows, int64_t columns, const PlanarBins& out, T* staging) {
    const int64_t count = rows * columns, plane = count * item<E>;
    if (out.channel_stride == item<E>) return copy_bins<E, NV>(bins, rows, columns, out);
    if (count < narrow_tile<E> || out.column_stride != item<E> || (rows > 1 && out.row_stride != columns * item<E>))
        return scatter_bins<E, NV>(bins, rows, columns, out);
    const bool one_run = out.channel_stride == plane,
               whole = out.first_lane == 0 && out.end_lane == Block<T, NV>::lanes;
    if (one_run && whole && !out.stream && count >= Vec<T>::lanes)
        return transpose_bins<E, NV>(bins.data, count, out.data);
    unsigned char* const planes = (unsigned char*)staging;
    transpose_bins<E, NV>(bins.data, count, planes);
    if (one_run) {
        write_run<T>(planes + out.first_lane * plane, out.data + out.first_lane * plane,
                     (out.end_lane - out.first_lane) * plane, out.stream);
    } else {
        for (int64_t lane = out.first_lane; lane < out.end_lane; lane++)
            write_run<T>(planes + lane * plane, out.data + lane * out.channel_stride, plane, out.stream);
    }
}

}  // namespace
}  // namespace fastroi
