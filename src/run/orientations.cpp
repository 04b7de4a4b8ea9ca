#include "orientations.h"

#include <cstring>

#include "stop_sign.h"
#include "../size.h"
#include "workers.h"

namespace fastroi {
namespace {

// One bin of one class: its orientations, `stride` bytes apart. values: room for them.
template <class T>
void mix_bin(unsigned char* bin, ptrdiff_t stride, int64_t count, const Orientation& o, T* values) {
    for (int64_t i = 0; i < count; i++) memcpy(values + i, bin + i * stride, sizeof(T));
    for (int64_t i = 0; i < count; i++) {
        const T value = mixed<T>(o, i, count, [&](int64_t from) { return values[from]; });
        memcpy(bin + i * stride, &value, sizeof(T));
    }
}

template <class T>
void mix_class(unsigned char* first, const Tensor& out, int64_t count, const Orientation& o, T* values,
               Worker& worker) {
    for (int64_t ph = 0; ph < out.rows && !worker.stopped(); ph++) {
        for (int64_t pw = 0; pw < out.columns; pw++)
            mix_bin<T>(first + ph * out.row_stride + pw * out.column_stride, out.channel_stride, count, o, values);
        worker.worked(count * out.columns);
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
        std::vector<T> values(mixing.orientations);
        for (int64_t k = rois * thread / threads; k < rois * (thread + 1) / threads; k++) {
            const Orientation& o = mixing.of_roi[k];
            if (o.index == 0 && o.next_weight == 0) continue;
            for (int64_t c = 0; c < out.channels && !worker.stopped(); c += mixing.orientations) {
                mix_class(out.data + k * out.image_stride + c * out.channel_stride, out, mixing.orientations, o,
                          values.data(), worker);
            }
        }
    });
    stop.throw_if_raised();
}

template void mix_orientations(const MixedOrientations<float>&, const Job&);
template void mix_orientations(const MixedOrientations<double>&, const Job&);

}  // namespace fastroi
