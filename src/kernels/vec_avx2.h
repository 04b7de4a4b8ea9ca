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

template <>
struct Vec<float> {
    static constexpr int lanes = 8;
    static constexpr bool wide_tile = false;
    __m256 n;

    static Vec load(const void* p) { return {_mm256_loadu_ps((const float*)p)}; }
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

inline Vec<float> load_groups(Float16, const void* p, ptrdiff_t group_stride) {
    const __m128 low = _mm_castsi128_ps(_mm_loadl_epi64((const __m128i*)p));
    return {_mm256_cvtph_ps(_mm_castps_si128(_mm_loadh_pi(low, (const __m64*)((const char*)p + group_stride))))};
}
inline void store(Float16, Vec<float> v, void* p) {
    _mm_storeu_si128((__m128i*)p, _mm256_cvtps_ph(v.n, _MM_FROUND_TO_NEAREST_INT));
}

inline void end_streaming() { _mm_sfence(); }

}  // namespace
}  // namespace fastroi
