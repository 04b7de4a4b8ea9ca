#include "orientations.h"

#include <cstring>

#include "stop_sign.h"
#include "../size.h"
#include "workers.h"

namespace fastroi {
namespace {

unsigned char* bin_of(const Tensor& t, int64_t roi, int64_t channel, int64_t ph, int64_t pw) {
    return t.data + roi * t.image_stride + channel * t.channel_stride + ph * t.row_stride + pw * t.column_stride;
}

// One bin of one class: its orientations, a channel apart. values: room for them.
template <class T, class E>
void mix_bin(const unsigned char* from, ptrdiff_t from_stride, unsigned char* to, ptrdiff_t to_stride,
             const Orientation& o, std::vector<T>& values) {
    const int64_t count = (int64_t)values.size();
    for (int64_t i = 0; i < count; i++) memcpy(&values[i], from + i * from_stride, sizeof(T));
    for (int64_t i = 0; i < count; i++) {
        const auto stored = E::round(mixed<T>(o, i, count, [&](int64_t other) { return values[other]; }));
        memcpy(to + i * to_stride, &stored, sizeof stored);
    }
}

template <class T, class E>
void mix_class(const Tensor& from, const Tensor& to, int64_t roi, int64_t channel, const Orientation& o,
               std::vector<T>& values, Worker& worker) {
    for (int64_t ph = 0; ph < to.rows && !worker.stopped(); ph++) {
        for (int64_t pw = 0; pw < to.columns; pw++)
            mix_bin<T, E>(bin_of(from, roi, channel, ph, pw), from.channel_stride, bin_of(to, roi, channel, ph, pw),
                          to.channel_stride, o, values);
        worker.worked((int64_t)values.size() * to.columns);
    }
}

template <class T, class E>
void mix_rois(const MixedOrientations<T>& mixing, const Job& job, int64_t first, int64_t end, Worker& worker) {
    const Tensor &from = job.out, &to = job.unfinished ? job.unfinished->result : from;
    const bool in_place = &to == &from;
    std::vector<T> values(mixing.orientations);
    for (int64_t k = first; k < end; k++) {
        const Orientation& o = mixing.of_roi[k];
        if (in_place && o.index == 0 && o.next_weight == 0) continue;
        for (int64_t c = 0; c < from.channels && !worker.stopped(); c += mixing.orientations)
            mix_class<T, E>(from, to, k, c, o, values, worker);
    }
}

}  // namespace

template <class T>
void mix_orientations(const MixedOrientations<T>& mixing, const Job& job) {
    const Tensor& out = job.out;
    if (out.channels == 0) return;
    const int64_t rois = (int64_t)mixing.of_roi.size();
    const int64_t bytes = estimated_product(rois * out.channels, out.rows * out.columns * (int64_t)sizeof(T));
    const int threads = threads_worth(job.execution.threads, bytes);
    StopSign& stop = *job.execution.stop;
    work_on_threads(threads, &stop, [&](int thread) {
        Worker worker(stop, thread);
        const int64_t first = rois * thread / threads, end = rois * (thread + 1) / threads;
        with_element(job.unfinished ? job.unfinished->element : own_element<T>, [&](auto element) {
            mix_rois<T, result_of<T, decltype(element)>>(mixing, job, first, end, worker);
        });
    });
    stop.throw_if_raised();
}

template void mix_orientations(const MixedOrientations<float>&, const Job&);
template void mix_orientations(const MixedOrientations<double>&, const Job&);

}  // namespace fastroi
