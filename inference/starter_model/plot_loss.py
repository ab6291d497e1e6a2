#!/usr/bin/python3
"""Draw the loss curves of a run: plot_loss.py loss.tsv docs/starter_model_loss.svg"""

import csv
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["svg.hashsalt"] = "kinglet"  # the same bytes for the same curves
from matplotlib import pyplot  # noqa: E402


def main() -> None:
    log, target = map(pathlib.Path, sys.argv[1:3])
    with open(log) as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    tokens = [int(row["tokens"]) / 1e6 for row in rows]
    figure, axes = pyplot.subplots(figsize=(7, 4))
    axes.plot(tokens, [float(row["train"]) for row in rows], label="training rows", linewidth=1)
    axes.plot(tokens, [float(row["validation"]) for row in rows], label="packages never trained on", linewidth=1.5)
    axes.set_xlabel("million tokens")
    axes.set_ylabel("loss, nats per token")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    main()
