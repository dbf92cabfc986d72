#!/usr/bin/env python3
"""Peers of `picochat data hf-import`: Parquet shards to document shards, corpus text and digests.

    import_peers.py datasets SOURCE OUT   the usual streaming loop over the `datasets` package
    import_peers.py pyarrow SOURCE OUT    a tuned script: pyarrow, orjson, --processes 2

Both keep texts of at least --min-chars characters after strip(), in shards of 1,000 rows {"id","text"}, with
the SHA-256 of each shard, and write corpus.txt. With one process the bytes equal those of picochat; with
more, each process has shards of its own, which spares it the work of putting rows in order.
"""
import argparse
import glob
import hashlib
import json
import multiprocessing
import os
import time


class Shards:
    def __init__(self, out, prefix, shard_rows):
        self.folder = os.path.join(out, "documents")
        os.makedirs(self.folder, exist_ok=True)
        self.prefix, self.shard_rows = prefix, shard_rows
        self.corpus = open(os.path.join(out, f"corpus{prefix}.txt"), "wb", buffering=1 << 20)
        self.lines, self.number, self.written, self.digests = [], 0, 0, []

    def add(self, line, text):
        if self.written:
            self.corpus.write(b"\n\n")
        self.corpus.write(text)
        self.written += 1
        self.lines.append(line)
        if len(self.lines) == self.shard_rows:
            self.flush()

    def flush(self):
        if not self.lines:
            return
        data = b"".join(self.lines)
        self.digests.append(hashlib.sha256(data).hexdigest())
        with open(os.path.join(self.folder, f"shard{self.prefix}-{self.number:06d}.jsonl"), "wb") as file:
            file.write(data)
        self.lines, self.number = [], self.number + 1

    def close(self):
        self.flush()
        if self.written:
            self.corpus.write(b"\n")
        self.corpus.close()


def pyarrow_files(job):
    import orjson
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    files, out, prefix, min_chars, shard_rows = job
    shards, seen, skipped = Shards(out, prefix, shard_rows), 0, 0
    for path in files:
        name = os.path.basename(path)
        reader = pq.ParquetFile(path)
        row = 0
        for group in range(reader.num_row_groups):
            column = reader.read_row_group(group, columns=["text"], use_threads=False).column(0)
            for text in column.to_pylist():
                text = text.strip() if text is not None else ""
                if len(text) >= min_chars:
                    shards.add(orjson.dumps({"id": f"{name}:{row}", "text": text}) + b"\n", text.encode())
                else:
                    skipped += 1
                row += 1
        seen += row
    shards.close()
    return seen, shards.written, skipped, shards.digests


def run_pyarrow(arguments, files):
    count = min(arguments.processes, len(files))
    jobs = [(files[i::count], arguments.out, f"-{i}" if count > 1 else "", arguments.min_chars, arguments.shard_rows) for i in range(count)]
    if count == 1:
        return [pyarrow_files(jobs[0])]
    with multiprocessing.Pool(count) as pool:
        return pool.map(pyarrow_files, jobs)


def run_datasets(arguments, files):
    import datasets
    stream = datasets.load_dataset("parquet", data_files=files, split="train", streaming=True)
    shards, seen, skipped = Shards(arguments.out, "", arguments.shard_rows), 0, 0
    for record in stream:
        if arguments.max_rows and seen == arguments.max_rows:
            break
        text = (record["text"] or "").strip()
        if len(text) >= arguments.min_chars:
            shards.add((json.dumps({"id": f"row:{seen}", "text": text}, ensure_ascii=False) + "\n").encode(), text.encode())
        else:
            skipped += 1
        seen += 1
    shards.close()
    return [(seen, shards.written, skipped, shards.digests)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=["datasets", "pyarrow"])
    parser.add_argument("source")
    parser.add_argument("out")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--min-chars", type=int, default=200)
    parser.add_argument("--shard-rows", type=int, default=1000)
    parser.add_argument("--max-rows", type=int, default=0, help="of the datasets loop, which is slow")
    arguments = parser.parse_args()
    os.makedirs(arguments.out, exist_ok=True)
    files = sorted(glob.glob(os.path.join(arguments.source, "*.parquet")))
    started = time.perf_counter()
    parts = (run_pyarrow if arguments.peer == "pyarrow" else run_datasets)(arguments, files)
    seconds = time.perf_counter() - started
    seen = sum(part[0] for part in parts)
    print(json.dumps({"peer": arguments.peer, "rows_seen": seen, "rows_written": sum(part[1] for part in parts), "rows_skipped": sum(part[2] for part in parts),
                      "shards": sum(len(part[3]) for part in parts), "seconds": round(seconds, 3), "rows_per_second": round(seen / seconds),
                      "documents_digest": hashlib.sha256("".join(digest + "\n" for part in parts for digest in part[3]).encode()).hexdigest()}))


if __name__ == "__main__":
    main()
