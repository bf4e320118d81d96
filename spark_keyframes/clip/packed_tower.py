"""CLIP's vision tower for CPUs, with its weights in oneDNN's own layout.

The results equal those of transformers' CLIPVisionModel: within 1e-6 in float32, and in bfloat16
closer than torch.autocast, which rounds more often. Milliseconds per image, for ViT-B/32 in batches
of 16 on one core of an AMD EPYC (Zen 5):

    transformers, float32 / under autocast to bfloat16       109   36
    weights in oneDNN's own layout, float32 / bfloat16        44   24

torch multiplies float32 with MKL, which on AMD is less than half as fast as oneDNN, and autocast
casts all weights again for each batch. Besides, query, key and value are one product; the
activation is part of a product; the last layer computes only the position that is read; and pixels
are normalised by the weights of the patches. torch.compile with frozen weights takes 1.1 times the
time of bfloat16 here, after 13 s of compiling, and needs a C++ compiler.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import gelu, linear, scaled_dot_product_attention, silu

# torch.compile uses these for a linear layer with constant weights on a CPU. They are no public
# interface of torch: where `fault_of_operators` finds one, transformers' own tower computes.
_OPERATORS = ("_linear_pointwise", "_reorder_linear_weight")

# By transformers' name: oneDNN's name, and a factor for the input that divides the output again.
# quick_gelu(x) = x·sigmoid(1.702·x) = swish(1.702·x) / 1.702.
_ACTIVATIONS = {"quick_gelu": ("swish", 1.702), "gelu": ("gelu", 1.0)}

_EXPECTED: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "none": lambda values: values,
    "swish": silu,
    "gelu": gelu,
}
"""What oneDNN's activations compute, by their names."""

# oneDNN chooses the layout for this number of images. Other numbers are about as fast.
_USUAL_BATCH = 16

# Bytes minus this are exact in bfloat16, and smaller, so that the rounding of weights matters less.
_MIDDLE = 128


def can_pack(model: Any) -> bool:
    """Return whether the vision tower of a transformers model can be packed.

    It must be on a CPU and have CLIP's layout, which Chinese-CLIP, AltCLIP and MetaCLIP 2 share,
    but not SigLIP.
    """
    return (
        model.device.type == "cpu"
        and hasattr(model, "visual_projection")
        and model.config.vision_config.hidden_act in _ACTIVATIONS
        and model.config.vision_config.num_channels == 3
    )


def fault_of_operators(dtype: torch.dtype) -> str:
    """Return why this torch cannot multiply packed weights of a dtype here, or "" where it can.

    A small product is computed and compared: another version may take or mean something else.
    """
    version = f"torch {torch.__version__}"
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return f"{version} has no oneDNN"
    for name in _OPERATORS:
        if not hasattr(torch.ops.mkldnn, name):
            return f"{version} has no operator mkldnn.{name}"
    rows = torch.linspace(-2, 2, 32 * 16).view(32, 16).to(dtype)
    weight = torch.linspace(-1, 1, 16 * 16).cos().view(16, 16).to(dtype)
    bias = torch.linspace(0, 1, 16).to(dtype)
    exact = linear(rows.float(), weight.float(), bias.float())
    try:
        for activation, expected in _EXPECTED.items():
            packed = _Linear(weight, bias, dtype=dtype, rows=len(rows), activation=activation)
            for result in (packed(rows), _multiply(rows, weight, bias, activation)):
                error = (result.float() - expected(exact)).abs().max() / exact.abs().max()
                if not error < 8 * torch.finfo(dtype).eps:
                    return f"{version} computes mkldnn._linear_pointwise otherwise"
    except (RuntimeError, TypeError) as error:
        return f"{version} refuses mkldnn's operators ({' '.join(str(error).split())[:100]})"
    return ""


def _multiply(
    rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, activation: str = "none"
) -> torch.Tensor:
    result: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
        rows, weight, bias, activation, [], "none"
    )
    return result


class _Linear:
    """A linear layer with packed weights; the output has their dtype."""

    def __init__(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor,
        *,
        dtype: torch.dtype,
        rows: int,
        activation: str = "none",
    ) -> None:
        weight = weight.to(dtype).contiguous()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
        self._bias = bias.to(dtype)
        self._activation = activation

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        return _multiply(rows, self._weight, self._bias, self._activation)


class _MappedLinear(torch.nn.Linear):
    """A linear layer on oneDNN whose weights are not copied: they may be pages of a file."""

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return _multiply(rows, self.weight, self.bias)


def multiply_with_onednn(module: torch.nn.Module) -> None:
    """Let a module's linear layers use oneDNN without a packed copy of their weights.

    For computations that are rare: 51 to 58 ms per image, where packed weights take 44 and MKL on
    AMD 95 to 109.
    """
    for part in module.modules():
        if type(part) is torch.nn.Linear:
            part.__class__ = _MappedLinear


class _Block:
    """One layer of the encoder. The last computes only the first position: no other is read."""

    def __init__(
        self, layer: Any, *, activation: str, dtype: torch.dtype, tokens: int, is_last: bool
    ) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        rows = _USUAL_BATCH * tokens
        rows_out = _USUAL_BATCH if is_last else rows
        name, factor = _ACTIVATIONS[activation]
        self._tokens = tokens
        self._heads = attention.num_heads
        self._dtype = dtype
        self._is_last = is_last
        self._norm_1, self._norm_2 = layer.layer_norm1, layer.layer_norm2
        query, keys = attention.q_proj, [attention.k_proj, attention.v_proj]
        if is_last:
            self._query = _Linear(query.weight, query.bias, dtype=dtype, rows=rows_out)
        else:
            keys = [query, *keys]
        self._project = _Linear(
            torch.cat([part.weight for part in keys]),
            torch.cat([part.bias for part in keys]),
            dtype=dtype,
            rows=rows,
        )
        out = attention.out_proj
        self._out = _Linear(out.weight, out.bias, dtype=dtype, rows=rows_out)
        self._up = _Linear(
            mlp.fc1.weight * factor,
            mlp.fc1.bias * factor,
            dtype=dtype,
            rows=rows_out,
            activation=name,
        )
        self._down = _Linear(mlp.fc2.weight / factor, mlp.fc2.bias, dtype=dtype, rows=rows_out)

    def __call__(self, hidden: torch.Tensor) -> torch.Tensor:
        """Map (N·tokens, width) float32 to the same shape, or to (N, width) in the last layer."""
        normal = self._norm_1(hidden).to(self._dtype)
        parts = self._project(normal).view(len(hidden) // self._tokens, self._tokens, -1)
        if self._is_last:
            first = normal.view(*parts.shape[:2], -1)[:, 0].contiguous()
            query = self._query(first).unsqueeze(1)
            key, value = parts.chunk(2, dim=-1)
            hidden = hidden.view(*parts.shape[:2], -1)[:, 0].contiguous()
        else:
            query, key, value = parts.chunk(3, dim=-1)
        seen = scaled_dot_product_attention(
            self._by_head(query), self._by_head(key), self._by_head(value)
        )
        hidden += self._out(seen.transpose(1, 2).reshape(hidden.shape))
        hidden += self._down(self._up(self._norm_2(hidden).to(self._dtype)))
        return hidden

    def _by_head(self, part: torch.Tensor) -> torch.Tensor:
        return part.view(*part.shape[:2], self._heads, -1).transpose(1, 2)


class PackedVision:
    """The vision tower and projection of a CLIPModel for which `can_pack` is true.

    Args:
        vision: transformers' CLIPVisionModel, float32.
        projection: weights of the projection, (D, width) float32.
        mean: per channel, of values in [0, 1].
        std: per channel, of values in [0, 1].
        dtype: of the matrix products, float32 or bfloat16. The rest is float32.
    """

    def __init__(
        self,
        vision: Any,
        projection: torch.Tensor,
        *,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        dtype: torch.dtype,
    ) -> None:
        embeddings, config = vision.embeddings, vision.config
        positions = embeddings.position_embedding.weight
        self._dtype = dtype
        self._patch: int = config.patch_size
        self._class_token = embeddings.class_embedding + positions[0]
        self._positions = positions[1:]
        self._norm_before, self._norm_after = vision.pre_layrnorm, vision.post_layernorm
        self._projection = projection
        self._embed = self._patches(embeddings.patch_embedding.weight, mean, std)
        layers = list(vision.encoder.layers)
        self._blocks = [
            _Block(
                layer,
                activation=config.hidden_act,
                dtype=dtype,
                tokens=len(positions),
                is_last=layer is layers[-1],
            )
            for layer in layers
        ]

    def _patches(
        self,
        weight: torch.Tensor,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> _Linear:
        # (v/255 − mean)/std = (v − 128)·scale + shift, so the patches are computed from v − 128.
        scale = 1 / (255 * torch.tensor(std, dtype=torch.float64))
        shift = _MIDDLE * scale - torch.tensor(mean, dtype=torch.float64) * 255 * scale
        channels = weight.double().flatten(2)
        return _Linear(
            (channels * scale.view(1, 3, 1)).flatten(1).float(),
            (channels * shift.view(1, 3, 1)).sum(dim=(1, 2)).float(),
            dtype=self._dtype,
            rows=_USUAL_BATCH * len(self._positions),
        )

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return embeddings of N×3×S×S uint8, of any length, float32 of shape (N, D)."""
        count, side, patch = len(pixels), pixels.shape[-1] // self._patch, self._patch
        cut = (pixels.to(self._dtype) - _MIDDLE).view(count, 3, side, patch, side, patch)
        rows = cut.permute(0, 2, 4, 1, 3, 5).reshape(count * side * side, -1)
        hidden = torch.empty(count, side * side + 1, self._positions.shape[-1])
        hidden[:, 0] = self._class_token
        hidden[:, 1:] = self._embed(rows).view(count, side * side, -1)
        hidden[:, 1:] += self._positions
        hidden = self._norm_before(hidden).view(-1, hidden.shape[-1])
        for block in self._blocks:
            hidden = block(hidden)
        return linear(self._norm_after(hidden), self._projection)
