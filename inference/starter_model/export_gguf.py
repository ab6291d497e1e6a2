#!/usr/bin/python3
"""Write a checkpoint as a GGUF that Kinglet and every other reader of the `phi3` architecture loads.

    python3 export_gguf.py --work FOLDER --out kinglet-starter.gguf
"""

import argparse
import pathlib

import numpy
import torch

import gguf_writer
import tokenizer
from model import Shape


def metadata(shape: Shape, context_length: int, pieces: list[tokenizer.Piece], n_parameters: int) -> dict:
    return {
        "general.architecture": "phi3",
        "general.name": f"Kinglet starter {n_parameters / 1e6:.1f}M",
        "general.description": "Completes C, C++ and Python; small, trained on permissively licensed Debian packages",
        "general.license": "mit",
        "general.size_label": f"{n_parameters / 1e6:.1f}M",
        "general.file_type": 7,  # mostly Q8_0
        "general.quantization_version": 2,
        "general.alignment": gguf_writer.ALIGNMENT,
        "phi3.context_length": context_length,
        "phi3.embedding_length": shape.embedding,
        "phi3.feed_forward_length": shape.feed_forward,
        "phi3.block_count": shape.layers,
        "phi3.attention.head_count": shape.heads,
        "phi3.attention.head_count_kv": shape.kv_heads,
        "phi3.attention.layer_norm_rms_epsilon": shape.norm_epsilon,
        "phi3.attention.sliding_window": 262144,  # beyond any context: off
        "phi3.rope.dimension_count": shape.head_size,
        "phi3.rope.freq_base": shape.rope_base,
        "phi3.rope.scaling.original_context_length": context_length,
        "phi3.rope.scaling.attn_factor": 1.0,
        "phi3.vocab_size": shape.vocabulary,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": [piece.text for piece in pieces],
        "tokenizer.ggml.scores": [float(piece.score) for piece in pieces],
        "tokenizer.ggml.token_type": [int(piece.type) for piece in pieces],
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.bos_token_id": tokenizer.EOT,
        "tokenizer.ggml.eos_token_id": tokenizer.EOT,
        "tokenizer.ggml.eot_token_id": tokenizer.EOT,
        "tokenizer.ggml.padding_token_id": tokenizer.FIM_PAD,
        "tokenizer.ggml.fim_pre_token_id": tokenizer.FIM_PREFIX,
        "tokenizer.ggml.fim_suf_token_id": tokenizer.FIM_SUFFIX,
        "tokenizer.ggml.fim_mid_token_id": tokenizer.FIM_MIDDLE,
        "tokenizer.ggml.fim_pad_token_id": tokenizer.FIM_PAD,
        "tokenizer.ggml.fim_rep_token_id": tokenizer.REPO_NAME,
        "tokenizer.ggml.fim_sep_token_id": tokenizer.FILE_SEP,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.add_eos_token": False,
        "tokenizer.ggml.add_space_prefix": False,
        "tokenizer.ggml.remove_extra_whitespaces": False,
    }


def export(work: pathlib.Path, out: pathlib.Path, context_length: int) -> None:
    """Writes the work folder's checkpoint with its tokenizer."""
    state = torch.load(work / "checkpoint.pt")
    shape: Shape = state["shape"]
    pieces = tokenizer.read_pieces((work / "tokenizer.model").read_bytes())
    tensors = {key: value.numpy() for key, value in state["parameters"].items()}
    gguf_writer.write(out, metadata(shape, context_length, pieces, sum(map(numpy.size, tensors.values()))), tensors)
    print(f"export: {out}, {out.stat().st_size / 1e6:.2f} MB, context {context_length}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--context-length", type=int, default=2048, help="the longest rows trained on")
    arguments = parser.parse_args()
    export(arguments.work, arguments.out, arguments.context_length)


if __name__ == "__main__":
    main()
