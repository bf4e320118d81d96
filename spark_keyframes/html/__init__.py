"""Keyframes as HTML, for notebooks and reports: plain values in, escaped HTML out.

The templates are files of the package, rendered by Jinja2, and need no script and no network.
"""

from spark_keyframes.html.cards import Curve, Picture, VideoCard
from spark_keyframes.html.render import cards_html, css, curve_svg, rendered, video_html
from spark_keyframes.html.results import Images, card_of_result, stored_thumbnail
from spark_keyframes.html.row_columns import (
    RowColumns,
    find_columns,
    kinds_of_rows,
    kinds_of_spark,
)
from spark_keyframes.html.rows import cards_of_row
from spark_keyframes.html.settings import settings_html
from spark_keyframes.html.show import ShownKeyframes, show_keyframes
from spark_keyframes.html.thumbnail import thumbnail

__all__ = [
    "Curve",
    "Images",
    "Picture",
    "RowColumns",
    "ShownKeyframes",
    "VideoCard",
    "card_of_result",
    "cards_html",
    "cards_of_row",
    "css",
    "curve_svg",
    "find_columns",
    "kinds_of_rows",
    "kinds_of_spark",
    "rendered",
    "settings_html",
    "show_keyframes",
    "stored_thumbnail",
    "thumbnail",
    "video_html",
]
