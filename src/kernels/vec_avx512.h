// 64-byte vectors: AVX-512 F, BW, DQ, VL.
#pragma once
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "../element.h"

namespace fastroi {
namespace {

template <class T>
struct Vec;

template <>
struct Vec<float> {
    static constexpr int lanes = 16;
    static constexpr bool wide_tile = true;
    __m512 n;

    static Vec load(const void* p) { return {_mm512_loadu_ps(p)}; }
    // The first `count` lanes; the others are 0, and their memory is not read.
    static Vec load_part(const void* p, int64_t count) {
        return {_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p)};
    }
    void store(void* p) const { _mm512_storeu_ps(p, n); }
    void stream(void* p) const { _mm512_stream_ps((float*)p, n); }
    static Vec broadcast(float x) { return {_mm512_set1_ps(x)}; }
    // NaN in `candidate` leaves `best`.
    static Vec max(Vec candidate, Vec best) { return {_mm512_max_ps(candidate.n, best.n)}; }
    static Vec add(Vec a, Vec b) { return {_mm512_add_ps(a.n, b.n)}; }
    static Vec divide(Vec a, Vec b) { return {_mm512_div_ps(a.n, b.n)}; }
    static Vec multiply(Vec a, Vec b) { return {_mm512_mul_ps(a.n, b.n)}; }
    static Vec multiply_add(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.n, b.n, c.n)}; }
    static uint32_t equal_lanes(Vec a, Vec b) { return _mm512_cmp_ps_mask(a.n, b.n, _CMP_EQ_OQ); }
    // 16-byte group g from p + g * group_stride. A masked broadcast load costs a load port, not a shuffle.
    static Vec load_groups(const void* p, ptrdiff_t group_stride) {
        const char* q = (const char*)p;
        __m512 v = _mm512_castps128_ps512(_mm_loadu_ps((const float*)q));
        v = _mm512_mask_broadcast_f32x4(v, 0x00f0, _mm_loadu_ps((const float*)(q + group_stride)));
        v = _mm512_mask_broadcast_f32x4(v, 0x0f00, _mm_loadu_ps((const float*)(q + 2 * group_stride)));
        return {_mm512_mask_broadcast_f32x4(v, 0xf000, _mm_loadu_ps((const float*)(q + 3 * group_stride)))};
    }
    static void transpose_groups(Vec (&v)[4]) {
        const __m512 a = _mm512_unpacklo_ps(v[0].n, v[1].n), b = _mm512_unpacklo_ps(v[2].n, v[3].n);
        const __m512 c = _mm512_unpackhi_ps(v[0].n, v[1].n), d = _mm512_unpackhi_ps(v[2].n, v[3].n);
        v[0].n = _mm512_shuffle_ps(a, b, 0x44);
        v[1].n = _mm512_shuffle_ps(a, b, 0xee);
        v[2].n = _mm512_shuffle_ps(c, d, 0x44);
        v[3].n = _mm512_shuffle_ps(c, d, 0xee);
    }
};

template <>
struct Vec<double> {
    static constexpr int lanes = 8;
    static constexpr bool wide_tile = false;
    __m512d n;

    static Vec load(const void* p) { return {_mm512_loadu_pd(p)}; }
    static Vec load_part(const void* p, int64_t count) {
        return {_mm512_maskz_loadu_pd((__mmask8)((1u << count) - 1), p)};
    }
    void store(void* p) const { _mm512_storeu_pd(p, n); }
    void stream(void* p) const { _mm512_stream_pd((double*)p, n); }
    static Vec broadcast(double x) { return {_mm512_set1_pd(x)}; }
    static Vec max(Vec candidate, Vec best) { return {_mm512_max_pd(candidate.n, best.n)}; }
    static Vec add(Vec a, Vec b) { return {_mm512_add_pd(a.n, b.n)}; }
    static Vec divide(Vec a, Vec b) { return {_mm512_div_pd(a.n, b.n)}; }
    static Vec multiply(Vec a, Vec b) { return {_mm512_mul_pd(a.n, b.n)}; }
    static Vec multiply_add(Vec a, Vec b, Vec c) { return {_mm512_fmadd_pd(a.n, b.n, c.n)}; }
    static uint32_t equal_lanes(Vec a, Vec b) { return _mm512_cmp_pd_mask(a.n, b.n, _CMP_EQ_OQ); }
    static Vec load_groups(const void* p, ptrdiff_t group_stride) {
        const char* q = (const char*)p;
        __m512d v = _mm512_castpd128_pd512(_mm_loadu_pd((const double*)q));
        v = _mm512_mask_broadcast_f64x2(v, 0x0c, _mm_loadu_pd((const double*)(q + group_stride)));
        v = _mm512_mask_broadcast_f64x2(v, 0x30, _mm_loadu_pd((const double*)(q + 2 * group_stride)));
        return {_mm512_mask_broadcast_f64x2(v, 0xc0, _mm_loadu_pd((const double*)(q + 3 * group_stride)))};
    }
    static void transpose_groups(Vec (&v)[2]) {
        const __m512d a = _mm512_unpacklo_pd(v[0].n, v[1].n);
        v[1].n = _mm512_unpackhi_pd(v[0].n, v[1].n);
        v[0].n = a;
    }
};

// Sixteen rows of eight floats, `stride` bytes apart, as eight vectors of sixteen rows: half the loads of two narrow tiles.
__attribute__((always_inline)) inline void load_transposed(Float32, const unsigned char* from, ptrdiff_t stride,
                                                           Vec<float> (&v)[8]) {
    const auto pair = [&](int row) {
        const __m512 low = _mm512_castps256_ps512(_mm256_loadu_ps((const float*)(from + row * stride)));
        return Vec<float>{_mm512_insertf32x8(low, _mm256_loadu_ps((const float*)(from + (row + 4) * stride)), 1)};
    };
    Vec<float> upper[4] = {pair(0), pair(1), pair(2), pair(3)}, lower[4] = {pair(8), pair(9), pair(10), pair(11)};
    Vec<float>::transpose_groups(upper);
    Vec<float>::transpose_groups(lower);
    for (int i = 0; i < 4; i++) {
        v[i].n = _mm512_shuffle_f32x4(upper[i].n, lower[i].n, 0x88);
        v[4 + i].n = _mm512_shuffle_f32x4(upper[i].n, lower[i].n, 0xdd);
    }
}

// --- narrow elements -------------------------------------------------------------------------------------------------------

inline __m256i words(const void* p) { return _mm256_loadu_si256((const __m256i*)p); }
inline __m256i words_of_groups(const void* p, ptrdiff_t group_stride) {
    const auto pair = [&](int group) {
        const char* const from = (const char*)p + group * group_stride;
        const __m128 low = _mm_castsi128_ps(_mm_loadl_epi64((const __m128i*)from));
        return _mm_castps_si128(_mm_loadh_pi(low, (const __m64*)(from + group_stride)));
    };
    return _mm256_inserti128_si256(_mm256_castsi128_si256(pair(0)), pair(2), 1);
}
inline __m128i bytes(const void* p) { return _mm_loadu_si128((const __m128i*)p); }
inline __m128i bytes_of_groups(const void* p, ptrdiff_t group_stride) {
    const auto group = [&](int i) {
        int n;
        __builtin_memcpy(&n, (const char*)p + i * group_stride, sizeof n);
        return n;
    };
    return _mm_setr_epi32(group(0), group(1), group(2), group(3));
}

inline __m512 widen(Float16, __m256i n) { return _mm512_cvtph_ps(n); }
inline __m512 widen(Bfloat16, __m256i n) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(n), 16));
}
inline __m512 widen(Uint16, __m256i n) { return _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(n)); }
inline __m512 widen(Int16, __m256i n) { return _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(n)); }
inline __m512 widen(Uint8, __m128i n) { return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(n)); }
inline __m512 widen(Int8, __m128i n) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(n)); }

// To nearest, NaN to 0. What exceeds 32 bits becomes 0x80000000, the largest of all in saturated unsigned numbers, the lowest in signed.
inline __m512i nearest_unsigned(Vec<float> v) {
    const __m512 from_zero = _mm512_max_ps(v.n, _mm512_setzero_ps());  // NaN leaves 0
    return _mm512_cvt_roundps_epi32(from_zero, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline __m512i nearest_signed(Vec<float> v, float high) {
    const __mmask16 numbers = _mm512_cmp_ps_mask(v.n, v.n, _CMP_ORD_Q);
    const __m512 inside = _mm512_min_ps(v.n, _mm512_set1_ps(high));
    return _mm512_maskz_cvt_roundps_epi32(numbers, inside, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

inline void store(Float16, Vec<float> v, void* p) {
    _mm256_storeu_si256((__m256i*)p, _mm512_cvtps_ph(v.n, _MM_FROUND_TO_NEAREST_INT));
}
inline void store(Bfloat16, Vec<float> v, void* p) {
    const __m512i bits = _mm512_castps_si512(v.n), upper = _mm512_srli_epi32(bits, 16);
    const __m512i half = _mm512_add_epi32(_mm512_set1_epi32(0x7fff), _mm512_and_si512(upper, _mm512_set1_epi32(1)));
    const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, half), 16);
    const __mmask16 nan = _mm512_cmp_ps_mask(v.n, v.n, _CMP_UNORD_Q);
    const __m512i stored = _mm512_mask_or_epi32(rounded, nan, upper, _mm512_set1_epi32(0x40));
    _mm256_storeu_si256((__m256i*)p, _mm512_cvtepi32_epi16(stored));
}
inline void store(Uint16, Vec<float> v, void* p) {
    _mm256_storeu_si256((__m256i*)p, _mm512_cvtusepi32_epi16(nearest_unsigned(v)));
}
inline void store(Int16, Vec<float> v, void* p) {
    _mm256_storeu_si256((__m256i*)p, _mm512_cvtsepi32_epi16(nearest_signed(v, 32767)));
}
inline void store(Uint8, Vec<float> v, void* p) {
    _mm_storeu_si128((__m128i*)p, _mm512_cvtusepi32_epi8(nearest_unsigned(v)));
}
inline void store(Int8, Vec<float> v, void* p) {
    _mm_storeu_si128((__m128i*)p, _mm512_cvtsepi32_epi8(nearest_signed(v, 127)));
}

inline void end_streaming() { _mm_sfence(); }

}  // namespace
}  // namespace fastroi

#include "narrow_loads.h"
