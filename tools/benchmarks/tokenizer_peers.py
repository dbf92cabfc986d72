#!/usr/bin/env python3
"""tiktoken and Hugging Face `tokenizers` beside picochat, for docs/benchmarks.md. One thread each (training: all cores).

    pip install tokenizers==0.23.3 tiktoken==0.14.0
    python3 tools/benchmarks/tokenizer_peers.py commands --program P --tokenizer tokenizer.json docs.jsonl   # whole commands
    python3 tools/benchmarks/tokenizer_peers.py process --bench B --tokenizer tokenizer.json docs.jsonl      # in process
    python3 tools/benchmarks/tokenizer_peers.py train --program P --tokenizer out.json --vocab 32768 docs.jsonl

`commands` times whole commands from start to end: read the documents, encode them, write <bos> ids <eos> of each as
uint16. The files must be equal byte for byte before a time is printed. `process` times encoding alone, texts in
memory; ids are compared first. `train` times both trainers on the same documents and compares their merges. --megabytes
takes so much of the file's beginning; --rounds repeats, one engine after the other.
"""
import argparse
import array
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("RAYON_NUM_THREADS", "1")  # before tokenizers is imported
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")

SPECIAL, BOS, EOS = 8, 1, 2


def byte_alphabet():
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {chr(b): b for b in own}
    table.update({chr(0x100 + i): b for i, b in enumerate(b for b in range(256) if b not in own)})
    return table


def read_texts(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def pattern_of(model):
    return model["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]


def tiktoken_encoder(path):
    import tiktoken
    with open(path, encoding="utf-8") as file:
        model = json.load(file)
    alphabet = byte_alphabet()
    ranks = {bytes(alphabet[c] for c in token): id - SPECIAL for token, id in model["model"]["vocab"].items() if id >= SPECIAL}
    encoding = tiktoken.Encoding("ours", pat_str=pattern_of(model), mergeable_ranks=ranks, special_tokens={})
    return lambda texts: [encoding.encode_ordinary(text) for text in texts]


def tokenizers_encoder(path):
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(path)
    tokenizer.encode_special_tokens = True
    return lambda texts: [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]


PEERS = {"tiktoken": (tiktoken_encoder, SPECIAL), "tokenizers": (tokenizers_encoder, 0)}


def peer_command(name, tokenizer, documents, out):
    """What a user of the peer would write: the whole command that `commands` times."""
    make, shift = PEERS[name]
    encode = make(tokenizer)
    with open(documents, encoding="utf-8") as lines, open(out, "wb") as file:
        while True:
            texts = [json.loads(line)["text"] for _, line in zip(range(1000), lines)]
            if not texts:
                break
            for ids in encode(texts):
                array.array("H", [BOS, *(id + shift for id in ids), EOS]).tofile(file)


def take(path, megabytes):
    """The first so many megabytes of documents, as a file of their own."""
    part = tempfile.NamedTemporaryFile("wb", suffix=".jsonl", delete=False)
    size = documents = 0
    with open(path, "rb") as lines:
        for line in lines:
            if megabytes and size >= megabytes * 1e6:
                break
            part.write(line)
            size, documents = size + len(json.loads(line)["text"].encode()), documents + 1
    part.close()
    print(f"{documents} documents, {size} bytes", flush=True)
    return part.name, size


# Times are pairs: by the clock, and of the processor. On a machine that others use too only the latter says
# what a program costs.
def timed(command):
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def medians(times):
    return [statistics.median(values) for values in zip(*times)]


def show(name, size, times):
    for kind, values in zip(("clock", "processor"), zip(*times)):
        rates = ", ".join(f"{size / 1e6 / s:.1f}" for s in values)
        print(f"{name:12} {kind:10} {rates} MB/s; median {size / 1e6 / statistics.median(values):.1f} MB/s, {statistics.median(values):.2f} s", flush=True)


def compare(times, size):
    for name, pairs in times.items():
        show(name, size, pairs)
    for name, pairs in times.items():
        if name != "picochat":
            clock, processor = (b / a for a, b in zip(medians(times["picochat"]), medians(pairs)))
            print(f"picochat is {clock:.1f}x as fast as {name} by the clock, {processor:.1f}x in processor time")


def commands(arguments):
    documents, size = take(arguments.input, arguments.megabytes)
    folder = tempfile.mkdtemp()
    runs = {"picochat": [arguments.program, "tok", "encode", "--tokenizer", arguments.tokenizer, "--input", documents, "--threads", "1", "--out", f"{folder}/picochat"]}
    for name in arguments.peers:
        runs[name] = [sys.executable, __file__, "peer", name, arguments.tokenizer, documents, f"{folder}/{name}"]
    times = {name: [] for name in runs}
    for _ in range(arguments.rounds):
        for name, command in runs.items():
            times[name].append(timed(command))
    mine = open(f"{folder}/picochat", "rb").read()
    for name in arguments.peers:
        equal = open(f"{folder}/{name}", "rb").read() == mine
        print(f"output equal to {name}'s: {equal} ({len(mine) // 2} ids)")
        if not equal:
            sys.exit(1)
    compare(times, size)


def in_process(arguments):
    import struct
    documents, size = take(arguments.input, arguments.megabytes)
    texts = read_texts(documents)
    raw = subprocess.run([arguments.bench, "ids", arguments.tokenizer, documents], capture_output=True, check=True).stdout
    mine, at = [], 0
    while at < len(raw):
        (count,) = struct.unpack_from("<I", raw, at)
        mine.append(list(struct.unpack_from(f"<{count}I", raw, at + 4)))
        at += 4 + 4 * count
    encoders = {name: PEERS[name][0](arguments.tokenizer) for name in arguments.peers}
    times = {name: [] for name in ["picochat", *arguments.peers]}
    for round in range(arguments.rounds):
        lines = subprocess.run([arguments.bench, "encode", arguments.tokenizer, documents], capture_output=True, check=True, text=True).stdout.splitlines()
        numbers = [line.split(")")[-1].split() for line in lines if line.startswith("encoding")]
        times["picochat"].append((statistics.median(float(n[0]) for n in numbers), statistics.median(float(n[5]) for n in numbers)))
        for name, encode in encoders.items():
            began, processor = time.perf_counter(), time.process_time()
            ids = encode(texts)
            times[name].append((time.perf_counter() - began, time.process_time() - processor))
            if round == 0:
                shift = PEERS[name][1]
                equal = all([id - shift for id in a] == b for a, b in zip(mine, ids)) and len(mine) == len(ids)
                print(f"ids equal to {name}'s: {equal}", flush=True)
                if not equal:
                    sys.exit(1)
    compare(times, size)


def train(arguments):
    from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, trainers
    documents, size = take(arguments.input, arguments.megabytes)
    seconds = []
    for _ in range(arguments.rounds):
        command = [arguments.program, "tok", "train", "--input", documents, "--out", arguments.tokenizer, "--vocab-size", str(arguments.vocab)]
        seconds.append(timed(["/usr/bin/time", "-f", "%M", "-o", arguments.tokenizer + ".memory", *command]))
        print(f"our peak memory: {int(open(arguments.tokenizer + '.memory').read()) / 1024:.0f} MiB", flush=True)
    if not arguments.peers:
        return show("picochat", size, seconds)
    with open(arguments.tokenizer, encoding="utf-8") as file:
        ours = json.load(file)
    texts = read_texts(documents)
    theirs = Tokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern_of(ours)), behavior="isolated"),
                                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    trainer = trainers.BpeTrainer(vocab_size=arguments.vocab, min_frequency=1, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  special_tokens=[AddedToken(t["content"], normalized=False, special=True) for t in ours["added_tokens"]])
    began, processor = time.perf_counter(), time.process_time()
    theirs.train_from_iterator(texts, trainer)
    compare({"picochat": seconds, "tokenizers": [(time.perf_counter() - began, time.process_time() - processor)]}, size)
    print("(picochat: the whole command; tokenizers: training alone, its texts in memory)")
    mine, their = ours["model"]["merges"], json.loads(theirs.to_str())["model"]["merges"]
    at = next((i for i, (a, b) in enumerate(zip(mine, their)) if a != b), min(len(mine), len(their)))
    print(f"merges: {len(mine)} and {len(their)}, " + ("all equal" if mine == their else f"the first difference is at rank {at}"))


def main():
    if sys.argv[1:2] == ["peer"]:
        return peer_command(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["commands", "process", "train"])
    parser.add_argument("--program", help="picochat")
    parser.add_argument("--bench", help="tokenizer_bench")
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--vocab", type=int, default=32768)
    parser.add_argument("--megabytes", type=float, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", nargs="*", default=["tiktoken", "tokenizers"], choices=["tiktoken", "tokenizers"])
    parser.add_argument("input")
    arguments = parser.parse_args()
    {"commands": commands, "process": in_process, "train": train}[arguments.mode](arguments)


main()
