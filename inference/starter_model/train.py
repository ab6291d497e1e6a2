#!/usr/bin/python3
"""Train the starter model on this machine's CPU and export it as a GGUF.

    python3 train.py --work FOLDER --minutes 60        # corpus, tokenizer, rows, training, export
    python3 train.py --work FOLDER --minutes 2 --smoke # the same, tiny: a check of the recipe

Everything is seeded. The learning rate follows the wall clock: it falls to zero when the minutes are
over, whatever else the machine does meanwhile. A checkpoint every few minutes carries the run over an
interruption: start the same command again. FOLDER/loss.tsv logs the losses.
"""

import argparse
import math
import os
import pathlib
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
    # Without these, every large temporary tensor is mapped and zeroed by the kernel anew: half the run time.
    os.environ |= {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 33)}
    os.execv(sys.executable, [sys.executable, *sys.argv])

import numpy
import torch
from torch import Tensor

import export_gguf
import kernels
import model
from model import Shape
from tokenizer import FIM_PAD

class Phase(NamedTuple):
    """Short rows first: they are cheaper, and what they teach is needed first."""

    end: float  # share of the run
    length: int
    batch_tokens: int
    rows: str  # pattern of the row files


PHASES = (
    Phase(0.5, 512, 4096, "rows_1024_*.npy"),
    Phase(0.8, 1024, 8192, "rows_1024_*.npy"),
    Phase(1.0, 2048, 8192, "rows_2048_*.npy"),
)
SMOKE_SHAPE = Shape(embedding=64, feed_forward=128, layers=2, heads=2)
SMOKE_PHASES = (Phase(1.0, 256, 2048, "rows_1024_*.npy"),)
WARM_UP = 0.02  # share of the run
CHECKPOINT_SECONDS = 120
LOG_SECONDS = 60


def orthogonalized(matrices: Tensor, dtype: torch.dtype) -> Tensor:
    """About U·Vᵀ of each matrix's singular value decomposition, by five Newton-Schulz steps; [n, rows, columns]."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = (x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)).to(dtype).contiguous()
    for _ in range(5):
        gram = torch.bmm(x, x.transpose(1, 2))
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    x = x.float()
    return x.transpose(1, 2) if tall else x


class Optimizer:
    """Muon for the layers' matrices, Adam for the embedding and the norms."""

    def __init__(self, parameters: dict[str, Tensor], dtype: torch.dtype):
        self.parameters_ = parameters
        self.dtype_ = dtype
        self.moments_: dict[str, list[Tensor]] = {}
        self.step_ = 0

    def step(self, rate: float) -> None:
        """`rate` is in 0…1, of each group's peak learning rate. Consumes the gradients."""
        self.step_ += 1
        with torch.no_grad():
            norm = torch.sqrt(sum(p.grad.square().sum() for p in self.parameters_.values()))
            clip = min(1.0, 1.0 / (float(norm) + 1e-6))
            alike: dict[str, list[Tensor]] = {}
            for name, parameter in self.parameters_.items():
                parameter.grad.mul_(clip)
                if parameter.dim() == 2 and name.startswith("blk."):
                    alike.setdefault(name.split(".", 2)[2], []).append(parameter)
                else:
                    self.adam(name, parameter, (4e-3 if parameter.dim() == 2 else 3e-3) * rate)
            for name, matrices in alike.items():
                self.muon(name, matrices, 0.02 * rate)
            for parameter in self.parameters_.values():
                parameter.grad = None

    def muon(self, name: str, matrices: list[Tensor], rate: float) -> None:
        """`matrices` are one of each layer, of one shape."""
        gradient = torch.stack([m.grad for m in matrices])
        (momentum,) = self.moments_.setdefault(name, [torch.zeros_like(gradient)])
        momentum.lerp_(gradient, 0.05)
        updates = orthogonalized(gradient.lerp_(momentum, 0.95), self.dtype_)
        scale = max(1.0, gradient.shape[1] / gradient.shape[2]) ** 0.5
        for parameter, update in zip(matrices, updates):
            parameter.mul_(1 - 0.05 * rate).sub_(update, alpha=rate * scale)

    def adam(self, name: str, parameter: Tensor, rate: float) -> None:
        gradient = parameter.grad
        if name not in self.moments_:
            self.moments_[name] = [torch.zeros_like(parameter), torch.zeros_like(parameter)]
        mean, square = self.moments_[name]
        mean.lerp_(gradient, 0.1)
        square.lerp_(gradient.square(), 0.05)
        mean_hat, square_hat = mean / (1 - 0.9**self.step_), square / (1 - 0.95**self.step_)
        parameter.sub_(rate * mean_hat / (square_hat.sqrt() + 1e-9))

    def state(self) -> dict:
        return {"moments": self.moments_, "step": self.step_}

    def restore(self, state: dict) -> None:
        self.moments_, self.step_ = state["moments"], state["step"]


class Rows:
    """Batches of training rows in a seeded order, epoch after epoch. Rows longer than `length` are cut into several."""

    def __init__(self, files: list[pathlib.Path], length: int, seed: int):
        self.tables_ = [numpy.load(file, mmap_mode="r") for file in files]
        self.length_ = length
        self.places_ = [
            (table, row, start)
            for table in self.tables_
            for row in range(len(table))
            for start in range(0, table.shape[1] - length, length)
        ]
        if not self.places_:
            raise ValueError(f"train: no rows of {length} tokens; make them with samples.py")
        self.seed_ = seed
        self.epoch_ = -1

    def batch(self, first: int, n: int) -> tuple[Tensor, Tensor]:
        """The rows number first … first + n of the endless order, as inputs and targets [n, length]."""
        out = numpy.empty((n, self.length_ + 1), numpy.int64)
        for i in range(n):
            epoch, at = divmod(first + i, len(self.places_))
            if epoch != self.epoch_:
                self.epoch_ = epoch
                self.order_ = numpy.random.default_rng((self.seed_, epoch)).permutation(len(self.places_))
            table, row, start = self.places_[self.order_[at]]
            out[i] = table[row, start : start + self.length_ + 1]
        tokens = torch.from_numpy(out)
        return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()


class Workers:
    """Gradients of a batch by threads that each take some rows at a time.

    Each thread computes alone (PyTorch and OpenMP with one thread): on a machine that others use, threads
    that wait for each other after every operation would mostly wait.
    """

    def __init__(self, n: int, parameters: dict[str, Tensor], loss_function):
        self.parameters_ = parameters
        self.loss_function_ = loss_function
        self.pool_ = ThreadPoolExecutor(n, initializer=torch.set_num_threads, initargs=(1,))

    def gradients(self, inputs: Tensor, targets: Tensor, tokens_at_a_time: int = 1024) -> float:
        """Fills the parameters' grad with the mean over the parts; returns the mean loss."""
        rows = max(1, tokens_at_a_time // inputs.shape[1])
        parts = list(zip(inputs.split(rows), targets.split(rows)))
        queue = iter(parts)
        lock = threading.Lock()

        def work() -> tuple[dict[str, Tensor], float]:
            leaves = {name: p.detach().requires_grad_() for name, p in self.parameters_.items()}
            total = 0.0
            while True:
                with lock:
                    part = next(queue, None)
                if part is None:
                    return {name: leaf.grad for name, leaf in leaves.items()}, total
                loss = self.loss_function_(leaves, *part)
                loss.backward()
                total += float(loss.detach())

        results = [f.result() for f in [self.pool_.submit(work) for _ in range(self.pool_._max_workers)]]
        for name, parameter in self.parameters_.items():
            gradients = [grads[name] for grads, _ in results if grads[name] is not None]
            parameter.grad = sum(gradients[1:], gradients[0]).div_(len(parts))
        return sum(loss for _, loss in results) / len(parts)


def loss_of(parameters, shape: Shape, inputs: Tensor, targets: Tensor, dtype: torch.dtype) -> Tensor:
    """Mean cross entropy in nats over the targets that are not padding."""
    hidden = model.forward(parameters, shape, inputs, dtype)
    losses = model.token_losses(parameters, hidden, targets, FIM_PAD)
    return losses.sum() / (targets != FIM_PAD).sum()


def evaluate(loss_function, parameters, table: numpy.ndarray, batch: int = 8) -> float:
    """Mean loss in nats per token over the rows of a table."""
    total, count = 0.0, 0
    with torch.no_grad():
        for at in range(0, len(table), batch):
            tokens = torch.from_numpy(table[at : at + batch].astype(numpy.int64))
            n = int((tokens[:, 1:] != FIM_PAD).sum())
            total += float(loss_function(parameters, tokens[:, :-1], tokens[:, 1:])) * n
            count += n
    return total / count


def train(arguments, shape: Shape, phases: tuple[Phase, ...], validation: numpy.ndarray) -> dict[str, Tensor]:
    work = arguments.work
    dtype = model.multiplication_type()
    library = kernels.load(work)
    if library:
        loss_function = kernels.Kernels(library, shape, FIM_PAD).loss
    else:
        loss_function = lambda p, inputs, targets: loss_of(p, shape, inputs, targets, dtype)
    parameters = model.new_parameters(shape, arguments.seed)
    optimizer = Optimizer(parameters, dtype)
    phase_rows = [Rows(sorted(work.glob(phase.rows)), phase.length, arguments.seed) for phase in phases]
    taken = [0] * len(phases)
    elapsed, n_tokens = 0.0, 0
    checkpoint = work / "checkpoint.pt"
    log = work / "loss.tsv"
    if checkpoint.exists() and not arguments.fresh:
        state = torch.load(checkpoint)
        if state["shape"] != shape:
            sys.exit(f"train: {checkpoint} holds another shape; remove it or give --fresh")
        parameters |= state["parameters"]
        optimizer.restore(state["optimizer"])
        taken, elapsed, n_tokens = state["taken"], state["elapsed"], state["n_tokens"]
        print(f"train: going on from minute {elapsed / 60:.1f}, {n_tokens / 1e6:.2f} M tokens", flush=True)
    else:
        log.write_text("seconds\ttokens\ttrain\tvalidation\n")
    workers = Workers(arguments.threads, parameters, loss_function)
    n_parameters = sum(p.numel() for p in parameters.values())
    print(f"train: {n_parameters / 1e6:.2f} M parameters, products in {dtype}, {'fused loops' if library else 'plain PyTorch'}, {arguments.threads} threads", flush=True)

    def progress() -> float:
        return optimizer.step_ / arguments.steps if arguments.steps else elapsed / (arguments.minutes * 60)

    saved = logged = time.monotonic()
    recent: list[float] = []
    if elapsed == 0.0:
        first = evaluate(loss_function, parameters, validation)
        with open(log, "a") as out:
            out.write(f"0\t0\t{first:.4f}\t{first:.4f}\n")
        print(f"train: untrained, validation loss {first:.4f}", flush=True)
    while (done := progress()) < 1:
        start = time.monotonic()
        current = next(i for i, phase in enumerate(phases) if done < phase.end)
        n_rows = phases[current].batch_tokens // phases[current].length
        rate = min(1.0, done / WARM_UP + 0.01) * (1 - done)
        inputs, targets = phase_rows[current].batch(taken[current], n_rows)
        taken[current] += n_rows
        recent.append(workers.gradients(inputs, targets))
        optimizer.step(rate)
        if not math.isfinite(recent[-1]):
            sys.exit("train: the loss is no longer a number; start again from an earlier checkpoint with a lower rate")
        n_tokens += inputs.numel()
        now = time.monotonic()
        elapsed += now - start
        if now - logged > LOG_SECONDS or progress() >= 1:
            value = evaluate(loss_function, parameters, validation)
            mean = sum(recent) / len(recent)
            speed = len(recent) * inputs.numel() / max(1e-9, now - logged)
            print(f"train: minute {elapsed / 60:5.1f}, {n_tokens / 1e6:6.2f} M tokens, loss {mean:.4f}, validation {value:.4f}, {speed:.0f} tokens/s", flush=True)
            with open(log, "a") as out:
                out.write(f"{elapsed:.0f}\t{n_tokens}\t{mean:.4f}\t{value:.4f}\n")
            recent.clear()
            logged = time.monotonic()
        if now - saved > CHECKPOINT_SECONDS or progress() >= 1:
            state = {
                "shape": shape, "parameters": {k: p.detach() for k, p in parameters.items()},
                "optimizer": optimizer.state(), "taken": taken, "elapsed": elapsed, "n_tokens": n_tokens,
            }
            torch.save(state, checkpoint.with_suffix(".tmp"))
            checkpoint.with_suffix(".tmp").rename(checkpoint)
            saved = now
    return {name: p.detach() for name, p in parameters.items()}


def prepare(work: pathlib.Path, smoke: bool, seed: int) -> None:
    """Corpus, tokenizer and rows, each only if it is not there yet."""
    here = pathlib.Path(__file__).parent

    def make(target: str, script: str, *arguments: str) -> None:
        if not (work / target).exists():
            command = [sys.executable, str(here / script), "--work", str(work), *arguments]
            subprocess.run(command, check=True)

    def rows(target: str, length: int, n: int, split: str, plain_share: float, seed: int) -> None:
        arguments = ("--out", target, "--length", length, "--rows", n, "--split", split)
        arguments += ("--plain-share", plain_share, "--seed", seed)
        make(target, "samples.py", *map(str, arguments))

    make("corpus.jsonl", "corpus.py", *(["--smoke"] if smoke else []))
    make("tokenizer.model", "tokenizer.py", "--megabytes", "0.5" if smoke else "4", "--seed", str(seed))
    rows("validation.npy", 1024, 12, "validation" if smoke else "held_out", 0.3, seed + 100)
    rows("rows_1024_a.npy", 1024, 60 if smoke else 20_000, "train", 0.3, seed)
    if not smoke:
        rows("rows_2048_a.npy", 2048, 4_000, "train", 0.15, seed + 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for everything that is made")
    parser.add_argument("--minutes", type=float, default=75, help="of training; corpus and rows take about five more")
    parser.add_argument("--steps", type=int, help="instead of minutes: the same numbers on every run")
    parser.add_argument("--smoke", action="store_true", help="a tiny model on a tiny corpus, to check the recipe")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--fresh", action="store_true", help="ignore a checkpoint")
    parser.add_argument("--out", type=pathlib.Path, help="the GGUF; default: kinglet-starter.gguf in the work folder")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    work = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    prepare(work, arguments.smoke, arguments.seed)
    train(
        arguments,
        SMOKE_SHAPE if arguments.smoke else Shape(),
        SMOKE_PHASES if arguments.smoke else PHASES,
        numpy.load(work / "validation.npy"),
    )
    phases = SMOKE_PHASES if arguments.smoke else PHASES
    export_gguf.export(work, arguments.out or work / "kinglet-starter.gguf", max(p.length for p in phases))


if __name__ == "__main__":
    main()
