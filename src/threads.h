// Threads, and nothing else: the only door to OpenMP.
#pragma once
#include <stdint.h>

namespace fastroi {

// What a call with num_threads = 0 uses: OpenMP's own maximum at this moment, capped by the cgroup quota.
int default_threads();
// What a call with this num_threads asks for.
int chosen_threads(int num_threads);
bool has_openmp();

// Threads worth starting for a call: `wanted`, but no more than there are processors, unless FASTROI_OVERSUBSCRIBE is 1; one inside
// someone else's parallel region and in a child forked after this process had run one (libgomp's pool does not survive a fork).
int usable_threads(int wanted);

// The same for work that touches so many bytes: less than this is not worth waking a thread for. Fitted on a 2-core Zen 5 machine;
// docs/performance.md says how.
constexpr int64_t bytes_per_thread = 384 << 10;
inline int threads_worth(int wanted, int64_t bytes) {
    const int64_t worth = 1 + bytes / bytes_per_thread;
    return usable_threads(worth < wanted ? (int)worth : wanted);
}

// Calls body(context, i) for i in [0, threads), each on a thread of its own, or, where the system refuses threads, several
// on one; i = 0 is the caller's. An exception of any of
// them is carried over to the caller and thrown there.
void run_on_threads(int threads, void (*body)(void* context, int thread), void* context);

template <class Body>
void run_on_threads(int threads, const Body& body) {
    run_on_threads(
        threads, [](void* context, int thread) { (*static_cast<const Body*>(context))(thread); },
        const_cast<void*>(static_cast<const void*>(&body)));
}

}  // namespace fastroi
