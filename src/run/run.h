// From a plan to results, on all threads and until cancelled. Knows no rule and no instruction.
#pragma once
#include "plan_part.h"

namespace fastroi {

// out = what the part says of the maps.
void pool(const PlanPart& part, const Job& job);

}  // namespace fastroi
