"""MetaCLIP 2: CLIP's towers, with a vocabulary for texts in all languages."""

from spark_keyframes.clip.families.family import Family


class MetaClip2Family(Family):
    """MetaCLIP 2."""

    name = "MetaCLIP 2"
    model_type = "metaclip_2"
    prefix = "MetaClip2"
    vocabulary = ("sentencepiece.bpe.model", "spiece.model")
    end_ids = ()
