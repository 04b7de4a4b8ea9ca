#include "dispatch.h"

#include <atomic>
#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace fastroi {
namespace {

struct Candidate {
    const KernelTable* (*table)();
    bool (*supported)();
};

[[maybe_unused]] bool always() { return true; }

#if defined(__x86_64__)
// Clang before 16 knows no name of it.
bool has_f16c() {
    unsigned a, b, c = 0, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c(); }
bool has_avx512() {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
constexpr Candidate candidates[] = {{kernels_avx512, has_avx512}, {kernels_avx2, has_avx2}, {kernels_baseline, always}};
#elif defined(__aarch64__)
constexpr Candidate candidates[] = {{kernels_neon, always}, {kernels_baseline, always}};
#else
constexpr Candidate candidates[] = {{kernels_baseline, always}};
#endif
constexpr int candidate_count = sizeof candidates / sizeof candidates[0];

std::atomic<const KernelTable*> active{nullptr};

// Whether a list of names separated by commas or spaces holds one.
bool names(const char* list, const char* name) {
    const size_t length = strlen(name);
    const auto separates = [](char c) { return c == ',' || c == ' ' || c == '\0'; };
    for (const char* found = list; (found = strstr(found, name)); found += length)
        if ((found == list || separates(found[-1])) && separates(found[length])) return true;
    return false;
}

// The last candidate runs everywhere and stays. Each one needs those after it, and goes with them.
uint32_t find_supported() {
    const char* const disabled = getenv("FASTROI_SIMD_DISABLE");
    uint32_t found = 0;
    for (int i = candidate_count - 1; i >= 0; i--) {
        if (disabled && i + 1 < candidate_count && names(disabled, candidates[i].table()->name)) break;
        if (candidates[i].supported()) found |= 1u << i;
    }
    return found;
}

bool is_supported(int candidate) {
    static const uint32_t supported = find_supported();
    return supported >> candidate & 1;
}

}  // namespace

const KernelTable* compiled_kernels(int index) {
    return index >= 0 && index < candidate_count ? candidates[index].table() : nullptr;
}

const KernelTable* supported_kernels(int index) {
    if (index < 0) return nullptr;
    for (int i = 0; i < candidate_count; i++)
        if (is_supported(i) && index-- == 0) return candidates[i].table();
    return nullptr;
}

const KernelTable* find_kernels(const char* name) {
    for (int i = 0; const KernelTable* kernels = supported_kernels(i); i++)
        if (strcmp(kernels->name, name) == 0) return kernels;
    return nullptr;
}

const KernelTable* active_kernels() {
    const KernelTable* kernels = active.load(std::memory_order_acquire);
    if (kernels) return kernels;
    kernels = supported_kernels(0);
    active.store(kernels, std::memory_order_release);
    return kernels;
}

void activate_kernels(const KernelTable* kernels) { active.store(kernels, std::memory_order_release); }

}  // namespace fastroi
