// How numbers of maps and outputs are stored, apart from the arithmetic that is done with them.
//
// An element has one way in and one way out. `widen` is exact. `round` is the one rounding of a result:
//   to float16 and bfloat16: to nearest, ties to even; subnormals are kept, what lies beyond the largest number becomes infinite, and
//   a NaN stays a NaN: quiet, with its sign and the upper bits of its payload;
//   to integers: to nearest, ties to even; what lies outside is saturated, and a NaN becomes 0.
// Neither depends on the caller's rounding mode or on its treatment of subnormals.
//
// Freestanding on purpose: the CPU build and a GPU compiler read this same text.
#pragma once
#include <stdint.h>

// Inlined always: a copy that the linker merged could hold instructions of another translation unit's set.
#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define FASTROI_CONVERSION __host__ __device__ __forceinline__
#else
#define FASTROI_CONVERSION __attribute__((always_inline)) inline
#endif

namespace fastroi {

FASTROI_CONVERSION uint32_t bits_of(float x) {
    union {
        float number;
        uint32_t bits;
    } both = {x};
    return both.bits;
}

FASTROI_CONVERSION float float_of(uint32_t bits) {
    union {
        uint32_t bits;
        float number;
    } both = {bits};
    return both.number;
}

FASTROI_CONVERSION uint64_t bits_of(double x) {
    union {
        double number;
        uint64_t bits;
    } both = {x};
    return both.bits;
}

// n / 2^shift to nearest, ties to even.
template <class Bits>
FASTROI_CONVERSION Bits shifted_half_even(Bits n, uint32_t shift) {
    return (n + ((Bits)1 << (shift - 1)) - 1 + (n >> shift & 1)) >> shift;
}

// n / 2^shift; where it is not exact, the odd one of the two neighbours, which remembers that it was not.
template <class Bits>
FASTROI_CONVERSION Bits shifted_to_odd(Bits n, uint32_t shift) {
    return n >> shift | ((n & (((Bits)1 << shift) - 1)) != 0);
}

// The float nearest to x, ties to even. to_odd: a neighbour of x from which every narrower element is rounded as from x itself.
FASTROI_CONVERSION float narrowed(double x, bool to_odd) {
    constexpr uint64_t infinite = (uint64_t)0x7ff << 52, one = (uint64_t)1 << 52;
    const uint64_t bits = bits_of(x), rest = bits & ~((uint64_t)1 << 63), exponent = rest >> 52;
    const uint32_t sign = (uint32_t)(bits >> 32) & 0x80000000;
    if (rest > infinite) return float_of(sign | 0x7fc00000 | ((uint32_t)(rest >> 29) & 0x3fffff));
    if (exponent > 1150) return float_of(sign | (to_odd && rest < infinite ? 0x7f7fffff : 0x7f800000));
    const bool normal = exponent > 896;
    const uint64_t number = normal ? rest - ((uint64_t)896 << 52) : rest % one | one;
    const uint32_t shift = normal ? 29 : (uint32_t)(926 - exponent);
    if (shift > 54) return float_of(sign | (to_odd && rest != 0));
    return float_of(sign | (uint32_t)(to_odd ? shifted_to_odd(number, shift) : shifted_half_even(number, shift)));
}

// A float in float64, exactly, also where subnormals are taken for zero.
FASTROI_CONVERSION double in_float64(float x) {
    const uint32_t bits = bits_of(x);
    if (bits & 0x7f800000) return (double)x;
    const double size = (double)(bits & 0x7fffff) * 0x1p-149;
    return bits >> 31 ? -size : size;
}

// An element that is its own arithmetic.
template <class Number>
struct Own {
    using Stored = Number;
    using Arithmetic = Number;
    FASTROI_CONVERSION static Number widen(Number x) { return x; }
    FASTROI_CONVERSION static Number round(Number x) { return x; }
};

struct Float16 {
    using Stored = uint16_t;
    using Arithmetic = float;

    FASTROI_CONVERSION static float widen(uint16_t stored) {
        const uint32_t sign = (uint32_t)(stored & 0x8000) << 16, rest = stored & 0x7fff, fraction = rest & 0x3ff;
        if (rest > 0x7c00) return float_of(sign | 0x7fc00000 | fraction << 13);
        if (rest == 0x7c00) return float_of(sign | 0x7f800000);
        if (rest < 0x400) return float_of(sign | bits_of((float)rest * 0x1p-24f));
        return float_of(sign | ((rest << 13) + (112u << 23)));
    }

    FASTROI_CONVERSION static uint16_t round(float x) {
        const uint32_t bits = bits_of(x), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff, exponent = rest >> 23;
        if (rest > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (rest >> 13 & 0x1ff));
        if (exponent > 142) return (uint16_t)(sign | 0x7c00);
        if (exponent > 112) return (uint16_t)(sign | shifted_half_even(rest - (112u << 23), 13));
        if (exponent < 102) return (uint16_t)sign;
        return (uint16_t)(sign | shifted_half_even((rest & 0x7fffff) | 0x800000, 126 - exponent));
    }
};

struct Bfloat16 {
    using Stored = uint16_t;
    using Arithmetic = float;

    FASTROI_CONVERSION static float widen(uint16_t stored) { return float_of((uint32_t)stored << 16); }

    FASTROI_CONVERSION static uint16_t round(float x) {
        const uint32_t bits = bits_of(x);
        if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
        return (uint16_t)shifted_half_even(bits, 16);
    }
};

// At most 16 bits, so that a float holds every one.
template <class Number, int32_t lowest, int32_t highest>
struct SmallInteger {
    using Stored = Number;
    using Arithmetic = float;

    FASTROI_CONVERSION static float widen(Number n) { return (float)n; }

    FASTROI_CONVERSION static Number round(float x) {
        if (!(x == x)) return 0;
        if (x <= (float)lowest) return (Number)lowest;
        if (x >= (float)highest) return (Number)highest;
        const int32_t towards_zero = (int32_t)x;
        const float rest = x - (float)towards_zero;  // exact
        const float least = towards_zero & 1 ? 0.5f : 0x1.000002p-1f;
        return (Number)(rest >= least ? towards_zero + 1 : rest <= -least ? towards_zero - 1 : towards_zero);
    }
};

// Results of float64 as a narrower element, rounded once.
template <class E>
struct Narrowed {
    using Stored = typename E::Stored;
    using Arithmetic = double;
    FASTROI_CONVERSION static Stored round(double x) { return E::round(narrowed(x, true)); }
};
template <>
struct Narrowed<Own<float>> {
    using Stored = float;
    using Arithmetic = double;
    FASTROI_CONVERSION static float round(double x) { return narrowed(x, false); }
};

// Results of float32 in float64.
struct Widened {
    using Stored = double;
    using Arithmetic = float;
    FASTROI_CONVERSION static double round(float x) { return in_float64(x); }
};

// How results of the arithmetic T are stored as E.
template <class T, class E>
struct Result {
    using type = E;
};
template <class E>
struct Result<double, E> {
    using type = Narrowed<E>;
};
template <>
struct Result<double, Own<double>> {
    using type = Own<double>;
};
template <>
struct Result<float, Own<double>> {
    using type = Widened;
};
template <class T, class E>
using result_of = typename Result<T, E>::type;

using Float32 = Own<float>;
using Float64 = Own<double>;
using Uint8 = SmallInteger<uint8_t, 0, 0xff>;
using Int8 = SmallInteger<int8_t, -0x80, 0x7f>;
using Uint16 = SmallInteger<uint16_t, 0, 0xffff>;
using Int16 = SmallInteger<int16_t, -0x8000, 0x7fff>;

// The elements, by NumPy's names, with the codes of fastroi_dtype.
#define FASTROI_ELEMENTS(X) \
    X(float32, 0, Float32)  \
    X(float64, 1, Float64)  \
    X(float16, 2, Float16)  \
    X(int8, 3, Int8)        \
    X(int16, 4, Int16)      \
    X(uint8, 7, Uint8)      \
    X(uint16, 8, Uint16)    \
    X(bfloat16, 11, Bfloat16)

enum class Element : int32_t {
#define FASTROI_X(name, code, type) name = code,
    FASTROI_ELEMENTS(FASTROI_X)
#undef FASTROI_X
};
constexpr int element_codes = 12;

constexpr bool is_element(int32_t code) {
    switch (code) {
#define FASTROI_X(name, code, type) case code:
        FASTROI_ELEMENTS(FASTROI_X)
#undef FASTROI_X
        return true;
    }
    return false;
}

// Calls body with a value of the type of an element.
template <class Body>
inline void with_element(Element element, const Body& body) {
    switch (element) {
#define FASTROI_X(name, code, type) \
    case Element::name: return body(type{});
        FASTROI_ELEMENTS(FASTROI_X)
#undef FASTROI_X
    }
}

constexpr int64_t item_size(Element element) {
    switch (element) {
#define FASTROI_X(name, code, type) \
    case Element::name: return sizeof(type::Stored);
        FASTROI_ELEMENTS(FASTROI_X)
#undef FASTROI_X
    }
    return 0;
}

// The element that an arithmetic's own numbers are.
template <class T>
constexpr Element own_element = sizeof(T) == sizeof(float) ? Element::float32 : Element::float64;

}  // namespace fastroi
