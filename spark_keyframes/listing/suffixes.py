"""Which files are videos, by the end of their names."""

from pathlib import PurePosixPath

VIDEO_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("264", "265", "360", "3g2", "3gp", "apng", "asf", "av1", "avc", "avi", "dav", "dif"),
        *("divx", "dv", "evo", "f4v", "flv", "gif", "h261", "h263", "h264", "h265", "h26l", "hevc"),
        *("insv", "ismv", "ivf", "lrv", "m1v", "m2p", "m2t", "m2ts", "m2v", "m4v", "mj2", "mjpeg"),
        *("mjpg", "mk3d", "mkv", "mod", "mov", "mp4", "mpe", "mpeg", "mpg", "mpv", "mts", "mxf"),
        *("nut", "obu", "ogg", "ogm", "ogv", "psp", "qt", "rm", "rmvb", "tod", "tp", "trp", "ts"),
        *("vc1", "vob", "webm", "wm", "wmv", "y4m"),
    )
)
"""Of files that are taken from a folder: of the containers that `video/container.py` reads."""


def is_video(path: str) -> bool:
    """Return whether a file of a folder is taken, by the end of its name."""
    return PurePosixPath(path).suffix.lower() in VIDEO_SUFFIXES
