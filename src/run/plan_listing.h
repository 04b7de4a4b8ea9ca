// The parts of a plan as a list of cells, for explanation and for tests that compare plans.
#pragma once
#include "plan_part.h"

namespace fastroi {

// Lists the one box of a request. The caller's struct receives entries while there is room, and counts the rest.
class PlanListing : public Flow {
public:
    explicit PlanListing(fastroi_plan& plan) : plan_(plan) {}

    void take(PlanPart part, const Job& job) override;
    bool lists() const override { return true; }

private:
    fastroi_plan& plan_;
};

}  // namespace fastroi
