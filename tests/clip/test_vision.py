"""The packed vision tower computes what transformers' own does."""

import copy
import gc
import re
import weakref

import pytest
import torch
import transformers
from transformers import CLIPConfig, CLIPModel

from spark_keyframes.clip import Preprocessor, resolve_precision, vision
from spark_keyframes.clip import packed_tower as packed
from spark_keyframes.clip.versions import embeddings_of
from spark_keyframes.clip.vision import PackedTower, TransformersTower, vision_tower
from tests.clip.random_families import needs_metaclip_2

PREPROCESSOR = Preprocessor(32, 32, (0.48, 0.45, 0.40), (0.26, 0.25, 0.27))

needs_bfloat16 = pytest.mark.skipif(
    resolve_precision("float16", torch.device("cpu")) != "bfloat16",
    reason="needs a CPU with AVX512-BF16 or AMX: packed weights are multiplied by nothing else",
)


def packs_bfloat16():
    try:
        torch.ops.mkldnn._reorder_linear_weight(torch.zeros(16, 16, dtype=torch.bfloat16), 16)
    except RuntimeError:
        return False
    return True


needs_bfloat16 = pytest.mark.skipif(
    not packs_bfloat16(), reason="needs a CPU with AVX512, for packed weights in bfloat16"
)


def random_model(**changes):
    settings = {
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_attention_heads": 4,
        "num_hidden_layers": 3,
        "image_size": 32,
        "patch_size": 8,
    }
    torch.manual_seed(1)
    config = CLIPConfig(vision_config=settings | changes, projection_dim=48)
    model = CLIPModel(config).eval().requires_grad_(False)
    as_trained(model.vision_model)
    return model


def as_trained(vision):
    """Enlarge weights and biases: those of a new model are next to zero, and so hide mistakes."""
    for name, weight in vision.named_parameters():
        if name.endswith("bias"):
            weight.normal_(std=0.3)
        elif weight.ndim > 1:
            weight.normal_(std=weight[0].numel() ** -0.5)


def random_family(prefix):
    """A model of another family whose vision tower has numbers as large as trained ones."""
    tower = {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4}
    text = tower | {"vocab_size": 50, "num_hidden_layers": 1}
    vision = tower | {"num_hidden_layers": 3, "image_size": 32, "patch_size": 8}
    torch.manual_seed(1)
    config = getattr(transformers, f"{prefix}Config")(text_config=text, vision_config=vision)
    model = getattr(transformers, f"{prefix}Model")(config).eval().requires_grad_(False)
    as_trained(model.vision_model)
    return model


def random_pixels(count):
    return torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8)


def relative_error(ours, theirs):
    return ((ours - theirs).norm(dim=1) / theirs.norm(dim=1)).max().item()


def expected(model, pixels):
    normal = PREPROCESSOR.normalise(pixels)
    with torch.inference_mode():
        return embeddings_of(model.get_image_features(pixel_values=normal))


CHANGES = [
    {},
    {"hidden_act": "gelu"},
    {"num_hidden_layers": 1},
    {"num_attention_heads": 1, "patch_size": 16},
    {"layer_norm_eps": 1e-2},
]
COUNTS = [1, 5, 16, 33]
QUICK = [(0, 5), (0, 33), (3, 5)]  # places in CHANGES, and counts


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        pytest.param(changes, count, marks=[] if (place, count) in QUICK else [pytest.mark.slow])
        for place, changes in enumerate(CHANGES)
        for count in COUNTS
    ],
    ids=str,
)
def test_float32_is_that_of_transformers(changes, count):
    model = random_model(**changes)
    pixels = random_pixels(count)
    theirs = expected(model, pixels)
    tower = vision_tower(model, PREPROCESSOR, "float32")
    assert isinstance(tower, PackedTower)
    with torch.inference_mode():
        ours = tower.embed(pixels)
    assert ours.dtype == torch.float32
    assert ours.shape == (count, 48)
    assert relative_error(ours, theirs) < 1e-5


@pytest.mark.parametrize(
    "prefix", ["ChineseCLIP", "AltCLIP", pytest.param("MetaClip2", marks=needs_metaclip_2)]
)
def test_families_with_the_layout_of_clip_are_packed_too(prefix):
    model = random_family(prefix)
    pixels = random_pixels(5)
    theirs = expected(model, pixels)
    tower = vision_tower(model, PREPROCESSOR, "float32")
    assert isinstance(tower, PackedTower)
    with torch.inference_mode():
        assert relative_error(tower.embed(pixels), theirs) < 1e-5


def test_siglip_is_computed_by_transformers():
    model = random_family("Siglip")
    pixels = random_pixels(5)
    theirs = expected(model, pixels)
    tower = vision_tower(model, PREPROCESSOR, "float32")
    assert isinstance(tower, TransformersTower)
    with torch.inference_mode():
        assert relative_error(tower.embed(pixels), theirs) < 1e-6


@needs_bfloat16
def test_bfloat16_is_closer_than_autocast_and_exact_on_demand():
    model = random_model()
    pixels = random_pixels(64)
    theirs = expected(model, pixels)
    with torch.inference_mode():
        autocast = TransformersTower(copy.deepcopy(model), PREPROCESSOR, "bfloat16").embed(pixels)
        tower = vision_tower(model, PREPROCESSOR, "bfloat16")
        quick, exact, again = (tower.embed(pixels, exact=e) for e in (False, True, False))
    assert 1e-4 < relative_error(quick, theirs) < relative_error(autocast, theirs)
    assert relative_error(exact, theirs) < 1e-5
    assert torch.equal(quick, again)


def test_float16_is_close_and_exact_on_demand():
    """As on a GPU, on which it is used; here it is slow."""
    model = random_model()
    pixels = random_pixels(16)
    theirs = expected(model, pixels)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    tower = vision_tower(model, PREPROCESSOR, "float16")
    assert 0 < tower.tolerance < 1e-3
    with torch.inference_mode():
        quick, exact = (tower.embed(pixels, exact=e) for e in (False, True))
    assert 1e-5 < relative_error(quick, theirs) < 5e-3
    assert relative_error(exact, theirs) < 1e-6
    assert quick.dtype == exact.dtype == torch.float32
    for name, weight in model.named_parameters():
        assert torch.equal(weight, before[name]), "texts are embedded in float32"


@needs_bfloat16
def test_exact_embeddings_of_many_take_no_more_memory_than_of_few():
    model = random_model()
    pixels, sizes = random_pixels(11), []
    tower = vision_tower(model, PREPROCESSOR, "bfloat16")
    model.vision_model.register_forward_pre_hook(
        lambda _, __, given: sizes.append(len(given["pixel_values"])), with_kwargs=True
    )
    with torch.inference_mode():
        exact = tower.embed(pixels, exact=True)
    assert (max(sizes), sum(sizes)) == (4, 11)
    assert relative_error(exact, expected(model, pixels)) < 1e-5


def test_float32_takes_the_weights_over_from_the_model():
    model = random_model()
    weights = weakref.ref(model.vision_model.encoder.layers[0].mlp.fc1.weight)
    tower = vision_tower(model, PREPROCESSOR, "float32")
    gc.collect()
    assert weights() is None, "they would lie idle"
    assert tower.embed(random_pixels(1)).shape == (1, 48)


@needs_bfloat16
def test_bfloat16_keeps_the_models_own_weights_for_exact_scores():
    model = random_model()
    before = {name: (w.data_ptr(), w.clone()) for name, w in model.named_parameters()}
    tower = vision_tower(model, PREPROCESSOR, "bfloat16")
    with torch.inference_mode():
        tower.embed(random_pixels(2), exact=True)
    for name, weight in model.named_parameters():
        assert (weight.data_ptr(), True) == (before[name][0], torch.equal(weight, before[name][1]))


@pytest.mark.parametrize("precision", ["float32", pytest.param("bfloat16", marks=needs_bfloat16)])
def test_texts_embed_as_before(precision):
    model = random_model()
    tokens = torch.tensor([[49406, 320, 1929, 49407]])
    with torch.inference_mode():
        before = embeddings_of(model.get_text_features(tokens))
        vision_tower(model, PREPROCESSOR, precision)
        after = embeddings_of(model.get_text_features(tokens))
    assert relative_error(after, before) < 1e-5


def other_product(rows, weight, bias, activation="none"):
    return -torch.nn.functional.linear(rows, weight.to_dense(), bias)


def refused_product(*_):
    raise RuntimeError("expected 5 arguments")


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("_OPERATORS", ("_no_such_operator",), "has no operator mkldnn._no_such_operator"),
        ("_multiply", other_product, "computes mkldnn._linear_pointwise otherwise"),
        ("_multiply", refused_product, r"refuses mkldnn's operators \(expected 5 arguments\)"),
    ],
)
def test_where_torch_cannot_pack_transformers_computes_with_one_warning(
    monkeypatch, caplog, name, value, fault
):
    monkeypatch.setattr(packed, name, value)
    vision._warn_of_fault.cache_clear()
    pixels = random_pixels(3)
    for _ in range(2):
        model = random_model()
        theirs = expected(model, pixels)
        tower = vision.vision_tower(model, PREPROCESSOR, "float32")
        assert isinstance(tower, TransformersTower)
        with torch.inference_mode():
            assert relative_error(tower.embed(pixels), theirs) < 1e-6
    (warning,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert re.search(f"torch .* {fault}: transformers computes", warning)


def test_an_activation_that_cannot_be_packed_is_computed_by_transformers(caplog):
    model = random_model(hidden_act="relu")
    pixels = random_pixels(3)
    theirs = expected(model, pixels)
    tower = vision.vision_tower(model, PREPROCESSOR, "float32")
    assert isinstance(tower, TransformersTower)
    with torch.inference_mode():
        assert relative_error(tower.embed(pixels), theirs) < 1e-6
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize(
    "dtype", [torch.float32, pytest.param(torch.bfloat16, marks=needs_bfloat16)]
)
def test_this_torch_has_the_operators(dtype):
    assert packed.fault_of_operators(dtype) == ""
