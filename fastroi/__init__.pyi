"""Types of `fastroi`; documentation is in the package."""

from . import simd as simd
from ._threads import get_num_threads as get_num_threads
from ._threads import set_num_threads as set_num_threads
from ._version import __version__ as __version__
from .deformable import deform_ps_roi_pool as deform_ps_roi_pool
from .deformable import deform_roi_pool as deform_roi_pool
from .explain import explain as explain
from .masks import crop_masks as crop_masks
from .masks import paste_masks as paste_masks
from .memory import empty_aligned as empty_aligned
from .ops import ROI_POOL_RULES as ROI_POOL_RULES
from .ops import crop_and_resize as crop_and_resize
from .ops import prroi_pool as prroi_pool
from .ops import ps_roi_align as ps_roi_align
from .ops import ps_roi_pool as ps_roi_pool
from .ops import roi_align as roi_align
from .ops import roi_pool as roi_pool
from .ops import roi_warp as roi_warp
from .pyramid import FPN_LEVEL_RULES as FPN_LEVEL_RULES
from .pyramid import fpn_levels as fpn_levels
from .pyramid import multiscale_roi_align as multiscale_roi_align
from .rotated import riroi_align_rotated as riroi_align_rotated
from .rotated import roi_align_rotated as roi_align_rotated

__all__ = [
    "crop_masks",
    "paste_masks",
    "deform_ps_roi_pool",
    "deform_roi_pool",
    "empty_aligned",
    "ROI_POOL_RULES",
    "crop_and_resize",
    "prroi_pool",
    "ps_roi_align",
    "ps_roi_pool",
    "roi_align",
    "roi_pool",
    "roi_warp",
    "FPN_LEVEL_RULES",
    "fpn_levels",
    "multiscale_roi_align",
    "riroi_align_rotated",
    "roi_align_rotated",
    "__version__",
    "explain",
    "get_include",
    "get_num_threads",
    "set_num_threads",
    "simd",
]

def get_include() -> str: ...
