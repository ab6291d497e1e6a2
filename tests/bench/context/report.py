#!/usr/bin/env python3
"""usage: report.py CONTEXT_BENCH --repo PATH... [--holes N] [--seed S] [--budgets 2048,8192]
                 [--packer NAME]... [--at REV | --commits-after N] [--only-commits] [--recent]
                 [--vocabulary FILE] [--json OUT] [--plots FOLDER]

How good packers of context are, without any model. PATH is a checkout or a git URL, perhaps with
"@REV" behind it. A checkout with a history is measured at its commit REV (else the one 40 (N)
commits before its newest), so that what later commits add can be held out ("commit" holes); without a
history it is measured as it lies there, without such holes. With --recent a packer of such a hole is told
of the other places that its commit changes, as if they had been edited just before; --only-commits
takes no other holes, and them from commits that change several places.

Means are over repositories (recall: over all symbols of one), intervals by drawing files with
replacement, 95 %.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

MAX_HUNK_LINES = 12


def git(repo, *arguments, text=True):
    return subprocess.run(['git', '-C', str(repo), *arguments], capture_output=True, check=True,
                          text=text, errors='surrogateescape' if text else None).stdout


def is_repository(path):
    return subprocess.run(['git', '-C', str(path), 'rev-parse', '--verify', '-q', 'HEAD^{commit}'],
                          capture_output=True).returncode == 0 and (path / '.git').exists()


def base_of(repo, rev, commits_after):
    if rev:
        return git(repo, 'rev-parse', '--verify', rev + '^{commit}').strip()
    commits = git(repo, 'rev-list', '--first-parent', f'--max-count={commits_after + 1}',
                  'HEAD').split()
    return commits[-1]


def export(repo, base, folder):
    archive = subprocess.Popen(['git', '-C', str(repo), 'archive', base], stdout=subprocess.PIPE)
    subprocess.run(['tar', '-x', '-C', str(folder)], stdin=archive.stdout, check=True)
    archive.wait()


def hunks_after(repo, base, folder):
    """What later commits add to files that they find as the folder has them."""
    hunks = []
    commits = git(repo, 'rev-list', '--reverse', '--no-merges', f'{base}..HEAD').split()
    for commit in commits[:400]:
        diff = git(repo, 'diff-tree', '-p', '-U0', '--no-color', '--no-renames', '--no-commit-id',
                   '--src-prefix=a/', '--dst-prefix=b/', commit, text=False)
        path = None
        for part in diff.split(b'\ndiff --git ')[0:]:
            lines = part.split(b'\n')
            path = next((line[6:].decode(errors='replace') for line in lines
                         if line.startswith(b'+++ b/')), None)
            if path is None or not (folder / path).is_file():
                continue
            text = (folder / path).read_bytes()
            before = subprocess.run(['git', '-C', str(repo), 'show', f'{commit}^:{path}'],
                                    capture_output=True).stdout
            if before != text:
                continue
            starts = [0] + [i + 1 for i, byte in enumerate(text) if byte == 10]
            for i, line in enumerate(lines):
                if not line.startswith(b'@@ -'):
                    continue
                old = line.split(b' ')[1][1:].split(b',')
                first, n_old = int(old[0]), int(old[1]) if len(old) > 1 else 1
                added = []
                for other in lines[i + 1:]:
                    if other.startswith(b'+'):
                        added.append(other[1:])
                    elif other.startswith((b'-', b'\\')):
                        continue
                    else:
                        break
                # Pure additions: the text before and after is the folder's own.
                if n_old != 0 or not 1 <= len(added) <= MAX_HUNK_LINES or first >= len(starts):
                    continue
                code = b'\n'.join(added)
                if len(code.strip()) < 20:
                    continue
                try:
                    hunks.append({'commit': commit, 'path': path, 'begin': starts[first],
                                  'text': code.decode() + '\n'})
                except UnicodeDecodeError:
                    pass
    return hunks


def measure(bench, options, source, folder):
    """The rows of one repository."""
    source, _, rev = source.partition('@') if not source.startswith('git@') else (source, '', '')
    if '://' in source:
        checkout = folder / 'clone'
        subprocess.run(['git', 'clone', '-q', source, str(checkout)], check=True)
    else:
        checkout = pathlib.Path(source).resolve()
    arguments = [bench, '--holes', str(options.holes), '--seed', str(options.seed),
                 '--budgets', options.budgets, '--vocabulary', options.vocabulary]
    arguments += ['--recent'] * options.recent + ['--only-commits'] * options.only_commits
    for packer in options.packer or []:
        arguments += ['--packer', packer]
    commit = None
    tree = checkout
    if is_repository(checkout):
        commit = base_of(checkout, rev or options.at, options.commits_after)
        tree = folder / 'tree'
        tree.mkdir()
        export(checkout, commit, tree)
        hunks = folder / 'hunks.json'
        hunks.write_text(json.dumps(hunks_after(checkout, commit, tree)))
        arguments += ['--hunks', str(hunks), '--git', str(checkout), '--commit', commit]
    output = subprocess.run([*arguments, str(tree)], stdout=subprocess.PIPE, check=True).stdout
    lines = [json.loads(line) for line in output.splitlines()]
    return {'name': checkout.name, 'commit': commit, **lines[0], 'rows': lines[1:]}


# ---- figures


def ratio(rows, top, bottom):
    n = sum(bottom(row) for row in rows)
    return 100 * sum(top(row) for row in rows) / n if n else None


def mean(values):
    values = [value for value in values if value is not None]
    return sum(values) / len(values) if values else None


MEASURES = {
    'unseen': lambda rows: ratio(rows, lambda r: r['unseen'][1], lambda r: r['unseen'][0]),
    'seen': lambda rows: ratio(rows, lambda r: r['seen'][1], lambda r: r['seen'][0]),
    'bodies': lambda rows: ratio(rows, lambda r: r['unseen'][2] + r['seen'][2],
                                 lambda r: r['unseen'][0] + r['seen'][0]),
    'uses, unseen': lambda rows: ratio(rows, lambda r: r['unseen'][3], lambda r: r['unseen'][0]),
    'uses, seen': lambda rows: ratio(rows, lambda r: r['seen'][3], lambda r: r['seen'][0]),
    '4-grams': lambda rows: mean([100 * r['covered4'] / r['gold'] for r in rows if r['gold']]),
    '8-grams': lambda rows: mean([100 * r['covered8'] / r['gold'] for r in rows if r['gold']]),
    '4-grams of the pack': lambda rows: mean([100 * r['covered4_by_pack'] / r['gold']
                                              for r in rows if r['gold']]),
    'waste': lambda rows: ratio(rows, lambda r: r['wasted'], lambda r: r['words']),
    'drafts, file': lambda rows: ratio(rows, lambda r: r['gold'] / 100, lambda r: r['steps_file']),
    'drafts, pack': lambda rows: ratio(rows, lambda r: r['gold'] / 100, lambda r: r['steps_pack']),
    'p50 ms': lambda rows: sorted(r['ms'] for r in rows)[len(rows) // 2] if rows else None,
    'p95 ms': lambda rows: sorted(r['ms'] for r in rows)[len(rows) * 95 // 100] if rows else None,
}


def rows_of(repository, packer, budget):
    return [row for row in repository['rows']
            if row['packer'] == packer and row['budget'] == budget]


def interval(repositories, packer, budget, measure, rounds=400):
    chance = random.Random(1)
    groups = []
    for repository in repositories:
        by_file = collections.defaultdict(list)
        for row in rows_of(repository, packer, budget):
            by_file[row['path']].append(row)
        groups.append(list(by_file.values()))
    found = []
    for _ in range(rounds):
        values = [measure([row for rows in chance.choices(group, k=len(group)) for row in rows])
                  for group in groups if group]
        value = mean(values)
        if value is not None:
            found.append(value)
    found.sort()
    if not found:
        return None
    return found[len(found) * 25 // 1000], found[len(found) * 975 // 1000]


def cell(value, digits=1):
    return '–' if value is None else f'{value:.{digits}f}'


def tables(repositories, packers, budgets):
    lines = []
    for budget in budgets:
        lines += [f'\n### {budget} tokens\n',
                  '| packer | ' + ' | '.join(MEASURES) + ' |', '|---|' + '---|' * len(MEASURES)]
        for packer in packers:
            cells = [mean([measure(rows_of(repository, packer, budget))
                           for repository in repositories]) for measure in MEASURES.values()]
            lines.append(f'| {packer} | ' + ' | '.join(
                cell(value, 2 if name.startswith('drafts') else 1)
                for name, value in zip(MEASURES, cells)) + ' |')
        spans = {name: interval(repositories, packers[0], budget, MEASURES[name])
                 for name in ('unseen', 'seen', '4-grams', '4-grams of the pack')}
        lines.append('\n' + packers[0] + ', 95 %: ' + ', '.join(
            f'{name} {span[0]:.1f} to {span[1]:.1f}' for name, span in spans.items() if span))
        lines += [f'\n{packers[0]} by repository at {budget}:\n',
                  '| repository | files | k tokens | holes | symbols seen, unseen | unseen | seen '
                  '| 4-grams | 4-grams of the pack | p95 ms |', '|---|---|---|---|---|---|---|---|---|---|']
        for repository in repositories:
            rows = rows_of(repository, packers[0], budget)
            n_seen, n_unseen = (sum(row[kind][0] for row in rows) for kind in ('seen', 'unseen'))
            lines.append(f'| {repository["name"]} | {repository["files"]} '
                         f'| {repository["tokens"] / 1000:.0f} | {repository["holes"]} '
                         f'| {n_seen}, {n_unseen} | ' + ' | '.join(
                             cell(MEASURES[name](rows))
                             for name in ('unseen', 'seen', '4-grams', '4-grams of the pack', 'p95 ms'))
                         + ' |')
    return '\n'.join(lines)


COLORS = ['#1b6ca8', '#999999', '#bbbbbb', '#c78d2a', '#8c6bb1', '#2a9d5c', '#63b88a', '#d1495b',
          '#e39a6f', '#222222']


def plot(repositories, packers, budget):
    """An SVG: recall of what is not seen against 4-grams; up and right is better."""
    width, height, left, bottom = 640, 420, 56, 48
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
             'font-family="sans-serif" font-size="12">',
             f'<rect width="{width}" height="{height}" fill="white"/>']
    x = lambda value: left + value / 100 * (width - left - 20)
    y = lambda value: height - bottom - value / 100 * (height - bottom - 20)
    for tick in range(0, 101, 20):
        parts.append(f'<line x1="{left}" x2="{width - 20}" y1="{y(tick):.0f}" y2="{y(tick):.0f}" '
                     f'stroke="#e5e5e5"/><text x="{left - 8}" y="{y(tick) + 4:.0f}" '
                     f'text-anchor="end">{tick}</text>')
        parts.append(f'<line y1="20" y2="{height - bottom}" x1="{x(tick):.0f}" x2="{x(tick):.0f}" '
                     f'stroke="#e5e5e5"/><text x="{x(tick):.0f}" y="{height - bottom + 16}" '
                     f'text-anchor="middle">{tick}</text>')
    for i, packer in enumerate(packers):
        across, up = (mean([MEASURES[name](rows_of(repository, packer, budget))
                            for repository in repositories])
                      for name in ('4-grams of the pack', 'unseen'))
        if across is None or up is None:
            continue
        parts.append(f'<circle cx="{x(across):.1f}" cy="{y(up):.1f}" r="5" '
                     f'fill="{COLORS[i % len(COLORS)]}"/><text x="{x(across) + 8:.1f}" '
                     f'y="{y(up) + 4:.1f}">{packer}</text>')
    parts.append(f'<text x="{(left + width) / 2:.0f}" y="{height - 10}" text-anchor="middle">'
                 f'words of the hole in 4-grams of the pack, % ({budget} tokens)'
                 '</text>'
                 f'<text transform="translate(16 {height / 2:.0f}) rotate(-90)" '
                 'text-anchor="middle">unseen symbols with their signature, %</text></svg>')
    return '\n'.join(parts) + '\n'


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument('bench')
    parser.add_argument('--repo', action='append', required=True)
    parser.add_argument('--holes', type=int, default=200)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--budgets', default='2048,8192')
    parser.add_argument('--packer', action='append')
    parser.add_argument('--at')
    parser.add_argument('--commits-after', type=int, default=40)
    parser.add_argument('--only-commits', action='store_true')
    parser.add_argument('--recent', action='store_true')
    parser.add_argument('--vocabulary', default=str(
        pathlib.Path(__file__).resolve().parents[3] / 'inference/starter_model/kinglet-starter.gguf'))
    parser.add_argument('--json', type=pathlib.Path)
    parser.add_argument('--plots', type=pathlib.Path)
    options = parser.parse_args()
    if options.plots:
        options.plots.mkdir(parents=True, exist_ok=True)
    repositories = []
    for source in options.repo:
        print(source, file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            repositories.append(measure(os.path.abspath(options.bench), options, source,
                                        pathlib.Path(folder).resolve()))
    packers = list(dict.fromkeys(row['packer'] for one in repositories for row in one['rows']))
    budgets = [int(budget) for budget in options.budgets.split(',')]
    print(tables(repositories, packers, budgets))
    if options.json:
        options.json.write_text(json.dumps({'seed': options.seed, 'repositories': repositories}))
    if options.plots:
        for budget in budgets:
            (options.plots / f'context_{budget}.svg').write_text(
                plot(repositories, packers, budget))


if __name__ == '__main__':
    sys.exit(main())
