"""From what users pass to what the core takes. Types, shapes and layouts are judged here, values by the core, on its own copy.

``numbers``: sizes, scales, ratios. ``boxes``: tables of boxes and their images. ``call``: maps and results, and all that
operators share. ``names``: errors of functions that call an argument by another name.
"""
