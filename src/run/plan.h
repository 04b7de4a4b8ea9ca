// A plan that is kept: made once for some boxes, run on as many maps as one likes.
#pragma once
#include <vector>

#include "run.h"

namespace fastroi {

class Plan : public Flow {
public:
    void take(PlanPart part, const Job& job) override { steps_.push_back({std::move(part), job}); }

    // On other maps and into another output, of the same extents as those it was made for; argmax, too, is theirs.
    void pool(const std::vector<Tensor>& maps, const Tensor& out, const Tensor& argmax,
              const Execution& execution) const {
        for (const Step& step : steps_) {
            Job job = step.job;
            job.maps = maps;
            Tensor& result = job.unfinished ? job.unfinished->result : job.out;
            const int64_t rois = result.images, channels = result.channels;
            result = out;
            result.images = rois;
            result.channels = channels;
            result.data += job.first_roi * out.image_stride + job.first_channel * out.channel_stride;
            job.argmax = argmax;
            job.execution = execution;
            fastroi::pool(step.part, job);
        }
    }

private:
    struct Step {
        PlanPart part;
        Job job;
    };
    std::vector<Step> steps_;
};

}  // namespace fastroi
