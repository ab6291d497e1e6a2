#!/usr/bin/python3
"""Measure a checkpoint on files it has never seen, as exported (Q8_0), against the untrained model.

    python3 evaluate.py --work FOLDER --report evaluation.tsv

Two splits: `validation` are files of packages whose other files were trained on, `held_out` are packages
the model knows nothing of. Three measures, by language:
  bits per byte   reading files from left to right, in windows of the context length
  answer          bits per byte of the hidden middle, given the prompt Kinglet would send
  line            share of holes whose rest of the line greedy decoding writes exactly (the break included)
The prompt has the same size without and with packed context of other files: what context gets, prefix and
suffix give.
"""

import argparse
import json
import math
import pathlib
import random

import sentencepiece
import torch

import gguf_writer
import model
import samples
from tokenizer import FIM_PAD


def as_exported(parameters: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        name: torch.from_numpy(gguf_writer.dequantize_q8_0(p.numpy())) if p.dim() == 2 else p
        for name, p in parameters.items()
    }


def losses_and_guesses(parameters, shape, tokens: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """For each token after the first: its loss in nats, and whether it was the most likely one."""
    with torch.no_grad():
        row = torch.tensor([tokens])
        hidden = model.forward(parameters, shape, row[:, :-1], torch.float32)[0]
        logits = hidden @ parameters["token_embd.weight"].T
        targets = row[0, 1:]
        losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
        return losses, logits.argmax(-1) == targets


def read_files(parameters, shape, texts: list[str], encode, length: int) -> float:
    """Bits per byte over the texts, each window of `length` tokens read afresh."""
    bits = size = 0.0
    for text in texts:
        tokens = encode(text)
        for at in range(0, len(tokens), length):
            window = [FIM_PAD, *tokens[at : at + length]]
            bits += float(losses_and_guesses(parameters, shape, window)[0].sum()) / math.log(2)
        size += len(text.encode())
    return bits / size


def fill_holes(parameters, shape, holes: list[tuple[list[int], int]], decode, newline: set[int]) -> tuple[float, float]:
    """(bits per byte of the answers, share of exactly written lines)."""
    bits = size = exact = 0.0
    for tokens, n_answer in holes:
        losses, right = losses_and_guesses(parameters, shape, tokens)
        answer = tokens[-n_answer:]
        bits += float(losses[-n_answer:].sum()) / math.log(2)
        size += len(decode(answer[:-1]).encode())
        line_end = next((i for i, token in enumerate(answer) if token in newline), n_answer - 1)
        exact += bool(right[len(right) - n_answer :][: line_end + 1].all())
    return bits / size, exact / len(holes)


def make_holes(packages, encode, language: str, split: str, length: int, n: int, with_context: bool) -> list[tuple[list[int], int]]:
    """The same holes for both values of with_context."""
    places = [
        (package, number)
        for package in packages
        for number, document in enumerate(package.documents)
        if document.language == language and document.split == split
    ]
    holes = []
    for seed in range(10 * n):
        generator = random.Random(seed)
        layout = samples.Layout(encode, generator, length)
        package, number = places[generator.randrange(len(places))]
        tokens, n_answer = layout.fill_in_the_middle(package, number, with_context)
        if n_answer > 1:
            holes.append((tokens, n_answer))
        if len(holes) == n:
            break
    return holes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--report", type=pathlib.Path)
    parser.add_argument("--length", type=int, default=1024, help="tokens of a window and of a prompt")
    parser.add_argument("--bytes", type=int, default=150_000, help="text read per language and split")
    parser.add_argument("--holes", type=int, default=150, help="per language and split")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    state = torch.load(arguments.work / "checkpoint.pt")
    shape = state["shape"]
    models = {
        "untrained": as_exported(model.new_parameters(shape, 1)),
        "trained": as_exported(state["parameters"]),
    }
    processor = sentencepiece.SentencePieceProcessor(model_file=str(arguments.work / "tokenizer.model"))
    encode, decode = processor.encode, processor.decode
    newline = {i for i in range(len(processor)) if processor.id_to_piece(i).endswith("\n")}

    texts: dict[tuple[str, str], list[str]] = {}
    with open(arguments.work / "corpus.jsonl") as rows:
        for row in rows:
            document = json.loads(row)
            if document["split"] != "train":
                texts.setdefault((document["split"], document["language"]), []).append(document["text"])
    table = ["split\tlanguage\tmodel\tbits/byte\tanswer\tanswer+context\tline\tline+context"]
    for split in ("validation", "held_out"):
        # The context of a validation file is the rest of its package, trained on as it is.
        splits = {"held_out"} if split == "held_out" else {"validation", "train"}
        packages = samples.load_packages(arguments.work / "corpus.jsonl", splits, encode)
        for language in ("C", "C++", "Python"):
            wanted = texts[split, language]
            random.Random(1).shuffle(wanted)
            chosen, size = [], 0
            for text in wanted:
                chosen.append(text[:20_000])
                size += len(chosen[-1])
                if size > arguments.bytes:
                    break
            holes = [
                make_holes(packages, encode, language, split, arguments.length, arguments.holes, with_context)
                for with_context in (False, True)
            ]
            for name, parameters in models.items():
                bits = read_files(parameters, shape, chosen, encode, arguments.length)
                plain, line = fill_holes(parameters, shape, holes[0], decode, newline)
                packed, line_packed = fill_holes(parameters, shape, holes[1], decode, newline)
                table.append(
                    f"{split}\t{language}\t{name}\t{bits:.3f}\t{plain:.3f}\t{packed:.3f}\t{line:.1%}\t{line_packed:.1%}"
                )
                print(table[-1], flush=True)
    if arguments.report:
        arguments.report.write_text("\n".join(table) + "\n")


if __name__ == "__main__":
    main()
