// What an operator makes of some of its boxes: a plan, and what becomes of the cells that it lists.
#pragma once
#include <variant>

#include "masks.h"
#include "orientations.h"
#include "reductions.h"

namespace fastroi {

using PlanPart = std::variant<MaxOverRanges<float>, MaxOverRanges<double>, MeanOverRanges<float>,
                              MeanOverRanges<double>, SumOverTaps<float>, SumOverTaps<double>, MaxOverSamples<float>,
                              MaxOverSamples<double>, SumOverCells<float>, SumOverCells<double>,
                              MixedOrientations<float>, MixedOrientations<double>, MaskPart>;

// What is done with the parts of a plan, one after the other in the order in which they were made.
class Flow {
public:
    virtual ~Flow() = default;
    virtual void take(PlanPart part, const Job& job) = 0;
    // Whether the plan itself is wanted, also of results without channels.
    virtual bool lists() const { return false; }
};

}  // namespace fastroi
