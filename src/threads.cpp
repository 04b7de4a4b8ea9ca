#include "threads.h"

#include <atomic>
#include <cmath>
#include <algorithm>
#include <cctype>
#include <cfenv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>

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

#if defined(_OPENMP)
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
#endif

#if defined(__unix__) || defined(__APPLE__)
void after_fork_in_child() {
    if (pool_started.load()) pool_lost.store(true);
}
const int fork_handler = pthread_atfork(nullptr, nullptr, after_fork_in_child);
#endif

#if defined(_OPENMP)
// Processors that this process may use.
int processors() {
    const int found = std::max(1, omp_get_num_procs()), quota = cgroup_quota();
    return quota > 0 ? std::min(found, quota) : found;
}

bool may_oversubscribe() {
    static const bool may = [] {
        const char* const text = getenv("FASTROI_OVERSUBSCRIBE");
        return text && strcmp(text, "1") == 0;
    }();
    return may;
}
#endif

#if defined(_OPENMP) && (defined(__unix__) || defined(__APPLE__))
// OpenMP ends the process when the system refuses it a thread. So as many threads as it would start are started and
// joined before it does, on stacks of the size of its own, which the C library keeps for the next ones.
class Trial {
public:
    Trial() {
        pthread_attr_init(&attributes_);
        if (const size_t bytes = openmp_stack()) pthread_attr_setstacksize(&attributes_, bytes);
    }
    ~Trial() { pthread_attr_destroy(&attributes_); }

    // How many of them the system grants at the same time; of those that it grants before it refuses one, half, so that room
    // is left for them to work in.
    int start(int wanted) {
        std::unique_ptr<pthread_t[]> threads(new (std::nothrow) pthread_t[wanted]);
        const std::unique_ptr<char[]> teams(new (std::nothrow) char[bytes_of_team * (size_t)wanted]);
        if (!threads || !teams) return 0;
        *(volatile char*)teams.get() = 0;  // or the compiler leaves the allocation out
        int started = 0;
        pthread_mutex_lock(&gate_);
        while (started < wanted && pthread_create(&threads[started], &attributes_, wait, &gate_) == 0) started++;
        pthread_mutex_unlock(&gate_);
        for (int i = 0; i < started; i++) pthread_join(threads[i], nullptr);
        return started == wanted ? started : started / 2;
    }

private:
    // A thread's share of what OpenMP allocates for itself, without which it ends the process too.
    static constexpr size_t bytes_of_team = 4096;

    static void* wait(void* gate) {
        pthread_mutex_lock((pthread_mutex_t*)gate);
        pthread_mutex_unlock((pthread_mutex_t*)gate);
        return nullptr;
    }

    // What OMP_STACKSIZE or GOMP_STACKSIZE says, in bytes; 0 if neither does.
    static size_t openmp_stack() {
        for (const char* name : {"OMP_STACKSIZE", "GOMP_STACKSIZE"})
            if (const char* const text = getenv(name)) return bytes_of(text);
        return 0;
    }

    static size_t bytes_of(const char* text) {
        char* end;
        const unsigned long long number = strtoull(text, &end, 10);
        while (isspace((unsigned char)*end)) end++;
        switch (tolower((unsigned char)*end)) {
            case 'b': return number;
            case 'm': return number << 20;
            case 'g': return number << 30;
            default: return number << 10;
        }
    }

    pthread_attr_t attributes_;
    pthread_mutex_t gate_ = PTHREAD_MUTEX_INITIALIZER;
};

// Each thread that calls has a team of its own, which OpenMP keeps for its next region and lets shrink to the last one's size.
thread_local int team_size = 1;

int granted_threads(int wanted) {
    if (wanted > team_size) wanted = team_size + Trial().start(wanted - team_size);
    return team_size = wanted;
}
#elif defined(_OPENMP)
int granted_threads(int wanted) { return wanted; }
#endif

#if defined(_OPENMP)
// Rounding and subnormals as the caller has them, or results would depend on which thread made them: OpenMP's threads keep what
// was in force when they were started. They have their own again afterwards, since others use them too.
class CallersArithmetic {
public:
    explicit CallersArithmetic(const std::fenv_t& callers) {
        std::fegetenv(&own_);
        std::fesetenv(&callers);
    }
    ~CallersArithmetic() { std::fesetenv(&own_); }
    CallersArithmetic(const CallersArithmetic&) = delete;

private:
    std::fenv_t own_;
};
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
    return std::max(1, std::min(omp_get_max_threads(), processors()));
#else
    return 1;
#endif
}

int chosen_threads(int num_threads) { return num_threads <= 0 ? default_threads() : num_threads; }
int usable_threads(int wanted) {
#if defined(_OPENMP)
    if (wanted <= 1 || omp_in_parallel() || pool_lost.load()) return 1;
    return may_oversubscribe() ? wanted : std::min(wanted, processors());
#else
    (void)wanted;
    return 1;
#endif
}

void run_on_threads(int threads, void (*body)(void*, int), void* context) {
#if defined(_OPENMP)
    if (threads > 1) {
        pool_started.store(true);
        const int granted = granted_threads(threads);
        std::atomic_flag failed = ATOMIC_FLAG_INIT;
        std::exception_ptr failure;
        std::fenv_t callers;
        std::fegetenv(&callers);
        // OpenMP may grant fewer threads than asked for; every index still runs.
#pragma omp parallel for num_threads(granted) schedule(static, 1)
        for (int i = 0; i < threads; i++) {
            try {
                const CallersArithmetic same(callers);
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
