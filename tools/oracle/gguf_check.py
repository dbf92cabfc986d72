#!/usr/bin/env python3
"""Are GGUF files what llama.cpp and its Python package take them for?

    tools/oracle/gguf_check.py PICOCHAT WORK TEXT     # WORK as made by export_check.py make

Every stock form in f32, f16, bf16 and q8_0 is written anew and read with the `gguf` package: each tensor must equal what that package
makes of the checkpoint's values. Where `llama_cpp` is installed, logits and greedy replies must be picochat's (f32 weights and
cache), and the token ids of every text in TEXT equal. Forms without an architecture must be refused.
"""
import json
import pathlib
import subprocess
import sys

import gguf
import numpy
from safetensors.numpy import load_file

import export_check

TYPES = {"f32": gguf.GGMLQuantizationType.F32, "f16": gguf.GGMLQuantizationType.F16, "bf16": gguf.GGMLQuantizationType.BF16,
         "q8_0": gguf.GGMLQuantizationType.Q8_0}


def to_pairs(rows, heads):
    """Rows of each head from two halves to neighbours, as llama.cpp's own converter does it."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def expected_tensors(weights, c, pairs):
    d, kv = c["n_embd"], c["n_embd"] // c["n_head"] * c["n_kv_head"]
    turn = to_pairs if pairs else (lambda rows, heads: rows)
    out = {"token_embd.weight": weights["token_embedding.weight"], "output_norm.weight": weights["ln_f.weight"]}
    if not c["tie_embeddings"]:
        out["output.weight"] = weights["lm_head.weight"]
    for i in range(c["n_layer"]):
        b, t = f"blocks.{i}.", f"blk.{i}."
        qkv, fc = weights[b + "attn.qkv.weight"], weights[b + "mlp.fc.weight"]
        out |= {t + "attn_norm.weight": weights[b + "ln_1.weight"], t + "attn_q.weight": turn(qkv[:d], c["n_head"]),
                t + "attn_k.weight": turn(qkv[d:d + kv], c["n_kv_head"]), t + "attn_v.weight": qkv[d + kv:],
                t + "attn_output.weight": weights[b + "attn.proj.weight"], t + "ffn_gate.weight": fc[:len(fc) // 2],
                t + "ffn_up.weight": fc[len(fc) // 2:], t + "ffn_down.weight": weights[b + "mlp.proj.weight"]}
        if not c["parallel_residual"]:
            out[t + "ffn_norm.weight"] = weights[b + "ln_2.weight"]
        if c["qk_norm"]:
            out |= {t + "attn_q_norm.weight": weights[b + "attn.q_norm.weight"], t + "attn_k_norm.weight": weights[b + "attn.k_norm.weight"]}
    return out


def check_file(path, dtype, weights, config):
    reader = gguf.GGUFReader(path)
    arch = reader.fields["general.architecture"].contents()
    wanted = expected_tensors(weights, config, arch in ("llama", "cohere2moe"))
    assert sorted(t.name for t in reader.tensors) == sorted(wanted)
    for tensor in reader.tensors:
        values = wanted[tensor.name]
        kind = TYPES["f32"] if values.ndim == 1 else TYPES[dtype]
        assert tensor.tensor_type == kind and list(tensor.shape) == list(values.shape)[::-1], tensor.name
        assert numpy.array_equal(numpy.asarray(tensor.data), gguf.quants.quantize(numpy.ascontiguousarray(values), kind)), tensor.name
    assert reader.fields[f"{arch}.rope.freq_base"].contents() == config["rope_base"]
    assert reader.fields[f"{arch}.attention.head_count_kv"].contents() == config["n_kv_head"]
    return arch


def check_llama(path, place, work, text):
    import llama_cpp

    expected = json.loads((place / "expected.json").read_text())
    tensors = load_file(place / "expected.safetensors")
    model = llama_cpp.Llama(str(path), n_ctx=128, logits_all=True, verbose=False, n_threads=2, type_k=0, type_v=0)
    worst = 0.0
    for i, reply in enumerate(expected["generated"]):
        ids, ours = tensors[f"ids.{i}"], tensors[f"logits.{i}"]
        model.reset()
        model.eval(ids.tolist())
        theirs = numpy.array(model.scores[:len(ids)])
        worst = max(worst, float(numpy.abs(theirs - ours).max() / max(1.0, numpy.abs(ours).max())))
        made, at = [], len(ids)
        while len(made) < expected["new_tokens"]:
            token = int(numpy.argmax(model.scores[at - 1]))
            if token < 8:
                break
            made.append(token)
            model.eval([token])
            at += 1
        assert made == reply, f"greedy reply {i} differs: {made} {reply}"
    equal = 0
    for file in sorted(text.glob("*.txt")):
        ours = [int(n) for n in (work / (file.name + ".ids")).read_text().split()]
        theirs = model.tokenize(file.read_bytes(), add_bos=False, special=False)
        assert theirs == ours, f"{file.name}: token ids differ"
        equal += len(ours)
    model.close()
    return worst, equal


def main(program, work, text):
    try:
        import llama_cpp
        print("llama-cpp-python", llama_cpp.__version__)
    except ImportError:
        print("llama_cpp is not installed: files are only read with the gguf package")
        llama_cpp = None
    tokenizer, checked, refused = work / "tokenizer.json", 0, 0
    for name, shape in export_check.forms():
        checkpoint = work / name / "checkpoint"
        weights = load_file(checkpoint / "model.safetensors")
        config = json.loads((checkpoint / "config.json").read_text())
        for dtype in TYPES:
            path = work / name / f"{dtype}.gguf"
            path.unlink(missing_ok=True)
            run = subprocess.run([program, "export", "gguf", "--checkpoint", checkpoint, "--tokenizer", tokenizer, "--out", path, "--dtype", dtype],
                                 capture_output=True, text=True)
            if name.startswith("plain") or name.startswith("parallel-qk"):
                assert run.returncode == 4 and "h100-100m-stock" in run.stderr and not path.exists(), (name, run.stderr)
                refused += 1
                continue
            assert run.returncode == 0, run.stderr
            arch = check_file(path, dtype, weights, config)
            line = [name, dtype, arch, "tensors equal"]
            if llama_cpp and dtype == "f32":
                worst, equal = check_llama(path, work / name / "float32.expected", work, text)
                line += [f"logits within {worst:.1e}, replies equal, {equal} token ids equal"]
            print(*line, flush=True)
            checked += 1
    print(f"gguf {gguf.__version__ if hasattr(gguf, '__version__') else ''}: {checked} files equal, {refused} refused as they must be")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
