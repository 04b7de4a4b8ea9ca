// The threads of a call: each says how far it has come, and the calling one asks its caller for as long as any of them works.
#pragma once
#include <atomic>
#include <chrono>
#include <thread>

#include "../kernels/kernel_table.h"
#include "../threads.h"
#include "stop_sign.h"

namespace fastroi {

// One of the threads, while it works. Kernels that reduce for long are left by an exception when the sign is raised.
class Worker : private Watch {
public:
    Worker(StopSign& stop, int thread) : Watch{leave_if_stopped}, stop_(stop), thread_(thread) {}
    Worker(const Worker&) = delete;

    int thread() const { return thread_; }
    bool stopped() const { return stop_.raised(); }
    void worked(int64_t cells) { stop_.worked(thread_, cells); }
    // For a reduction that reads so many cells.
    Watch* watch(int64_t cells) { return cells > long_reduction ? this : nullptr; }

private:
    static constexpr int64_t long_reduction = 1 << 20;

    static void leave_if_stopped(Watch& watch, int64_t cells) {
        Worker& worker = static_cast<Worker&>(watch);
        worker.worked(cells);
        worker.stop_.throw_if_raised();
    }

    StopSign& stop_;
    const int thread_;
};

// How many of the other threads have begun and ended their parts.
class OtherParts {
public:
    // By one of them, for as long as it works.
    class Work {
    public:
        explicit Work(OtherParts& parts) : parts_(parts) { parts_.begun_++; }
        ~Work() { parts_.ended_++; }

    private:
        OtherParts& parts_;
    };

    // By the calling thread, the only one that may ask its caller. A part that has not begun may be this thread's own to do.
    void ask_until_ended(StopSign& stop) const {
        constexpr int short_waits = 1000;
        for (int waits = 0; ended_ < begun_ && !stop.raised(); waits++) {
            if (waits < short_waits)
                std::this_thread::yield();
            else
                std::this_thread::sleep_for(std::chrono::microseconds(100));
            stop.poll();
        }
    }

private:
    std::atomic<int> begun_{0}, ended_{0};
};

// Calls body(part) for each part on a thread of its own. The calling thread keeps asking while others are still at theirs.
template <class Body>
void work_on_threads(int parts, StopSign* stop, const Body& body) {
    if (parts == 1) return body(0);
    OtherParts others;
    run_on_threads(parts, [&](int part) {
        if (part > 0) {
            const OtherParts::Work work(others);
            return body(part);
        }
        body(part);
        if (stop) others.ask_until_ended(*stop);
    });
}

}  // namespace fastroi
