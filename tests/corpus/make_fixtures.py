#!/usr/bin/env python3
"""Writes tests/corpus/fixtures/*.parquet. Run it with pyarrow when the fixtures are to change:

    tests/corpus/make_fixtures.py
"""
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

folder = pathlib.Path(__file__).parent / "fixtures"
folder.mkdir(exist_ok=True)


def write(name, table, **options):
    pq.write_table(table, folder / name, **{"compression": "zstd", **options})


texts = [f"Document {i}: " + "the quick brown fox jumps over the lazy dog. " * (i % 7) for i in range(60)]
texts[5] = None
write("flat.parquet", pa.table({
    "id": [f"doc-{i}" for i in range(60)],
    "text": texts,
    "score": [i / 8 for i in range(60)],
    "language": pa.array(["en" if i % 3 else "de" for i in range(60)]).dictionary_encode(),
}), row_group_size=25)
write("nested.parquet", pa.table({
    "id": pa.array(range(100, 108), pa.int64()),
    "row": [{"body": f"nested {i}", "meta": {"url": f"http://host/{i}", "n": i}} if i != 3 else None for i in range(8)],
    "turns": [[{"role": "user", "content": "hi"}, {"role": "assistant", "content": None}]] * 8,
}), compression="snappy")
write("dictionary.parquet", pa.table({"text": pa.array(["same"] * 5 + ["other"] * 4 + [None]).dictionary_encode()}), compression="gzip")
write("large_string.parquet", pa.table({"text": pa.array(["a", "b", None, ""], pa.large_string())}), data_page_version="2.0",
      use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY"})
write("string_view.parquet", pa.table({"text": pa.array(["short", "a text of more than twelve bytes"], pa.string_view())}))
write("brotli.parquet", pa.table({"text": ["brotli text"] * 3}), compression="brotli")
write("lz4.parquet", pa.table({"text": ["lz4 text"] * 3}), compression="lz4")
write("not_utf8.parquet", pa.table({"text": pa.array([b"caf\xe9", b"fine"], pa.binary())}))
write("no_text.parquet", pa.table({"blob_id": ["a"], "texts": [["x"]], "length_bytes": [3], "score": [0.5]}))
write("checked.parquet", pa.table({"text": ["a text with a checksum " * 20] * 8}), write_page_checksum=True, compression="none", use_dictionary=False)
