#!/usr/bin/env python3
"""usage: compare.py INDEX_BENCH [--rounds N] REPO...

The syntactic index beside a raw tree-sitter parse and universal-ctags, as Markdown: speed and
memory first, then what both find, kind by kind. INDEX_BENCH is the built program. ctags is taken
from PATH when it is there; both read the same files, one process at a time.
"""
import bisect
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# ctags' words for what we call otherwise.
KINDS = {
    "prototype": "function",
    "method": "function",
    "member": "field",
    "typedef": "type",
    "externvar": "variable",
    "alias": "type",
}
# Of ours: whether something is a method is a matter of taste between the two.
OUR_KINDS = {"method": "function"}
# What ctags calls by these words we do not claim to index.
IGNORED = {"file", "header", "unknown", "label", "local", "parameter", "name", "namespacealias"}


def run(command, **options):
    """(seconds of CPU, peak RSS in MB, output) of one process."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **options)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[0]} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output


def our_definitions(dump, repo):
    """{(path, line, name): kind} and the files, from Snapshot::dump()."""
    found, files, starts = {}, [], []
    for line in dump.read_text(errors="surrogateescape").split("\n"):
        if line.startswith("file "):
            path = line[5 : line.rindex(" bytes ")].rsplit(" ", 2)[0]
            files.append(path)
            text = (repo / path).read_bytes()
            starts = [0] + [i + 1 for i, byte in enumerate(text) if byte == 10]
        elif line.startswith("  define "):
            head, _, rest = line[9:].partition(" [")
            words = head.split(" ")
            begin = int(words[1].split("-")[0])
            name = rest.partition("] ")[2].partition(": ")[0]
            found[(path, bisect.bisect_right(starts, begin), name)] = OUR_KINDS.get(words[2], words[2])
    return found, files


def ctags_definitions(repo, files):
    command = ["ctags", "--options=NONE", "--kinds-C=+px", "--kinds-C++=+px", "--kinds-Python=-ilzI",
               "--languages=C,C++,Python", "--sort=no", "-x", "--_xformat=%K\t%N\t%n\t%F", "-L", "-"]
    with tempfile.TemporaryFile() as names:
        names.write("\n".join(files).encode(errors="surrogateescape"))
        names.seek(0)
        cpu, rss, output = run(command, cwd=repo, stdin=names)
    found = {}
    for line in output.decode(errors="surrogateescape").splitlines():
        kind, name, number, path = line.split("\t", 3)
        if kind in IGNORED or name.startswith("__anon"):
            continue
        found[(path, int(number), name.rsplit("::", 1)[-1])] = KINDS.get(kind, kind)
    return cpu, rss, found


def main():
    arguments = sys.argv[1:]
    rounds = "5"
    if "--rounds" in arguments:
        at = arguments.index("--rounds")
        rounds = arguments[at + 1]
        del arguments[at : at + 2]
    if len(arguments) < 2:
        sys.exit(__doc__)
    bench, repos = os.path.abspath(arguments[0]), [pathlib.Path(a) for a in arguments[1:]]
    has_ctags = shutil.which("ctags") is not None
    speed, accuracy = [], []
    for repo in repos:
        with tempfile.TemporaryDirectory() as folder:
            dump = pathlib.Path(folder) / "dump"
            _, rss, output = run([bench, "--rounds", rounds, "--dump", str(dump), str(repo)])
            figures = json.loads(output)
            ours, files = our_definitions(dump, repo)
        ctags_cpu, ctags_rss, theirs = ctags_definitions(repo, files) if has_ctags else (0, 0, {})
        mb = figures["bytes"] / 1e6
        speed.append(
            f"| {repo.name} | {figures['files']} | {mb:.1f} | {figures['raw']:.2f} | {figures['ours']:.2f} "
            f"| {figures['ratio']:.2f} | {mb / figures['ours']:.1f} | {ctags_cpu:.2f} "
            f"| {figures['memory'] / 1e6:.1f} | {rss:.0f} | {ctags_rss:.0f} "
            f"| {figures['errors']} of {figures['raw_errors']} |")
        tally = collections.defaultdict(lambda: [0, 0, 0, 0])  # both, other kind, missed, extra
        for key, kind in theirs.items():
            tally[kind][2 if key not in ours else 0 if ours[key] == kind else 1] += 1
        for key, kind in ours.items():
            if key not in theirs:
                tally[kind][3] += 1
        if has_ctags:
            for kind, (both, other, missed, extra) in sorted(tally.items()):
                accuracy.append(f"| {repo.name} | {kind} | {both} | {other} | {missed} | {extra} |")
    print("CPU seconds, medians; ours is text to index, without reading the disk. Files with error nodes: "
          "of what our grammar sees, and of the bare text.\n")
    print("| repository | files | MB | raw parse | ours | ours / raw (median of rounds) | ours, MB/s | ctags "
          "| index, MB | bench's peak RSS, MB, sources included | ctags' peak RSS, MB | files with errors |")
    print("|" + "---|" * 12)
    print("\n".join(speed))
    if accuracy:
        print("\nBy file, line and name; what the one finds and the other does not is not always its fault.\n")
        print("| repository | kind | both | ours of another kind | only ctags | only ours |")
        print("|" + "---|" * 6)
        print("\n".join(accuracy))


if __name__ == "__main__":
    main()
