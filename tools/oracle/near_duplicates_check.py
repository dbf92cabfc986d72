#!/usr/bin/env python3
"""Plants near-duplicate pairs of known Jaccard index in a corpus, runs `picochat data dedup` on it, and
judges what was removed. The index is computed here, from the sets of 5-word sequences.

    tools/oracle/near_duplicates_check.py build/release/bin/picochat [--megabytes 200] [--pairs 4000] [--seed 1]

Background documents are made of words with a natural (Zipf-like) distribution; copies are edited by
replacing, dropping and inserting words, moving sentences and cutting the end. Prints recall for pairs of
index >= 0.85, the share of wrong removals (index <= 0.75), and MB/s. Exit code 1 below 0.95.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time


def shingles(words):
    if len(words) < 5:
        return {tuple(words)}
    return {tuple(words[i:i + 5]) for i in range(len(words) - 4)}


def jaccard(a, b):
    left, right = shingles(a), shingles(b)
    return len(left & right) / len(left | right)


def edit(rng, words, share):
    """About `share` of the words touched, in one of several ways."""
    words = list(words)
    touched = max(1, int(share * len(words)))
    way = rng.randrange(5)
    if way == 0:
        for _ in range(touched):
            words[rng.randrange(len(words))] = f"edit{rng.randrange(10**9)}"
    elif way == 1:
        for _ in range(touched):
            del words[rng.randrange(len(words))]
    elif way == 2:
        for _ in range(touched):
            words.insert(rng.randrange(len(words) + 1), f"more{rng.randrange(10**9)}")
    elif way == 3:
        cut = max(1, int(share * 4 * len(words)))
        words = words[cut:] if rng.random() < 0.5 else words[:-cut]
    else:  # a passage replaced
        length = max(1, int(share * 4 * len(words)))
        at = rng.randrange(len(words))
        words[at:at + length] = [f"new{rng.randrange(10**9)}" for _ in range(length)]
    return words


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("picochat")
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=pathlib.Path)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    vocabulary = ["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randrange(2, 11))) for _ in range(30000)]
    weights = [1 / (rank + 3) for rank in range(len(vocabulary))]
    cumulative, total = [], 0.0
    for weight in weights:
        total += weight
        cumulative.append(total)

    def document():
        return rng.choices(vocabulary, cum_weights=cumulative, k=rng.randrange(40, 900))

    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = pathlib.Path(name)
        rows, pairs, originals, written = 0, {}, [], 0
        with open(folder / "rows.jsonl", "w") as out:
            def write(words):
                nonlocal rows, written
                text = " ".join(word.capitalize() if rng.random() < 0.05 else word for word in words)
                out.write(json.dumps({"id": f"d{rows}", "text": text}) + "\n")
                rows += 1
                written += len(text)
                return f"d{rows - 1}"

            every = max(1, int(arguments.megabytes * 1e6 / 2900 / arguments.pairs))
            while written < arguments.megabytes * 1e6 or len(pairs) < arguments.pairs:
                words = document()
                original = write(words)
                if rows % every == 0 and len(pairs) < arguments.pairs:
                    originals.append((original, words))
                if originals and (len(originals) > 500 or rng.random() < 0.02):
                    original, words = originals.pop(rng.randrange(len(originals)))
                    copy = edit(rng, words, rng.uniform(0, 0.09))
                    truth = jaccard(words, copy)
                    if truth < 1:
                        pairs[write(copy)] = (original, truth)
        started = time.time()
        result = subprocess.run([arguments.picochat, "data", "dedup", "--input", str(folder / "rows.jsonl"), "--out", str(folder / "out"), "--json"],
                                capture_output=True, text=True)
        seconds = time.time() - started
        if result.returncode:
            print(result.stderr)
            sys.exit(1)
        removed = {row["id"]: row for row in map(json.loads, open(folder / "out" / "removed.jsonl")) if row["reason"] == "near_duplicate"}
        wanted = removed.keys() | {row["duplicate_of"] for row in removed.values()}
        texts = {row["id"]: row["text"] for row in map(json.loads, open(folder / "rows.jsonl")) if row["id"] in wanted}
    high = {copy for copy, (_, truth) in pairs.items() if truth >= 0.85}
    found = sum(copy in removed for copy in high)
    edge = {copy for copy in high if pairs[copy][1] < 0.88}
    truths = [jaccard(texts[copy].lower().split(), texts[row["duplicate_of"]].lower().split()) for copy, row in removed.items()]
    wrong = sum(truth <= 0.75 for truth in truths)
    low = sum(truth <= 0.75 for _, truth in pairs.values())
    recall, precision = found / len(high), 1 - wrong / len(removed)
    print(f"{rows} documents, {written / 1e6:.1f} MB of text, {len(pairs)} pairs planted: {len(high)} of index >= 0.85, {low} of <= 0.75")
    print(f"recall    {recall:.4f}  ({found} of {len(high)}; of those below 0.88: {sum(copy in removed for copy in edge)} of {len(edge)})")
    print(f"precision {precision:.4f}  ({wrong} of {len(removed)} removals have an index <= 0.75; lowest {min(truths):.3f})")
    print(f"speed     {written / 1e6 / seconds:.1f} MB/s over both passes, {seconds:.1f} s")
    sys.exit(0 if recall >= 0.95 and precision >= 0.95 else 1)


if __name__ == "__main__":
    main()
