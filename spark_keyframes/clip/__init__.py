"""CLIP and the other encoders: loading, preprocessing, embeddings of images and texts."""

from spark_keyframes.clip.loading import check_model_folder, load_clip
from spark_keyframes.clip.model import Clip
from spark_keyframes.clip.precision import Dtype, Precision, resolve_precision
from spark_keyframes.clip.preprocess import Preprocessor
from spark_keyframes.clip.revision import model_preprocessing, model_revision
from spark_keyframes.clip.vision import VisionTower, vision_tower

__all__ = [
    "Clip",
    "Dtype",
    "Precision",
    "Preprocessor",
    "VisionTower",
    "check_model_folder",
    "load_clip",
    "model_preprocessing",
    "model_revision",
    "resolve_precision",
    "vision_tower",
]
