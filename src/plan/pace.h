// How planning, too, is stopped from outside: a thread that fills a plan says how far it has come.
#pragma once
#include <stdint.h>

#include "../run/workers.h"

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

// Calls body(part, pace) for each part of a plan.
template <class Body>
void plan_on_threads(const Planners& planners, int parts, const Body& body) {
    work_on_threads(parts, planners.stop, [&](int part) {
        Pace pace = planners.pace(part);
        body(part, pace);
    });
}

}  // namespace fastroi
