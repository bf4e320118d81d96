"""Keyframes as HTML, for notebooks and reports: plain values in, escaped HTML out.

The templates are files of the package, rendered by Jinja2, and need no script and no network.
"""

from spark_keyframes.html.cards import Curve, Picture, VideoCard
from spark_keyframes.html.render import cards_html, css, curve_svg, rendered, video_html
from spark_keyframes.html.thumbnail import thumbnail

__all__ = [
    "Curve",
    "Picture",
    "VideoCard",
    "cards_html",
    "css",
    "curve_svg",
    "rendered",
    "thumbnail",
    "video_html",
]
