"""The encoder families, one file each, by the `model_type` in a model's config.json."""

from typing import Any

from spark_keyframes.clip.families.altclip import AltClipFamily
from spark_keyframes.clip.families.chinese_clip import ChineseClipFamily
from spark_keyframes.clip.families.clip import ClipFamily
from spark_keyframes.clip.families.family import Family, refuse_own_code
from spark_keyframes.clip.families.metaclip_2 import MetaClip2Family
from spark_keyframes.clip.families.siglip import SiglipFamily
from spark_keyframes.errors import ModelError

__all__ = ["Family", "family_of", "refuse_own_code"]

_FAMILIES: tuple[Family, ...] = (
    ClipFamily(),
    SiglipFamily(),
    ChineseClipFamily(),
    AltClipFamily(),
    MetaClip2Family(),
)
_BY_TYPE = {family.model_type: family for family in _FAMILIES}

_SUPPORTED = "supported are " + ", ".join(f'{f.name} ("{f.model_type}")' for f in _FAMILIES)


def family_of(settings: dict[str, Any], source: str) -> Family:
    """Return the family of a model.

    Args:
        settings: the contents of config.json.
        source: the model's folder, or its name on the Hub, for messages.

    Raises:
        ModelError: the model is of no family that is supported.
    """
    refuse_own_code(settings, source, _SUPPORTED)
    model_type = settings.get("model_type", ClipFamily.model_type)
    if model_type == "siglip2":
        raise ModelError(
            f'config.json of {source!r} has model_type "siglip2", which is SigLIP 2 of any '
            "resolution (NaFlex); use a SigLIP 2 of fixed resolution, whose model_type is "
            f'"siglip"; {_SUPPORTED}'
        )
    family = _BY_TYPE.get(str(model_type))
    if family is None:
        raise ModelError(f"config.json of {source!r} has model_type {model_type!r}; {_SUPPORTED}")
    return family
