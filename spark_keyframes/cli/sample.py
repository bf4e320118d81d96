"""`spark-keyframes sample`: the keyframes of one video, in this process and without Spark."""

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import click

from spark_keyframes.cli.keyframes_table import as_json, table_lines
from spark_keyframes.command import Argument, PlaceType
from spark_keyframes.errors import ParameterError
from spark_keyframes.images.keys import safe_stem
from spark_keyframes.jobs.command_line import command_of, with_flags
from spark_keyframes.jobs.option_groups import OUTPUT
from spark_keyframes.jobs.options import INPUT, about
from spark_keyframes.redaction import redact_url
from spark_keyframes.result import Keyframes
from spark_keyframes.sampler import VideoAdaptiveKeyframesSampling
from spark_keyframes.scan import logger as scan_logger

_SHEETS = (".png", ".jpg", ".jpeg", ".webp")
_FOLDER = VideoAdaptiveKeyframesSampling.model_path


@dataclass(frozen=True, kw_only=True)
class VideoOptions:
    """Options of `spark-keyframes sample`."""

    not_offered: ClassVar[tuple[str, ...]] = ("video_src_type", "video_format", "return_keyframes")

    video: str
    start: float | None = field(
        default=None,
        metadata=about("Where the part of the video begins to choose from.", INPUT, "SECONDS"),
    )
    end: float | None = field(
        default=None,
        metadata=about("Where that part ends. Default: at the video's end.", INPUT, "SECONDS"),
    )
    sheet: str | None = field(
        default=None,
        metadata=about("Draw the keyframes over the score curve: a .png or .jpg.", OUTPUT, "FILE"),
    )
    json: bool = field(
        default=False, metadata=about("Print JSON, and no table, on standard output.", OUTPUT)
    )
    explain: bool = field(
        default=False,
        metadata=about("Say why these frames were chosen, and draw it into `sheet`.", OUTPUT),
    )
    sampler: VideoAdaptiveKeyframesSampling = field(default_factory=VideoAdaptiveKeyframesSampling)
    texts: tuple[str, ...] = ()
    """Several texts instead of `text`; the video is decoded once for all."""

    def __post_init__(self) -> None:
        if not self.video:
            raise ParameterError("VIDEO is empty; give a path or a URL")
        reads_scores = self.sampler.make_selector().reads_scores
        if self.sampler.module is None and reads_scores and not all(map(str.strip, self.asked)):
            raise ParameterError(
                "`text` is required: what to look for, such as 'a red car'; or give `selector` "
                "uniform or summary, which need none"
            )
        if self.sheet is not None and Path(self.sheet).suffix.lower() not in _SHEETS:
            raise ParameterError(
                f"`sheet` must be a file that ends with {', '.join(_SHEETS)}, got {self.sheet!r}"
            )

    @property
    def asked(self) -> Sequence[str]:
        """The texts to look for."""
        return self.texts or (self.sampler.text,)


def run(options: VideoOptions) -> int:
    """Sample the video and print its keyframes; return the exit code."""
    sheets = _sheets(options)
    sampler = replace(options.sampler, return_keyframes=bool(sheets))
    if sampler.model_path == _FOLDER and not Path(_FOLDER).exists() and sampler.module is None:
        print(
            f"no folder {_FOLDER}: the model {sampler.clip_model_name} is taken from the Hugging "
            "Face Hub, or its cache",
            file=sys.stderr,
        )
        sampler = replace(sampler, model_path="")
    found = sampler.sample(options.video, text=options.asked, start=options.start, end=options.end)
    results = [each for each in found if each is not None]
    if options.json:
        click.echo(json.dumps(as_json(results, explain=options.explain), indent=2))
    else:
        click.echo("\n".join(table_lines(results, explain=options.explain)))
    for keyframes, sheet in zip(results, sheets, strict=False):
        _draw(keyframes, sheet, options)
    return 0


def _sheets(options: VideoOptions) -> list[Path]:
    """Return the file of each text's sheet, in a folder that exists."""
    if options.sheet is None:
        return []
    sheet, texts = Path(options.sheet), options.asked
    sheets = [sheet]
    if len(texts) > 1:
        names = (f"{sheet.stem}-{number}-{safe_stem(text)}" for number, text in enumerate(texts, 1))
        sheets = [sheet.with_name(f"{name}{sheet.suffix}") for name in names]
    try:
        sheet.parent.mkdir(parents=True, exist_ok=True)
        for each in sheets:
            _check_writable(each)
    except OSError as error:
        raise ParameterError(
            f"`sheet` {options.sheet} cannot be written: {error.strerror}; choose another place"
        ) from error
    return sheets


def _check_writable(file: Path) -> None:
    """Raise OSError where a file cannot be written; leave what there is as it is."""
    was_there = file.exists()
    with file.open("ab"):
        pass
    if not was_there:  # an empty picture would be left where the video fails
        file.unlink()


def _draw(keyframes: Keyframes, sheet: Path, options: VideoOptions) -> None:
    notes = sys.stderr if options.json else sys.stdout
    if not keyframes.frame_ids:
        sheet.unlink(missing_ok=True)
        print(f"no sheet: no keyframe for “{keyframes.text}”", file=notes)
        return
    keyframes.contact_sheet(explain=options.explain).save(sheet)
    print(f"sheet: {redact_url(str(sheet))}", file=notes)


def _is_news(record: logging.LogRecord) -> bool:
    """Return whether a log line says more than the error that ends the command."""
    return "error" not in getattr(record, "context", {})


def _run(options: VideoOptions) -> int:
    handler = logging.StreamHandler()
    handler.addFilter(_is_news)
    logging.getLogger("spark_keyframes").addHandler(handler)
    level = scan_logger.level
    scan_logger.setLevel(logging.INFO)  # why all candidates were looked at, with --scan coarse
    try:
        return run(options)
    except ParameterError as error:
        raise ParameterError(with_flags(str(error), VideoOptions)) from error
    finally:
        scan_logger.setLevel(level)
        logging.getLogger("spark_keyframes").removeHandler(handler)


command = command_of(
    VideoOptions,
    name="sample",
    run=_run,
    arguments=[
        Argument(
            ["video"], metavar="VIDEO", type=PlaceType("file"), help="A path, or a URL: a file."
        )
    ],
    common=(
        *("text", "max_num_frames", "fps", "min_score", "output_tos_dir", "sheet", "json"),
        *("explain", "model_path", "clip_model_name"),
    ),
    description="Find the keyframes of one video that match a text, without Spark.",
    examples=(
        'my.mp4 --text "a red car"',
        'my.mp4 --text "a red car" --text "a dog" --max-num-frames 8 --sheet sheet.png',
    ),
    too_many="; sample takes one video, and --text TEXT: for more videos, use transform --input "
    "FOLDER",
)
