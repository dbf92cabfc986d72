#!/usr/bin/env python3
"""Writes seeds for the fuzz targets: OUT/<target>/<n>. A tokenizer and a run, where there are some, are cut to small ones.

seeds.py OUT [--tokenizer tokenizer.json]... [--run RUN_DIRECTORY]
"""
import argparse
import gzip
import hashlib
import io
import json
import pathlib
import struct
import tarfile

CONFIG = {"vocab_size": 272, "context_size": 8, "n_embd": 4, "n_head": 2, "n_kv_head": 1, "n_layer": 1, "norm_type": "rmsnorm",
          "position_encoding": "rope", "activation": "swiglu"}
EVIDENCE = ["summary.json", "gate/gate_evidence.json", "bundle_manifest.json", "gate/release_gate.json", "run.json", "SHA256SUMS"]


def text(value):
    return json.dumps(value).encode()


def safetensors(tensors, metadata=None):
    header, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name, (dtype, shape, body) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(body)]}
        data += body
    head = text(header)
    return struct.pack("<Q", len(head)) + head + data


def joined(*parts):
    return b"\n%%\n".join(parts)


def tokenizer(merges):
    """The bytes in the byte-level alphabet, and tokens that merges make of them."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    special = ["<pad>", "<bos>", "<eos>", "<unk>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
    tokens = special + letters + [a + b for a, b in merges]
    return text({
        "version": "1.0", "normalizer": None, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        "added_tokens": [{"id": i, "content": name, "special": True} for i, name in enumerate(special)],
        "model": {"type": "BPE", "ignore_merges": False, "vocab": {token: i for i, token in enumerate(tokens)}, "merges": merges}})


def tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, body in files.items():
            entry = tarfile.TarInfo("run-1/" + name)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return out.getvalue()


def bundle(files):
    """Digests and manifest as a bundle has them."""
    files = dict(files)
    listed = [{"path": name, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()} for name, body in files.items()]
    files["bundle_manifest.json"] = text({"kind": "picochat-bundle", "format": 1, "included_files": listed, "required_artifacts": []})
    files["SHA256SUMS"] = b"".join(f"{hashlib.sha256(body).hexdigest()}  {name}\n".encode() for name, body in files.items())
    return files


def seeds(options):
    pack = {"name": "p", "description": "d", "corpus": {"recipe": "corpus_recipe.json"}, "chat": "chat.jsonl", "eval": "eval.jsonl"}
    source = {"path": "a/*.jsonl", "label": "web", "include": True, "exclude": ["**/.git/**"], "reason": "r", "weight": 0.5, "max_documents": 3,
              "max_bytes": 100, "text_column": "a.b", "license": "mit", "origin": "o", "revision": "1"}
    yield "pack", b"\0" + text(pack)
    yield "pack", b"\0" + text({"corpus": "texts", "chat_input": "c", "eval_input": "e"})
    yield "pack", b"\1" + text({"name": "r", "exclude": ["*.tmp"], "sources": ["texts", source]})

    yield "task_rows", b"\0" + text({"user": "2+2?", "assistant": "4", "category": "math", "group": "g", "answerable": True, "fit_must_include": ["4"]})
    yield "task_rows", b"\0" + text({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]})
    yield "task_rows", b"\1" + text({"user": "q", "must_include": ["a"], "must_include_any": [["b", "c"]], "must_not_include": ["d"], "min_words": 1,
                                     "max_chars": 9, "reference": "a", "entities": ["e"], "eval_split": "heldout", "eval_level": "smoke"})
    yield "task_rows", b"\1" + text({"user": "q", "choice_labels": ["A", "B"], "correct_choice": "B", "normalized_answers": ["1"], "answerable": False})
    for row in ({"id": "1", "question": {"stem": "s", "choices": [{"label": "A", "text": "x"}, {"label": "B", "text": "y"}]}, "answerKey": "A"},
                {"question": "q", "choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answerKey": "B"}, {"question": "q", "subject": "s", "choices": ["a", "b", "c", "d"], "answer": 0},
                {"ctx": "c", "endings": ["a", "b", "c", "d"], "label": "0"}, {"goal": "g", "sol1": "a", "sol2": "b", "label": 1}, {"passage": "p", "question": "q", "answer": True},
                {"sentence": "the _ is", "option1": "a", "option2": "b", "answer": "1"}):
        yield "benchmark", b"\0" + text(row)
        yield "benchmark", b"\1" + text([row, row])
    yield "benchmark", b"\2" + b"q,a,b,c,d,A\n\"x,\"\"y\",a,b,c,d,D\n"

    root = pathlib.Path(__file__).resolve().parents[2]
    for preset in sorted((root / "presets").glob("*.json"))[:6]:
        yield "preset", preset.read_bytes()
    yield "preset", text({"name": "mine", "label": "l", "description": "d", "values": {"n_layer": 2, "n_embd": 64, "base_lr": 1e-3, "gate_profile": "release"}})

    yield "tokenizer_file", tokenizer([])
    yield "tokenizer_file", tokenizer([["a", "b"], ["ab", "c"], ["\u0120", "t"]])
    for path in options.tokenizer:
        yield "tokenizer_file", pathlib.Path(path).read_bytes()

    weights = {"a": ("F32", [1, 2], bytes(8)), "b.c": ("BF16", [3], bytes(6)), "e": ("I64", [0, 2], b"")}
    yield "safetensors", safetensors(weights, {"format": "pt"})
    yield "safetensors", safetensors({"x": ("U8", [], b"1")})
    yield "artifact", text({"kind": "fuzz", "files": {"a.bin": {"bytes": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}}})

    info = {"format": 1, "vocab_size": 300, "token_bytes": 2, "tokenizer_sha256": "0", "num_tokens": 5, "num_documents": 2, "text_bytes": 3,
            "document_boundary_tokens": True, "shard_tokens": [3, 2]}
    yield "shards", joined(text(info), bytes(6), bytes(4), struct.pack("<4Q", 0, 3, 7, 8))
    yield "shards", joined(text(info | {"token_bytes": 4}), bytes(12), bytes(8), struct.pack("<4Q", 0, 3, 7, 8))

    state = safetensors({"first_moment": ("F32", [2], bytes(8))})
    shapes = {"tok_emb.weight": [272, 4], "blocks.0.norm1.weight": [4], "norm_f.weight": [4]}
    model = safetensors({name: ("F32", shape, bytes(4 * shape[0] * (shape[1] if len(shape) > 1 else 1))) for name, shape in shapes.items()})
    yield "checkpoint", joined(text(CONFIG), text({"step": 1}), text({"step": 1}), state, model)
    yield "checkpoint", joined(text(CONFIG | {"vocab_size": 1, "ffn_dim": 64, "qk_norm": True}), text({"step": 1}), text({}), state, safetensors(weights))

    head = b"Host: x\r\nContent-Type: application/json\r\n"
    body = text({"prompt": "a", "stop": ["x"], "max_tokens": 5, "temperature": 0.5, "stream": True, "n": 1})
    yield "http", b"GET /v1/models?a=b%20c&d HTTP/1.1\r\n" + head + b"\r\n"
    yield "http", b"POST /v1/completions HTTP/1.1\r\n" + head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    yield "http", b"POST / HTTP/1.1\r\n" + head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\nTrailer: 1\r\n\r\n"
    yield "http", b"GET / HTTP/1.0\r\n\r\nGET /2 HTTP/1.1\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"

    files = {"summary.json": text({"status": "approved", "artifacts": {"tokenizer": {"path": "tokenizer.json", "sha256": "0"}}}),
             "tokenizer.json": b"{}", "run.json": text({"options": {}}), "base/checkpoint/metadata.json": text({"tokenizer_sha256": "0", "step": 3})}
    if options.run:
        for name in EVIDENCE + ["preflight.json", "contamination.json"]:
            path = pathlib.Path(options.run) / name
            if path.exists():
                files[name] = path.read_bytes()
    whole = tar(bundle(files))
    yield "bundle", b"\1" + whole
    yield "bundle", b"\0" + gzip.compress(whole, mtime=0)
    yield "bundle", b"\1" + tar(bundle({"summary.json": text({})}))
    for i, name in enumerate(EVIDENCE):
        yield "evidence", bytes([i + 6 * ((i + 1) % 6)]) + joined(bundle(files).get(name, b"{}"), b"{}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--tokenizer", action="append", default=[])
    parser.add_argument("--run")
    options = parser.parse_args()
    counts = {}
    for target, body in seeds(options):
        folder = options.out / f"{target}_fuzz"
        folder.mkdir(parents=True, exist_ok=True)
        counts[target] = counts.get(target, 0) + 1
        (folder / f"seed-{counts[target]:02}").write_bytes(body)
    print(", ".join(f"{target} {count}" for target, count in sorted(counts.items())))


if __name__ == "__main__":
    main()
