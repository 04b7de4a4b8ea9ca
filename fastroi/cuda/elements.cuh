// Element types, and how values and packs of them are read, written, multiplied and compared.
#pragma once

#include "element.h"
#include "tap_rules.h"

namespace fastroi {

// A number of a map or a result in memory.
template <class E>
struct Stored {
    using Element = E;
    typename E::Stored number;
};

// What numbers of T are computed in.
template <class T>
using Sum = typename T::Element::Arithmetic;

#ifndef FASTROI_CUDA_SHIM
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

template <class E>
__device__ inline typename E::Arithmetic widened(Stored<E> v) {
    return E::widen(v.number);
}

// A result of the arithmetic A as it is stored.
template <class R, class A>
__device__ inline R rounded(A v) {
    return {result_of<A, typename R::Element>::round(v)};
}

#ifndef FASTROI_CUDA_SHIM
// One instruction has the numbers of Float16::widen and Float16::round; of NaNs it, as all arithmetic here, makes one and the same.
__device__ inline float widened(Stored<Float16> v) {
    float to;
    asm("cvt.f32.f16 %0, %1;" : "=f"(to) : "h"(v.number));
    return to;
}
template <>
__device__ inline Stored<Float16> rounded<Stored<Float16>>(float v) {
    Stored<Float16> to;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(to.number) : "f"(v));
    return to;
}
#endif

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

constexpr int widest_access = 16;  // bytes

// V consecutive channels, moved in one access of V * sizeof(T) bytes, or several of the widest.
template <class T, int V>
struct alignas(V * sizeof(T) < widest_access ? V * sizeof(T) : widest_access) Pack {
    T v[V];
};

// The built-in type of so many bytes.
template <int bytes>
struct Access;
template <>
struct Access<1> {
    using Type = uint8_t;
};
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

// A value as the words that it is moved in.
template <class Value>
struct Words {
    static constexpr int bytes = sizeof(Value) < widest_access ? sizeof(Value) : widest_access;
    static constexpr int count = sizeof(Value) / bytes;
    using Word = typename Access<bytes>::Type;
    static_assert(count * bytes == sizeof(Value), "a value is one word or some of the widest");
    Word word[count];
};

// From global memory that no thread of the kernel writes.
template <class Value>
__device__ inline Value loaded(const Value* from) {
    using Moved = Words<Value>;
    Moved moved;
#pragma unroll
    for (int i = 0; i < Moved::count; i++) moved.word[i] = __ldg((const typename Moved::Word*)from + i);
    Value value;
    memcpy(&value, &moved, sizeof value);
    return value;
}

// To global memory.
template <class Value>
__device__ inline void stored(Value* to, const Value& value) {
    using Moved = Words<Value>;
    Moved moved;
    memcpy(&moved, &value, sizeof moved);
#pragma unroll
    for (int i = 0; i < Moved::count; i++) put((typename Moved::Word*)to + i, moved.word[i]);
}

template <class T, int V>
__device__ inline void load(const T* from, Sum<T> (&to)[V]) {
    const Pack<T, V> pack = loaded((const Pack<T, V>*)from);
#pragma unroll
    for (int i = 0; i < V; i++) to[i] = widened(pack.v[i]);
}

template <class R, class A, int V>
__device__ inline void store(R* to, const A (&from)[V]) {
    Pack<R, V> pack;
#pragma unroll
    for (int i = 0; i < V; i++) pack.v[i] = rounded<R>(from[i]);
    stored((Pack<R, V>*)to, pack);
}

}  // namespace fastroi
