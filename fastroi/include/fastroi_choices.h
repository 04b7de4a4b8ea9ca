/*
 * Every choice that a parameter can make: an enumerator and its name, one row each; a name's place is its code. C, Python, the
 * command line and the rules of the core, which a GPU compiler reads too, take their choices from here. Append only.
 */
#ifndef FASTROI_CHOICES_H
#define FASTROI_CHOICES_H

/* Quantisation rules of RoIPool; formulas and sources in docs/rules.md. */
#define FASTROI_ROI_POOL_RULES(CHOICE)                                                                                \
    CHOICE(FASTROI_RULE_FLOOR, floor)                 /* the article: floor the box, floor the bins, drop the rest */ \
    CHOICE(FASTROI_RULE_FAST_RCNN, fast_rcnn)         /* Fast R-CNN with exact integer edges (OpenVINO)            */ \
    CHOICE(FASTROI_RULE_FAST_RCNN_F32, fast_rcnn_f32) /* Caffe, ONNX Runtime, Paddle, torchvision float32          */ \
    CHOICE(FASTROI_RULE_FAST_RCNN_F64, fast_rcnn_f64) /* torchvision float64                                       */ \
    CHOICE(FASTROI_RULE_CHAINER, chainer)                                                                             \
    CHOICE(FASTROI_RULE_ACL, acl)                                                                                     \
    CHOICE(FASTROI_RULE_MMCV, mmcv)                                                                                   \
    CHOICE(FASTROI_RULE_MNN, mnn)                                                                                     \
    CHOICE(FASTROI_RULE_OPENCV, opencv)

/* What becomes of the cells of a bin. */
#define FASTROI_REDUCES(CHOICE)     \
    CHOICE(FASTROI_REDUCE_MAX, max) \
    CHOICE(FASTROI_REDUCE_MEAN, mean)

/* The type that coordinates, bin edges, grid sizes and zone tests are computed in: part of the rule. */
#define FASTROI_ARITHMETICS(CHOICE)         \
    CHOICE(FASTROI_ARITHMETIC_F64, float64) \
    CHOICE(FASTROI_ARITHMETIC_F32, float32)

/*
 * How RoIAlign takes a box to the map; x is an image coordinate, s the scale. LEAST_ONE is OpenVINO's detectron extractor. From
 * CLAMP_HALF_PIXEL on, TensorRT's PyramidROIAlign: points off the map move to its outer cells however far they lie, and an
 * adaptive grid has at least one.
 */
#define FASTROI_ALIGNEDS(CHOICE)                                                                                   \
    CHOICE(FASTROI_ALIGNED_ASYMMETRIC, asymmetric)             /* x*s, extents at least 1: aligned=False */        \
    CHOICE(FASTROI_ALIGNED_HALF_PIXEL, half_pixel)             /* x*s - 0.5: aligned=True */                       \
    CHOICE(FASTROI_ALIGNED_IMAGE, image)                       /* (x + 0.5)*s - 0.5: OpenVINO half_pixel */        \
    CHOICE(FASTROI_ALIGNED_LEAST_ONE, least_one)               /* x*s - 0.5, extents at least 1 */                 \
    CHOICE(FASTROI_ALIGNED_CLAMP_HALF_PIXEL, clamp_half_pixel) /* x*s - 0.5 */                                     \
    CHOICE(FASTROI_ALIGNED_CLAMP_OUTPUT_HALF_PIXEL, clamp_output_half_pixel) /* x*s */                             \
    CHOICE(FASTROI_ALIGNED_CLAMP_ASYMMETRIC, clamp_asymmetric)       /* x*s, points at the start of their share */ \
    CHOICE(FASTROI_ALIGNED_CLAMP_ALIGN_CORNERS, clamp_align_corners) /* the same, bins extent / (bins - 1) apart */

/* What becomes of the sample points of a bin. */
#define FASTROI_ALIGN_REDUCES(CHOICE)                                                                                  \
    CHOICE(FASTROI_ALIGN_MEAN, mean)                   /* of all points; one outside [-1, H] x [-1, W] counts as 0  */ \
    CHOICE(FASTROI_ALIGN_MAX, max)                     /* of the interpolated points, outside as 0: mmcv, MNN, TVM  */ \
    CHOICE(FASTROI_ALIGN_MAX_CORNERS, max_corners)     /* of each point's four weighted corners: ONNX Runtime       */ \
    CHOICE(FASTROI_ALIGN_MAX_FROM_ZERO, max_from_zero) /* MAX, but never below 0: OpenVINO                          */ \
    CHOICE(FASTROI_ALIGN_MAX_INSIDE, max_inside)       /* of the points that are on the map: Chainer                */

/* What becomes of the parts of cells that a bin covers. */
#define FASTROI_AREA_REDUCES(CHOICE)                                       \
    CHOICE(FASTROI_AREA_MEAN, mean) /* weighted by the area of the part */ \
    CHOICE(FASTROI_AREA_SUM, sum)   /* of value times area in cells     */

/* Which input channel bin (gh, gw) of output channel c reads, in a map of C * GH * GW channels. */
#define FASTROI_CHANNEL_ORDERS(CHOICE)                                        \
    CHOICE(FASTROI_CHANNELS_CLASS_MAJOR, class) /* (c * GH + gh) * GW + gw */ \
    CHOICE(FASTROI_CHANNELS_BIN_MAJOR, bin)     /* (gh * GW + gw) * C + c  */

#define FASTROI_PS_ROI_POOL_RULES(CHOICE)                                                                            \
    CHOICE(FASTROI_PS_RULE_RFCN, rfcn) /* R-FCN, MXNet, Paddle: round(x1)*s to (round(x2) + 1)*s, at least 0.1 */    \
    CHOICE(FASTROI_PS_RULE_OPENVINO, openvino) /* the same with round(x2 + 1): OpenVINO, ncnn, OpenCV          */    \
    CHOICE(FASTROI_PS_RULE_TORCHVISION,                                                                              \
           torchvision)                          /* round(x*s), at least 1, without the map's last row and column */ \
    CHOICE(FASTROI_PS_RULE_CHAINERCV, chainercv) /* x*s, at least 0.1                                            */

#define FASTROI_CROP_METHODS(CHOICE)        \
    CHOICE(FASTROI_CROP_BILINEAR, bilinear) \
    CHOICE(FASTROI_CROP_NEAREST, nearest)

/* Where the last of several samples of an axis lies. */
#define FASTROI_CROP_ENDS(CHOICE)                                                                                     \
    CHOICE(FASTROI_CROP_END_TENSORFLOW, tensorflow) /* start + (P - 1) * step, which rounding can move off the map */ \
    CHOICE(FASTROI_CROP_END_EXACT, exact)           /* on the end of the box: ONNX Runtime, OpenVINO            */

#define FASTROI_ANGLE_UNITS(CHOICE)  \
    CHOICE(FASTROI_RADIANS, radians) \
    CHOICE(FASTROI_DEGREES, degrees)

#define FASTROI_PASTE_RULES(CHOICE)                                                                                \
    CHOICE(FASTROI_PASTE_DETECTRON2, detectron2) /* zeros around the mask, a pixel around the box; >= threshold */ \
    CHOICE(FASTROI_PASTE_DETECTRON2_FULL,                                                                          \
           detectron2_full)                    /* the same without clipping                              */        \
    CHOICE(FASTROI_PASTE_DETECTRON, detectron) /* mask padded, box grown and truncated to pixels; > threshold */

/* LIST(name, its choices): what a field of a params struct says it is one of. */
#define FASTROI_CHOICES(LIST)                         \
    LIST(roi_pool_rule, FASTROI_ROI_POOL_RULES)       \
    LIST(reduce, FASTROI_REDUCES)                     \
    LIST(arithmetic, FASTROI_ARITHMETICS)             \
    LIST(aligned, FASTROI_ALIGNEDS)                   \
    LIST(align_reduce, FASTROI_ALIGN_REDUCES)         \
    LIST(area_reduce, FASTROI_AREA_REDUCES)           \
    LIST(channel_order, FASTROI_CHANNEL_ORDERS)       \
    LIST(ps_roi_pool_rule, FASTROI_PS_ROI_POOL_RULES) \
    LIST(crop_method, FASTROI_CROP_METHODS)           \
    LIST(angle_unit, FASTROI_ANGLE_UNITS)             \
    LIST(paste_rule, FASTROI_PASTE_RULES)             \
    LIST(crop_end, FASTROI_CROP_ENDS)

#define FASTROI_ENUMERATOR(enumerator, name) enumerator,
#define FASTROI_NAME_ONLY(enumerator, name) name,
#define FASTROI_ONE_MORE(enumerator, name) +1
#define FASTROI_COUNT(CHOICES) (0 CHOICES(FASTROI_ONE_MORE))

#endif
