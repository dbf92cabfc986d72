#!/usr/bin/env python3
"""Are exported models the same models in Hugging Face transformers?

    tools/oracle/export_check.py make  PICOCHAT TEXT WORK    # checkpoints of every form, exported, with what picochat computes
    tools/oracle/export_check.py check WORK TEXT             # loads them with transformers, offline, and compares

Both go on where they were stopped; `check` again after it is done prints the result again.

Forms: parallel and sequential residual, with and without QK norm, tied and untied head, 1, 3 and 4 query heads to a
key/value head, LayerNorm with learned positions; each in float32, bfloat16 and sharded float32. A check compares logits alone and in a padded
batch (1e-4 in float32), greedy replies alone and in a padded batch, token ids of every text in TEXT, rendered conversations, the number of
parameters, and that stock forms load without remote code. The form with its own modelling file also goes through eager attention, output of
hidden states, a training step with gradient checkpointing, and saving and loading again. Needs torch, transformers, safetensors, numpy, pyarrow.
"""
import hashlib
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAYERS, WIDTH, CONTEXT, VOCAB = 3, 96, 128, 1024
STORED = {"float32": ["--dtype", "float32"], "bfloat16": ["--dtype", "bfloat16"], "sharded": ["--max-shard-size", "200KB"]}


def forms():
    for residual in ("parallel", "sequential"):
        for qk in (True, False):
            for tied in (True, False):
                for heads, kv_heads in ((4, 4), (6, 2), (4, 1)):
                    name = f"{residual}-{'qk' if qk else 'noqk'}-{'tied' if tied else 'untied'}-gqa{heads // kv_heads}"
                    yield name, dict(parallel_residual=residual == "parallel", qk_norm=qk, tie_embeddings=tied, n_head=heads, n_kv_head=kv_heads)
    for activation in ("gelu", "relu2"):
        yield f"plain-{activation}", dict(parallel_residual=False, qk_norm=False, tie_embeddings=False, n_head=4, n_kv_head=4, norm_type="layernorm",
                                         position_encoding="learned", activation=activation, linear_bias=True, logit_softcap=8.0)


def full_config(shape, vocab):
    config = dict(vocab_size=vocab, context_size=CONTEXT, n_embd=WIDTH, n_layer=LAYERS, norm_type="rmsnorm", position_encoding="rope",
                  activation="swiglu", linear_bias=False, scaled_residual_init=False, dropout=0.0, logit_softcap=0.0, rope_base=20000.0,
                  norm_eps=1e-5, initializer_range=0.02)
    return config | shape


def random_weights(c, generator):
    """Names and shapes as docs/formats/checkpoint.md and model/parameters.hpp have them."""
    import numpy

    d, hd = c["n_embd"], c["n_embd"] // c["n_head"]
    kv = c["n_kv_head"] * hd
    gated = c["activation"] == "swiglu"
    ffn = max(1, round(8 * d / 3 / 64)) * 64 if gated else 4 * d
    weights = {}

    def matrix(name, rows, columns):
        weights[name + ".weight"] = (generator.standard_normal((rows, columns)) * 0.25).astype(numpy.float32)

    def vector(name, size, mean):
        weights[name] = (mean + 0.2 * generator.standard_normal(size)).astype(numpy.float32)

    def norm(name):
        vector(name + ".weight", d, 1)
        if c["norm_type"] == "layernorm":
            vector(name + ".bias", d, 0)

    def linear(name, rows, columns):
        matrix(name, rows, columns)
        if c["linear_bias"]:
            vector(name + ".bias", rows, 0)

    matrix("token_embedding", c["vocab_size"], d)
    if c["position_encoding"] == "learned":
        matrix("position_embedding", c["context_size"], d)
    for i in range(c["n_layer"]):
        b = f"blocks.{i}."
        norm(b + "ln_1")
        if not c["parallel_residual"]:
            norm(b + "ln_2")
        linear(b + "attn.qkv", d + 2 * kv, d)
        if c["qk_norm"]:
            vector(b + "attn.q_norm.weight", hd, 1)
            vector(b + "attn.k_norm.weight", hd, 1)
        linear(b + "attn.proj", d, d)
        linear(b + "mlp.fc", (2 if gated else 1) * ffn, d)
        linear(b + "mlp.proj", d, ffn)
    norm("ln_f")
    if not c["tie_embeddings"]:
        linear("lm_head", c["vocab_size"], d)
    return weights, ffn


def write_checkpoint(folder, shape, vocab, tokenizer_digest, seed):
    import numpy
    from safetensors.numpy import save_file

    folder.mkdir(parents=True)
    config = full_config(shape, vocab)
    weights, ffn = random_weights(config, numpy.random.default_rng(seed))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config | {"ffn_dim": ffn}))
    (folder / "metadata.json").write_text(json.dumps({"stage": "sft", "step": 1, "tokenizer_sha256": tokenizer_digest}))
    files = {p.name: {"bytes": p.stat().st_size, "sha256": hashlib.sha256(p.read_bytes()).hexdigest()} for p in sorted(folder.iterdir())}
    (folder / "manifest.json").write_text(json.dumps({"kind": "picochat-checkpoint", "files": files}))


def make(program, text, work):
    work.mkdir(parents=True, exist_ok=True)
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}  # the models are tiny
    tokenizer = work / "tokenizer.json"
    if not tokenizer.exists():
        subprocess.run([program, "tok", "train", "--input", sorted(text.glob("*.txt"))[0], "--out", tokenizer, "--vocab-size", str(VOCAB)],
                       check=True, capture_output=True)
    vocab = len(json.loads(tokenizer.read_text())["model"]["vocab"])
    digest = hashlib.sha256(tokenizer.read_bytes()).hexdigest()
    for path in sorted(text.glob("*.txt")):
        ids = subprocess.run([program, "tok", "encode", "--tokenizer", tokenizer, "--input", path], check=True, capture_output=True, text=True).stdout
        (work / (path.name + ".ids")).write_text(ids)
    for seed, (name, shape) in enumerate(forms()):
        checkpoint, done = work / name / "checkpoint", work / name / "done"
        if done.exists():
            continue
        shutil.rmtree(work / name, ignore_errors=True)
        write_checkpoint(checkpoint, shape, vocab, digest, seed)
        for form, flags in STORED.items():
            subprocess.run([program, "export", "hf", "--checkpoint", checkpoint, "--tokenizer", tokenizer, "--out-dir", work / name / form, "--license", "mit",
                            "--expected-out", work / name / f"{form}.expected", *flags], check=True, capture_output=True)
        done.write_text("")
        print("made", name, flush=True)


def verifier():
    spec = importlib.util.spec_from_file_location("verify_export", ROOT / "src/exporter/python/verify_export.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_texts(verify, work, text, folder):
    """Token ids of AutoTokenizer beside picochat's, on whole files and on rows of Parquet files through a decode round trip."""
    import pyarrow.parquet

    tokenizer = verify.AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
    encode = lambda s: tokenizer(s, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    total = 0
    for path in sorted(text.glob("*.txt")):
        ours = [int(n) for n in (work / (path.name + ".ids")).read_text().split()]
        theirs = encode(path.read_bytes().decode("utf-8"))
        assert ours == theirs, f"{path.name}: ids differ"
        total += len(ours)
    for path in sorted(text.glob("*.parquet")):
        for row in pyarrow.parquet.read_table(path).slice(0, 200).to_pylist():
            for value in row.values():
                if isinstance(value, str):
                    assert tokenizer.decode(encode(value), clean_up_tokenization_spaces=False) == value
    return total


def check_own_class(verify, folder, expected, tensors):
    """What only our modelling file must be tested for."""
    import tempfile

    torch = verify.torch
    load = lambda place, **more: verify.AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32, trust_remote_code=True, **more)
    ids = tensors["ids.0"].long()[None]
    eager = load(folder, attn_implementation="eager").eval()
    with torch.no_grad():
        out = eager(ids, output_hidden_states=True)
    assert verify.relative_difference(out.logits[0], tensors["logits.0"]) <= expected["tolerance"], "eager attention differs"
    assert len(out.hidden_states) == eager.config.num_hidden_layers + 1
    gradients = []
    for checkpointing in (False, True):
        model = load(folder).train()
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        loss = model(ids, labels=ids).loss
        loss.backward()
        gradients.append((loss.item(), {n: p.grad.clone() for n, p in model.named_parameters()}))
    assert gradients[0][0] == gradients[1][0]
    assert all(torch.equal(g, gradients[1][1][n]) for n, g in gradients[0][1].items()), "gradient checkpointing changes gradients"
    with tempfile.TemporaryDirectory() as place:
        eager.save_pretrained(place)
        with torch.no_grad():
            again = load(place).eval()(ids).logits
        assert verify.relative_difference(again[0], tensors["logits.0"]) <= expected["tolerance"], "saving and loading changes the model"


def check_one(verify, work, name, form):
    folder, place = work / name / form, work / name / f"{form}.expected"
    expected = json.loads((place / "expected.json").read_text())
    tensors = verify.load_file(place / "expected.safetensors")
    checks, report = {}, {"class": expected["class"]}
    if expected["class"] == "Cohere2MoeForCausalLM" and int(verify.transformers.__version__.split(".")[0]) < 5:
        return {"skipped": "needs transformers 5"} | report
    try:
        verify.check_model(str(folder), expected, tensors, checks, report)
        verify.check_tokenizer(str(folder), expected, checks, report)
        if expected["remote_code"] and form == "float32":
            check_own_class(verify, folder, expected, tensors)
            checks["own_class"] = True
    except Exception as error:  # a load that fails is a failed check
        checks["load"] = False
        report["error"] = repr(error)[:300]
    return report | {"failed": [c for c, passed in checks.items() if not passed]}


def check(work, text):
    verify = verifier()
    log = work / f"checked-{verify.transformers.__version__}.jsonl"
    done = {}
    for line in log.read_text().splitlines() if log.exists() else ():
        done |= {tuple(json.loads(line)["key"]): json.loads(line)["report"]}
    for key in [("texts", "")] + [(name, form) for name, _ in forms() for form in STORED]:
        if key in done:
            continue
        if key[0] == "texts":
            report = {"ids": check_texts(verify, work, text, work / next(forms())[0] / "float32")}
        else:
            report = check_one(verify, work, *key)
            print(*key, report["class"], report.get("logits_largest_difference"), report.get("padded_largest_difference"), report.get("skipped", ""),
                  f"FAILED {report['failed']} {report.get('error', '')}" if report.get("failed") else "", flush=True)
        done[key] = report
        with open(log, "a") as file:
            file.write(json.dumps({"key": key, "report": report}) + "\n")
    reports = [r for k, r in done.items() if k[0] != "texts" and "skipped" not in r]
    failed = [k for k, r in done.items() if r.get("failed")]
    print(f"transformers {verify.transformers.__version__}: {len(reports)} exports, {len(done) - 1 - len(reports)} skipped, {len(failed)} failed {failed or ''}; largest "
          f"logit difference {max(r.get('logits_largest_difference', 9) for r in reports):.1e} alone, "
          f"{max(r.get('padded_largest_difference', 9) for r in reports):.1e} padded; {done[('texts', '')]['ids']} token ids of TEXT equal")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) == 5 and sys.argv[1] == "make":
        make(sys.argv[2], pathlib.Path(sys.argv[3]), pathlib.Path(sys.argv[4]))
    elif len(sys.argv) == 4 and sys.argv[1] == "check":
        os.environ["HF_MODULES_CACHE"] = str(pathlib.Path(sys.argv[2]) / "modules")
        sys.exit(check(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])))
    else:
        sys.exit(__doc__)
