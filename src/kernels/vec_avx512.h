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

inline Vec<float> load_groups(Float16, const void* p, ptrdiff_t group_stride) {
    const auto pair = [&](int group) {
        const char* const from = (const char*)p + group * group_stride;
        const __m128 low = _mm_castsi128_ps(_mm_loadl_epi64((const __m128i*)from));
        return _mm_castps_si128(_mm_loadh_pi(low, (const __m64*)(from + group_stride)));
    };
    return {_mm512_cvtph_ps(_mm256_inserti128_si256(_mm256_castsi128_si256(pair(0)), pair(2), 1))};
}
inline void store(Float16, Vec<float> v, void* p) {
    _mm256_storeu_si256((__m256i*)p, _mm512_cvtps_ph(v.n, _MM_FROUND_TO_NEAREST_INT));
}

inline void end_streaming() { _mm_sfence(); }

}  // namespace
}  // namespace fastroi
