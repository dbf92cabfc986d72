#!/usr/bin/env python3
"""Writes documents for timing `data preview` and `data dedup`: JSON Lines, made of sentences of real text.

    tools/benchmarks/preview_data.py --source ../shared/data/text --out FOLDER --gigabytes 4

Each document is 5 to 45 sentences drawn at random (seeded), so documents share sentences but are not near
duplicates. One document in fifty is a near copy, one in a hundred an exact copy of an earlier one.
"""
import argparse
import json
import pathlib
import random
import re


def sentences(folder):
    texts = [path.read_text(errors="replace") for path in sorted(folder.glob("*.txt"))]
    for path in sorted(folder.glob("*.parquet")):
        import pyarrow.parquet as pq
        texts += pq.read_table(path, columns=["text"])["text"].to_pylist()
    found = [s.strip() for text in texts for s in re.split(r"(?<=[.!?])\s+|\n+", text) if 30 <= len(s.strip()) <= 400]
    return [json.dumps(s, ensure_ascii=False)[1:-1] for s in dict.fromkeys(found)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--gigabytes", type=float, default=4)
    parser.add_argument("--file-megabytes", type=int, default=256)
    arguments = parser.parse_args()
    pool = sentences(arguments.source)
    rng = random.Random(7)
    arguments.out.mkdir(parents=True, exist_ok=True)
    total, number, file_number, earlier = int(arguments.gigabytes * 1e9), 0, 0, []
    while total > 0:
        size = 0
        with open(arguments.out / f"part-{file_number:05d}.jsonl", "w") as out:
            while size < min(arguments.file_megabytes * 1_000_000, total):
                chance = rng.random()
                if earlier and chance < 0.01:
                    body = rng.choice(earlier)
                elif earlier and chance < 0.03:
                    body = rng.choice(earlier) + " " + rng.choice(pool)
                else:
                    body = " ".join(rng.choices(pool, k=rng.randrange(5, 46)))
                    if number % 200 == 0:
                        earlier.append(body)
                row = f'{{"id":"doc-{number}","text":"{body}"}}\n'
                size += len(row.encode())
                out.write(row)
                number += 1
        total -= size
        file_number += 1
    print(f"{number} documents in {file_number} files")


if __name__ == "__main__":
    main()
