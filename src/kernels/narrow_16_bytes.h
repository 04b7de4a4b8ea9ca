// Narrow elements as vectors of four floats, in the compiler's own vector extension: for instruction sets without instructions for them.
// Included after Vec<float>, whose n is such a vector.
#pragma once
#include <stdint.h>
#include <string.h>

#include "../element.h"

namespace fastroi {
namespace {

typedef float Floats __attribute__((vector_size(16)));
typedef int32_t Ints __attribute__((vector_size(16)));

template <class Stored>
struct Four {
    typedef Stored type __attribute__((vector_size(4 * sizeof(Stored))));
};

template <class Stored>
inline Ints four(const void* p) {
    typename Four<Stored>::type n;
    memcpy(&n, p, sizeof n);
    return __builtin_convertvector(n, Ints);
}
template <class Stored>
inline void store_four(Ints n, void* p) {
    const auto stored = __builtin_convertvector(n, typename Four<Stored>::type);
    memcpy(p, &stored, sizeof stored);
}

inline Floats floats_of(Ints bits) {
    Floats numbers;
    memcpy(&numbers, &bits, sizeof numbers);
    return numbers;
}
inline Ints ints_of(Floats numbers) {
    Ints bits;
    memcpy(&bits, &numbers, sizeof bits);
    return bits;
}
inline Ints chosen(Ints where, Ints a, Ints b) { return (where & a) | (~where & b); }

inline Floats widen_four(Float16, const void* p) {
    const Ints stored = four<uint16_t>(p), rest = stored & 0x7fff;
    const Ints subnormal = ints_of(__builtin_convertvector(rest, Floats) * 0x1p-24f);
    const Ints special = (rest << 13) | 0x7f800000 | ((rest > 0x7c00) & 0x400000);
    const Ints size = chosen(rest < 0x400, subnormal, chosen(rest >= 0x7c00, special, (rest << 13) + (112 << 23)));
    return floats_of(size | (stored & 0x8000) << 16);
}
inline Floats widen_four(Bfloat16, const void* p) { return floats_of(four<uint16_t>(p) << 16); }
template <class Number, int32_t lowest, int32_t highest>
inline Floats widen_four(SmallInteger<Number, lowest, highest>, const void* p) {
    return __builtin_convertvector(four<Number>(p), Floats);
}

inline void store_four(Bfloat16, Floats numbers, void* p) {
    const Ints bits = ints_of(numbers), upper = (bits >> 16) & 0xffff, rest = bits & 0x7fffffff;
    const Ints up = (bits & 0xffff) + 0x7fff + (upper & 1);  // its carry is the rounding
    store_four<uint16_t>(chosen(rest > 0x7f800000, upper | 0x40, upper + (up >> 16)), p);
}
template <class Number, int32_t lowest, int32_t highest>
inline void store_four(SmallInteger<Number, lowest, highest>, Floats numbers, void* p) {
    const Floats low = {lowest, lowest, lowest, lowest}, high = {highest, highest, highest, highest};
    const Floats number = floats_of(ints_of(numbers) & (numbers == numbers));
    const Floats above = floats_of(chosen(number < low, ints_of(low), ints_of(number)));
    const Floats inside = floats_of(chosen(above > high, ints_of(high), ints_of(above)));
    const Ints whole = __builtin_convertvector(inside, Ints);
    const Floats rest = inside - __builtin_convertvector(whole, Floats);  // exact
    const Floats half = {0.5f, 0.5f, 0.5f, 0.5f};
    const Ints odd = -(whole & 1);
    const Ints up = (rest > half) | ((rest == half) & odd), down = (rest < -half) | ((rest == -half) & odd);
    store_four<Number>(whole - up + down, p);
}

inline Vec<float> vector_of(Floats numbers) {
    Vec<float> v;
    v.n = numbers;
    return v;
}

#define FASTROI_LOAD(E)                                                                            \
    inline Vec<float> load(E element, const void* p) { return vector_of(widen_four(element, p)); } \
    inline Vec<float> load_groups(E element, const void* p, ptrdiff_t) { return load(element, p); }
#define FASTROI_STORE(E) \
    inline void store(E element, Vec<float> v, void* p) { store_four(element, (Floats)v.n, p); }
FASTROI_LOAD(Float16)
FASTROI_LOAD(Bfloat16)
FASTROI_LOAD(Uint16)
FASTROI_LOAD(Int16)
FASTROI_LOAD(Uint8)
FASTROI_LOAD(Int8)
FASTROI_STORE(Bfloat16)
FASTROI_STORE(Uint16)
FASTROI_STORE(Int16)
FASTROI_STORE(Uint8)
FASTROI_STORE(Int8)
#undef FASTROI_LOAD
#undef FASTROI_STORE

}  // namespace
}  // namespace fastroi
