// How a call is stopped from outside, or by a thread without memory. A call has one, whatever the number of its parts.
#pragma once
#include <stdint.h>

#include <atomic>
#include <chrono>

#include "../size.h"
#include "scratch.h"

namespace fastroi {

constexpr int64_t cells_between_polls = 100000;
constexpr auto poll_interval = std::chrono::milliseconds(20);

// Lets the calling thread ask the caller now and then, and every thread see the answer.
class StopSign {
public:
    StopSign(int (*cancel)(void* context), void* context)
        : cancel_(cancel), context_(context), next_poll_(clock::now() + poll_interval) {}

    bool raised() const { return status_.load(std::memory_order_relaxed) != FASTROI_OK; }
    void raise(fastroi_status status) { status_.store(status, std::memory_order_relaxed); }

    // Called by each thread after `cells` more cells; only thread 0 polls.
    void worked(int thread, int64_t cells) {
        if (thread != 0 || !cancel_) return;
        cells_ = estimated_sum(cells_, cells);
        if (cells_ < cells_between_polls) return;
        cells_ = 0;
        poll();
    }

    // By the calling thread.
    void poll() {
        if (!cancel_) return;
        const auto now = clock::now();
        if (now < next_poll_) return;
        next_poll_ = now + poll_interval;
        if (cancel_(context_)) raise(FASTROI_CANCELLED);
    }

    void throw_if_raised() const {
        const int status = status_.load();
        if (status == FASTROI_CANCELLED) refuse(FASTROI_CANCELLED, -1, "cancelled; out is partly written");
        if (status == FASTROI_OUT_OF_MEMORY) refuse(FASTROI_OUT_OF_MEMORY, -1, "scratch memory could not be allocated");
    }

private:
    using clock = std::chrono::steady_clock;
    int (*cancel_)(void*);
    void* context_;
    std::atomic<int> status_{FASTROI_OK};
    // Written with every RoI: on cache lines that no other thread reads.
    alignas(2 * cache_line) int64_t cells_ = 0;
    clock::time_point next_poll_;
};

}  // namespace fastroi
