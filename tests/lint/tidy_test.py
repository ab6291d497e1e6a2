#!/usr/bin/env python3
"""usage: tidy_test.py SOURCE_DIR BUILD_DIR [--all]

Runs clang-tidy on each C++ file whose content or includes changed since its last clean run. What a
run depends on is what the compiler read (Ninja's dependency log); a clean run leaves a file named
after the hash of all that in the development cache.

Without --all: the product's files, without the static analyzer, which takes three times as long as
all other checks together; of those to be checked the ones that were changed last, as many as some
minutes hold, the others in the next runs. With --all (the long tier): all of them, the tests' files,
too, and every check.
"""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

TIDY = "clang-tidy-14"
# Eight to ten seconds each.
MOST_AT_ONCE = 50


def dependencies(build):
    """object file -> the files the compiler read for it"""
    text = subprocess.run(["ninja", "-C", build, "-t", "deps"], check=True, capture_output=True, text=True).stdout
    result, current = {}, None
    for line in text.splitlines():
        if line.startswith("    "):
            current.append(line.strip())
        elif ": #deps" in line:
            current = result.setdefault(line.split(": #deps")[0], [])
    return result


def ages(source):
    """file -> how many other files were changed since, as far as the log was read"""
    log = subprocess.run(["git", "-C", source, "log", "--format=", "--name-only", "-n", "1000"], check=True,
                         capture_output=True, text=True).stdout
    changed = subprocess.run(["git", "-C", source, "diff", "--name-only", "HEAD"], check=True,
                             capture_output=True, text=True).stdout.split("\n")
    return {file: i for i, file in enumerate(dict.fromkeys([*changed, *log.split("\n")]))}


def main():
    source, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    everything = "--all" in sys.argv[3:]
    options = [] if everything else ["--checks=-clang-analyzer-*"]
    cache = pathlib.Path(os.environ.get("KINGLET_DEV_CACHE", build)) / "tidy"
    cache.mkdir(parents=True, exist_ok=True)
    version = subprocess.run([TIDY, "--version"], check=True, capture_output=True).stdout
    config = (source / ".clang-tidy").read_bytes()
    read = dependencies(build)

    hashes = {}

    def hash_of(path):
        if path not in hashes:
            hashes[path] = hashlib.sha256(pathlib.Path(path).read_bytes()).digest()
        return hashes[path]

    tracked = set(subprocess.run(["git", "-C", source, "ls-files", "*.cpp"], check=True, capture_output=True,
                                 text=True).stdout.split("\n"))
    age = ages(source)
    jobs = []
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = pathlib.Path(entry["file"])
        if not file.is_relative_to(source) or str(file.relative_to(source)) not in tracked:
            continue
        if not everything and file.is_relative_to(source / "tests"):
            continue
        key = hashlib.sha256(version + config + repr(options).encode())
        for path in sorted(read.get(entry.get("output", ""), [str(file)])):
            path = pathlib.Path(build, path)
            if path.exists():
                name = path.relative_to(source) if path.is_relative_to(source) else path
                key.update(str(name).encode() + b"\0" + hash_of(path))
        mark = cache / key.hexdigest()
        if not mark.exists():
            jobs.append((file, mark))

    jobs = sorted(set(jobs), key=lambda job: (age.get(str(job[0].relative_to(source)), len(age)), job[0]))
    waiting = [] if everything else jobs[MOST_AT_ONCE:]
    jobs = jobs[:len(jobs) - len(waiting)]

    def tidy(job):
        file, mark = job
        run = subprocess.run([TIDY, "-p", build, "--quiet", *options, file], capture_output=True, text=True)
        if run.returncode == 0:
            mark.touch()
        return file, run

    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for file, run in pool.map(tidy, jobs):
            if run.returncode != 0:
                failed += 1
                print(f"{file.relative_to(source)}:\n{run.stdout}")
    print(f"clang-tidy: {len(jobs)} files checked, {failed} with findings")
    if waiting:
        print(f"{len(waiting)} older files are left to the next runs, or to ./dev test --long lint_all")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
