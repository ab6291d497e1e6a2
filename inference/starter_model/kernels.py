"""The training step with the fused loops of kernels.c: same mathematics as model.py, about three times as fast.

Needs gcc and a processor that multiplies bfloat16; `load` says None where one is missing.
"""

import ctypes
import math
import pathlib
import shutil
import subprocess

import torch
from torch import Tensor
from torch.nn import functional

from model import Shape, multiplication_type

BLOCK = 256  # queries per attention product


class _Layout(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("batch", "time", "heads", "kv_heads", "size", "block")]


def load(work: pathlib.Path) -> ctypes.CDLL | None:
    """Compiles kernels.c into the work folder; None where that is not possible or would not pay."""
    if shutil.which("gcc") is None or multiplication_type() != torch.bfloat16:
        return None
    source = pathlib.Path(__file__).with_name("kernels.c")
    library = work.resolve() / "kernels.so"
    if not library.exists() or library.stat().st_mtime < source.stat().st_mtime:
        flags = "-O3 -march=native -mprefer-vector-width=512 -ffast-math -fopenmp -shared -fPIC".split()
        subprocess.run(["gcc", *flags, str(source), "-o", str(library), "-lm"], check=True)
    return ctypes.CDLL(str(library))


def _call(function, *arguments) -> None:
    """Tensors go as addresses, Python's floats as float, its ints as int64; the thread count comes last."""
    converted = []
    for argument in arguments:
        if isinstance(argument, Tensor):
            if not argument.is_contiguous():
                raise ValueError("kernels: a tensor is not dense")
            converted.append(ctypes.c_void_p(argument.data_ptr()))
        elif isinstance(argument, float):
            converted.append(ctypes.c_float(argument))
        elif isinstance(argument, int):
            converted.append(ctypes.c_int64(argument))
        else:
            converted.append(argument)
    function(*converted, ctypes.c_int(torch.get_num_threads()))


class Kernels:
    """One training step's loss and gradients: `loss(parameters, tokens, targets)` then `.backward()`."""

    def __init__(self, library: ctypes.CDLL, shape: Shape, ignore: int):
        self.library_ = library
        self.shape_ = shape
        self.ignore_ = ignore
        self.tables_: dict[int, tuple[Tensor, Tensor]] = {}

    def rope_tables(self, time: int) -> tuple[Tensor, Tensor]:
        if time not in self.tables_:
            size = self.shape_.head_size
            frequencies = self.shape_.rope_base ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
            angles = torch.arange(time, dtype=torch.float64)[:, None] * frequencies
            self.tables_[time] = (angles.cos().float().contiguous(), angles.sin().float().contiguous())
        return self.tables_[time]

    def loss(self, parameters: dict[str, Tensor], tokens: Tensor, targets: Tensor) -> Tensor:
        """Mean cross entropy in nats; tokens and targets are [batch, time], time a multiple of BLOCK."""
        batch, time = tokens.shape
        shape = self.shape_
        layout = _Layout(batch, time, shape.heads, shape.kv_heads, shape.head_size, BLOCK)
        low = {name: p.to(torch.bfloat16) for name, p in parameters.items() if p.dim() == 2}
        tokens, targets = tokens.flatten().contiguous(), targets.flatten().contiguous()

        x = _Embedding.apply(self, tokens, parameters["token_embd.weight"])
        y = None
        for n in range(shape.layers):
            block = f"blk.{n}."
            x, normed = self.add_norm(x, y, parameters[block + "attn_norm.weight"])
            qkv = functional.linear(normed, low[block + "attn_qkv.weight"])
            y = functional.linear(_Attention.apply(self, layout, qkv), low[block + "attn_output.weight"])
            x, normed = self.add_norm(x, y, parameters[block + "ffn_norm.weight"])
            hidden = _SwiGlu.apply(self, functional.linear(normed, low[block + "ffn_up.weight"]))
            y = functional.linear(hidden, low[block + "ffn_down.weight"])
        _, normed = self.add_norm(x, y, parameters["output_norm.weight"])
        return _CrossEntropy.apply(self, normed, low["token_embd.weight"], targets)

    def add_norm(self, x: Tensor, y: Tensor | None, weight: Tensor) -> tuple[Tensor, Tensor]:
        return _AddNorm.apply(self, x, y, weight)


class _Embedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx, kernels, tokens, table):
        ctx.kernels, ctx.shape = kernels, table.shape
        ctx.save_for_backward(tokens)
        return table[tokens]

    @staticmethod
    def backward(ctx, d_x):
        (tokens,) = ctx.saved_tensors
        d_table = torch.zeros(ctx.shape)
        _call(ctx.kernels.library_.embedding_backward, tokens, d_x.contiguous(), len(tokens), ctx.shape[1], d_table)
        return None, None, d_table


class _AddNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, kernels, x, y, weight):
        n, d = x.shape
        total = torch.empty_like(x) if y is not None else x
        out, inverse = torch.empty(n, d, dtype=torch.bfloat16), torch.empty(n)
        epsilon = float(kernels.shape_.norm_epsilon)
        _call(kernels.library_.add_norm_forward, x, y, weight, epsilon, n, d, total, out, inverse)
        ctx.kernels, ctx.has_y = kernels, y is not None
        ctx.save_for_backward(total, weight, inverse)
        return (total if ctx.has_y else x.view_as(x)), out

    @staticmethod
    def backward(ctx, d_total, d_out):
        total, weight, inverse = ctx.saved_tensors
        n, d = total.shape
        d_sum = torch.zeros(n, d) if d_total is None else d_total.clone(memory_format=torch.contiguous_format)
        d_y = torch.empty(n, d, dtype=torch.bfloat16) if ctx.has_y else None
        d_weight = torch.zeros(torch.get_num_threads(), d)
        _call(
            ctx.kernels.library_.add_norm_backward,
            d_out.contiguous(), total, weight, inverse, n, d, d_sum, d_y, d_weight,
        )
        return None, d_sum, d_y, d_weight.sum(0)


class _SwiGlu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, kernels, gate_up):
        n, f = gate_up.shape[0], gate_up.shape[1] // 2
        out = torch.empty(n, f, dtype=torch.bfloat16)
        _call(kernels.library_.swiglu_forward, gate_up, n, f, out)
        ctx.kernels = kernels
        ctx.save_for_backward(gate_up)
        return out

    @staticmethod
    def backward(ctx, d_out):
        (gate_up,) = ctx.saved_tensors
        d_gate_up = torch.empty_like(gate_up)
        n, f = d_out.shape
        _call(ctx.kernels.library_.swiglu_backward, gate_up, d_out.contiguous(), n, f, d_gate_up)
        return None, d_gate_up


class _Attention(torch.autograd.Function):
    """qkv [batch * time, (heads + 2 kv_heads) * size] to [batch * time, heads * size]."""

    @staticmethod
    def forward(ctx, kernels, layout, qkv):
        library, pointer = kernels.library_, ctypes.byref(layout)
        n_kv, size, time = layout.batch * layout.kv_heads, layout.size, layout.time
        rows = layout.heads // layout.kv_heads * BLOCK
        cosine, sine = kernels.rope_tables(time)
        scale = 1 / math.sqrt(size)
        q = torch.empty(time // BLOCK, n_kv, rows, size, dtype=torch.bfloat16)
        k, v = (torch.empty(n_kv, time, size, dtype=torch.bfloat16) for _ in range(2))
        _call(library.split_heads_forward, pointer, qkv, cosine, sine, scale, q, k, v)
        mixed, weights = torch.empty_like(q), []
        for n in range(len(q)):
            end = (n + 1) * BLOCK
            scores = torch.bmm(q[n], k[:, :end].transpose(1, 2))
            _call(library.causal_softmax_forward, scores, n_kv * rows, end, n * BLOCK, BLOCK)
            mixed[n] = torch.bmm(scores, v[:, :end])
            weights.append(scores)
        out = torch.empty(layout.batch * time, layout.heads * size, dtype=torch.bfloat16)
        _call(library.merge_heads, pointer, mixed, out, ctypes.c_int(1))
        ctx.kernels, ctx.layout, ctx.weights = kernels, layout, weights
        ctx.save_for_backward(q, k, v)
        return out

    @staticmethod
    def backward(ctx, d_out):
        layout, library = ctx.layout, ctx.kernels.library_
        q, k, v = ctx.saved_tensors
        pointer, rows = ctypes.byref(layout), q.shape[2]
        d_mixed, d_q = torch.empty_like(q), torch.empty_like(q)
        _call(library.merge_heads, pointer, d_mixed, d_out.contiguous(), ctypes.c_int(0))
        d_k, d_v = torch.zeros(k.shape), torch.zeros(v.shape)
        for n in range(len(q)):
            end = (n + 1) * BLOCK
            weights = ctx.weights[n]
            d_v[:, :end] += torch.bmm(weights.transpose(1, 2), d_mixed[n])
            d_scores = torch.bmm(d_mixed[n], v[:, :end].transpose(1, 2))
            _call(library.causal_softmax_backward, weights, d_scores, len(k) * rows, end, n * BLOCK, BLOCK)
            d_q[n] = torch.bmm(d_scores, k[:, :end])
            d_k[:, :end] += torch.bmm(d_scores.transpose(1, 2), q[n])
        ctx.weights = None
        cosine, sine = ctx.kernels.rope_tables(layout.time)
        width = (layout.heads + 2 * layout.kv_heads) * layout.size
        d_qkv = torch.empty(layout.batch * layout.time, width, dtype=torch.bfloat16)
        scale = 1 / math.sqrt(layout.size)
        _call(library.split_heads_backward, pointer, d_q, d_k, d_v, cosine, sine, scale, d_qkv)
        return None, None, d_qkv


class _CrossEntropy(torch.autograd.Function):
    """Computes the gradients on the way forward, some rows at a time: the logits never exist as a whole."""

    @staticmethod
    def forward(ctx, kernels, hidden, table, targets, rows: int = 2048):
        scale = 1 / max(1, int((targets != kernels.ignore_).sum()))
        losses = torch.empty(len(targets))
        d_hidden, d_table = torch.empty_like(hidden), torch.zeros(table.shape)
        for at in range(0, len(targets), rows):
            part = slice(at, min(at + rows, len(targets)))
            logits = functional.linear(hidden[part], table)
            n, v = logits.shape
            _call(
                kernels.library_.cross_entropy,
                logits, targets[part], kernels.ignore_, n, v, float(scale), losses[part],
            )
            d_hidden[part] = logits @ table
            d_table += logits.T @ hidden[part]
        ctx.save_for_backward(d_hidden, d_table)
        return losses.sum() * scale

    @staticmethod
    def backward(ctx, d_loss):  # the loss is where backward starts: d_loss is 1
        d_hidden, d_table = ctx.saved_tensors
        return None, d_hidden, d_table.to(torch.bfloat16), None
