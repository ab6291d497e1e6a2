#!/usr/bin/python3
"""usage: starter_recipe_test.py SOURCE_DIR: the starter model's recipe runs from corpus to GGUF, and learns.

A tiny model on a little of Python's standard library, a fixed number of steps. Skipped where PyTorch or
SentencePiece is missing: nothing else in Kinglet needs them.
"""

import importlib.util
import pathlib
import subprocess
import sys
import tempfile

N_STEPS = 40


def main() -> None:
    recipe = pathlib.Path(sys.argv[1]) / "inference" / "starter_model"
    missing = [name for name in ("torch", "sentencepiece", "numpy") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"skipped: {pathlib.Path(__file__).name}: no Python module {', '.join(missing)}")
        return
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        command = [sys.executable, str(recipe / "train.py"), "--work", folder, "--smoke", "--threads", "1"]
        subprocess.run([*command, "--steps", str(N_STEPS // 2)], check=True)
        subprocess.run([*command, "--steps", str(N_STEPS)], check=True)  # goes on from the checkpoint
        rows = [line.split("\t") for line in (work / "loss.tsv").read_text().splitlines()[1:]]
        untrained, trained = float(rows[0][3]), float(rows[-1][3])
        if len(rows) < 3 or not trained < untrained - 0.8:
            sys.exit(f"the loss on unseen files was {untrained:.2f} and is {trained:.2f} after {N_STEPS} steps")
        model = (work / "kinglet-starter.gguf").read_bytes()
        if not model.startswith(b"GGUF\x03\0\0\0") or b"phi3.attention.head_count_kv" not in model[:4096]:
            sys.exit("the recipe wrote something that is not a phi3 GGUF")


if __name__ == "__main__":
    main()
