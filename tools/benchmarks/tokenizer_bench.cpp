// Times the tokenizer and writes its ids for comparison with others (tools/oracle/tokenizer_check.py).
//
//   tokenizer_bench train TOKENIZER.json VOCAB INPUT... [--threads N] [--type T]   train and save
//   tokenizer_bench encode TOKENIZER.json INPUT... [--threads N]       best of three, and a round trip
//   tokenizer_bench ids TOKENIZER.json INPUT... > ids.bin              ids of each document
//
// An INPUT whose name ends in .jsonl holds one document a line, in "text"; any other file is one
// document. ids.bin holds, for each document, its number of ids and then the ids, all uint32.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "picochat/base/clock.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/jsonl.hpp"
#include "picochat/base/text.hpp"
#include "picochat/tokenizer/train.hpp"

namespace {

using namespace picochat;
using tokenizer::TokenId;

std::vector<std::string> read_documents(const std::vector<std::string>& inputs) {
  std::vector<std::string> documents;
  for (const auto& input : inputs) {
    if (input.ends_with(".jsonl")) {
      base::read_jsonl(input, [&](const base::Json& row, int64_t) {
        documents.push_back(row.at("text").get<std::string>());
        return true;
      });
    } else {
      documents.push_back(base::read_file(input));
    }
  }
  return documents;
}

uint64_t bytes_of(const std::vector<std::string>& documents) {
  uint64_t bytes = 0;
  for (const auto& text : documents) bytes += text.size();
  return bytes;
}

// Wall time, and processor time of all threads: on a shared machine only the latter says what the
// program itself costs.
struct Clock {
  double wall = base::monotonic_seconds();
  std::clock_t processor = std::clock();
};

void report(const char* what, uint64_t bytes, const Clock& start) {
  const double seconds = base::monotonic_seconds() - start.wall, megabytes = static_cast<double>(bytes) / 1e6;
  const double processor = static_cast<double>(std::clock() - start.processor) / CLOCKS_PER_SEC;
  std::printf("%-28s %8.3f s  %7.1f MB/s   processor %8.3f s  %7.1f MB/s\n", what, seconds, megabytes / seconds, processor, megabytes / processor);
}

int train(const std::string& path, tokenizer::TrainOptions options, const std::vector<std::string>& documents) {
  size_t next = 0;
  auto stream = [&](std::string& text) {
    if (next == documents.size()) return false;
    text = documents[next++];
    return true;
  };
  tokenizer::TrainStatistics statistics;
  Clock start;
  auto trained = tokenizer::train_tokenizer(options, stream, &statistics);
  std::printf("%llu documents, %llu pieces, %llu distinct, %lld merges\n", static_cast<unsigned long long>(statistics.documents),
              static_cast<unsigned long long>(statistics.pieces), static_cast<unsigned long long>(statistics.distinct_pieces),
              static_cast<long long>(statistics.merges));
  std::printf("counting %.3f s, merging %.3f s\n", statistics.count_seconds, statistics.merge_seconds);
  report("training", statistics.bytes, start);
  base::write_file(base::real_file_system(), path, trained->to_json());
  return 0;
}

// One thread encodes into a buffer that it reuses, as the shard writer does; more threads fill a list
// for each document.
int encode(const tokenizer::Tokenizer& tokenizer, const std::vector<std::string>& documents, int threads) {
  const uint64_t bytes = bytes_of(documents);
  std::vector<std::vector<TokenId>> lists;
  std::vector<TokenId> ids;
  uint64_t tokens = 0, different = 0;
  for (int round = 0; round < 3; ++round) {
    Clock start;
    tokens = 0;
    if (threads == 1) {
      for (const auto& text : documents) {
        ids.clear();
        tokenizer.encode(text, ids);
        tokens += ids.size();
      }
    } else {
      tokenizer::encode_documents(tokenizer, documents, lists, threads);
      for (const auto& list : lists) tokens += list.size();
    }
    report(base::cat("encoding, ", threads, " thread(s)").c_str(), bytes, start);
  }
  for (const auto& text : documents) different += tokenizer.decode(tokenizer.encode(text)) != text;
  std::printf("%llu tokens, %.3f bytes a token; %llu documents do not decode to their bytes\n", static_cast<unsigned long long>(tokens),
              static_cast<double>(bytes) / static_cast<double>(std::max<uint64_t>(1, tokens)), static_cast<unsigned long long>(different));
  return different != 0;
}

int write_ids(const tokenizer::Tokenizer& tokenizer, const std::vector<std::string>& documents) {
  for (const auto& text : documents) {
    std::vector<TokenId> ids = tokenizer.encode(text);
    uint32_t count = static_cast<uint32_t>(ids.size());
    std::fwrite(&count, sizeof count, 1, stdout);
    std::fwrite(ids.data(), sizeof(TokenId), ids.size(), stdout);
  }
  return 0;
}

int run(std::vector<std::string> arguments) {
  int threads = 0;
  tokenizer::TrainOptions options;
  auto take = [&](const char* flag, auto use) {
    auto at = std::find(arguments.begin(), arguments.end(), flag);
    if (at == arguments.end() || at + 1 == arguments.end()) return;
    use(*(at + 1));
    arguments.erase(at, at + 2);
  };
  take("--threads", [&](const std::string& value) { threads = std::atoi(value.c_str()); });
  take("--type", [&](const std::string& value) { options.type = value; });
  take("--pretokenizer", [&](const std::string& value) { options.pretokenizer = value; });
  const bool training = !arguments.empty() && arguments[0] == "train";
  const size_t inputs_at = training ? 3 : 2;
  if (arguments.size() <= inputs_at) {
    std::fprintf(stderr, "usage: tokenizer_bench train|encode|ids TOKENIZER.json [VOCAB] INPUT...\n");
    return 2;
  }
  std::vector<std::string> documents = read_documents({arguments.begin() + static_cast<ptrdiff_t>(inputs_at), arguments.end()});
  if (training) {
    options.vocab_size = std::atoll(arguments[2].c_str());
    options.threads = threads;
    return train(arguments[1], options, documents);
  }
  double start = base::monotonic_seconds();
  auto loaded = tokenizer::load_tokenizer(arguments[1]);
  if (arguments[0] == "ids") return write_ids(*loaded, documents);
  std::printf("loading takes %.3f s\n", base::monotonic_seconds() - start);
  return encode(*loaded, documents, threads > 0 ? threads : 1);
}

}  // namespace

int main(int count, char** values) {
  try {
    return run({values + 1, values + count});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
