#!/usr/bin/env python3
"""Time and memory of exporting a model of the h200-1b-ddp8 shape with random weights.

    tools/benchmarks/export_1b.py PICOCHAT WORK [FLAGS of export hf ...]

Makes WORK/checkpoint and WORK/tokenizer.json once (4.5 GB), exports into WORK/export, and samples the process's anonymous memory
(RssAnon of /proc/PID/status; pages of mapped files are not counted, the kernel can drop those) 20 times a second. Needs numpy, safetensors.
"""
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "oracle"))
import export_check

SHAPE = dict(vocab_size=32768, context_size=2048, n_embd=2048, n_head=16, n_kv_head=4, n_layer=24, tie_embeddings=True, qk_norm=True,
             parallel_residual=True, scaled_residual_init=True, rope_base=10000.0, norm_eps=1e-6)


def write_tokenizer(program, path, vocab):
    """A tokenizer of exactly that size: byte-level, with learned tokens from random words."""
    import random

    rng = random.Random(1)
    text = path.with_suffix(".txt")
    words = ["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(3, 9))) for _ in range(60000)]
    text.write_text(" ".join(rng.choice(words) for _ in range(1500000)))
    subprocess.run([program, "tok", "train", "--input", text, "--out", path, "--vocab-size", str(vocab)], check=True, capture_output=True)
    assert len(json.loads(path.read_text())["model"]["vocab"]) == vocab


def make(program, work):
    import numpy
    from safetensors.numpy import save_file

    work.mkdir(parents=True, exist_ok=True)
    write_tokenizer(program, work / "tokenizer.json", SHAPE["vocab_size"])
    config = export_check.full_config(SHAPE, SHAPE["vocab_size"])
    generator = numpy.random.default_rng(1)
    # Matrices are cut from one block of random numbers: drawing a billion would take longer than the export.
    noise = (generator.standard_normal(1 << 24, dtype=numpy.float32) * 0.02)

    class Draws:
        def standard_normal(self, shape):
            count = int(numpy.prod(shape))
            return numpy.resize(numpy.roll(noise, int(generator.integers(1 << 24))), count).reshape(shape) * 4
    weights, ffn = export_check.random_weights(config, Draws())
    folder = work / "checkpoint"
    folder.mkdir()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    digest = hashlib.sha256((work / "tokenizer.json").read_bytes()).hexdigest()
    (folder / "config.json").write_text(json.dumps(config | {"ffn_dim": ffn}))
    (folder / "metadata.json").write_text(json.dumps({"stage": "sft", "step": 1, "tokenizer_sha256": digest}))
    files = {}
    for path in sorted(folder.iterdir()):
        with open(path, "rb") as file:
            files[path.name] = {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    (folder / "manifest.json").write_text(json.dumps({"kind": "picochat-checkpoint", "files": files}))


def anonymous_kib(pid):
    try:
        for line in open(f"/proc/{pid}/status"):
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def main(program, work, flags):
    if not (work / "checkpoint/manifest.json").exists():
        make(program, work)
    shutil.rmtree(work / "export", ignore_errors=True)
    started, peak = time.monotonic(), 0
    process = subprocess.Popen([program, "export", "hf", "--checkpoint", work / "checkpoint", "--tokenizer", work / "tokenizer.json", "--out-dir", work / "export",
                                "--license", "mit", *flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    while process.poll() is None:
        peak = max(peak, anonymous_kib(process.pid))
        time.sleep(0.05)
    print(process.stdout.read(), end="")
    print(f"exit {process.returncode}, {time.monotonic() - started:.1f} s, anonymous memory {peak / 1048576:.2f} GiB")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:])
