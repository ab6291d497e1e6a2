#!/usr/bin/python3
"""usage: table.py BENCH.json: the rows of `kinglet bench --json` as a Markdown table, and the time
of each kernel where it was measured.
       table.py --effects BASE.json NAME=BENCH.json...: the speeds of each, beside those of BASE."""
import json
import sys

LIMITS = [("read_bytes_per_s", "reads {:.1f} GB/s", 1e-9),
          ("copy_bytes_per_s", "copies {:.1f} GB/s", 1e-9),
          ("float_flops", "{:.0f} GFLOP/s of f32", 1e-9),
          ("half_flops", "{:.0f} GFLOP/s of f16", 1e-9),
          ("byte_ops", "{:.0f} Gop/s of bytes", 1e-9),
          ("matrix_flops", "{:.0f} GFLOP/s of matrix units", 1e-9),
          ("dispatch_seconds", "{:.1f} us for an empty step", 1e6)]

RELATIVE_TO = 1024  # of gpu.sh's depths


def read(path):
    """The rows; of a bench that was stopped, those that were done: a line each, without the end."""
    with open(path, encoding="utf-8") as file:
        text = file.read().strip()
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        pass
    rows = []
    for line in text.removeprefix("[").splitlines():
        try:
            rows += [json.loads(line.strip().rstrip(","))] if line.strip() else []
        except json.JSONDecodeError:
            break  # the line that it was writing
    return rows


def text(value, form, scale=1):
    return "-" if value is None else form.format(value * scale)


def print_limits(row):
    known = [form.format(row["limits"][name] * scale) for name, form, scale in LIMITS
             if row["limits"][name] is not None]
    print("{}: {}\n".format(row["device"], ", ".join(known)))


def print_rows(rows):
    if not rows:
        print("No row was done.\n")
        return
    print_limits(rows[0])
    print("| test | n | depth | tokens/s | of limit | with stages | stages, dispatches a layer "
          "| barriers | thread, us/token |\n|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        speed = text(row["tokens_per_s"], "{:.1f}")
        if row["test"] == "load":
            speed = "{:.2f} s, {:.2f} GB/s, {}; the file is read at {:.2f} GB/s".format(
                row["seconds"], row["bytes_per_s"] * 1e-9,
                "from the disk" if row["from_disk"] else "from the page cache",
                row["read_bytes_per_s"] * 1e-9)
        elif row.get("beyond_context"):
            speed += " (beyond the trained context)"
        print("| {} | {} | {} | {} | {} | {} | {}, {} | {} | {} |".format(
            row["test"], row["n"], row["depth"], row.get("skipped", speed),
            text(row["share_of_limit"], "{:.0f} %", 100),
            text(row["share_of_staged_limit"], "{:.0f} %", 100),
            text(row["stages_per_layer"], "{:.1f}"), text(row["dispatches_per_layer"], "{:.1f}"),
            text(row["barriers"], "{}"), text(row["cpu_us_per_token"], "{:.1f}")))
    print()
    depths = [row for row in rows if row["test"] == "decode" and row["share_of_limit"]]
    # Relative to 1k alone: to another depth it would be another figure under the same name.
    start = next((row for row in depths if row["depth"] == RELATIVE_TO), None)
    for row in depths:
        if start and row["depth"] > RELATIVE_TO:
            print("Decode at depth {}, relative to depth {}: {:.0f} % of what the limits say.\n".format(
                row["depth"], start["depth"], 100 * row["share_of_limit"] / start["share_of_limit"]))
    for row in rows:
        kernels = [k for k in row.get("kernels", []) if k["seconds"] > 0]
        if not kernels:
            continue
        print("{} {} at depth {}:\n".format(row["test"], row["n"], row["depth"]))
        print("| kernel | times | us | GB/s | GFLOP/s |\n|---|---|---|---|---|")
        for k in kernels:
            print("| {} | {} | {:.1f} | {:.1f} | {:.1f} |".format(
                k["name"], k["dispatches"], k["seconds"] * 1e6, k["bytes"] / k["seconds"] * 1e-9,
                k["flops"] / k["seconds"] * 1e-9))
        print()


def speeds(path):
    """Tokens a second by test; none where it was skipped."""
    return {(row["test"], row["n"], row["depth"]): row["tokens_per_s"]
            for row in read(path) if row["test"] != "load"}


def print_effects(base, others):
    base = speeds(base)
    others = [(name, speeds(path)) for name, path in others]
    tests = [test for test in base if any(test in other for _, other in others)]
    print("| tokens/s | {} |\n|---|{}".format(
        " | ".join("{} {} at depth {}".format(*test) for test in tests), "---|" * len(tests)))
    print("| as by default | {} |".format(
        " | ".join(text(base[test], "{:.1f}") for test in tests)))
    for name, other in others:
        cells = []
        for test in tests:
            cell = text(other.get(test), "{:.1f}")
            if other.get(test) and base[test]:
                cell += " ({:.2f} x)".format(other[test] / base[test])
            cells.append(cell)
        print("| {} | {} |".format(name, " | ".join(cells)))
    print()


def main():
    if sys.argv[1] == "--effects":
        print_effects(sys.argv[2], [other.split("=", 1) for other in sys.argv[3:]])
    else:
        print_rows(read(sys.argv[1]))


main()
