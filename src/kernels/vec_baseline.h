// 16-byte vectors in the compiler's own vector extension: SSE2 on x86-64, NEON without fused multiply-add on aarch64.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace fastroi {
namespace {

template <class T>
struct Vec;

template <class T, class Native, class Mask>
struct Vec16Bytes {
    using V = Vec<T>;
    static constexpr int lanes = 16 / sizeof(T);
    static constexpr bool wide_tile = false;
    Native n;

    static V load(const void* p) {
        V v;
        memcpy(&v.n, p, 16);
        return v;
    }
    // The first `count` lanes; the others are 0, and their memory is not read.
    static V load_part(const void* p, int64_t count) {
        T parts[lanes] = {};
        for (int64_t i = 0; i < count; i++) memcpy(parts + i, (const char*)p + i * sizeof(T), sizeof(T));
        return load(parts);
    }
    void store(void* p) const { memcpy(p, &n, 16); }
    void stream(void* p) const { store(p); }
    static V broadcast(T x) {
        V v;
        v.n = x - Native{};
        return v;
    }
    // NaN in `candidate` leaves `best`.
    static V max(V candidate, V best) {
        V v;
        v.n = candidate.n > best.n ? candidate.n : best.n;
        return v;
    }
    static V multiply_add(V a, V b, V c) {
        V v;
        v.n = a.n * b.n + c.n;
        return v;
    }
    static V add(V a, V b) {
        V v;
        v.n = a.n + b.n;
        return v;
    }
    static V divide(V a, V b) {
        V v;
        v.n = a.n / b.n;
        return v;
    }
    static V multiply(V a, V b) {
        V v;
        v.n = a.n * b.n;
        return v;
    }
    static uint32_t equal_lanes(V a, V b) {
        const Mask same = a.n == b.n;
        uint32_t bits = 0;
        for (int i = 0; i < lanes; i++) bits |= (uint32_t)(same[i] & 1) << i;
        return bits;
    }
    static V load_groups(const void* p, ptrdiff_t) { return load(p); }
};

typedef float native_f32 __attribute__((vector_size(16)));
typedef double native_f64 __attribute__((vector_size(16)));
typedef int32_t mask_f32 __attribute__((vector_size(16)));
typedef int64_t mask_f64 __attribute__((vector_size(16)));

template <>
struct Vec<float> : Vec16Bytes<float, native_f32, mask_f32> {
    static void transpose_groups(Vec (&v)[4]) {
        const native_f32 a = __builtin_shufflevector(v[0].n, v[1].n, 0, 4, 1, 5);
        const native_f32 b = __builtin_shufflevector(v[2].n, v[3].n, 0, 4, 1, 5);
        const native_f32 c = __builtin_shufflevector(v[0].n, v[1].n, 2, 6, 3, 7);
        const native_f32 d = __builtin_shufflevector(v[2].n, v[3].n, 2, 6, 3, 7);
        v[0].n = __builtin_shufflevector(a, b, 0, 1, 4, 5);
        v[1].n = __builtin_shufflevector(a, b, 2, 3, 6, 7);
        v[2].n = __builtin_shufflevector(c, d, 0, 1, 4, 5);
        v[3].n = __builtin_shufflevector(c, d, 2, 3, 6, 7);
    }
};

template <>
struct Vec<double> : Vec16Bytes<double, native_f64, mask_f64> {
    static void transpose_groups(Vec (&v)[2]) {
        const native_f64 a = __builtin_shufflevector(v[0].n, v[1].n, 0, 2);
        v[1].n = __builtin_shufflevector(v[0].n, v[1].n, 1, 3);
        v[0].n = a;
    }
};

inline void end_streaming() {}

}  // namespace
}  // namespace fastroi

#include "narrow_16_bytes.h"
