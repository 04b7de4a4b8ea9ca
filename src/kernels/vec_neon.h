// 16-byte vectors: NEON with fused multiply-add (aarch64).
#pragma once
#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace fastroi {
namespace {

template <class T>
struct Vec;

template <>
struct Vec<float> {
    static constexpr int lanes = 4;
    static constexpr bool wide_tile = false;
    float32x4_t n;

    static Vec load(const void* p) { return {vreinterpretq_f32_u8(vld1q_u8((const uint8_t*)p))}; }
    // The first `count` lanes; the others are 0, and their memory is not read.
    static Vec load_part(const void* p, int64_t count) {
        float parts[lanes] = {};
        for (int64_t i = 0; i < count; i++) memcpy(parts + i, (const char*)p + i * sizeof(float), sizeof(float));
        return load(parts);
    }
    void store(void* p) const { vst1q_u8((uint8_t*)p, vreinterpretq_u8_f32(n)); }
    void stream(void* p) const { store(p); }
    static Vec broadcast(float x) { return {vdupq_n_f32(x)}; }
    // NaN in `candidate` leaves `best`; a compare and select, since FMAXNM turns a signalling NaN into a result.
    static Vec max(Vec candidate, Vec best) { return {vbslq_f32(vcgtq_f32(candidate.n, best.n), candidate.n, best.n)}; }
    static Vec add(Vec a, Vec b) { return {vaddq_f32(a.n, b.n)}; }
    static Vec divide(Vec a, Vec b) { return {vdivq_f32(a.n, b.n)}; }
    static Vec multiply(Vec a, Vec b) { return {vmulq_f32(a.n, b.n)}; }
    static Vec multiply_add(Vec a, Vec b, Vec c) { return {vfmaq_f32(c.n, a.n, b.n)}; }
    static uint32_t equal_lanes(Vec a, Vec b) {
        const uint32x4_t bit = {1, 2, 4, 8};
        return vaddvq_u32(vandq_u32(vceqq_f32(a.n, b.n), bit));
    }
    static Vec load_groups(const void* p, ptrdiff_t) { return load(p); }
    static void transpose_groups(Vec (&v)[4]) {
        const float32x4x2_t even = vtrnq_f32(v[0].n, v[1].n), odd = vtrnq_f32(v[2].n, v[3].n);
        v[0].n = vcombine_f32(vget_low_f32(even.val[0]), vget_low_f32(odd.val[0]));
        v[1].n = vcombine_f32(vget_low_f32(even.val[1]), vget_low_f32(odd.val[1]));
        v[2].n = vcombine_f32(vget_high_f32(even.val[0]), vget_high_f32(odd.val[0]));
        v[3].n = vcombine_f32(vget_high_f32(even.val[1]), vget_high_f32(odd.val[1]));
    }
};

template <>
struct Vec<double> {
    static constexpr int lanes = 2;
    static constexpr bool wide_tile = false;
    float64x2_t n;

    static Vec load(const void* p) { return {vreinterpretq_f64_u8(vld1q_u8((const uint8_t*)p))}; }
    // The first `count` lanes; the others are 0, and their memory is not read.
    static Vec load_part(const void* p, int64_t count) {
        double parts[lanes] = {};
        for (int64_t i = 0; i < count; i++) memcpy(parts + i, (const char*)p + i * sizeof(double), sizeof(double));
        return load(parts);
    }
    void store(void* p) const { vst1q_u8((uint8_t*)p, vreinterpretq_u8_f64(n)); }
    void stream(void* p) const { store(p); }
    static Vec broadcast(double x) { return {vdupq_n_f64(x)}; }
    static Vec max(Vec candidate, Vec best) { return {vbslq_f64(vcgtq_f64(candidate.n, best.n), candidate.n, best.n)}; }
    static Vec add(Vec a, Vec b) { return {vaddq_f64(a.n, b.n)}; }
    static Vec divide(Vec a, Vec b) { return {vdivq_f64(a.n, b.n)}; }
    static Vec multiply(Vec a, Vec b) { return {vmulq_f64(a.n, b.n)}; }
    static Vec multiply_add(Vec a, Vec b, Vec c) { return {vfmaq_f64(c.n, a.n, b.n)}; }
    static uint32_t equal_lanes(Vec a, Vec b) {
        const uint64x2_t bit = {1, 2};
        return (uint32_t)vaddvq_u64(vandq_u64(vceqq_f64(a.n, b.n), bit));
    }
    static Vec load_groups(const void* p, ptrdiff_t) { return load(p); }
    static void transpose_groups(Vec (&v)[2]) {
        const float64x2_t a = vzip1q_f64(v[0].n, v[1].n);
        v[1].n = vzip2q_f64(v[0].n, v[1].n);
        v[0].n = a;
    }
};

inline void end_streaming() {}

}  // namespace
}  // namespace fastroi

#include "narrow_16_bytes.h"
