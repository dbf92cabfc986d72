#!/usr/bin/env python3
"""The PyTorch peer of cpu_training: the same architecture, batch, clipping and AdamW, eager or through torch.compile.

    cpu_training_torch.py pilot|tiny [--compile] [--steps N] [--threads N]      # needs torch 2.11
"""
import argparse
import math
import statistics
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

SHAPES = {
    "pilot": dict(vocab=8192, context=512, width=384, heads=8, kv_heads=2, layers=8),
    "tiny": dict(vocab=1024, context=256, width=128, heads=4, kv_heads=2, layers=4),
}


class Block(nn.Module):
    def __init__(self, width, heads, kv_heads):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = heads, kv_heads, width // heads
        ffn = max(1, round(8 * width / 3 / 64)) * 64
        kv = kv_heads * self.head_dim
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.qkv = nn.Linear(width, width + 2 * kv, bias=False)
        self.proj = nn.Linear(width, width, bias=False)
        self.q_norm = nn.RMSNorm(self.head_dim, eps=1e-6)
        self.k_norm = nn.RMSNorm(self.head_dim, eps=1e-6)
        self.fc = nn.Linear(width, 2 * ffn, bias=False)
        self.down = nn.Linear(ffn, width, bias=False)

    def forward(self, x, cosine, sine):
        batch, length, width = x.shape
        y = self.norm(x)
        kv = self.kv_heads * self.head_dim
        q, k, v = self.qkv(y).split([width, kv, kv], -1)
        q = self.q_norm(q.view(batch, length, self.heads, self.head_dim)).transpose(1, 2)
        k = self.k_norm(k.view(batch, length, self.kv_heads, self.head_dim)).transpose(1, 2)
        v = v.view(batch, length, self.kv_heads, self.head_dim).transpose(1, 2)
        rotate = lambda t: t * cosine + torch.cat((-t[..., self.head_dim // 2:], t[..., :self.head_dim // 2]), -1) * sine
        att = F.scaled_dot_product_attention(rotate(q), rotate(k), v, is_causal=True, enable_gqa=True)
        gate, value = self.fc(y).chunk(2, -1)
        return x + self.proj(att.transpose(1, 2).reshape(batch, length, width)) + self.down(F.silu(gate) * value)


class Model(nn.Module):
    def __init__(self, vocab, context, width, heads, kv_heads, layers):
        super().__init__()
        self.embedding = nn.Embedding(vocab, width)
        self.blocks = nn.ModuleList(Block(width, heads, kv_heads) for _ in range(layers))
        self.norm = nn.RMSNorm(width, eps=1e-6)
        head_dim = width // heads
        angle = torch.outer(torch.arange(context).float(), 10000.0 ** (-torch.arange(0, head_dim, 2).float() / head_dim))
        self.register_buffer("cosine", torch.cat([angle.cos()] * 2, -1))
        self.register_buffer("sine", torch.cat([angle.sin()] * 2, -1))
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02)

    def forward(self, ids, targets):
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x, self.cosine, self.sine)
        logits = F.linear(self.norm(x), self.embedding.weight)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--batch", type=int, default=8)
    a = parser.parse_args()
    if a.threads:
        torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    shape = SHAPES[a.shape]
    model = Model(**shape)
    decay = [p for p in model.parameters() if p.dim() == 2]
    rest = [p for p in model.parameters() if p.dim() != 2]
    optimizer = torch.optim.AdamW([dict(params=decay, weight_decay=0.1), dict(params=rest, weight_decay=0.0)], lr=3e-4,
                                  betas=(0.9, 0.95), eps=1e-8, fused=True)
    ids = torch.randint(shape["vocab"], (a.batch, shape["context"]))
    targets = torch.randint(shape["vocab"], (a.batch, shape["context"]))
    loss_of = torch.compile(model) if a.compile else model
    times, processor_times = [], []
    warm_up = 3
    for step in range(a.steps + warm_up):
        begin, processor_begin = time.perf_counter(), time.process_time()
        loss = loss_of(ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        value = loss.item()
        if step >= warm_up:
            times.append(time.perf_counter() - begin)
            processor_times.append(time.process_time() - processor_begin)
    median = statistics.median(times)
    assert math.isfinite(value)
    print(f"torch-{'compile' if a.compile else 'eager'} {a.shape} threads {torch.get_num_threads()} step {1e3 * median:.1f} ms "
          f"{a.batch * shape['context'] / median:.0f} tokens/s processor {1e3 * statistics.median(processor_times):.1f} ms loss {value:.6f}")


if __name__ == "__main__":
    main()
