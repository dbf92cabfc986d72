#include "picochat/corpus/hf_import.hpp"

namespace picochat::corpus {

const base::OptionTable<ImportOptions>& import_options() {
  static const base::OptionTable<ImportOptions> table = [] {
    using O = ImportOptions;
    base::OptionTable<O> t;
    t.add("dataset", &O::dataset, "data set on the hub (namespace/name), or a local folder or file").must().metavar = "NAME";
    t.add("config", &O::config, "configuration of the data set").metavar = "NAME";
    t.add("split", &O::split, "split").metavar = "NAME";
    t.add("text_column", &O::text_column, "column that holds the text; a dot reaches into structs").metavar = "NAME";
    t.add("out", &O::out, "corpus.txt to write: the documents, joined by a blank line").must().metavar = "FILE";
    t.add("report", &O::report, "report to write (default: hf_import_report.json beside --out); a .md stands beside it").metavar = "FILE";
    t.add("documents_dir", &O::documents_dir, "folder for the document shards (default: documents/ beside --out)").metavar = "DIR";
    t.add("document_shard_rows", &O::document_shard_rows, "documents in a shard").at_least(1).at_most(1000000);
    t.add("max_rows", &O::max_rows, "rows to look at; a rerun with more adds to the import").at_least(1);
    t.add("min_chars", &O::min_chars, "shortest text to accept, white space at its ends not counted").at_least(1);
    t.add("streaming", &O::streaming, "fetch only what is needed; --no-streaming fetches whole files first, into the cache of the hub");
    t.add("pack_out", &O::pack_out, "also start a dataset pack around the documents, in this folder").metavar = "DIR";
    t.add("pack_name", &O::pack_name, "name of the pack (default: the data set's)").metavar = "NAME";
    t.add("pack_description", &O::pack_description, "one line about the pack").metavar = "TEXT";
    t.add("pack_force", &O::pack_force, "overwrite the files of a pack that is there");

    const char* source = "Source";
    t.add("revision", &O::revision, "branch, tag or commit; the commit it names is what is read and recorded").in(source).metavar = "NAME";
    t.add("token_env", &O::token_env, "environment variable with the token (default: HF_TOKEN, HF_TOKEN_PATH, HF_HOME/token)").in(source).metavar = "NAME";
    t.add("data_files", &O::data_files, "files of the repository or folder, instead of what its card says; * stays inside a folder, ** crosses; repeatable").in(source).metavar = "PATTERN";
    t.add("endpoint", &O::endpoint, "address of the hub (default: HF_ENDPOINT)").in(source).metavar = "URL";
    t.add("jobs", &O::jobs, "files and row groups fetched and decoded at once (default: the cores; 8 or more for a hub)").in(source).at_least(1).at_most(256);

    const char* choice = "Which rows";
    t.add("offset", &O::offset, "rows to pass over first").in(choice).at_least(0);
    t.add("shuffle_seed", &O::shuffle_seed, "read files and row groups in a random order (rows of one row group stay together)").in(choice).at_least(0);
    t.add("max_accepted", &O::max_accepted, "stop after so many documents").in(choice).at_least(1);
    t.add("max_bytes", &O::max_bytes, "stop before the text exceeds so many bytes").in(choice).at_least(1);
    t.add("min_score", &O::min_score, "leave out documents of a lower quality score").in(choice).at_least(0).at_most(100);
    t.add("language_regex", &O::language_regex, "keep rows whose language matches (ECMAScript, anywhere in it: ^en)").in(choice).metavar = "REGEX";
    t.add("language_column", &O::language_column, "column that names the language (default: language, lang, metadata.language, ...)").in(choice).metavar = "NAME";
    t.add("dedup", &O::dedup, "leave out documents that came before").in(choice).choose({"none", "exact", "near"});

    t.add("resume", &O::resume, "go on with an interrupted import; --no-resume refuses when there is one (default: go on)").in("Going on");
    t.add("fresh", &O::fresh, "throw away what an earlier import left in these places, and start again").in("Going on");
    t.add("json", &O::json, "print the report as JSON");
    return t;
  }();
  return table;
}

}  // namespace picochat::corpus
