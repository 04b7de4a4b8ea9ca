// Results whose channels are orientations, turned by the angles of their boxes: the last part of a rotation-invariant operator.
#pragma once
#include <vector>

#include "../job.h"
#include "../plan/gather_rules.h"

namespace fastroi {

template <class T>
struct MixedOrientations {
    using Element = T;

    std::vector<Orientation> of_roi;
    int64_t orientations;  // channel: class * orientations + orientation
};

// Mixes the results in job.out, which are numbers of T, in place, or into what they are to be.
template <class T>
void mix_orientations(const MixedOrientations<T>& mixing, const Job& job);

}  // namespace fastroi
