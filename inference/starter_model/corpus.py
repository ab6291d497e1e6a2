#!/usr/bin/python3
"""Build the training corpus from Debian packages, and the manifest that says what is in it.

    python3 corpus.py --work FOLDER [--manifest FILE]

Writes FOLDER/corpus.jsonl (one file per line: package, path, language, split, text) and
FOLDER/files.tsv (sha256 of every file), and the manifest of packages. Source packages come through
apt-get with settings of its own: the machine's package lists stay as they are.
"""

import argparse
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tarfile
from collections import Counter, defaultdict

from sources import LANGUAGES, SMOKE_SOURCES, SOURCES, Source

VENDORED = re.compile(
    r"(^|/)(third_party|3rdparty|3rd_party|vendor|_vendor|deps|external|extern|node_modules|bundled|"
    r"single_include|nlohmann|fmt|leveldb|redis|hiredis|flask|express|gin|ripgrep|lib2to3/tests|"
    r"idlelib|pydoc_data|encodings|locale)(/|$)|(^|/)(json\.hpp|conftest\.c)$"
)
GPL = re.compile(r"GNU\s+(Lesser\s+|Library\s+|Affero\s+)?General\s+Public|\b[AL]?GPL", re.IGNORECASE)
GENERATED = re.compile(
    r"(auto-?|automatically |machine )generated|generated (by|from|automatically|file)|do not (edit|modify)|"
    r"@generated|this file (is|was) generated|bison |amalgamat",
    re.IGNORECASE,
)
SECRET = re.compile(
    r"BEGIN [A-Z ]*(PRIVATE KEY|CERTIFICATE)|AKIA[0-9A-Z]{16}|gh[pousr]_[0-9A-Za-z]{36}|xox[baprs]-[0-9A-Za-z-]{10}|"
    r"(?i:api_?key|secret|password)\s*[:=]\s*[\"'][0-9A-Za-z+/_-]{20,}[\"']"
)
EMAIL = re.compile(r"[\w.+-]+(@|\s+at\s+)[\w-]+(\.|\s+dot\s+)(com|org|net|edu|de|fr|uk|io|gov|ru|cz|jp|ch|se|it|ca|nl|me)\b", re.I)
HEADER_COMMENT = re.compile(r"\A\s*(/\*.*?\*/|(?:[ \t]*//[^\n]*\n)+|(?:[ \t]*#(?!include|define|if|pragma|!)[^\n]*\n)+)\s*", re.S)
LICENCE_WORDS = re.compile(r"copyright|licen[sc]e|SPDX|all rights reserved|public domain|\bauthor|\$Id", re.IGNORECASE)

MIN_BYTES, MAX_BYTES = 200, 150_000


def apt_options(work: pathlib.Path) -> list[str]:
    """apt settings that read the machine's Debian mirrors as source repositories, in folders of our own."""
    parts, lists = work / "apt" / "parts", work / "apt" / "lists"
    parts.mkdir(parents=True, exist_ok=True)
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    machine = pathlib.Path("/etc/apt/sources.list.d/debian.sources")
    old_style = pathlib.Path("/etc/apt/sources.list")
    if machine.exists():
        text = re.sub(r"(?m)^Types: .*$", "Types: deb-src", machine.read_text())
        (parts / "sources.sources").write_text(text)
    elif old_style.exists():
        text = re.sub(r"(?m)^deb ", "deb-src ", old_style.read_text())
        (parts / "sources.list").write_text(text)
    else:
        sys.exit("corpus: no Debian package sources in /etc/apt; source packages cannot be fetched")
    return [
        "-o", "Dir::Etc::SourceList=/dev/null",
        "-o", f"Dir::Etc::SourceParts={parts.resolve()}",
        "-o", f"Dir::State::Lists={lists.resolve()}",
        "-o", "APT::Sandbox::User=root",
    ]


def fetch_source(package: str, work: pathlib.Path, options: list[str]) -> tuple[pathlib.Path, str]:
    """Folder of the unpacked upstream archive(s) of a source package, and the package's version."""
    folder = work / "packages" / package
    done = folder / ".version"
    if done.exists():
        return folder, done.read_text()
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["apt-get", *options, "-qq", "source", "--download-only", "--only-source", package],
        cwd=folder, check=True, stdout=subprocess.DEVNULL,
    )
    description = next(folder.glob("*.dsc")).read_text(errors="replace")
    version = re.search(r"(?m)^Version: (\S+)", description).group(1)
    for archive in sorted(folder.glob("*.tar.*")):
        if ".debian.tar" in archive.name or archive.suffix == ".asc":
            continue
        with tarfile.open(archive) as tar:
            for member in tar:
                if not member.isfile() or pathlib.PurePosixPath(member.name).suffix not in LANGUAGES:
                    continue
                parts = pathlib.PurePosixPath(member.name).parts[1:]  # the archive's top folder
                if not parts or ".." in parts:
                    continue
                target = folder / "tree" / pathlib.Path(*parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(tar.extractfile(member).read())
        archive.unlink()
    done.write_text(version)
    return folder, version


def locate(source: Source, work: pathlib.Path, options: list[str]) -> tuple[list[tuple[pathlib.Path, str]], str]:
    """All candidate files of a source as (file on disk, path inside its repository), and the version."""
    if source.kind == "installed":
        version = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Version}", source.package], check=True, capture_output=True, text=True
        ).stdout
        base = pathlib.Path(source.roots[0] if len(source.roots) == 1 else pathlib.Path(source.roots[0]).parent)
        roots = [pathlib.Path(root) for root in source.roots]
    else:
        folder, version = fetch_source(source.package, work, options)
        base = folder / "tree"
        roots = [base / root for root in source.roots]
    files = []
    for root in roots:
        for file in sorted(root.rglob("*")):
            if file.suffix in LANGUAGES and file.is_file() and not file.is_symlink():
                files.append((file, file.relative_to(base).as_posix()))
    return files, version


def reason_to_leave_out(text: str, data_size: int) -> str | None:
    if not MIN_BYTES <= data_size <= MAX_BYTES:
        return "size"
    head = text[:3000]
    if GPL.search(text):
        return "GPL family"
    if GENERATED.search(head):
        return "generated"
    if SECRET.search(text):
        return "secret"
    lines = text.split("\n")
    if max(map(len, lines)) > 300 or len(text) / len(lines) > 70:
        return "minified"
    solid = sum(not c.isspace() for c in text)
    digits = sum(c.isdigit() for c in text)
    if solid and digits / solid > 0.18:
        return "table"
    if sum(ord(c) > 127 for c in text) > 0.02 * len(text):
        return "not mostly ASCII"
    return None


def clean(text: str) -> str:
    """Without the licence header (thousands of copies teach nothing but headers) and without e-mail addresses."""
    text = text.replace("\r\n", "\n").replace("\f", "").lstrip("\ufeff")
    while (match := HEADER_COMMENT.match(text)) and LICENCE_WORDS.search(match.group(0)):
        text = text[match.end():]
    kept = [line.rstrip() for line in text.split("\n") if not EMAIL.search(line)]
    return re.sub(r"\n{4,}", "\n\n\n", "\n".join(kept)).strip("\n") + "\n"


class NearDuplicates:
    """A file is a near-duplicate when most of its telling lines were in files taken before it."""

    def __init__(self):
        self.lines_: set[int] = set()

    def take(self, text: str) -> bool:
        lines = {hash(line.strip()) for line in text.split("\n") if len(line.strip()) > 16}
        if lines and len(lines & self.lines_) > 0.6 * len(lines):
            return False
        self.lines_ |= lines
        return True


def split_of(source: Source, path: str) -> str:
    if source.held_out:
        return "held_out"
    bucket = hashlib.sha256(f"{source.package}/{path}".encode()).digest()[0]
    return "validation" if bucket < 4 else "train"  # 4 of 256 files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for downloads and results")
    parser.add_argument("--smoke", action="store_true", help="a little of what is installed, without the network")
    parser.add_argument("--manifest", type=pathlib.Path, help="where to write the manifest of packages")
    arguments = parser.parse_args()
    work = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    sources = SMOKE_SOURCES if arguments.smoke else SOURCES
    options = [] if arguments.smoke else apt_options(work)
    if options and not any((work / "apt" / "lists").glob("*Sources*")):
        subprocess.run(["apt-get", *options, "-qq", "update"], check=True)

    duplicates, exact = NearDuplicates(), set()
    left_out: Counter[str] = Counter()
    manifest = []
    by_language: dict[tuple[str, str], int] = defaultdict(int)
    with open(work / "corpus.jsonl", "w") as out, open(work / "files.tsv", "w") as listing:
        # Held-out packages go first, so that a copy of theirs elsewhere is what gets dropped.
        for source in sorted(sources, key=lambda s: not s.held_out):
            try:
                files, version = locate(source, work, options)
            except subprocess.CalledProcessError:
                print(f"corpus: {source.package} is not to be had from this machine's mirrors, going on without", flush=True)
                continue
            has_cpp = any(LANGUAGES[file.suffix] == "C++" for file, _ in files)
            # In the order of a hash: a capped package gives a fair sample of itself.
            files.sort(key=lambda item: hashlib.sha256(item[1].encode()).digest())
            n_files = n_bytes = 0
            digest = hashlib.sha256()
            for file, path in files:
                if n_bytes > source.cap:
                    left_out["package cap"] += 1
                    continue
                if VENDORED.search(path):
                    left_out["vendored or excluded"] += 1
                    continue
                data = file.read_bytes()
                try:
                    raw = data.decode()
                except UnicodeDecodeError:
                    left_out["not UTF-8"] += 1
                    continue
                text = clean(raw)
                reason = reason_to_leave_out(text, len(text)) or ("GPL family" if GPL.search(raw) else None)
                sha = hashlib.sha256(text.encode()).hexdigest()
                if reason is None and sha in exact:
                    reason = "duplicate"
                if reason is None and not duplicates.take(text):
                    reason = "near-duplicate"
                if reason is not None:
                    left_out[reason] += 1
                    continue
                exact.add(sha)
                language = LANGUAGES[file.suffix]
                if language == "C" and file.suffix == ".h" and has_cpp:
                    language = "C++"
                split = split_of(source, path)
                json.dump(
                    {"package": source.package, "path": path, "language": language, "split": split, "text": text}, out
                )
                out.write("\n")
                listing.write(f"{source.package}\t{path}\t{split}\t{len(text.encode())}\t{sha}\n")
                digest.update(bytes.fromhex(sha))
                n_files += 1
                n_bytes += len(text)
                by_language[language, split] += len(text)
            use = "held out" if source.held_out else "train"
            manifest.append((source.package, version, source.licence, use, n_files, n_bytes, digest.hexdigest()))
            print(f"corpus: {source.package} {version}: {n_files} files, {n_bytes / 1e6:.2f} MB", flush=True)
    if arguments.manifest:
        with open(arguments.manifest, "w") as out:
            out.write("package\tversion\tlicence\tuse\tfiles\tbytes\tsha256 of the files' sha256\n")
            for row in sorted(manifest):
                out.write("\t".join(map(str, row)) + "\n")
    for (language, split), size in sorted(by_language.items()):
        print(f"corpus: {language:7} {split:10} {size / 1e6:7.2f} MB")
    print("corpus: left out:", ", ".join(f"{reason} {n}" for reason, n in left_out.most_common()))


if __name__ == "__main__":
    main()
