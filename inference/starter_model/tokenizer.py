#!/usr/bin/python3
"""Train the starter model's tokenizer: SentencePiece BPE over code, 4096 pieces.

    python3 tokenizer.py --work FOLDER

Reads FOLDER/corpus.jsonl and writes FOLDER/tokenizer.model.

SentencePiece learns the merges; two things it cannot learn are arranged around it. Its trainer ends a
sentence at a newline and keeps tabs for itself, so both travel through it as private-use characters and
are put back afterwards. And a sentence is one line without its indentation but with its line break, so
that pieces such as ";\\n" exist while no piece reaches from one line into the next: a text cut at line
ends is tokenized the same in parts as in one go, which is what lets Kinglet tokenize chunks once.
Indentation gets pieces of its own that merge before all others.
"""

import argparse
import io
import json
import pathlib
import random
import re
import struct
from dataclasses import dataclass
from enum import IntEnum

import sentencepiece

VOCABULARY_SIZE = 4096
NEWLINE, TAB, SPACE = "\ue000", "\ue001", "\u2581"


class PieceType(IntEnum):
    """As in SentencePiece's model and in GGUF's tokenizer.ggml.token_type."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    BYTE = 6


# The control tokens' ids follow <unk> (0) in this order.
CONTROLS = (
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|fim_suffix|>",
    "<|fim_middle|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
)
EOT, FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE, FIM_PAD, REPO_NAME, FILE_SEP = range(1, 1 + len(CONTROLS))

# Merge ranks 0, 1, …: each is the concatenation of two earlier ones (or single characters).
WHITESPACE_PIECES = (
    SPACE * 2, SPACE * 4, SPACE * 8, SPACE * 12, SPACE * 16,
    "\t\t", "\t\t\t\t", "\t\t\t",
)  # fmt: skip


@dataclass
class Piece:
    text: str
    score: float
    type: PieceType


def training_sentences(texts: list[str]):
    for text in texts:
        # A line with the blank lines after it is one sentence, so that "\n\n" can be learned.
        for match in re.finditer(r"[ \t]*([^\n]*\n+)", text):
            line = match.group(1)
            if len(line) < 400 and line.isascii():
                yield line.replace("\n", NEWLINE).replace("\t", TAB)


def sample_texts(corpus: pathlib.Path, bytes_per_language: int, seed: int) -> list[str]:
    """Training texts, the same number of bytes of each language."""
    by_language: dict[str, list[str]] = {}
    with open(corpus) as lines:
        for line in lines:
            document = json.loads(line)
            if document["split"] == "train":
                by_language.setdefault(document["language"], []).append(document["text"])
    generator = random.Random(seed)
    texts = []
    for _, candidates in sorted(by_language.items()):
        generator.shuffle(candidates)
        size = 0
        for text in candidates:
            texts.append(text)
            size += len(text)
            if size >= bytes_per_language:
                break
    return texts


# SentencePiece's model file is a protocol buffer: field 1 (repeated) is a piece {1: text, 2: score, 3: type}.
# These few lines read and write it, for want of the protobuf package.


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _fields(data: bytes):
    """(field number, value, raw bytes) of each field; the value is an int or bytes."""
    at = 0
    while at < len(data):
        start = at
        key, at = _read_varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _read_varint(data, at)
        elif kind == 2:
            size, at = _read_varint(data, at)
            value, at = data[at : at + size], at + size
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"tokenizer: unexpected wire type {kind} in the SentencePiece model")
        yield key >> 3, value, data[start:at]


def read_pieces(model: bytes) -> list[Piece]:
    pieces = []
    for number, value, _ in _fields(model):
        if number == 1:
            fields = {n: v for n, v, _ in _fields(value)}
            score = struct.unpack("<f", fields.get(2, b"\0\0\0\0"))[0]
            pieces.append(Piece(fields[1].decode(), score, PieceType(fields.get(3, 1))))
    return pieces


def with_pieces(model: bytes, pieces: list[Piece]) -> bytes:
    """The model with other pieces and its trainer and normalizer settings as they are."""
    out = bytearray()
    for piece in pieces:
        text = piece.text.encode()
        body = b"\x0a" + _varint(len(text)) + text + b"\x15" + struct.pack("<f", piece.score)
        body += b"\x18" + _varint(piece.type)
        out += b"\x0a" + _varint(len(body)) + body
    for number, value, raw in _fields(model):
        if number == 2:  # trainer_spec: byte_fallback (35) comes with our byte pieces
            spec = b"".join(r for n, _, r in _fields(value) if n != 35) + _varint(35 << 3) + b"\x01"
            raw = b"\x12" + _varint(len(spec)) + spec
        if number != 1:
            out += raw
    return bytes(out)


def train(texts: list[str]) -> bytes:
    """A SentencePiece model of VOCABULARY_SIZE pieces, as file bytes."""
    ascii_characters = [chr(c) for c in range(0x21, 0x7F)] + [SPACE, "\n", "\t"]
    n_fixed = 1 + len(CONTROLS) + 256 + len(WHITESPACE_PIECES)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=training_sentences(texts),
        model_writer=model,
        model_type="bpe",
        vocab_size=VOCABULARY_SIZE - n_fixed + 1 + 2 * len(WHITESPACE_PIECES),
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        split_by_unicode_script=False,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        character_coverage=1.0,
        max_sentencepiece_length=16,
        bos_id=-1,
        eos_id=-1,
        minloglevel=2,
    )
    learned = [
        piece.text.replace(NEWLINE, "\n").replace(TAB, "\t")
        for piece in read_pieces(model.getvalue())
        if piece.type == PieceType.NORMAL
    ]
    merges = [text for text in learned if len(text) > 1 and text not in WHITESPACE_PIECES]
    merges = merges[: VOCABULARY_SIZE - n_fixed - len(ascii_characters)]
    pieces = [Piece("<unk>", 0.0, PieceType.UNKNOWN)]
    pieces += [Piece(text, 0.0, PieceType.CONTROL) for text in CONTROLS]
    pieces += [Piece(f"<0x{byte:02X}>", 0.0, PieceType.BYTE) for byte in range(256)]
    ranked = [*WHITESPACE_PIECES, *merges, *ascii_characters]
    pieces += [Piece(text, -float(rank), PieceType.NORMAL) for rank, text in enumerate(ranked)]
    if len(pieces) != VOCABULARY_SIZE:
        raise RuntimeError(f"tokenizer: the text was too small, {len(pieces)} pieces instead of {VOCABULARY_SIZE}")
    return with_pieces(model.getvalue(), pieces)


def encode_like_gguf(pieces: list[Piece], text: str) -> list[int]:
    """What every reader of the GGUF does: merge the best-scored neighbours, leftmost first, then bytes.

    Slow and plain; it exists to check that SentencePiece reads the vocabulary in the same way.
    """
    ids = {piece.text: i for i, piece in enumerate(pieces) if piece.type == PieceType.NORMAL}
    first_byte = next(i for i, piece in enumerate(pieces) if piece.type == PieceType.BYTE)
    symbols = list(text.replace(" ", SPACE))
    while True:
        best = None
        for at in range(len(symbols) - 1):
            merged = ids.get(symbols[at] + symbols[at + 1])
            if merged is not None and (best is None or pieces[merged].score > pieces[best[1]].score):
                best = (at, merged)
        if best is None:
            break
        symbols[best[0] : best[0] + 2] = [pieces[best[1]].text]
    out = []
    for symbol in symbols:
        if symbol in ids:
            out.append(ids[symbol])
        else:
            out += [first_byte + byte for byte in symbol.encode()]
    return out


# What the C++ tokenizer is compared on, tests/inference/starter_model_test.cpp.
GOLDEN_TEXTS = (
    "int main() {\n  return 0;\n}\n",
    "def f(x: int) -> str:\n        return f'{x:02d}'  # 12345\n",
    "\tif (a->b == NULL) {\n\t\tgoto out;\n\t}\n\n\n\treturn -EINVAL;\n",
    "                   odd indentation\n   three\n\t \tmixed",
    "  std::vector<std::pair<std::string, int>> items;",
    "caf\u00e9 \u65e5\u672c\u8a9e \U0001f426 \u0000",
    "<|endoftext|><|fim_prefix|><unk><0x0A> is text",
    " one space before",
    "",
    "x",
)


def write_goldens(processor: sentencepiece.SentencePieceProcessor, path: pathlib.Path) -> None:
    """One line per text: its bytes in hexadecimal, a tab, its ids."""
    with open(path, "w") as out:
        for text in GOLDEN_TEXTS:
            out.write(f"{text.encode().hex()}\t{' '.join(map(str, processor.encode(text)))}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--megabytes", type=float, default=4.0, help="text per language to learn from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--goldens", type=pathlib.Path, help="write what the C++ tokenizer is compared with")
    arguments = parser.parse_args()
    if arguments.goldens:
        model_file = str(arguments.work / "tokenizer.model")
        write_goldens(sentencepiece.SentencePieceProcessor(model_file=model_file), arguments.goldens)
        return
    texts = sample_texts(arguments.work / "corpus.jsonl", int(arguments.megabytes * 1e6), arguments.seed)
    model = train(texts)
    (arguments.work / "tokenizer.model").write_bytes(model)

    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    pieces = read_pieces(model)
    generator = random.Random(arguments.seed)
    for _ in range(40):
        text = generator.choice(texts)
        start = generator.randrange(max(1, len(text) - 400))
        part = text[start : start + 400] + "ünïcode \t\t 日本 <|endoftext|> <0x0A>"
        if processor.encode(part) != encode_like_gguf(pieces, part):
            raise SystemExit(f"tokenizer: SentencePiece and the GGUF rules disagree on {part!r}")
        if processor.decode(processor.encode(part)) != part:
            raise SystemExit(f"tokenizer: {part!r} does not survive encoding and decoding")
    size = sum(len(text.encode()) for text in texts)
    n_tokens = sum(len(processor.encode(text)) for text in texts)
    print(f"tokenizer: {len(pieces)} pieces, {size / n_tokens:.3f} bytes per token on its training text")


if __name__ == "__main__":
    main()
