"""ncnn's layers, which take one RoI at a time: the loop over the boxes is Python's."""

from __future__ import annotations

import numpy as np

from . import Adapter


def load(threads: int, fresh: bool, variants: tuple[str, ...] = ()) -> Adapter:
    import ncnn

    def session(kind, features, boxes, settings):
        if len(features) != 1:
            raise NotImplementedError("ncnn holds one image at a time")
        net = ncnn.Net()
        net.opt.num_threads = threads
        for name in (
            "use_packing_layout",
            "use_fp16_storage",
            "use_fp16_packed",
            "use_fp16_arithmetic",
            "use_bf16_storage",
        ):
            setattr(net.opt, name, False)
        options = " ".join(f"{key}={value}" for key, value in settings.items())
        net.load_param_mem(
            f"7767517\n3 3\nInput map 0 1 map\nInput roi 0 1 roi\n{kind} pooled 2 1 map roi out {options}\n"
        )
        bottom = ncnn.Mat(features[0]).clone()
        rois = [ncnn.Mat(np.ascontiguousarray(row)).clone() for row in boxes[:, 1:]]

        def call():
            results = []
            for roi in rois:
                extractor = net.create_extractor()
                extractor.input("map", bottom)
                extractor.input("roi", roi)
                status, top = extractor.extract("out")
                if status:
                    raise RuntimeError(f"ncnn's {kind} failed with {status}")
                results.append(top)
            return results

        return call, lambda results: np.stack([np.array(top) for top in results])

    def pool(job, features, boxes):
        (ph, pw), scale = job.output_size, job.scale
        return session("ROIPooling", features, boxes, {0: pw, 1: ph, 2: scale})

    def align(job, features, boxes):
        (ph, pw), scale = job.output_size, job.scale
        settings = {0: pw, 1: ph, 2: scale, 3: job.params["sampling_ratio"], 4: int(job.params["aligned"]), 5: 1}
        return session("ROIAlign", features, boxes, settings)

    def ps_pool(job, features, boxes):
        (ph, pw), scale = job.output_size, job.scale
        settings = {0: pw, 1: ph, 2: scale, 3: job.output_shape[1]}
        return session("PSROIPooling", features, boxes, settings)

    return Adapter(
        ncnn.__version__,
        {"roi_pool": pool, "roi_align": align, "ps_roi_pool": ps_pool},
        rules={"roi_pool": "fast_rcnn_f32"},
        notes="one RoI a call, planar layout",
    )
