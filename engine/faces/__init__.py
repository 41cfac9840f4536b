"""Finds the faces in a picture and restores them, on this machine.

`restoration` is the door: `Restorer(threads=1).restore(source, target, Options(strength=0.8), on_progress)`. The story
in order: `decode`, `detect` and `slant` (or `boxes`), `align`, `face_model`, `blend`, `grain`, `encode`; `flow` tells
it. Knows nothing of HTTP, jobs or runs. Needs the extra `local` once a Restorer is made, not before.
"""
