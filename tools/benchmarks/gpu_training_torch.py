#!/usr/bin/env python3
"""The PyTorch peer on a GPU: the same architecture, micro-batch, clipping and fused AdamW as a report of `picochat sanity
preh100 --capacity-scale` names, bfloat16 through autocast over float32 weights, eager or through torch.compile.

    gpu_training_torch.py REPORT.json [--compile] [--device cuda|cpu]     # needs torch 2.11; prints one line of JSON
"""
import argparse
import importlib.util
import json
import math
import pathlib
import time

import torch

HERE = pathlib.Path(__file__).resolve().parent
specification = importlib.util.spec_from_file_location("cpu_peer", HERE / "cpu_training_torch.py")
cpu_peer = importlib.util.module_from_spec(specification)
specification.loader.exec_module(cpu_peer)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--micro-steps", type=int, default=10)
    parser.add_argument("--steps", type=int, default=3)
    a = parser.parse_args()
    report = json.loads(pathlib.Path(a.report).read_text())
    check = next(c for c in report["checks"] if c["name"] == "scale_capacity")
    shape, rows = check["shape"]["model"], check["batch_size"]
    torch.manual_seed(1)
    torch.set_float32_matmul_precision("high")
    with torch.device(a.device):
        model = cpu_peer.Model(vocab=shape["vocab_size"], context=shape["context_size"], width=shape["n_embd"], heads=shape["n_head"],
                               kv_heads=shape["n_kv_head"], layers=shape["n_layer"])
        ids = torch.randint(shape["vocab_size"], (rows, shape["context_size"]))
        targets = torch.randint(shape["vocab_size"], (rows, shape["context_size"]))
    decay = [p for p in model.parameters() if p.dim() == 2]
    rest = [p for p in model.parameters() if p.dim() != 2]
    optimizer = torch.optim.AdamW([dict(params=decay, weight_decay=0.1), dict(params=rest, weight_decay=0.0)], lr=1e-4, betas=(0.9, 0.95), fused=True)
    run = torch.compile(model) if a.compile else model
    cuda = a.device == "cuda"
    wait = torch.cuda.synchronize if cuda else (lambda: None)
    micro = update = math.inf
    started = time.perf_counter()
    first = None
    for _ in range(a.steps):
        begin = time.perf_counter()
        for _ in range(a.micro_steps):
            with torch.autocast(a.device, torch.bfloat16, enabled=cuda):
                loss = run(ids, targets)
            (loss / a.micro_steps).backward()
            if first is None:
                wait()
                first = time.perf_counter() - started
        value = loss.item()
        wait()
        micro = min(micro, (time.perf_counter() - begin) / a.micro_steps)
        begin = time.perf_counter()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        wait()
        update = min(update, time.perf_counter() - begin)
    assert math.isfinite(value)
    micro_steps = check["shape"]["sequences_per_step"] / rows
    step = micro_steps * micro + update
    print(json.dumps({"peer": "torch.compile" if a.compile else "PyTorch eager", "torch": torch.__version__, "scale": check["scale"],
                      "tokens_per_sec": check["shape"]["sequences_per_step"] * shape["context_size"] / step, "micro_step_seconds": micro, "update_seconds": update,
                      "first_step_seconds": first, "peak_memory_gb": torch.cuda.max_memory_allocated() / 1e9 if cuda else None}))


if __name__ == "__main__":
    main()
