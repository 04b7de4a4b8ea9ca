// Turned boxes: their plans, bins of many points, and orientations.
#pragma once

#include "gather_rules.h"
#include "cells.cuh"

namespace fastroi {

// --- turned boxes -------------------------------------------------------------------------------------------------------

__device__ inline Rotation rotation_of(const Launch& launch) {
    return {launch.aligned != 0, launch.clockwise != 0,    launch.degrees != 0,     launch.sampling_h,
            launch.sampling_w,   launch.levels[0].scale_h, launch.levels[0].scale_w};
}

template <class Real>
__device__ inline RotatedBox<Real> turned_box(const Launch& launch, const RoiBox& box) {
    return rotated_box<Real>(rotation_of(launch), box.number, launch.bins_h, launch.bins_w);
}

template <class Real>
__device__ inline double weight_of_point(const RotatedBox<Real>& box) {
    return box.outside ? 0 : rotated_weight(box);
}

constexpr int most_listed_cells = 64;  // of bins that one thread plans by itself: 16 points of four cells

// The cells of a bin of few points, in the order in which the points come upon them. Returns their number.
template <class A, class Real>
__device__ inline int32_t list_few_cells(const RotatedBox<Real>& box, int64_t ph, int64_t pw, const Level& map,
                                         ListedCell<A>* cells) {
    int64_t keys[most_listed_cells];
    double weights[most_listed_cells];
    int32_t count = 0, kept = 0;
    visit_rotated_points(box, ph, pw, map.rows, map.columns, [&](const AlignPoint<Real>& y, const AlignPoint<Real>& x) {
        cells_of_point(y, x, [&](int64_t row, int64_t column, double weight) {
            if (weight == 0) return;
            const int64_t key = row << 32 | column;
            int32_t at = 0;
            while (at < count && keys[at] != key) at++;
            if (at == count) keys[count] = key, weights[count] = 0, count++;
            weights[at] += weight;
        });
    });
    const double scale = weight_of_point(box);
    for (int32_t i = 0; i < count; i++) {
        const A weight = (A)(weights[i] * scale);
        if (weight != 0)
            cells[kept++] = {weight, (keys[i] >> 32) * map.row_stride + (keys[i] & 0xffffffff) * map.column_stride};
    }
    return kept;
}

template <class A, class Real>
__device__ inline void plan_rotated_in(const Launch& launch, int64_t k, const RoiBox& box) {
    const RotatedBox<Real> turned = turned_box<Real>(launch, box);
    for (int64_t i = threadIdx.x; i < launch.planned_bins; i += blockDim.x) {
        const int64_t bin = launch.first_bin + i, list = list_of(launch, k, 0, bin);
        ListedCell<A>* const cells = (ListedCell<A>*)launch.y_items + list * launch.y_capacity;
        launch.y_first[list] =
            list_few_cells<A>(turned, bin / launch.bins_w, bin % launch.bins_w, launch.levels[0], cells);
    }
}

template <class A>
__device__ inline void plan_rotated(const Launch& launch) {
    const int64_t k = blockIdx.x;
    const RoiBox box = read_box(launch, launch.first + k);
    if (threadIdx.x == 0) launch.planned[k] = {box.image, 0, 0, 0, 0, 0};
    if (box.image < 0) return;
    if (launch.arithmetic_is_float)
        plan_rotated_in<A, float>(launch, k, box);
    else
        plan_rotated_in<A, double>(launch, k, box);
}

// Bins of many points: a block merges the cells of one bin, then sums them for all channels.

constexpr int chunk_points = 32, chunk_cells = 4 * chunk_points;

// The cells of some points, as numbers inside the hull of the bin; -1: none.
struct CellChunk {
    double weight[chunk_cells];
    int32_t cell[chunk_cells];
    int32_t is_new[chunk_cells];
};

// Rows and columns that the points of a bin touch.
struct CellHull {
    Range rows, columns;

    __device__ int64_t width() const { return columns.end - columns.start; }
    __device__ int64_t area() const { return (rows.end - rows.start) * width(); }
};

__device__ inline Range joined(Range a, Range b) {
    return {a.start < b.start ? a.start : b.start, a.end > b.end ? a.end : b.end};
}

// The cells of a bin with their weights in the order in which the points come upon them; `position` tells where in the list a
// cell of the hull is. Once the list is complete its numbers become rows, and positions columns.
struct CellTable {
    double* weight;
    int32_t *cell, *position;

    __device__ CellTable(void* memory, int64_t cells)
        : weight((double*)memory), cell((int32_t*)(weight + cells)), position(cell + cells) {}
    static constexpr int64_t bytes_per_cell = 16;
};

// Calls body(first of 32 points, their number, point(i)) all over a bin, in reading order of the box's own frame.
template <class Real, class Body>
__device__ inline void for_each_strip(const RotatedBox<Real>& box, int64_t ph, int64_t pw, const Level& map,
                                      Body&& body) {
    if (box.outside) return;
    const PointSpan rows = point_rows_near_map(box, ph, map.rows, map.columns);
    const bool is_short =
        box.x.grid <= short_grid;  // then every row of points is tried whole, and rows follow one another
    for (int64_t i = rows.first; i < rows.end; i += is_short ? rows.end - rows.first : 1) {
        const PointSpan span = points_of_row_near_map(box, pw, align_coordinate(box.y, ph, i), map.rows, map.columns);
        const int64_t width = span.end - span.first, height = is_short ? rows.end - rows.first : 1;
        if (width <= 0) continue;
        body(width * height, [&, i, width](int64_t number) {
            const Real yy = align_coordinate(box.y, ph, i + number / width);
            const Real xx = align_coordinate(box.x, pw, span.first + number % width);
            return rotated_point(box, yy, xx, map.rows, map.columns);
        });
    }
}

template <class Real>
__device__ inline CellHull find_cell_hull(const RotatedBox<Real>& box, int64_t ph, int64_t pw, const Level& map) {
    CellHull hull = {{0x7fffffff, 0}, {0x7fffffff, 0}};
    for_each_strip(box, ph, pw, map, [&](int64_t count, auto&& point_at) {
        for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
            const MapPoint<Real> point = point_at(i);
            if (point.y.absent || point.x.absent) continue;
            const int32_t y = (int32_t)point.y.low, x = (int32_t)point.x.low;
            hull.rows = joined(hull.rows, {y, y + 1 + (point.y.high_weight != 0)});
            hull.columns = joined(hull.columns, {x, x + 1 + (point.x.high_weight != 0)});
        }
    });
    CellHull* const parts = (CellHull*)dynamic_shared;
    __syncthreads();
    parts[threadIdx.x] = hull;
    __syncthreads();
    for (uint32_t t = 0; t < blockDim.x; t++)
        hull = {joined(hull.rows, parts[t].rows), joined(hull.columns, parts[t].columns)};
    __syncthreads();
    return hull.rows.end == 0 ? CellHull{{0, 0}, {0, 0}} : hull;
}

// Adds a chunk's cells to the list. Of equal cells the first one's thread adds all, in order; new ones go to the end in order.
// Returns how many are new.
__device__ inline int32_t merge_chunk(CellChunk& chunk, int32_t cells, const CellTable& table, int32_t listed) {
    __syncthreads();
    for (int32_t e = threadIdx.x; e < cells; e += blockDim.x) {
        const int32_t cell = chunk.cell[e];
        bool is_first = cell >= 0;
        for (int32_t f = 0; f < e; f++) is_first = is_first && chunk.cell[f] != cell;
        chunk.is_new[e] = is_first ? 1 + (table.position[cell] < 0) : 0;
    }
    __syncthreads();
    int32_t added = 0;
    for (int32_t f = 0; f < cells; f++) added += chunk.is_new[f] == 2;
    for (int32_t e = threadIdx.x; e < cells; e += blockDim.x) {
        if (chunk.is_new[e] == 0) continue;
        const int32_t cell = chunk.cell[e];
        int32_t at = listed;
        double weight = 0;
        if (chunk.is_new[e] == 2) {
            for (int32_t f = 0; f < e; f++) at += chunk.is_new[f] == 2;
            table.cell[at] = cell;
            table.position[cell] = at;
        } else {
            at = table.position[cell];
            weight = table.weight[at];
        }
        for (int32_t f = e; f < cells; f++)
            if (chunk.cell[f] == cell) weight += chunk.weight[f];
        table.weight[at] = weight;
    }
    return added;
}

// Lists the cells of a bin, their rows in table.cell and their columns in table.position. Returns their number.
template <class A, class Real>
__device__ inline int32_t list_many_cells(const RotatedBox<Real>& box, int64_t ph, int64_t pw, const Level& map,
                                          const CellHull& hull, CellChunk& chunk, const CellTable& table) {
    for (int64_t i = threadIdx.x; i < hull.area(); i += blockDim.x) table.position[i] = -1;
    const int32_t width = (int32_t)hull.width();
    int32_t listed = 0;
    for_each_strip(box, ph, pw, map, [&](int64_t count, auto&& point_at) {
        for (int64_t first = 0; first < count; first += chunk_points) {
            const int32_t points = smaller_of(chunk_points, count - first);
            for (int32_t i = threadIdx.x; i < points; i += blockDim.x) {
                const MapPoint<Real> point = point_at(first + i);
                int32_t e = 4 * i;
                const bool is_absent = point.y.absent || point.x.absent;
                cells_of_point(point.y, point.x, [&](int64_t row, int64_t column, double weight) {
                    const bool is_cell = !is_absent && weight != 0;
                    chunk.cell[e] =
                        is_cell ? (int32_t)(row - hull.rows.start) * width + (int32_t)(column - hull.columns.start)
                                : -1;
                    chunk.weight[e++] = weight;
                });
            }
            listed += merge_chunk(chunk, 4 * points, table, listed);
            __syncthreads();
        }
    });
    const double scale = weight_of_point(box);
    for (int32_t t = threadIdx.x; t < listed; t += blockDim.x) {
        const int32_t cell = table.cell[t];
        table.cell[t] = hull.rows.start + cell / width;
        table.position[t] = hull.columns.start + cell % width;
        table.weight[t] = (double)(A)(table.weight[t] * scale);
    }
    __syncthreads();
    return listed;
}

// One bin for all channels, if its cells fit into the memory of this launch: shared memory, or scratch where that is given.
template <class T, class R, int V, class Real>
__device__ inline void gather_bin_of_points(const Launch& launch, int64_t k, int64_t bin, const RoiBox& box) {
    using A = Sum<T>;
    const Level& map = launch.levels[0];
    const int64_t ph = bin / launch.bins_w, pw = bin % launch.bins_w;
    const RotatedBox<Real> turned = turned_box<Real>(launch, box);
    const CellHull hull = find_cell_hull(turned, ph, pw, map);
    if ((hull.area() > launch.shared_items) != (launch.scratch != nullptr)) return;
    CellChunk& chunk = *(CellChunk*)dynamic_shared;
    char* const memory = launch.scratch
                             ? (char*)launch.scratch + blockIdx.x * launch.scratch_cells * CellTable::bytes_per_cell
                             : (char*)(&chunk + 1);
    const CellTable table(memory, launch.scratch ? launch.scratch_cells : launch.shared_items);
    const int32_t listed = list_many_cells<A>(turned, ph, pw, map, hull, chunk, table);
    const T* const image = (const T*)map.data + box.image * map.image_stride;
    for (int64_t c = (int64_t)threadIdx.x * V; c < launch.channels; c += (int64_t)blockDim.x * V) {
        CellSum<T, V> sum;
        const T* const channel = image + c * map.channel_stride;
#pragma unroll 4
        for (int32_t t = 0; t < listed; t++) {
            const A weight = (A)table.weight[t];
            if (weight != 0)
                sum.add(channel + (table.cell[t] * map.row_stride + table.position[t] * map.column_stride), weight);
        }
        sum.finish();
        const DirectItem at = {c, (int32_t)ph, (int32_t)pw};
        if (!launch.staged) {
            write<R>(launch, k, at, sum.value);
            continue;
        }
        for (int i = 0; i < V && c + i < launch.channels; i++) {
            const A one[1] = {sum.value[i]};
            write<R>(launch, k, {c + i, at.ph, at.pw}, one);
        }
    }
    __syncthreads();
}

template <class T, class R, int V>
__device__ inline void gather_points(const Launch& launch) {
    const int64_t bins = launch.bins_h * launch.bins_w;
    for (int64_t item = blockIdx.x; item < launch.count * bins; item += gridDim.x) {
        const int64_t k = item / bins, bin = item % bins;
        const RoiBox box = read_box(launch, launch.first + k);
        if (box.image < 0) {
            const Sum<T> zero[1] = {0};
            for (int64_t c = threadIdx.x; c < launch.channels; c += blockDim.x)
                write<R>(launch, k, {c, (int32_t)(bin / launch.bins_w), (int32_t)(bin % launch.bins_w)}, zero);
        } else if (launch.arithmetic_is_float) {
            gather_bin_of_points<T, R, V, float>(launch, k, bin, box);
        } else {
            gather_bin_of_points<T, R, V, double>(launch, k, bin, box);
        }
    }
}

// --- orientations -------------------------------------------------------------------------------------------------------

template <class Real>
__device__ inline Orientation turned_orientation(const Launch& launch, const RoiBox& box) {
    return orientation_of<Real>(angle_in_radians<Real>(rotation_of(launch), box.number[4]), launch.orientations);
}

// From the pooled orientations of a RoI, not yet rounded, turned by the angle of its box, to the result.
template <class A, class R>
__device__ inline void mix(const Launch& launch) {
    const int64_t k = roi_of_block(launch), count = launch.orientations;
    const RoiBox box = read_box(launch, launch.first + k);
    const A* const source = (const A*)launch.source + (launch.first + k) * launch.source_strides[0];
    Orientation turn = {0, 0, 0};
    if (box.image >= 0)
        turn = launch.arithmetic_is_float ? turned_orientation<float>(launch, box)
                                          : turned_orientation<double>(launch, box);
    for_each_output<1>(launch, slice_of_block(launch), [&](const DirectItem& at) {
        const A* const bin = source + at.ph * launch.source_strides[2] + at.pw * launch.source_strides[3];
        const int64_t first = at.channel / count * count;
        const A value[1] = {mixed<A>(turn, at.channel - first, count,
                                     [&](int64_t from) { return bin[(first + from) * launch.source_strides[1]]; })};
        write<R>(launch, k, at, value);
    });
}

}  // namespace fastroi
