#!/usr/bin/env python3
"""What somebody at an editor waits for: the daemon's index from a cold and from a warm start, beside
clangd's, and how soon an edit is in it.

usage: live.py KINGLET [--rounds N] [--edits N] [--seed S] REPO...

Of each round the medians: seconds from the start of `kinglet lsp` (daemon included) until
workspace/symbol finds a function of a file that is open, half of 20 functions chosen by the seed,
all of them, and until the index is complete; CPU seconds of all processes; the sum of their PSS when
it is complete and they have rested, and the most it was. Then the same with the index on disk. Then
edits: a line with a new name is typed at a place chosen by the seed in a file of at least 5 KB, and
workspace/symbol is asked until it finds the name.

clangd (19, from PATH) is measured in turn with us where there are C or C++ files: until its
background index is complete, and again with the index on disk. No model is loaded.
"""
import argparse
import collections
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from lsp_server import Server, own_folders  # noqa: E402

SOURCES = {'.c', '.cc', '.cpp'}


def processes_below(pid):
    """The process and all its descendants."""
    children = collections.defaultdict(list)
    for entry in os.listdir('/proc'):
        if entry.isdigit():
            try:
                stat = Path('/proc', entry, 'stat').read_text()
                children[int(stat[stat.rindex(')') + 2:].split()[1])].append(int(entry))
            except (OSError, ValueError):
                pass
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += children[one]
    return found


def pss_mib(pid, verb=b''):
    """Of the processes below `pid`; with a verb only of those that run `kinglet VERB`."""
    total = 0
    for one in processes_below(pid):
        try:
            if verb and verb not in Path('/proc', str(one), 'cmdline').read_bytes().split(b'\0'):
                continue
            for line in Path('/proc', str(one), 'smaps_rollup').read_text().split('\n'):
                if line.startswith('Pss:'):
                    total += int(line.split()[1])
        except OSError:
            pass
    return total / 1024


def cpu_seconds(pid):
    ticks = 0
    for one in processes_below(pid):
        try:
            stat = Path('/proc', str(one), 'stat').read_text()
            fields = stat[stat.rindex(')') + 2:].split()
            ticks += sum(map(int, fields[11:15]))  # its own and those of children that have ended
        except OSError:
            pass
    return ticks / os.sysconf('SC_CLK_TCK')


class Peak:
    """The most that the processes took while this was entered."""

    def __init__(self, pid, verb=b''):
        self.pid, self.verb, self.most, self.done = pid, verb, 0, threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self):
        while not self.done.wait(0.05):
            self.most = max(self.most, pss_mib(self.pid, self.verb))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def rest(pid):
    """Until nobody computes."""
    before, since = cpu_seconds(pid), time.monotonic()
    while time.monotonic() - since < 1.5:
        time.sleep(0.1)
        now = cpu_seconds(pid)
        if now - before > 0.03:
            before, since = now, time.monotonic()


def functions_of(root):
    """[(name, path)] of functions that have one definition, by ctags."""
    listed = subprocess.run(['ctags', '-R', '--output-format=json', '--fields=NFK', '--sort=no', '-f', '-',
                             '--languages=C,C++,Python', '.'], cwd=root, capture_output=True, check=True)
    places = collections.defaultdict(set)
    for line in listed.stdout.split(b'\n'):
        if not line.startswith(b'{"_type": "tag"'):
            continue
        try:
            tag = json.loads(line)
        except ValueError:
            continue
        if tag.get('kind') in ('function', 'member') and tag['name'].isidentifier():
            places[tag['name']].add(os.path.normpath(tag['path']))
    return sorted((name, where.pop()) for name, where in places.items()
                  if len(where) == 1 and len(name) > 5)


def finds(server, name, path):
    found = server.request('workspace/symbol', {'query': name}) or []
    wanted = (server.root / path).as_uri()
    return any(one['name'] == name and one['location']['uri'] == wanted for one in found)


def start_kinglet(kinglet, root, home, clang='off'):
    return Server([kinglet, 'lsp', '--standalone'], root,
                  {'completions': False, 'navigation': 'on', 'clang': clang}, own_folders(home))


def end(server):
    server.request('shutdown', None)
    server.notify('exit', None)
    server.process.wait(60)


def look_at_kinglet(kinglet, root, home, names, open_name):
    row = {}
    begin = time.perf_counter()
    server = start_kinglet(kinglet, root, home)
    with Peak(server.process.pid) as peak:
        server.open(open_name[1])
        missing = list(names)
        last_id = server.last_id + 1
        server.last_id = last_id
        server.send({'id': last_id, 'method': 'kinglet/ready', 'params': {}})
        while True:
            if 'open' not in row and finds(server, *open_name):
                row['open'] = time.perf_counter() - begin
            missing = [one for one in missing if not finds(server, *one)]
            if 'half' not in row and len(missing) <= len(names) // 2:
                row['half'] = time.perf_counter() - begin
            if 'all' not in row and not missing:
                row['all'] = time.perf_counter() - begin
            if last_id in server.answers:
                row['ready'] = time.perf_counter() - begin
                break
            time.sleep(0.005)
        row['missing'] = sum(not finds(server, *one) for one in [*names, open_name])
        row['cpu'] = cpu_seconds(server.process.pid)
        rest(server.process.pid)
        row['pss'] = pss_mib(server.process.pid)
    row['peak'] = peak.most
    return row, server


def look_at_units(kinglet, root, home, source):
    """Every unit through libclang: seconds of the CPU, and the most that the clang worker took."""
    server = start_kinglet(kinglet, root, home, 'all')
    with Peak(server.process.pid, b'clang-worker') as peak:
        server.open(source)
        server.request('kinglet/ready', {})
        rest(server.process.pid)
        row = {'cpu': cpu_seconds(server.process.pid)}
    end(server)
    return {**row, 'peak': peak.most}


def look_at_clangd(clangd, root, home, source):
    begin = time.perf_counter()
    server = Server([clangd, '--background-index', '-j=2', '--log=error'], root, {},
                    own_folders(home))
    with Peak(server.process.pid) as peak:
        server.open(source)
        server.wait_idle(3600)
        row = {'ready': time.perf_counter() - begin, 'cpu': cpu_seconds(server.process.pid)}
        rest(server.process.pid)
        row['pss'] = pss_mib(server.process.pid)
    row['peak'] = peak.most
    end(server)
    return row


def edit(server, root, chance, n_edits):
    """Milliseconds from sending an edit until a search finds it."""
    files = [path for path in sorted(root.rglob('*'))
             if path.suffix in SOURCES | {'.py', '.h'} and path.is_file() and
             5_000 <= path.stat().st_size <= 1_000_000]
    waits = []
    while len(waits) < n_edits:
        path = chance.choice(files)
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        uri, version = path.as_uri(), 1
        server.notify('textDocument/didOpen', {'textDocument': {
            'uri': uri, 'languageId': 'x', 'version': version, 'text': text}})
        lines = text.split('\n')
        for i in range(5):
            tops = [n for n in range(1, len(lines))
                    if lines[n - 1] in ('', '}') and re.match(r'(def|class|static|int|void) ', lines[n])
                    ] or [0]
            version += 1
            name = f'kinglet_edit_{len(waits)}_{i}'
            line = f'def {name}(): pass' if path.suffix == '.py' else f'int {name}(void);'
            place = {'line': chance.choice(tops), 'character': 0}
            lines.insert(place['line'], line)
            time.sleep(0.1)  # as people type
            begin = time.perf_counter()
            server.notify('textDocument/didChange', {
                'textDocument': {'uri': uri, 'version': version},
                'contentChanges': [{'range': {'start': place, 'end': place}, 'text': line + '\n'}]})
            while not any(one['name'] == name for one in
                          server.request('workspace/symbol', {'query': name}) or []):
                if time.perf_counter() - begin > 5:
                    sys.exit(f'{path}: an edit at line {place["line"]} is not found')
            waits.append(1e3 * (time.perf_counter() - begin))
        server.notify('textDocument/didClose', {'textDocument': {'uri': uri}})
    return sorted(waits)


def median(rows, key):
    values = [row[key] for row in rows if key in row]
    return statistics.median(values) if values else float('nan')


def tell(what, rows):
    cells = [f'{median(rows, key):.2f}' if any(key in row for row in rows) else '–'
             for key in ('open', 'half', 'all', 'ready', 'cpu')]
    cells += [f'{median(rows, key):.0f}' for key in ('pss', 'peak') if any(key in row for row in rows)]
    print('| ' + ' | '.join([what, *cells]) + ' |', flush=True)


def main():
    arguments = argparse.ArgumentParser(usage=__doc__)
    arguments.add_argument('kinglet')
    arguments.add_argument('repositories', nargs='+')
    arguments.add_argument('--rounds', type=int, default=3)
    arguments.add_argument('--edits', type=int, default=300)
    arguments.add_argument('--seed', type=int, default=1)
    arguments.add_argument('--no-clangd', action='store_true')
    arguments.add_argument('--units', action='store_true',
                           help='libclang looks at every unit; the worker\'s memory is measured')
    options = arguments.parse_args()
    clangd = None if options.no_clangd else shutil.which('clangd-19') or shutil.which('clangd')
    for repository in options.repositories:
        measure(options, Path(repository).resolve(), clangd)


def measure(options, repository, clangd):
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder).resolve()
        root = folder / 'repository'
        shutil.copytree(repository, root, symlinks=True, ignore=shutil.ignore_patterns('.git'))
        (root / '.git').mkdir()
        sources = sorted(str(path.relative_to(root)) for path in root.rglob('*')
                         if path.suffix in SOURCES and path.is_file())
        (root / 'compile_commands.json').write_text(json.dumps([
            {'directory': str(root), 'file': path,
             'arguments': ['cc' if path.endswith('.c') else 'c++', '-I' + str(root),
                           '-I' + str(root / 'src'), '-I' + str(root / 'include'), '-c', path]}
            for path in sources]))
        names = chance.sample(functions_of(root), 21)
        rows = collections.defaultdict(list)
        waits = []
        for number in range(options.rounds):
            home = folder / f'home{number}'
            home.mkdir()
            row, server = look_at_kinglet(options.kinglet, root, home, names[1:], names[0])
            rows['cold'].append(row)
            end(server)
            row, server = look_at_kinglet(options.kinglet, root, home, names[1:], names[0])
            rows['warm'].append(row)
            if number == 0:
                waits = edit(server, root, chance, options.edits)
            end(server)
            if options.units and sources:
                rows['clang worker'].append(look_at_units(options.kinglet, root, home, sources[0]))
            if clangd and len(sources) > 20:
                theirs = folder / f'clangd{number}'
                theirs.mkdir()
                rows['clangd cold'].append(look_at_clangd(clangd, root, theirs, sources[0]))
                rows['clangd warm'].append(look_at_clangd(clangd, root, theirs, sources[0]))
                shutil.rmtree(root / '.cache', ignore_errors=True)
        print(f'\n{repository.name}: {options.rounds} rounds, medians; '
              f'{sum(row["missing"] for row in rows["cold"] + rows["warm"])} of the functions '
              'never found\n\n| start | open file, s | half | all | complete | CPU, s | PSS, MiB '
              '| at most |\n|---|---|---|---|---|---|---|---|')
        for what, found in rows.items():
            tell(what, found)
        print(f'\nedits: {len(waits)}, ms until found: median {waits[len(waits) // 2]:.1f}, '
              f'95 % {waits[len(waits) * 95 // 100]:.1f}, at most {waits[-1]:.1f}', flush=True)


if __name__ == '__main__':
    sys.exit(main())
