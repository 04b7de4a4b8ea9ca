// NV vectors of channel lanes: one map cell, one bin.
#pragma once
#include <stddef.h>
#include <stdint.h>

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

}  // namespace
}  // namespace fastroi
