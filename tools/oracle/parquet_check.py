#!/usr/bin/env python3
"""Compares the Parquet reader with pyarrow on files of every codec, encoding, page version and nesting
that hubs use. Files are written here, read by build/release/bin/dump_rows and by pyarrow, and compared
row by row.

    tools/oracle/parquet_check.py build/release/bin/dump_rows [--rows 3000]

Needs pyarrow. Exit code 1 and the first difference when something differs.
"""
import argparse
import itertools
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq

WORDS = ["alpha", "beta", "gamma", "naïve", "Ünïcödé", "日本語", "эхо", "🙂", "line\nbreak", "tab\t", '"quoted"', "\\", "\u2028", ""]


def text(random_, most=60):
    return " ".join(random_.choice(WORDS) for _ in range(random_.randrange(most)))


def maybe(random_, value, share=0.1):
    return None if random_.random() < share else value


def table(rows, seed, text_type):
    r = random.Random(seed)
    texts = [maybe(r, text(r)) for _ in range(rows)]
    repeated = [r.choice(["web", "books", "code"]) for _ in range(rows)]
    columns = {
        "id": pa.array([f"doc-{i}" for i in range(rows)]),
        "text": pa.array(texts).cast(text_type) if not pa.types.is_dictionary(text_type) else pa.array(texts).dictionary_encode(),
        "source": pa.array(repeated).dictionary_encode(),
        "score": pa.array([maybe(r, r.random()) for _ in range(rows)], pa.float64()),
        "half": pa.array([r.randrange(100) / 4 for _ in range(rows)], pa.float32()),
        "count": pa.array([maybe(r, r.randrange(-2**62, 2**62)) for _ in range(rows)], pa.int64()),
        "small": pa.array([r.randrange(256) for _ in range(rows)], pa.uint8()),
        "flag": pa.array([maybe(r, r.random() < 0.5) for _ in range(rows)]),
        "tags": pa.array([maybe(r, [maybe(r, text(r, 3)) for _ in range(r.randrange(4))]) for _ in range(rows)], pa.list_(pa.string())),
        "meta": pa.array([maybe(r, {"url": maybe(r, f"http://x/{i}"), "body": maybe(r, text(r, 20)),
                                    "inner": maybe(r, {"deep": maybe(r, text(r, 5)), "n": i})}) for i in range(rows)]),
        "turns": pa.array([[{"role": "user", "content": maybe(r, text(r, 8))} for _ in range(r.randrange(3))] for _ in range(rows)]),
        "grid": pa.array([[[r.randrange(9) for _ in range(r.randrange(3))] for _ in range(r.randrange(3))] for _ in range(rows)]),
        "pairs": pa.array([[("a", 1), ("b", None)] if i % 2 else None for i in range(rows)], pa.map_(pa.string(), pa.int32())),
    }
    return pa.table(columns)


def plain(value):
    """pyarrow's Python value as our JSON."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return {"key": plain(value[0]), "value": plain(value[1])}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def at(row, name):
    if name in row:
        return row[name]
    head, _, rest = name.partition(".")
    return None if row.get(head) is None else at(row[head], rest)


def compare(dump, path, text_column, extra):
    expected = pq.read_table(path).to_pylist()
    result = subprocess.run([dump, str(path), text_column, *extra], capture_output=True, text=True)
    if result.returncode != 0:
        return f"exit {result.returncode}: {result.stderr.strip()}"
    lines = [json.loads(line) for line in result.stdout.split("\n") if line]
    if len(lines) != len(expected):
        return f"{len(lines)} rows, pyarrow has {len(expected)}"
    for i, (ours, theirs) in enumerate(zip(lines, expected)):
        wanted = {"index": i, "id": theirs["id"], "text": at(theirs, text_column), "repaired": False,
                  "extra": [plain(at(theirs, name)) for name in extra]}
        if ours != wanted:
            return f"row {i}\n  ours    {ours}\n  pyarrow {wanted}"
    return None


def variants():
    for codec in ["none", "snappy", "gzip", "brotli", "lz4", "zstd"]:
        yield f"codec {codec}", pa.string(), {"compression": codec}
    for version, dictionary in itertools.product(["1.0", "2.0"], [True, False]):
        yield f"page {version}, dictionary {dictionary}", pa.string(), {"data_page_version": version, "use_dictionary": dictionary, "compression": "zstd"}
    for encoding in ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"]:
        for version in ["1.0", "2.0"]:
            yield f"text {encoding}, page {version}", pa.string(), {"use_dictionary": False, "data_page_version": version,
                                                                    "column_encoding": {"text": encoding, "id": encoding}}
    yield "numbers delta and split", pa.string(), {"use_dictionary": False, "column_encoding": {"count": "DELTA_BINARY_PACKED", "score": "BYTE_STREAM_SPLIT"}}
    yield "small pages", pa.string(), {"data_page_size": 500, "write_page_index": True, "compression": "zstd"}
    yield "tiny dictionary pages", pa.string(), {"dictionary_pagesize_limit": 600}
    yield "page checksums", pa.string(), {"write_page_checksum": True, "compression": "snappy"}
    yield "content-defined chunks", pa.string(), {"use_content_defined_chunking": True, "compression": "zstd"}
    yield "without arrow schema", pa.string(), {"store_schema": False, "compression": "snappy"}
    yield "format 1.0", pa.string(), {"version": "1.0"}
    yield "one row group", pa.string(), {"row_group_size": 10**9}
    yield "row groups of 7", pa.string(), {"row_group_size": 7}
    yield "large_string", pa.large_string(), {}
    yield "string_view", pa.string_view(), {}
    yield "dictionary text", pa.dictionary(pa.int32(), pa.string()), {"compression": "zstd"}
    yield "binary text", pa.binary(), {}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dump")
    parser.add_argument("--rows", type=int, default=3000)
    arguments = parser.parse_args()
    extra = ["source", "score", "half", "count", "small", "flag", "tags", "meta", "meta.url", "meta.inner.n", "turns", "grid", "pairs"]
    failures = checks = 0
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "rows.parquet"
        for seed, (name, text_type, options) in enumerate(variants()):
            options = {"row_group_size": 1000, **options}
            data = table(min(arguments.rows, 300) if options["row_group_size"] == 7 else arguments.rows, seed, text_type)
            pq.write_table(data, path, **options)
            for column in ["text", "meta.body", "meta.inner.deep"]:
                checks += 1
                if name == "binary text" and column == "text":
                    data = data.set_column(1, "text", data["text"].cast(pa.string()))  # compared as text below
                    problem = compare_binary(arguments.dump, path, data)
                else:
                    problem = compare(arguments.dump, path, column, extra)
                if problem:
                    failures += 1
                    print(f"DIFFERS {name}, {column}: {problem}")
            print(f"{name}: compared")
        for rows in [0, 1]:
            checks += 1
            pq.write_table(table(20, 1, pa.string()).slice(0, rows), path)
            problem = compare(arguments.dump, path, "text", extra)
            failures += problem is not None
            print(f"{rows} rows: {problem or 'same'}")
    print(f"{checks - failures} of {checks} comparisons are the same as pyarrow {pa.__version__}")
    sys.exit(1 if failures else 0)


def compare_binary(dump, path, data):
    result = subprocess.run([dump, str(path), "text"], capture_output=True, text=True)
    ours = [json.loads(line)["text"] for line in result.stdout.split("\n") if line]
    return None if ours == data["text"].to_pylist() else f"exit {result.returncode}, texts differ"


if __name__ == "__main__":
    main()
