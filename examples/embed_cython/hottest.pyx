"""A Cython extension that pools with fastroi inside a nogil block, without linking to it."""

cimport fastroi
from libc.string cimport memset

fastroi.import_fastroi()


cdef fastroi.fastroi_status pool_one_bin(const float[:, :, ::1] features, const double[:, ::1] boxes, double scale,
                                         float[:, ::1] out, fastroi.fastroi_error *error) noexcept nogil:
    cdef fastroi.fastroi_tensor feature_map, result
    cdef fastroi.fastroi_boxes rois
    cdef fastroi.fastroi_roi_pool_params params
    cdef int axis
    feature_map.data, feature_map.dtype = <void *>&features[0, 0, 0], fastroi.FASTROI_FLOAT32
    feature_map.shape[0], feature_map.strides[0] = 1, 0
    for axis in range(3):
        feature_map.shape[axis + 1], feature_map.strides[axis + 1] = features.shape[axis], features.strides[axis]
    result.data, result.dtype = <void *>&out[0, 0], fastroi.FASTROI_FLOAT32
    for axis in range(4):
        result.shape[axis] = out.shape[axis] if axis < 2 else 1
        result.strides[axis] = out.strides[axis] if axis < 2 else 0
    memset(&rois, 0, sizeof(rois))
    rois.data, rois.dtype = &boxes[0, 0], fastroi.FASTROI_FLOAT64
    rois.count, rois.columns = boxes.shape[0], <int>boxes.shape[1]
    rois.strides[0], rois.strides[1] = boxes.strides[0], boxes.strides[1]
    memset(&params, 0, sizeof(params))
    params.struct_size = sizeof(params)
    params.rule, params.reduce = fastroi.FASTROI_RULE_FAST_RCNN, fastroi.FASTROI_REDUCE_MAX
    params.scale_h = params.scale_w = scale
    return fastroi.fastroi_roi_pool(&feature_map, &rois, &params, &result, NULL, error)


def hottest_channel(const float[:, :, ::1] features, const double[:, ::1] boxes, double scale, float[:, ::1] maxima):
    """For each box (K, 4), the channel of `features` (C, H, W) with the largest value inside it.

    maxima (K, C) float32 receives the maximum of every channel.
    """
    cdef fastroi.fastroi_error error
    cdef fastroi.fastroi_status status
    cdef Py_ssize_t k, c, best
    if boxes.shape[0] == 0 or features.shape[0] == 0:
        return []
    if maxima.shape[0] != boxes.shape[0] or maxima.shape[1] != features.shape[0]:
        raise ValueError("maxima: one row per box and one column per channel required")
    with nogil:
        status = pool_one_bin(features, boxes, scale, maxima, &error)
    if status != fastroi.FASTROI_OK:
        raise ValueError(error.message.decode())
    channels = []
    for k in range(maxima.shape[0]):
        best = 0
        for c in range(1, maxima.shape[1]):
            if maxima[k, c] > maxima[k, best]:
                best = c
        channels.append(best)
    return channels
