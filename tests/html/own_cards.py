"""Cards to test with."""

import numpy as np

from spark_keyframes.html import Curve, Picture, VideoCard, thumbnail

HOSTILE = "<script>alert(1)</script> \" ' & \u202egpj.mp4\nnext {{ 7 * 7 }} \x00"


def drawn(size=(96, 160)):
    return np.indices(size).sum(0)[..., None].repeat(3, 2).astype(np.uint8)


def card(**changes):
    """A video with two keyframes of six candidates."""
    seconds = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    scores = [0.1, 0.5, 0.2, 0.3, 0.6, 0.1]
    pictures = [
        Picture(frame_id=25 * at, seconds=float(at), score=scores[at], source=thumbnail(drawn()))
        for at in (1, 4)
    ]
    values = {"title": "a.mp4", "text": "spoon", "pictures": pictures}
    return VideoCard(**{**values, "curve": Curve(seconds=seconds, scores=scores), **changes})
