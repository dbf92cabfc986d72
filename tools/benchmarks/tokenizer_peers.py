#!/usr/bin/env python3
"""tiktoken and Hugging Face `tokenizers` on the text and vocabulary of tokenizer_bench, for docs/benchmarks.md.

    pip install tokenizers==0.23.3 tiktoken==0.14.0
    python3 tools/benchmarks/tokenizer_peers.py --bench build/bin/tokenizer_bench --tokenizer tokenizer.json docs.jsonl
                                                [--megabytes 20] [--train 32768]

Runs our program and both peers one after the other, three rounds, one thread each, on the first so many
megabytes; prints wall and processor time of each, and whether the ids are equal. With --train both trainers
learn a vocabulary of that size from the same documents, with all cores.
"""
import argparse
import json
import os
import struct
import subprocess
import tempfile
import time

os.environ["RAYON_NUM_THREADS"] = os.environ["TOKENIZERS_PARALLELISM"] = "1"  # before tokenizers is imported

SPECIAL = 8


def byte_alphabet():
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {chr(b): b for b in own}
    table.update({chr(0x100 + i): b for i, b in enumerate(b for b in range(256) if b not in own)})
    return table


def timed(name, size, work):
    wall, processor = time.perf_counter(), time.process_time()
    value = work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(f"{name:28} {wall:8.3f} s {size / 1e6 / wall:8.1f} MB/s   processor {processor:8.3f} s {size / 1e6 / processor:8.1f} MB/s", flush=True)
    return value


def our_ids(bench, tokenizer, path):
    raw = subprocess.run([bench, "ids", tokenizer, path], capture_output=True, check=True).stdout
    ids, at = [], 0
    while at < len(raw):
        (count,) = struct.unpack_from("<I", raw, at)
        ids.append(list(struct.unpack_from(f"<{count}I", raw, at + 4)))
        at += 4 + 4 * count
    return ids


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--megabytes", type=float, default=20)
    parser.add_argument("--train", type=int, metavar="VOCAB")
    parser.add_argument("--every", type=int, default=1, help="take every N-th document, to mix the kinds of text")
    parser.add_argument("input")
    arguments = parser.parse_args()
    if arguments.train:
        del os.environ["RAYON_NUM_THREADS"]
        os.environ["TOKENIZERS_PARALLELISM"] = "true"
    import tiktoken
    import tokenizers
    from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, trainers

    texts, size = [], 0
    with open(arguments.input, encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if number % arguments.every:
                continue
            texts.append(json.loads(line)["text"])
            size += len(texts[-1].encode())
            if size > arguments.megabytes * 1e6:
                break
    part = tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8")
    for text in texts:
        part.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    part.flush()
    with open(arguments.tokenizer, encoding="utf-8") as file:
        model = json.load(file)
    pattern = model["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    print(f"{len(texts)} documents, {size} bytes; tokenizers {tokenizers.__version__}, tiktoken {tiktoken.__version__}")

    if arguments.train:
        out = tempfile.NamedTemporaryFile(suffix=".json")
        print(subprocess.run([arguments.bench, "train", out.name, str(arguments.train), part.name], capture_output=True, check=True, text=True).stdout, end="")
        theirs = Tokenizer(models.BPE())
        theirs.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
                                                        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        special = [AddedToken(token["content"], normalized=False, special=True) for token in model["added_tokens"]]
        trainer = trainers.BpeTrainer(vocab_size=arguments.train, min_frequency=1, show_progress=False, special_tokens=special,
                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
        timed("tokenizers, training", size, lambda: theirs.train_from_iterator(texts, trainer))
        with open(out.name, encoding="utf-8") as file:
            equal = json.load(file)["model"]["merges"] == json.loads(theirs.to_str())["model"]["merges"]
        print("merges are " + ("equal" if equal else "NOT equal"))
        return

    alphabet = byte_alphabet()
    ranks = {bytes(alphabet[c] for c in token): id - SPECIAL for token, id in model["model"]["vocab"].items() if id >= SPECIAL}
    theirs = Tokenizer.from_file(arguments.tokenizer)
    theirs.encode_special_tokens = True
    other = tiktoken.Encoding("ours", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    mine = our_ids(arguments.bench, arguments.tokenizer, part.name)
    for _ in range(3):
        run = subprocess.run([arguments.bench, "encode", arguments.tokenizer, part.name], capture_output=True, check=True, text=True).stdout
        print(min((line for line in run.splitlines() if line.startswith("encoding")), key=lambda line: float(line.split("processor")[1].split()[0])))
        b = timed("tiktoken, 1 thread", size, lambda: [other.encode_ordinary(text) for text in texts])
        c = timed("tokenizers, 1 thread", size, lambda: [e.ids for e in theirs.encode_batch(texts, add_special_tokens=False)])
    print("ids equal tiktoken's:", all([i - SPECIAL for i in x] == y for x, y in zip(mine, b)), "  ids equal tokenizers':", mine == c)


main()
