// Element types, and how values and packs of them are read, written, multiplied and compared.
#pragma once

#include "tap_rules.h"

namespace fastroi {

struct Float16 {
    uint16_t bits;
};
struct Bfloat16 {
    uint16_t bits;
};

#ifndef FASTROI_CUDA_SHIM
__device__ inline float float_of_half_bits(uint16_t bits) {
    float v;
    asm("cvt.f32.f16 %0, %1;" : "=f"(v) : "h"(bits));
    return v;
}
__device__ inline uint16_t half_bits_of_float(float v) {
    uint16_t bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(v));
    return bits;
}

// The same pointer, which the compiler no longer takes apart: an access at 32 bits behind it costs one instruction.
template <class T>
__device__ inline const T* opaque(const T* p) {
    asm("" : "+l"(p));
    return p;
}

// One access each: the compiler splits assignments.
__device__ inline void put(uint2* to, uint2 v) {
    asm volatile("st.global.v2.u32 [%0], {%1, %2};" : : "l"(to), "r"(v.x), "r"(v.y));
}
__device__ inline void put(uint4* to, uint4 v) {
    asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" : : "l"(to), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w));
}
#endif
template <class Word>
__device__ inline void put(Word* to, Word v) {
    *to = v;
}

__device__ inline float widened(float v) { return v; }
__device__ inline double widened(double v) { return v; }
__device__ inline float widened(Float16 v) { return float_of_half_bits(v.bits); }
__device__ inline float widened(Bfloat16 v) { return __uint_as_float((uint32_t)v.bits << 16); }

template <class T>
struct SumType {
    using type = float;
};
template <>
struct SumType<double> {
    using type = double;
};
template <class T>
using Sum = typename SumType<T>::type;

template <class T>
__device__ inline T narrowed(Sum<T> v) {
    return v;
}
template <>
__device__ inline Float16 narrowed<Float16>(float v) {
    return {half_bits_of_float(v)};
}
template <>
__device__ inline Bfloat16 narrowed<Bfloat16>(float v) {
    const uint32_t bits = __float_as_uint(v);
    if (v != v) return {(uint16_t)(bits >> 16 | 64)};
    return {(uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

__device__ inline float fused(float a, float b, float c) { return fmaf(a, b, c); }
__device__ inline double fused(double a, double b, double c) { return fma(a, b, c); }
__device__ inline float divided(float a, float b) { return a / b; }
__device__ inline double divided(double a, double b) { return a / b; }

// NaN in `candidate` leaves `best`.
__device__ inline float raised(float best, float candidate) { return fmaxf(best, candidate); }
__device__ inline double raised(double best, double candidate) { return fmax(best, candidate); }

template <class A>
__device__ inline A minus_infinity() {
    return -(A)__int_as_float(0x7f800000);
}

// What a sum starts from: a fused product added to a negative zero is the product, sign and all.
template <class A>
constexpr A no_sum = -(A)0;

template <class A, int V>
__device__ inline void set_all(A (&values)[V], A value) {
#pragma unroll
    for (int c = 0; c < V; c++) values[c] = value;
}

template <class A, int V>
__device__ inline void add_product(A (&sum)[V], A weight, const A (&v)[V]) {
#pragma unroll
    for (int c = 0; c < V; c++) sum[c] = fused(weight, v[c], sum[c]);
}

// V consecutive channels, moved in one access of V * sizeof(T) bytes.
template <class T, int V>
struct alignas(V * sizeof(T)) Pack {
    T v[V];
};

// The built-in type of so many bytes.
template <int bytes>
struct Access;
template <>
struct Access<2> {
    using Type = uint16_t;
};
template <>
struct Access<4> {
    using Type = uint32_t;
};
template <>
struct Access<8> {
    using Type = uint2;
};
template <>
struct Access<16> {
    using Type = uint4;
};

// From global memory that no thread of the kernel writes.
template <class Value>
__device__ inline Value loaded(const Value* from) {
    using Word = typename Access<sizeof(Value)>::Type;
    const Word word = __ldg((const Word*)from);
    Value value;
    memcpy(&value, &word, sizeof value);
    return value;
}

// To global memory.
template <class Value>
__device__ inline void stored(Value* to, const Value& value) {
    using Word = typename Access<sizeof(Value)>::Type;
    Word word;
    memcpy(&word, &value, sizeof word);
    put((Word*)to, word);
}

template <class T, int V>
__device__ inline void load(const T* from, Sum<T> (&to)[V]) {
    const Pack<T, V> pack = loaded((const Pack<T, V>*)from);
#pragma unroll
    for (int i = 0; i < V; i++) to[i] = widened(pack.v[i]);
}

template <class T, int V>
__device__ inline void store(T* to, const Sum<T> (&from)[V]) {
    Pack<T, V> pack;
#pragma unroll
    for (int i = 0; i < V; i++) pack.v[i] = narrowed<T>(from[i]);
    stored((Pack<T, V>*)to, pack);
}

}  // namespace fastroi
