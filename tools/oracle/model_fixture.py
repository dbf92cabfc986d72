#!/usr/bin/env python3
"""Writes the fixtures that tests/model/oracle_test.cpp compares the model with.

The model is written here a second time, in PyTorch with autograd, from the architecture's description and not from
the C++ code. For the parallel and the sequential form a file holds the config, the weights, a batch, and its loss,
logits and every gradient, computed in float32; beside each gradient stands how far PyTorch's own float32 is from its float64.

    tools/oracle/model_fixture.py tests/model/fixtures     # needs torch 2.11, numpy

File format: one line of JSON {"config": {...}, "rows": B, "length": T, "loss": x, "loss_float64": x,
"float64_error": {name: relative L2 error of PyTorch's float32 gradient},
"tensors": [{"name", "dtype", "shape", "offset"}]}, a newline, then the tensors' bytes (little endian, offsets from the
end of that line).
"""
import json
import math
import pathlib
import sys

import numpy
import torch
import torch.nn.functional as F

SHAPE = dict(vocab_size=53, context_size=24, n_embd=24, n_head=4, n_kv_head=2, n_layer=2, norm_type="rmsnorm",
             position_encoding="rope", activation="swiglu", tie_embeddings=True, qk_norm=True, linear_bias=False,
             rope_base=10000.0, norm_eps=1e-6, initializer_range=0.02)
FORMS = {"parallel": dict(parallel_residual=True), "sequential": dict(parallel_residual=False)}
FFN = 64  # 8/3 of the width, to the nearest multiple of 64
ROWS, LENGTH = 2, 20


def make_weights(c, generator):
    d, hd = c["n_embd"], c["n_embd"] // c["n_head"]
    kv = c["n_kv_head"] * hd
    w = {}

    def matrix(name, rows, columns):
        w[name] = torch.randn(rows, columns, generator=generator, dtype=torch.float64) * 0.15

    def scale(name, size):
        w[name] = 1 + 0.2 * torch.randn(size, generator=generator, dtype=torch.float64)

    matrix("token_embedding.weight", c["vocab_size"], d)
    for i in range(c["n_layer"]):
        b = f"blocks.{i}."
        scale(b + "ln_1.weight", d)
        if not c["parallel_residual"]:
            scale(b + "ln_2.weight", d)
        matrix(b + "attn.qkv.weight", d + 2 * kv, d)
        scale(b + "attn.q_norm.weight", hd)
        scale(b + "attn.k_norm.weight", hd)
        matrix(b + "attn.proj.weight", d, d)
        matrix(b + "mlp.fc.weight", 2 * FFN, d)
        matrix(b + "mlp.proj.weight", d, FFN)
    scale("ln_f.weight", d)
    return {name: value.float() for name, value in w.items()}


def rope(x, base):
    """Half rotation, x is [batch, heads, time, head_dim]; angles in float64 as in the program."""
    time, width = x.shape[-2], x.shape[-1]
    frequency = base ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angle = torch.outer(torch.arange(time, dtype=torch.float64), frequency)
    cosine, sine = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    first, second = x.chunk(2, -1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)


def forward(c, w, tokens):
    d, heads, kv_heads, eps = c["n_embd"], c["n_head"], c["n_kv_head"], c["norm_eps"]
    hd = d // heads
    batch, time = tokens.shape
    norm = lambda x, name: F.rms_norm(x, (x.shape[-1],), w[name], eps)

    def attention(x, b):
        q, k, v = F.linear(x, w[b + "attn.qkv.weight"]).split([d, kv_heads * hd, kv_heads * hd], -1)
        q = q.view(batch, time, heads, hd).transpose(1, 2)
        k = k.view(batch, time, kv_heads, hd).transpose(1, 2)
        v = v.view(batch, time, kv_heads, hd).transpose(1, 2)
        q = rope(norm(q, b + "attn.q_norm.weight"), c["rope_base"])
        k = rope(norm(k, b + "attn.k_norm.weight"), c["rope_base"])
        k, v = (t.repeat_interleave(heads // kv_heads, 1) for t in (k, v))
        scores = q @ k.transpose(-1, -2) / math.sqrt(hd)
        hidden = torch.ones(time, time, dtype=torch.bool).triu(1)
        out = scores.masked_fill(hidden, -math.inf).softmax(-1) @ v
        return F.linear(out.transpose(1, 2).reshape(batch, time, d), w[b + "attn.proj.weight"])

    def mlp(x, b):
        gate, value = F.linear(x, w[b + "mlp.fc.weight"]).chunk(2, -1)
        return F.linear(F.silu(gate) * value, w[b + "mlp.proj.weight"])

    x = F.embedding(tokens, w["token_embedding.weight"])
    for i in range(c["n_layer"]):
        b = f"blocks.{i}."
        if c["parallel_residual"]:
            normed = norm(x, b + "ln_1.weight")
            x = x + attention(normed, b) + mlp(normed, b)
        else:
            x = x + attention(norm(x, b + "ln_1.weight"), b)
            x = x + mlp(norm(x, b + "ln_2.weight"), b)
    return F.linear(norm(x, "ln_f.weight"), w["token_embedding.weight"])


def run(c, weights, tokens, targets, dtype):
    w = {name: value.detach().clone().to(dtype).requires_grad_(True) for name, value in weights.items()}
    logits = forward(c, w, tokens)
    loss = F.cross_entropy(logits.view(-1, c["vocab_size"]), targets.view(-1))
    loss.backward()
    return loss.item(), logits.detach(), {name: value.grad for name, value in w.items()}


def write(path, c, weights, tokens, targets):
    loss, logits, gradients = run(c, weights, tokens, targets, torch.float32)
    loss64, _, gradients64 = run(c, weights, tokens, targets, torch.float64)
    errors = {n: float(f"{((gradients[n].double() - g).norm() / g.norm()).item():.3g}") for n, g in gradients64.items()}
    print(f"{path.name}: loss {loss:.9f}, float64 {loss64:.9f}; worst gradient of PyTorch float32 against float64 {max(errors.values()):.2e}")
    arrays = {"tokens": tokens.int(), "targets": targets.int(), "logits": logits}
    arrays |= {"weight." + n: t for n, t in weights.items()}
    arrays |= {"gradient." + n: t for n, t in gradients.items()}
    entries, blob = [], b""
    for name, tensor in arrays.items():
        array = tensor.contiguous().numpy()
        entries.append(dict(name=name, dtype=str(array.dtype), shape=list(array.shape), offset=len(blob)))
        blob += array.astype(array.dtype.newbyteorder("<")).tobytes()
    header = dict(config=c, rows=ROWS, length=LENGTH, loss=loss, loss_float64=loss64, float64_error=errors, tensors=entries)
    path.write_bytes(json.dumps(header).encode() + b"\n" + blob)


def main():
    folder = pathlib.Path(sys.argv[1])
    torch.set_num_threads(1)
    for name, form in FORMS.items():
        c = SHAPE | form
        generator = torch.Generator().manual_seed(20)
        weights = make_weights(c, generator)
        tokens = torch.randint(c["vocab_size"], (ROWS, LENGTH), generator=generator)
        targets = torch.randint(c["vocab_size"], (ROWS, LENGTH), generator=generator)
        write(folder / f"{name}.fixture", c, weights, tokens, targets)


if __name__ == "__main__":
    main()
