#include "dispatch.h"

#include <atomic>
#include <cstring>

namespace fastroi {
namespace {

struct Candidate {
    const KernelTable* (*table)();
    bool (*supported)();
};

[[maybe_unused]] bool always() { return true; }

#if defined(__x86_64__)
bool has_avx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
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

}  // namespace

const KernelTable* compiled_kernels(int index) {
    return index >= 0 && index < candidate_count ? candidates[index].table() : nullptr;
}

const KernelTable* supported_kernels(int index) {
    for (const Candidate& candidate : candidates)
        if (candidate.supported() && index-- == 0) return candidate.table();
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
