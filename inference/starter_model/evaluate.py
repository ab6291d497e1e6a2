#!/usr/bin/python3
"""Measure a checkpoint on files it has never seen, as exported (Q8_0), against the untrained model.

    python3 evaluate.py --work FOLDER --report evaluation.tsv

Measures, by language:
  read       bits per byte of files read from left to right, in windows of the prompt's length; `known` are
             single files of packages that were trained on, `unknown` are packages never seen
  hole       bits per byte of a hidden middle in unknown packages, given the prompt Kinglet would send
  line       share of the holes whose rest of the line greedy decoding writes exactly, the break included
The prompt has the same size without and with context from other files: what context gets, prefix and
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
from tokenizer import EOT


def as_exported(parameters: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        name: torch.from_numpy(gguf_writer.dequantize_q8_0(p.numpy())) if p.dim() == 2 else p
        for name, p in parameters.items()
    }


def losses_and_guesses(parameters, shape, tokens: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """For each token after the first: its loss in nats, and whether it was the most likely one."""
    with torch.no_grad():
        row = torch.tensor([tokens])
        hidden = model.forward(parameters, shape, row[:, :-1], model.multiplication_type())[0].float()
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
            window = [EOT, *tokens[at : at + length]]
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


def some_text(texts: list[str], n_bytes: int) -> list[str]:
    """A fixed choice of the texts, each cut to 20,000 characters."""
    chosen: list[str] = []
    for text in random.Random(1).sample(texts, len(texts)):
        chosen.append(text[:20_000])
        if sum(map(len, chosen)) > n_bytes:
            break
    return chosen


def make_holes(packages, encode, language: str, length: int, n: int, with_context: bool) -> list[tuple[list[int], int]]:
    """The same holes for both values of with_context."""
    places = [
        (package, number)
        for package in packages
        for number, document in enumerate(package.documents)
        if document.language == language
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
    parser.add_argument("--bytes", type=int, default=80_000, help="text read per language, known and unknown each")
    parser.add_argument("--holes", type=int, default=150, help="per language")
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
    packages = samples.load_packages(arguments.work / "corpus.jsonl", {"held_out"}, encode)
    table = ["language\tmodel\tread known\tread unknown\thole\thole+context\tline\tline+context"]
    for language in ("C", "C++", "Python"):
        reading = [some_text(texts[split, language], arguments.bytes) for split in ("validation", "held_out")]
        holes = [
            make_holes(packages, encode, language, arguments.length, arguments.holes, with_context)
            for with_context in (False, True)
        ]
        for name, parameters in models.items():
            read = [read_files(parameters, shape, chosen, encode, arguments.length) for chosen in reading]
            if name == "untrained":  # its holes would say the same again
                table.append("\t".join([language, name, *(f"{n:.2f}" for n in read), "", "", "", ""]))
                continue
            filled = [fill_holes(parameters, shape, some, decode, newline) for some in holes]
            numbers = [*read, filled[0][0], filled[1][0]]
            shares = [filled[0][1], filled[1][1]]
            table.append("\t".join([language, name, *(f"{n:.2f}" for n in numbers), *(f"{n:.0%}" for n in shares)]))
            print(table[-1], flush=True)
    if arguments.report:
        arguments.report.write_text("\n".join(table) + "\n")


if __name__ == "__main__":
    main()
