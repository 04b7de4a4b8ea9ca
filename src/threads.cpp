#include "threads.h"

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>

#if defined(_OPENMP)
#include <omp.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace fastroi {
namespace {

std::atomic<bool> pool_started{false};
std::atomic<bool> pool_lost{false};

// CPUs that cgroup v2 or v1 grants this process, rounded up; 0 if unlimited or unknown.
int read_cgroup_quota() {
    double quota = -1, period = 0;
    if (FILE* f = fopen("/sys/fs/cgroup/cpu.max", "r")) {
        char text[32] = "";
        if (fscanf(f, "%31s %lf", text, &period) == 2 && strcmp(text, "max") != 0) sscanf(text, "%lf", &quota);
        fclose(f);
    } else if (FILE* q = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "r")) {
        if (fscanf(q, "%lf", &quota) != 1) quota = -1;
        fclose(q);
        if (FILE* p = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "r")) {
            if (fscanf(p, "%lf", &period) != 1) period = 0;
            fclose(p);
        }
    }
    return quota > 0 && period > 0 ? (int)std::ceil(quota / period) : 0;
}

int cgroup_quota() {
    static const int quota = read_cgroup_quota();
    return quota;
}

#if defined(__unix__) || defined(__APPLE__)
void after_fork_in_child() {
    if (pool_started.load()) pool_lost.store(true);
}
const int fork_handler = pthread_atfork(nullptr, nullptr, after_fork_in_child);
#endif

}  // namespace

bool has_openmp() {
#if defined(_OPENMP)
    return true;
#else
    return false;
#endif
}

int default_threads() {
#if defined(_OPENMP)
    int threads = omp_get_max_threads();
    const int processors = omp_get_num_procs();
    if (threads > processors) threads = processors;
    const int quota = cgroup_quota();
    if (quota > 0 && threads > quota) threads = quota;
    return threads < 1 ? 1 : threads;
#else
    return 1;
#endif
}

int usable_threads(int wanted) {
#if defined(_OPENMP)
    if (wanted <= 1 || omp_in_parallel() || pool_lost.load()) return 1;
    return wanted;
#else
    (void)wanted;
    return 1;
#endif
}

void run_on_threads(int threads, void (*body)(void*, int), void* context) {
#if defined(_OPENMP)
    if (threads > 1) {
        pool_started.store(true);
        std::atomic_flag failed = ATOMIC_FLAG_INIT;
        std::exception_ptr failure;
        // OpenMP may grant fewer threads than asked for; every index still runs.
#pragma omp parallel for num_threads(threads) schedule(static, 1)
        for (int i = 0; i < threads; i++) {
            try {
                body(context, i);
            } catch (...) {
                if (!failed.test_and_set()) failure = std::current_exception();
            }
        }
        if (failure) std::rethrow_exception(failure);
        return;
    }
#endif
    for (int i = 0; i < threads; i++) body(context, i);
}

}  // namespace fastroi
