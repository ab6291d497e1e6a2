"""The starter model's network: the `phi3` architecture, as small as it goes.

RMSNorm, fused qkv, rotary positions in halves ("NEOX"), grouped-query attention, fused gate and up
projections with SwiGLU, output tied to the embedding. Parameters bear the GGUF's tensor names and
shapes, so that the export copies and the reader of both files finds the same thing.

Matrix products run in bfloat16 on machines that multiply it (AMX, AVX-512), the residual stream, norms,
softmax and loss in float32; on other machines everything is float32.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    vocabulary: int = 4096
    embedding: int = 192
    feed_forward: int = 512
    layers: int = 6
    heads: int = 3
    kv_heads: int = 1
    rope_base: float = 10000.0
    norm_epsilon: float = 1e-5

    @property
    def head_size(self) -> int:
        return self.embedding // self.heads


def new_parameters(shape: Shape, seed: int) -> dict[str, Tensor]:
    """Untrained parameters; matrices are [outputs, inputs]."""
    generator = torch.Generator().manual_seed(seed)

    def matrix(n_out: int, n_in: int, scale: float) -> Tensor:
        return torch.randn(n_out, n_in, generator=generator) * scale

    width, kv_width = shape.embedding, shape.kv_heads * shape.head_size
    into = 1 / math.sqrt(width)
    back = 1 / math.sqrt(2 * shape.layers)  # the residual stream keeps its size through the layers
    parameters = {"token_embd.weight": matrix(shape.vocabulary, width, 0.03)}
    for n in range(shape.layers):
        block = f"blk.{n}."
        parameters[block + "attn_norm.weight"] = torch.ones(width)
        parameters[block + "attn_qkv.weight"] = matrix(width + 2 * kv_width, width, into)
        parameters[block + "attn_output.weight"] = matrix(width, width, into * back)
        parameters[block + "ffn_norm.weight"] = torch.ones(width)
        parameters[block + "ffn_up.weight"] = matrix(2 * shape.feed_forward, width, into)
        parameters[block + "ffn_down.weight"] = matrix(width, shape.feed_forward, back / math.sqrt(shape.feed_forward))
    parameters["output_norm.weight"] = torch.ones(width)
    return parameters


def multiplication_type() -> torch.dtype:
    """bfloat16 where the processor multiplies it natively, else float32."""
    try:
        with open("/proc/cpuinfo") as info:
            flags = info.read()
    except OSError:
        return torch.float32
    return torch.bfloat16 if "amx_bf16" in flags or "avx512_bf16" in flags else torch.float32


def rms_norm(x: Tensor, weight: Tensor, epsilon: float, dtype: torch.dtype) -> Tensor:
    return (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * weight).to(dtype)


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """x: [batch, heads, time, head size]; the pair of element i is i + half the head size."""
    a, b = x.float().chunk(2, -1)
    return torch.cat((a * cosine - b * sine, b * cosine + a * sine), -1).to(x.dtype)


def causal_attention(q: Tensor, k: Tensor, v: Tensor, block: int = 256) -> Tensor:
    """q: [n, time, head size], k and v alike. In blocks of queries, so that most of the future costs nothing."""
    scale = 1 / math.sqrt(q.shape[-1])
    out = []
    for start in range(0, q.shape[1], block):
        end = min(start + block, q.shape[1])
        scores = torch.bmm(q[:, start:end] * scale, k[:, :end].transpose(1, 2))
        future = torch.ones(end - start, end, dtype=torch.bool).triu(start + 1)
        weights = torch.softmax(scores.masked_fill(future, -torch.inf), -1)
        out.append(torch.bmm(weights, v[:, :end]))
    return torch.cat(out, 1)


def swiglu(gate_up: Tensor) -> Tensor:
    gate, up = gate_up.chunk(2, -1)
    return functional.silu(gate) * up


def forward(parameters: dict[str, Tensor], shape: Shape, tokens: Tensor, dtype: torch.dtype) -> Tensor:
    """Final hidden states, normed: tokens [batch, time] to [batch, time, embedding]."""
    batch, time = tokens.shape
    size, kv_width = shape.head_size, shape.kv_heads * shape.head_size
    positions = torch.arange(time, dtype=torch.float64)
    frequencies = shape.rope_base ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angles = positions[:, None] * frequencies
    cosine, sine = angles.cos().float(), angles.sin().float()

    def heads(x: Tensor, n: int) -> Tensor:
        return x.view(batch, time, n, size).transpose(1, 2)

    x = functional.embedding(tokens, parameters["token_embd.weight"])
    for n in range(shape.layers):
        block = f"blk.{n}."
        weight = {name[len(block):]: p.to(dtype) if p.dim() == 2 else p for name, p in parameters.items() if name.startswith(block)}
        normed = rms_norm(x, weight["attn_norm.weight"], shape.norm_epsilon, dtype)
        qkv = functional.linear(normed, weight["attn_qkv.weight"])
        q, k, v = qkv.split((shape.embedding, kv_width, kv_width), -1)
        q = rotate(heads(q, shape.heads), cosine, sine)
        k = rotate(heads(k, shape.kv_heads), cosine, sine)
        group = shape.heads // shape.kv_heads
        k, v = (t.repeat_interleave(group, 1) for t in (k, heads(v, shape.kv_heads)))
        mixed = causal_attention(*(t.reshape(batch * shape.heads, time, size) for t in (q, k, v)))
        mixed = mixed.view(batch, shape.heads, time, size).transpose(1, 2).reshape(batch, time, shape.embedding)
        x = x + functional.linear(mixed, weight["attn_output.weight"]).float()
        normed = rms_norm(x, weight["ffn_norm.weight"], shape.norm_epsilon, dtype)
        hidden = swiglu(functional.linear(normed, weight["ffn_up.weight"]))
        x = x + functional.linear(hidden, weight["ffn_down.weight"]).float()
    return rms_norm(x, parameters["output_norm.weight"], shape.norm_epsilon, dtype)


def token_losses(parameters: dict[str, Tensor], hidden: Tensor, targets: Tensor, ignore: int) -> Tensor:
    """Cross entropy in nats of each target, 0 for the ignored ones; hidden [..., embedding], targets [...]."""
    logits = functional.linear(hidden, parameters["token_embd.weight"].to(hidden.dtype))
    return functional.cross_entropy(
        logits.flatten(0, -2).float(), targets.flatten(), ignore_index=ignore, reduction="none"
    ).view(targets.shape)
