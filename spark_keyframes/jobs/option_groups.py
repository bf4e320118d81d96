"""The groups in which a command line lists its options, and which group a parameter is in."""

from spark_keyframes.command import Group
from spark_keyframes.jobs.options import EACH_ONCE, INPUT, RESOURCES, RESULT

CHOICE = Group("frames", "which frames are chosen")
MODEL = Group("model", "the model that compares frames with a text")
IMAGES = Group("images", "the images of the frames")
VIDEO = Group("video", "how videos are read")
LIMITS = Group("limits", "the most that one video may take before it fails")
ACCESS = Group("access", "which URLs may be read, where strangers can add to the list")
OUTPUT = Group("output", "what is printed and drawn")
QUESTION = Group("question", "the question")
SPARK = Group("spark", "Spark itself, as of spark-submit")

GROUPS = (
    INPUT,
    QUESTION,
    CHOICE,
    OUTPUT,
    RESULT,
    IMAGES,
    MODEL,
    VIDEO,
    EACH_ONCE,
    RESOURCES,
    SPARK,
    LIMITS,
    ACCESS,
)
"""In the order of the help."""

OF_PARAMETERS = {
    CHOICE: (
        *("text", "fps", "max_num_frames", "selector", "selector_args", "min_score", "min_gap"),
        *("max_similarity", "t1", "t2", "all_depth", "diversity", "callbacks", "callbacks_args"),
    ),
    MODEL: (
        *("model_path", "clip_model_name", "module", "module_args", "rerank"),
        *("rerank_candidates", "dtype", "batch_size", "rank"),
    ),
    IMAGES: ("output_tos_dir", "img_type", "return_keyframes"),
    VIDEO: (*("video_src_type", "video_format", "video_stream", "scan", "scan_budget", "decoder"),),
}
"""The operator's parameters in each group."""
