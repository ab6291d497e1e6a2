#!/usr/bin/python3
"""Turn the corpus into training rows: token sequences laid out as Kinglet's prompts are.

    python3 samples.py --work FOLDER --length 1024 --rows 20000 --out rows.npy

A row is `length` + 1 token ids (uint16). Most documents in it have the form of a completion prompt,

    <repo>NAME\\n <sep>PATH\\n TEXT … <sep>CURRENT\\n <pre>PREFIX <suf>SUFFIX <mid>TYPED REST <eot>

where PREFIX ends and SUFFIX begins at a line's start, TYPED is the part of the first middle line that
stands before the cursor (tokenized alone, as Kinglet does), and the middle ends with its line break: so
PREFIX + TYPED + REST + SUFFIX is the file. The TEXTs come from other files of the same package: lines
that define what the code around the cursor names, then chunks that share rare words with it, found
without looking at the middle. The rest are files read from left to right.
"""

import argparse
import json
import math
import pathlib
import random
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy
import sentencepiece

from tokenizer import EOT, FILE_SEP, FIM_MIDDLE, FIM_PAD, FIM_PREFIX, FIM_SUFFIX, REPO_NAME

WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]{3,}")
DEFINITION = re.compile(
    r"^[ \t]*(?:(?:async )?def|class)[ \t]+(\w+)|"  # Python, and C++ classes
    r"^(?:typedef )?(?:struct|class|enum|union|enum class)[ \t]+(\w+)[^;()]*\{|"
    r"^#[ \t]*define[ \t]+(\w+)|"
    r"^(?:[A-Za-z_][\w:<>,*& ]*[ *&])(?:\w+::)*(\w+)\([^;{]*\)?[^;]*[{,(;]?$"
)
CHUNK_LINES = 24
MAX_PLACES = 24  # a word in more chunks than this tells nothing


@dataclass
class Document:
    path: str
    language: str
    lines: list[str]  # each with its line break
    n_tokens: list[int]  # of each line
    words: list[frozenset[str]]  # of each line


@dataclass
class Package:
    name: str
    documents: list[Document] = field(default_factory=list)
    chunks_of: dict[str, list[tuple[int, int]]] = field(default_factory=dict)  # word: (document, first line)
    defined_at: dict[str, list[tuple[int, int]]] = field(default_factory=dict)  # name: (document, line)

    def build_index(self) -> None:
        places = defaultdict(set)
        definitions = defaultdict(list)
        for n, document in enumerate(self.documents):
            for at, words in enumerate(document.words):
                for word in words:
                    places[word].add((n, at - at % CHUNK_LINES))
                match = DEFINITION.match(document.lines[at])
                if match:
                    definitions[next(group for group in match.groups() if group)].append((n, at))
        self.chunks_of = {word: sorted(where) for word, where in places.items() if 2 <= len(where) <= MAX_PLACES}
        self.defined_at = {name: where for name, where in definitions.items() if len(where) <= 3}


def load_packages(corpus: pathlib.Path, splits: set[str], encode) -> list[Package]:
    """The packages with the files of the given splits, tokenized by line and indexed."""
    packages: dict[str, Package] = {}
    with open(corpus) as rows:
        for row in rows:
            entry = json.loads(row)
            if entry["split"] not in splits:
                continue
            lines = re.findall(r"[^\n]*\n", entry["text"])  # not splitlines(): it knows ten other breaks
            name = re.sub(r"^(lib)?python3?(\.\d+)?-|-dev$|[\d.]+(-dev)?$", "", entry["package"])
            package = packages.setdefault(entry["package"], Package(name))
            words = [frozenset(WORD.findall(line)) for line in lines]
            package.documents.append(
                Document(entry["path"], entry["language"], lines, [len(t) for t in encode(lines)], words)
            )
    for package in packages.values():
        package.build_index()
    return list(packages.values())


class Layout:
    """Lays out documents of one package as prompts of at most `length` tokens."""

    def __init__(self, encode, generator: random.Random, length: int):
        self.encode_ = encode
        self.random_ = generator
        self.length_ = length

    def header(self, package: Package) -> list[int]:
        return [REPO_NAME, *self.encode_(package.name + "\n")]

    def file_header(self, path: str) -> list[int]:
        return [FILE_SEP, *self.encode_(path + "\n")]

    def plain(self, package: Package, document: Document) -> list[int]:
        """The file from its beginning or from some line on."""
        start = 0
        total = sum(document.n_tokens)
        if total > self.length_:
            start = self.random_.randrange(len(document.lines))
        tokens = self.header(package) + self.file_header(document.path) if self.random_.random() < 0.8 else []
        size, end = len(tokens), start
        while end < len(document.lines) and size < self.length_:
            size += document.n_tokens[end]
            end += 1
        tokens += self.encode_("".join(document.lines[start:end]))
        if end == len(document.lines):
            tokens.append(EOT)
        return tokens[: self.length_]

    def middle_lines(self, document: Document) -> tuple[int, int] | None:
        """First and past-the-end line of what is to be filled in: a line, some lines, or a block."""
        lines = document.lines
        for _ in range(20):
            first = self.random_.randrange(len(lines))
            if lines[first].strip():
                break
        else:
            return None
        kind = self.random_.random()
        if kind < 0.5:
            last = first + 1
        elif kind < 0.75:
            last = first + self.random_.randint(2, 8)
        else:  # to the end of the block: until the indentation falls below the first line's
            indentation = len(lines[first]) - len(lines[first].lstrip())
            last = first + 1
            while last < len(lines) and last - first < 16:
                line = lines[last]
                if line.strip() and len(line) - len(line.lstrip()) < indentation:
                    break
                last += 1
            while last > first + 1 and not lines[last - 1].strip():
                last -= 1
        last = min(last, len(lines))
        if sum(document.n_tokens[first:last]) > self.length_ // 4:
            last = first + 1
        return (first, last) if document.n_tokens[first] <= self.length_ // 4 else None

    def fill_in_the_middle(self, package: Package, number: int, with_context: bool) -> tuple[list[int], int]:
        """A completion prompt with its answer, and the answer's number of tokens (the last ones)."""
        document = package.documents[number]
        place = self.middle_lines(document)
        if place is None:
            return self.plain(package, document), 0
        first, last = place
        lines, n_tokens = document.lines, document.n_tokens

        text = "".join(lines[first:last])
        cut = self.typed_length(text)
        middle = [FIM_MIDDLE]
        if cut:
            middle += self.encode_(text[:cut])
        answer = self.encode_(text[cut:]) + [EOT]
        middle += answer

        prefix_share, suffix_share = self.random_.uniform(0.2, 0.55), self.random_.uniform(0.08, 0.25)
        if not with_context:
            prefix_share, suffix_share = 0.6, 0.25
        begin, size = first, 0
        while begin > 0 and size + n_tokens[begin - 1] <= prefix_share * self.length_:
            begin -= 1
            size += n_tokens[begin]
        end, size = last, 0
        while end < len(lines) and size + n_tokens[end] <= suffix_share * self.length_:
            size += n_tokens[end]
            end += 1
        current = self.file_header(document.path)
        current += [FIM_PREFIX, *self.encode_("".join(lines[begin:first]))]
        current += [FIM_SUFFIX, *self.encode_("".join(lines[last:end]))]
        current += middle

        head = self.header(package)
        room = self.length_ - len(head) - len(current)
        context: list[int] = []
        if with_context:
            context = self.context(package, number, (begin, first, last, end), room)
        if room < 0:
            return (head + current)[-self.length_ :], len(answer)
        return head + context + current, len(answer)

    def typed_length(self, text: str) -> int:
        """How many characters of the middle the user has typed already: often none or the indentation."""
        line = text.split("\n", 1)[0]
        indentation = len(line) - len(line.lstrip())
        kind = self.random_.random()
        if kind < 0.35 or len(line) < 2:
            return 0
        if kind < 0.55:
            return indentation
        return self.random_.randint(indentation, len(line) - 1) if indentation < len(line) else indentation

    def context(self, package: Package, number: int, window: tuple[int, int, int, int], room: int) -> list[int]:
        """Definitions and similar chunks of other files, at most `room` tokens, the best chunk last."""
        begin, first, last, end = window
        document = package.documents[number]
        near: Counter[str] = Counter()
        for at in [*range(max(begin, first - 30), first), *range(last, min(end, last + 8))]:
            for word in document.words[at]:
                near[word] += 2 if first - 8 <= at < first else 1

        by_path: dict[str, list[str]] = defaultdict(list)
        budget = room * self.random_.uniform(0.0, 0.5)
        for word, _ in near.most_common(60):
            for n, at in package.defined_at.get(word, ()):
                if n == number:
                    continue
                other = package.documents[n]
                line = other.lines[at]
                cost = other.n_tokens[at] + (12 if other.path not in by_path else 0)
                if cost <= budget and line not in by_path[other.path]:
                    by_path[other.path].append(line)
                    budget -= cost
                break
        parts = [
            self.file_header(path) + self.encode_("".join(lines)) for path, lines in by_path.items() if lines
        ]
        used = sum(map(len, parts))

        scores: Counter[tuple[int, int]] = Counter()
        for word, weight in near.items():
            places = package.chunks_of.get(word, ())
            for place in places:
                if place[0] != number:
                    scores[place] += weight * math.log(2 * MAX_PLACES / len(places))
        chunks = []
        for (n, at), _ in sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:12]:
            other = package.documents[n]
            tokens = self.file_header(other.path) + self.encode_("".join(other.lines[at : at + CHUNK_LINES]))
            if used + len(tokens) > room:
                continue
            chunks.append(tokens)
            used += len(tokens)
            if self.random_.random() < 0.25:
                break
        parts += reversed(chunks)
        return [token for part in parts for token in part]


def rows(
    packages: list[Package], encode, length: int, n_rows: int, plain_share: float, seed: int
) -> numpy.ndarray:
    """[n_rows, length + 1] uint16; documents follow each other, FIM_PAD fills what a next one would overflow."""
    generator = random.Random(seed)
    layout = Layout(encode, generator, length)
    places = [(p, n) for p in packages for n in range(len(p.documents))]
    cumulative, total = [], 0.0
    for package, n in places:  # long files more often, but not in proportion
        total += sum(package.documents[n].n_tokens) ** 0.8
        cumulative.append(total)

    def document() -> list[int]:
        package, n = places[bisect_left(cumulative, generator.random() * total)]
        if generator.random() < plain_share:
            return layout.plain(package, package.documents[n])
        return layout.fill_in_the_middle(package, n, with_context=generator.random() < 0.8)[0]

    out = numpy.full((n_rows, length + 1), FIM_PAD, numpy.uint16)
    for row in out:
        used = 0
        while used < length - 32:
            tokens = document()
            if used and used + len(tokens) > length + 1 and tokens[-1] == EOT and generator.random() < 0.9:
                # A prompt that would be cut loses its middle; cut a plain text instead.
                package, n = places[bisect_left(cumulative, generator.random() * total)]
                tokens = layout.plain(package, package.documents[n])
            tokens = tokens[: length + 1 - used]
            row[used : used + len(tokens)] = tokens
            used += len(tokens)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--out", required=True, help="file name in the work folder")
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--plain-share", type=float, default=0.3, help="documents read from left to right")
    parser.add_argument("--split", default="train", help="comma-separated: train, validation, held_out")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    processor = sentencepiece.SentencePieceProcessor(model_file=str(arguments.work / "tokenizer.model"))
    packages = load_packages(arguments.work / "corpus.jsonl", set(arguments.split.split(",")), processor.encode)
    table = rows(
        packages, processor.encode, arguments.length, arguments.rows, arguments.plain_share, arguments.seed
    )
    temporary = arguments.work / (arguments.out + ".tmp.npy")
    numpy.save(temporary, table)
    temporary.rename(arguments.work / arguments.out)
    filled = float((table != FIM_PAD).mean())
    print(f"samples: {arguments.out}: {len(table)} rows of {arguments.length} tokens, {filled:.1%} filled")


if __name__ == "__main__":
    main()
