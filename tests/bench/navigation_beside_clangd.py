#!/usr/bin/env python3
"""Definitions and references of C and C++ by Kinglet's syntax, beside clangd's.

usage: navigation_beside_clangd.py KINGLET REPOSITORY [--samples N] [--seed S] [--include DIR]...

Takes a copy of REPOSITORY, gives clangd a compile_commands.json for it (every .c and .cc file, the
folders given as include folders), asks both servers for the definition at N uses, and for the
references of N definitions, all chosen by the seed, and counts. Where clangd knows nothing, nothing
is compared. Without clangd it says so and does nothing.
"""
import argparse
import json
import random
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from lsp_server import Server, own_folders

SOURCES = {'.c', '.cc', '.cpp'}
HEADERS = {'.h', '.hpp'}
WORDS = re.compile(r'[A-Za-z_]\w*')
KEYWORDS = set('''alignas alignof auto bool break case catch char class const constexpr continue
    decltype default define defined delete do double else endif enum explicit extern false final float
    for friend goto if ifdef ifndef include inline int long mutable namespace new noexcept nullptr
    operator override pragma private protected public register return short signed sizeof static struct
    switch template this throw true try typedef typename undef union unsigned using virtual void
    volatile while elif std size_t uint8_t uint32_t uint64_t int64_t NULL'''.split())


def uses_of(root, paths):
    """(path, line, column) of words outside of comments, strings and directives."""
    for path in paths:
        in_comment = False
        for number, line in enumerate((root / path).read_text(errors='replace').split('\n')):
            if in_comment or '/*' in line:
                in_comment = '*/' not in line[line.find('/*') + 2:] if not in_comment \
                    else '*/' not in line
                continue
            if line.lstrip().startswith(('#', '//', '*')) or not line.isascii():
                continue
            code = re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])*\'',
                          lambda match: ' ' * len(match.group()), line.split('//')[0])
            for word in WORDS.finditer(code):
                if word.group() not in KEYWORDS:
                    yield path, number, word.start()


def percent(part, whole):
    return f'{100 * part / whole:5.1f} %' if whole else '    –'


def main():
    arguments = argparse.ArgumentParser(usage=__doc__)
    arguments.add_argument('kinglet')
    arguments.add_argument('repository')
    arguments.add_argument('--samples', type=int, default=300)
    arguments.add_argument('--seed', type=int, default=1)
    arguments.add_argument('--include', action='append', default=[])
    options = arguments.parse_args()
    clangd = shutil.which('clangd-19') or shutil.which('clangd')
    if not clangd:
        print('skipped: there is no clangd')
        return 0
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder).resolve()
        root = folder / 'repository'
        shutil.copytree(options.repository, root, symlinks=True,
                        ignore=shutil.ignore_patterns('.git', 'deps', 'third_party'))
        (root / '.git').mkdir()
        paths = sorted(str(path.relative_to(root)) for path in root.rglob('*')
                       if path.suffix in SOURCES | HEADERS and path.is_file())
        flags = ['-I' + str(root / name) for name in ['.', *options.include]]
        (root / 'compile_commands.json').write_text(json.dumps([
            {'directory': str(root), 'file': path,
             'arguments': ['cc' if path.endswith('.c') else 'c++', *flags, '-c', path]}
            for path in paths if Path(path).suffix in SOURCES]))
        environment = own_folders(folder)
        ours = Server([options.kinglet, 'lsp', '--standalone'], root,
                      {'completions': False, 'navigation': 'on'}, environment)
        ours.request('kinglet/ready', {})
        theirs = Server([clangd, '--background-index', '-j=2', '--log=error'], root, {})
        chance = random.Random(options.seed)
        sources = [path for path in paths if Path(path).suffix in SOURCES]
        uses = chance.sample(sorted(uses_of(root, sources)), options.samples)
        theirs.open(uses[0][0])
        theirs.wait_idle(900)
        definitions(ours, theirs, sorted(uses))
        references(ours, theirs, sorted(uses), options.samples // 3)
    return 0


def definitions(ours, theirs, uses):
    n_known = n_first = n_any = n_silent = n_outside = n_false = 0
    seconds, opened = [], None
    for path, line, column in uses:
        if opened != path:
            for server in (ours, theirs):
                if opened:
                    server.close(opened)
                server.open(path)
            opened = path
        right = set(theirs.places('definition', path, line, column))
        right |= set(theirs.places('declaration', path, line, column))
        start = time.perf_counter()
        said = ours.places('definition', path, line, column)
        seconds.append(time.perf_counter() - start)
        if not right:
            continue
        if all(name is None for name, _ in right):  # the system's headers
            n_outside += 1
            n_false += bool(said)
            continue
        n_known += 1
        n_silent += not said
        n_first += bool(said) and said[0] in right
        n_any += bool(right & set(said))
    seconds.sort()
    print(f'definitions  {n_known} uses whose definition clangd knows in the repository')
    print(f'  first answer right      {percent(n_first, n_known)}')
    print(f'  some answer right       {percent(n_any, n_known)}')
    print(f'  no answer               {percent(n_silent, n_known)}')
    print(f'  of {n_outside} names from outside, answered all the same {percent(n_false, n_outside)}')
    print(f'  ms a request: median {1e3 * seconds[len(seconds) // 2]:.1f}, '
          f'95 % {1e3 * seconds[len(seconds) * 95 // 100]:.1f}', flush=True)


def references(ours, theirs, uses, n_samples):
    n_both = n_ours = n_theirs = n_asked = 0
    precisions, recalls, opened = [], [], None
    for path, line, column in uses[::max(1, len(uses) // n_samples)]:
        if opened != path:
            for server in (ours, theirs):
                if opened:
                    server.close(opened)
                server.open(path)
            opened = path
        context = {'context': {'includeDeclaration': True}}
        where = theirs.places('definition', path, line, column)
        if not where or where[0][0] is None:
            continue
        right = {place for place in theirs.places('references', path, line, column, **context)
                 if place[0]}
        said = set(ours.places('references', path, line, column, **context))
        if not right:
            continue
        n_asked += 1
        n_both += len(right & said)
        n_ours += len(said)
        n_theirs += len(right)
        precisions.append(len(right & said) / len(said) if said else 1)
        recalls.append(len(right & said) / len(right))
    print(f'references   of {n_asked} names: {n_theirs} lines by clangd, {n_ours} by us')
    print(f'  precision {percent(n_both, n_ours)} of lines, '
          f'{percent(sum(precisions), len(precisions))} a name')
    print(f'  recall    {percent(n_both, n_theirs)} of lines, '
          f'{percent(sum(recalls), len(recalls))} a name')


if __name__ == '__main__':
    sys.exit(main())
