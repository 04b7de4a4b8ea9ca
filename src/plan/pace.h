// How planning, too, is stopped from outside: a thread that fills a plan says how far it has come.
#pragma once
#include <stdint.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "../run/stop_sign.h"
#include "../threads.h"

namespace fastroi {

constexpr int64_t steps_between_looks = 1 << 14;  // bins, taps or sample points: under a millisecond

// Of one thread. Throws where the call is to stop.
class Pace {
public:
    Pace() = default;  // of plans that nobody stops
    Pace(StopSign* stop, int thread) : stop_(stop), thread_(thread) {}

    void worked(int64_t steps) {
        steps_ += steps;
        if (steps_ >= steps_between_looks) look();
    }

private:
    void look() {
        steps_ = 0;
        if (!stop_) return;
        if (thread_ == 0) stop_->poll();
        stop_->throw_if_raised();
    }

    StopSign* stop_ = nullptr;
    int thread_ = 0;
    int64_t steps_ = 0;
};

// Who fills a plan: so many threads, until the sign is raised.
struct Planners {
    int threads;
    StopSign* stop = nullptr;

    Planners(int number_of_threads, StopSign* sign = nullptr) : threads(number_of_threads), stop(sign) {}
    Pace pace(int thread) const { return {stop, thread}; }
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

// Calls body(part, pace) for each part of a plan. The calling thread keeps asking while others are still at theirs.
template <class Body>
void plan_on_threads(const Planners& planners, int parts, const Body& body) {
    if (parts == 1) {
        Pace pace = planners.pace(0);
        return body(0, pace);
    }
    OtherParts others;
    run_on_threads(parts, [&](int part) {
        Pace pace = planners.pace(part);
        if (part > 0) {
            const OtherParts::Work work(others);
            return body(part, pace);
        }
        body(part, pace);
        if (planners.stop) others.ask_until_ended(*planners.stop);
    });
}

}  // namespace fastroi
