// 32-byte vectors: AVX2 with FMA.
#pragma once
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "../element.h"

namespace fastroi {
namespace {

template <class T>
struct Vec;

// Ones in the first `count` of eight times 32 bits.
inline __m256i first_lanes(int64_t count) {
    alignas(32) static constexpr int32_t ones[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i*)(ones + 8 - count));
}

template <>
struct Vec<float> {
    static constexpr int lanes = 8;
    static constexpr bool wide_tile = false;
    __m256 n;

    static Vec load(const void* p) { return {_mm256_loadu_ps((const float*)p)}; }
    // The first `count` lanes; the others are 0, and their memory is not read.
    static Vec load_part(const void* p, int64_t count) {
        return {_mm256_maskload_ps((const float*)p, first_lanes(count))};
    }
    void store(void* p) const { _mm256_storeu_ps((float*)p, n); }
    void stream(void* p) const { _mm256_stream_ps((float*)p, n); }
    static Vec broadcast(float x) { return {_mm256_set1_ps(x)}; }
    // NaN in `candidate` leaves `best`.
    static Vec max(Vec candidate, Vec best) { return {_mm256_max_ps(candidate.n, best.n)}; }
    static Vec add(Vec a, Vec b) { return {_mm256_add_ps(a.n, b.n)}; }
    static Vec divide(Vec a, Vec b) { return {_mm256_div_ps(a.n, b.n)}; }
    static Vec multiply(Vec a, Vec b) { return {_mm256_mul_ps(a.n, b.n)}; }
    static Vec multiply_add(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.n, b.n, c.n)}; }
    static uint32_t equal_lanes(Vec a, Vec b) {
        return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a.n, b.n, _CMP_EQ_OQ));
    }
    // 16-byte group g from p + g * group_stride.
    static Vec load_groups(const void* p, ptrdiff_t group_stride) {
        const __m128 low = _mm_loadu_ps((const float*)p);
        const __m128 high = _mm_loadu_ps((const float*)((const char*)p + group_stride));
        return {_mm256_insertf128_ps(_mm256_castps128_ps256(low), high, 1)};
    }
    static void transpose_groups(Vec (&v)[4]) {
        const __m256 a = _mm256_unpacklo_ps(v[0].n, v[1].n), b = _mm256_unpacklo_ps(v[2].n, v[3].n);
        const __m256 c = _mm256_unpackhi_ps(v[0].n, v[1].n), d = _mm256_unpackhi_ps(v[2].n, v[3].n);
        v[0].n = _mm256_shuffle_ps(a, b, 0x44);
        v[1].n = _mm256_shuffle_ps(a, b, 0xee);
        v[2].n = _mm256_shuffle_ps(c, d, 0x44);
        v[3].n = _mm256_shuffle_ps(c, d, 0xee);
    }
};

template <>
struct Vec<double> {
    static constexpr int lanes = 4;
    static constexpr bool wide_tile = false;
    __m256d n;

    static Vec load(const void* p) { return {_mm256_loadu_pd((const double*)p)}; }
    static Vec load_part(const void* p, int64_t count) {
        return {_mm256_maskload_pd((const double*)p, first_lanes(2 * count))};
    }
    void store(void* p) const { _mm256_storeu_pd((double*)p, n); }
    void stream(void* p) const { _mm256_stream_pd((double*)p, n); }
    static Vec broadcast(double x) { return {_mm256_set1_pd(x)}; }
    static Vec max(Vec candidate, Vec best) { return {_mm256_max_pd(candidate.n, best.n)}; }
    static Vec add(Vec a, Vec b) { return {_mm256_add_pd(a.n, b.n)}; }
    static Vec divide(Vec a, Vec b) { return {_mm256_div_pd(a.n, b.n)}; }
    static Vec multiply(Vec a, Vec b) { return {_mm256_mul_pd(a.n, b.n)}; }
    static Vec multiply_add(Vec a, Vec b, Vec c) { return {_mm256_fmadd_pd(a.n, b.n, c.n)}; }
    static uint32_t equal_lanes(Vec a, Vec b) {
        return (uint32_t)_mm256_movemask_pd(_mm256_cmp_pd(a.n, b.n, _CMP_EQ_OQ));
    }
    static Vec load_groups(const void* p, ptrdiff_t group_stride) {
        const __m128d low = _mm_loadu_pd((const double*)p);
        const __m128d high = _mm_loadu_pd((const double*)((const char*)p + group_stride));
        return {_mm256_insertf128_pd(_mm256_castpd128_pd256(low), high, 1)};
    }
    static void transpose_groups(Vec (&v)[2]) {
        const __m256d a = _mm256_unpacklo_pd(v[0].n, v[1].n);
        v[1].n = _mm256_unpackhi_pd(v[0].n, v[1].n);
        v[0].n = a;
    }
};

// --- narrow elements -------------------------------------------------------------------------------------------------------

inline __m128i words(const void* p) { return _mm_loadu_si128((const __m128i*)p); }
inline __m128i words_of_groups(const void* p, ptrdiff_t group_stride) {
    const __m128 low = _mm_castsi128_ps(_mm_loadl_epi64((const __m128i*)p));
    return _mm_castps_si128(_mm_loadh_pi(low, (const __m64*)((const char*)p + group_stride)));
}
inline __m128i bytes(const void* p) { return _mm_loadl_epi64((const __m128i*)p); }
inline __m128i bytes_of_groups(const void* p, ptrdiff_t group_stride) {
    int low, high;
    __builtin_memcpy(&low, p, sizeof low);
    __builtin_memcpy(&high, (const char*)p + group_stride, sizeof high);
    return _mm_insert_epi32(_mm_cvtsi32_si128(low), high, 1);
}

inline __m256 widen(Float16, __m128i n) { return _mm256_cvtph_ps(n); }
inline __m256 widen(Bfloat16, __m128i n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(n), 16));
}
inline __m256 widen(Uint16, __m128i n) { return _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(n)); }
inline __m256 widen(Int16, __m128i n) { return _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(n)); }
inline __m256 widen(Uint8, __m128i n) { return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(n)); }
inline __m256 widen(Int8, __m128i n) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(n)); }

// To nearest, not above `high`, NaN to 0; below 32 bits the lowest number.
inline __m256i nearest(__m256 v, float high) {
    const __m256 inside = _mm256_min_ps(v, _mm256_set1_ps(high));
    return _mm256_cvtps_epi32(_mm256_round_ps(inside, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline __m256i nearest_unsigned(Vec<float> v, float high) {
    return nearest(_mm256_max_ps(v.n, _mm256_setzero_ps()), high);  // NaN leaves 0
}
inline __m256i nearest_signed(Vec<float> v, float high) {
    return nearest(_mm256_and_ps(v.n, _mm256_cmp_ps(v.n, v.n, _CMP_ORD_Q)), high);
}
inline __m128i low_half(__m256i n) { return _mm256_castsi256_si128(n); }
inline __m128i high_half(__m256i n) { return _mm256_extracti128_si256(n, 1); }

inline void store(Float16, Vec<float> v, void* p) {
    _mm_storeu_si128((__m128i*)p, _mm256_cvtps_ph(v.n, _MM_FROUND_TO_NEAREST_INT));
}
inline void store(Bfloat16, Vec<float> v, void* p) {
    const __m256i bits = _mm256_castps_si256(v.n), upper = _mm256_srli_epi32(bits, 16);
    const __m256i half = _mm256_add_epi32(_mm256_set1_epi32(0x7fff), _mm256_and_si256(upper, _mm256_set1_epi32(1)));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v.n, v.n, _CMP_UNORD_Q));
    const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, half), 16);
    const __m256i stored = _mm256_blendv_epi8(rounded, _mm256_or_si256(upper, _mm256_set1_epi32(0x40)), nan);
    _mm_storeu_si128((__m128i*)p, _mm_packus_epi32(low_half(stored), high_half(stored)));
}
inline void store(Uint16, Vec<float> v, void* p) {
    const __m256i n = nearest_unsigned(v, 65535);
    _mm_storeu_si128((__m128i*)p, _mm_packus_epi32(low_half(n), high_half(n)));
}
inline void store(Int16, Vec<float> v, void* p) {
    const __m256i n = nearest_signed(v, 32767);
    _mm_storeu_si128((__m128i*)p, _mm_packs_epi32(low_half(n), high_half(n)));
}
inline void store(Uint8, Vec<float> v, void* p) {
    const __m256i n = nearest_unsigned(v, 255);
    const __m128i n16 = _mm_packs_epi32(low_half(n), high_half(n));
    _mm_storel_epi64((__m128i*)p, _mm_packus_epi16(n16, n16));
}
inline void store(Int8, Vec<float> v, void* p) {
    const __m256i n = nearest_signed(v, 127);
    const __m128i n16 = _mm_packs_epi32(low_half(n), high_half(n));
    _mm_storel_epi64((__m128i*)p, _mm_packs_epi16(n16, n16));
}

inline void end_streaming() { _mm_sfence(); }

}  // namespace
}  // namespace fastroi

#include "narrow_loads.h"
