#!/usr/bin/env python3
"""Parquet shards to measure imports with: text files of this machine, cut into documents of about 4 kB, in
row groups of 1,000 rows, zstd, as hubs have them.

    tools/benchmarks/import_data.py OUT --megabytes 1000 --shards 4 --from /usr/share /usr/lib/python3
"""
import argparse
import os

import pyarrow as pa
import pyarrow.parquet as pq

SUFFIXES = (".txt", ".md", ".rst", ".py", ".html", ".xml", ".c", ".h", ".hpp", ".pyi", ".json")


def documents(folders, size):
    for folder in folders:
        for root, dirs, names in os.walk(folder):
            dirs.sort()
            for name in sorted(names):
                if not name.endswith(SUFFIXES):
                    continue
                try:
                    with open(os.path.join(root, name), encoding="utf-8") as file:
                        text = file.read(4 << 20)
                except (OSError, UnicodeDecodeError):
                    continue
                for start in range(0, len(text), size):
                    yield text[start:start + size]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--characters", type=int, default=4200)
    parser.add_argument("--from", dest="folders", nargs="+", required=True)
    arguments = parser.parse_args()
    os.makedirs(arguments.out, exist_ok=True)
    schema = pa.schema([("text", pa.string()), ("language", pa.string()), ("score", pa.int64())])
    wanted, shard, done, rows, batch = arguments.megabytes * 1_000_000, 0, 0, 0, []
    writer = None
    while done < wanted:
        before = done
        for text in documents(arguments.folders, arguments.characters):
            batch.append(text)
            done += len(text.encode())
            rows += 1
            if len(batch) == 1000 or done >= wanted:
                if writer is None:
                    name = f"train-{shard:05d}-of-{arguments.shards:05d}.parquet"
                    writer = pq.ParquetWriter(os.path.join(arguments.out, name), schema, compression="zstd")
                writer.write_table(pa.table({"text": batch, "language": ["en"] * len(batch), "score": list(range(len(batch)))}, schema), row_group_size=1000)
                batch = []
                if done >= wanted * (shard + 1) / arguments.shards:
                    writer.close()
                    writer, shard = None, shard + 1
            if done >= wanted:
                break
        if done == before:
            raise SystemExit("no text in these folders")
    if writer:
        writer.close()
    print(f"{rows} rows, {done} bytes of text in {arguments.out}")


main()
