"""The parameters of the documented operator, checked when they are given."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, get_args

from spark_keyframes.checks import (
    check_choice,
    check_integer,
    check_number,
    check_object,
    check_type,
    lone_surrogate,
    path_text,
)
from spark_keyframes.clip import Dtype
from spark_keyframes.errors import ParameterError
from spark_keyframes.fields import documented
from spark_keyframes.hooks import shown_arguments
from spark_keyframes.images import ImgType
from spark_keyframes.index_info import IndexInfo
from spark_keyframes.limits import Limits
from spark_keyframes.made_by import MadeBy, __version__
from spark_keyframes.module import KeyframesModule
from spark_keyframes.scan import ScanName, check_scan
from spark_keyframes.selection import Choice, Repeats, Selector, SelectorName, make_selector
from spark_keyframes.storage import Access
from spark_keyframes.video import DecoderName, VideoSrcType


@dataclass(frozen=True, kw_only=True, repr=False)
class Parameters:
    """The documented parameters, with the documented defaults, and those that were added.

    Raises:
        ParameterError: a value is invalid. It is a ValueError too.
    """

    text: str = documented(
        "",
        "The text that frames are compared with, best as a caption in the model's language: "
        "a red car seen from above. CLIP reads the first 77 tokens.",
    )
    model_path: str = documented(
        "/opt/las/models",
        "The folder that holds models. Empty: the model is loaded from the Hugging Face Hub.",
    )
    clip_model_name: str = documented(
        "openai/clip-vit-base-patch32",
        "The model's folder below `model_path`, or its name on the Hub: CLIP, SigLIP, SigLIP 2 of "
        "fixed resolution, Chinese-CLIP, AltCLIP or MetaCLIP 2; see docs/models.md.",
    )
    rerank: str = documented(
        "",
        "A second model, which looks at the best candidates again; keyframes are chosen among "
        "these. A BlipForImageTextRetrieval: its folder below `model_path`, or its name on the "
        "Hub. Scores are then the probabilities that text and frame match, and `min_score` is one; "
        "see docs/choosing.md. Empty: there is none.",
    )
    rerank_candidates: int | None = documented(
        None,
        "How many candidates of a video `rerank` looks at, at least `max_num_frames`; of AKS, the "
        "best of each segment. None: 4 × `max_num_frames`.",
    )
    dtype: Dtype = documented(
        "float16",
        "The precision of the model. float16 is faster: float16 on a GPU, and on a CPU the fastest "
        "half precision that selects the same frames. float32 is exact.",
    )
    video_src_type: VideoSrcType = documented(
        "video_url",
        "What a row holds: video_url (a path or URL), video_base64 or video_binary.",
    )
    fps: float = documented(
        1.0,
        "Candidate frames per second of video, above 0; 0.5 is one every two seconds. Higher: a "
        "finer choice, and more work. Above the video's own rate: every frame.",
    )
    max_num_frames: int = documented(
        32,
        "The number of keyframes per video, at least 1. A video with fewer candidates gives fewer.",
    )
    min_score: float | None = documented(
        None,
        "The least score of a keyframe: a video that does not show what the text says gives few "
        "frames, or none. What is high depends on the model and the text; see docs/choosing.md. "
        "Without it the best frames are selected, however low their scores.",
    )
    min_gap: float = documented(
        0.0,
        "The least seconds between keyframes of one text. One that is closer to a better one gives "
        "way to the next best; see docs/choosing.md. 0: off. `search` has an argument of this "
        "name, and does not use the parameter.",
    )
    max_similarity: float = documented(
        1.0,
        "The highest cosine of the embeddings of two keyframes of one text, from 0 to 1. One that "
        "is more alike to a better one gives way to the next best; see docs/choosing.md. 1: off.",
    )
    t1: float = documented(
        0.8,
        "AKS does not split a segment of the video whose top scores exceed its mean by more than "
        "this, after scaling to 0 to 1. Next to no video reaches the default; 0.1 to 0.3 favours "
        "the best matches over an even spread.",
    )
    t2: float = documented(
        -100,
        "The least standard deviation of a segment's scaled scores for `t1` to apply.",
    )
    all_depth: int = documented(
        5,
        "How often AKS may halve the video to spread the keyframes, at least 0. 0: no spread.",
    )
    diversity: float = documented(
        0.05,
        "How much the selector logdet prefers frames that differ from each other to those that "
        "match the text best, at least 0. 0: the best scores alone. No other selector uses it.",
    )
    img_type: ImgType = documented(
        ".jpg", "The format of keyframe images: .jpg (quality 90) or .png."
    )
    output_tos_dir: str = documented(
        "",
        "Where keyframe images are stored: tos://bucket/prefix, s3://bucket/prefix, a local "
        "folder, file://, or a scheme of fsspec. Empty: they are not stored.",
    )
    return_keyframes: bool = documented(
        True, "Return the images too, as arrays in a second column."
    )
    batch_size: int = documented(
        16, "Frames per forward pass of the model, at least 1. A GPU takes more where they wait."
    )
    rank: int = documented(0, "The GPU's number, where Spark has not assigned one.")
    video_format: str = documented(
        "mp4",
        "The container of base64 and binary videos (mp4, mov, …), where the bytes do not tell.",
    )
    video_stream: int | None = documented(
        None,
        "The video stream to decode, counted from 0 among the video streams as FFmpeg's v:0. None: "
        "FFmpeg's own choice among those that can be decoded; the log tells which.",
    )
    selector: SelectorName | Selector = documented(
        "aks",
        "How keyframes are chosen: aks (good matches, spread over the video), top (the best "
        "wherever they are), bin (the best of each equal slice), gift and logdet (good matches "
        "that differ from each other), uniform (equal distances, whatever the scores), summary "
        "(what the video shows, whatever the scores), or a Selector of your own.",
        hash=False,
    )
    scan: ScanName = documented(
        "exhaustive",
        "Which candidates are scored. exhaustive: all. coarse: first the keyframes of the codec, "
        "then only GOPs where the selector may still find better frames. It is faster, and can "
        "miss a short event between two keyframes; see docs/choosing.md.",
    )
    scan_budget: float = documented(
        0.35,
        "With `scan` coarse: how many frames may be scored, as a share of the candidates, above 0, "
        "at most 1. Keyframes of the codec count, also those that are no candidates. At least "
        "`max_num_frames` candidates are scored.",
    )
    decoder: DecoderName = documented(
        "process",
        "Where videos are decoded. process: in child processes, so that a video that crashes its "
        "codec costs its own row only. thread: in the task itself. gpu: by the task's GPU, or on "
        "CPUs what it cannot decode. auto: by whichever of both is idle; see docs/gpu.md.",
    )
    limits: Limits = documented(
        Limits(), "Limits on one video: download, pixels, frames, seconds, memory; see Limits."
    )
    access: Access = documented(
        Access(), "Which URLs may be read: schemes, hosts, folders, private addresses; see Access."
    )

    def __post_init__(self) -> None:
        for name in ("model_path", "clip_model_name", "rerank", "output_tos_dir"):
            object.__setattr__(self, name, path_text(getattr(self, name)))
        names = ("model_path", "clip_model_name", "rerank", "output_tos_dir", "video_format")
        for name in ("text", *names):
            check_type(name, getattr(self, name), str, "a string")
        if wrong := lone_surrogate(self.text):
            raise ParameterError(f"text {wrong}")
        check_type("return_keyframes", self.return_keyframes, bool, "True or False")
        check_type("limits", self.limits, Limits, "a Limits, such as Limits(max_frames=100_000)")
        check_type("access", self.access, Access, "an Access, such as Access(allowed_roots=(…,))")
        for name, choices in (
            ("dtype", Dtype),
            ("video_src_type", VideoSrcType),
            ("img_type", ImgType),
            ("decoder", DecoderName),
            ("scan", ScanName),
        ):
            check_choice(name, getattr(self, name), get_args(choices))
        if isinstance(self.selector, str):
            check_choice("selector", self.selector, get_args(SelectorName))
        else:
            check_object("selector", self.selector, Selector)
            self.check_left_at_default("selector", "t1", "t2", "all_depth", "diversity")
        # numpy's numbers are taken, and made Python's: they go to Spark and into messages.
        for name, hint in _NUMBERS.items():
            self._convert(name, check_number, hint)
        for name, (least, hint) in _WHOLE_NUMBERS.items():
            self._convert(name, check_integer, least, hint)
        object.__setattr__(self, "video_format", self.video_format.lstrip("."))
        if self.fps <= 0 or math.isinf(self.fps):
            raise ParameterError(
                f"fps must be greater than 0 and finite, got {self.fps}; {_NUMBERS['fps']}"
            )
        if not self.clip_model_name:
            raise ParameterError(
                'clip_model_name must not be empty; use e.g. "openai/clip-vit-base-patch32"'
            )
        if not self.video_format.isalnum():
            raise ParameterError(
                f"video_format must be a container's name, got {self.video_format!r}; "
                'use e.g. "mp4", "mov", "webm"'
            )
        self._check_rerank()
        self.make_choice()  # it checks its own parameters
        check_scan(self.scan, self.scan_budget, self.make_selector(), self.max_similarity)

    def _check_rerank(self) -> None:
        if self.rerank and self.rerank_candidates is not None:
            check_integer(
                "rerank_candidates",
                self.rerank_candidates,
                self.max_num_frames,
                "keyframes are chosen among them: max_num_frames at least",
            )
        if self.rerank and not self.make_selector().reads_scores:
            raise ParameterError(
                f"rerank={self.rerank!r} has no effect beside selector={self.selector!r}, which "
                "does not look at scores; leave rerank out, or choose another selector"
            )

    def _convert(self, name: str, check: Callable[..., Any], *arguments: Any) -> None:
        """Replace a number by what `check` makes of it; None stays where that is the default."""
        value = getattr(self, name)
        if value is not None or name not in _OPTIONAL:
            object.__setattr__(self, name, check(name, value, *arguments))

    def check_left_at_default(self, replacement: str, *names: str) -> None:
        """Raise ParameterError where a parameter is set that an object given here replaces."""
        given = self._changed(*names)
        if given:
            raise ParameterError(
                f"no effect of {shown_arguments(given)} "
                f"beside {replacement}={getattr(self, replacement)!r}: leave this out, or give it "
                f"to the constructor of the {replacement}"
            )

    def make_selector(self) -> Selector:
        """Return the selector itself where only its name was given."""
        if isinstance(self.selector, Selector):
            return self.selector
        return make_selector(
            self.selector,
            t1=self.t1,
            t2=self.t2,
            all_depth=self.all_depth,
            diversity=self.diversity,
        )

    def make_choice(self) -> Choice:
        """Return the selector with the parameters that hold for all selectors."""
        looked_at = self.rerank_candidates or _LOOKED_AT * self.max_num_frames
        return Choice(
            self.make_selector(),
            self.max_num_frames,
            self.min_score,
            second_look=looked_at if self.rerank else None,
            repeats=Repeats(self.min_gap, self.max_similarity),
        )

    def made_by(self, module: KeyframesModule, *, revision: str | None) -> MadeBy:
        """Return what makes the results of these parameters with `module`, of this revision."""
        again = f", {shown_arguments({'rerank': self.rerank})}" if self.rerank else ""
        return MadeBy(
            text=self.text,
            model=module.model_name + again,
            revision=revision,
            fps=self.fps,
            max_num_frames=self.max_num_frames,
            selector=self._selector_name(),
            version=__version__,
        )

    def index_info(self, module: KeyframesModule) -> IndexInfo:
        """Return how an index of these parameters is made with `module`, the part of all videos.

        Raises: what `revision` of the module does.
        """
        return IndexInfo(
            model=module.model_name,
            revision=module.revision,
            preprocessing=getattr(module, "preprocessing", None),
            fps=self.fps,
            video_stream=self.video_stream,
            version=__version__,
        )

    def _selector_name(self) -> str:
        if isinstance(self.selector, Selector):
            rules = self._changed(*self._rules())
            return f"{self.selector!r}{f', {shown_arguments(rules)}' if rules else ''}"
        own = {"aks": ("t1", "t2", "all_depth"), "logdet": ("diversity",)}.get(self.selector, ())
        arguments = self._changed(*own, *self._rules())
        return f"{self.selector}({shown_arguments(arguments)})" if arguments else self.selector

    def _rules(self) -> list[str]:
        """Return the names of the parameters that matter to any selector."""
        usual = (None, _LOOKED_AT * self.max_num_frames)
        looks = self.rerank and self.rerank_candidates not in usual
        scan = ["scan", "scan_budget"] if self.scan == "coarse" else []
        again = ["rerank_candidates"] if looks else []
        return ["min_score", "min_gap", "max_similarity", *again, *scan]

    def _changed(self, *names: str) -> dict[str, Any]:
        """Return those of the parameters that differ from their defaults, by name."""
        defaults = {each.name: each.default for each in fields(self)}
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value != defaults[name]}

    def __repr__(self) -> str:
        changed = self._changed(*(each.name for each in fields(self)))
        return f"{type(self).__name__}({shown_arguments(changed)})"


_NUMBERS = {
    "fps": "use e.g. 0.5 for one frame every two seconds",
    "min_score": "use e.g. 0.25, or None for no least score",
    "diversity": "use e.g. 0.05, or 0 for the best scores alone",
    "min_gap": "use e.g. 2.0, in seconds, or 0 for none",
    "max_similarity": "use e.g. 0.95, or 1 for none",
    "t1": "use e.g. 0.8, or 0.1 to 0.3 to favour the best matches",
    "t2": "use -100 for no lower limit",
    "scan_budget": "use e.g. 0.35",
}
_WHOLE_NUMBERS = {
    "max_num_frames": (1, "it is the number of keyframes per video"),
    "all_depth": (0, "5 is the usual depth, and 0 is no spread over the video"),
    "batch_size": (1, "use 16; a GPU takes more where they wait"),
    "rank": (0, "GPUs are numbered from 0"),
    "video_stream": (0, "video streams are numbered from 0; leave it out for FFmpeg's own choice"),
    "rerank_candidates": (1, "leave it out for 4 × max_num_frames"),
}
_OPTIONAL = ("min_score", "video_stream", "rerank_candidates")
_LOOKED_AT = 4  # how many candidates `rerank` looks at for each keyframe
