#!/usr/bin/python3
"""usage: table.py BENCH.json: the rows of `kinglet bench --json` as a Markdown table, and the time
of each kernel where it was measured."""
import json
import sys


def text(value, form, scale=1):
    return "-" if value is None else form.format(value * scale)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        rows = json.load(file)
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
    start = next((row for row in depths if row["depth"] >= 1000), None)
    for row in depths:
        if start and row["depth"] > start["depth"]:
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


main()
