// One pass of a corpus on all cores. One thread reads and cuts the documents into blocks; workers search blocks;
// results are handed over in the corpus's order, whatever the number of threads. Memory is bounded by a few
// blocks for each worker and by the longest document.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "picochat/honesty/honesty.hpp"

namespace picochat::honesty {

// A document, or a part of a long one, to be searched in [begin, end) of its text.
struct Piece {
  std::string_view text, id, file;
  size_t begin = 0, end = 0;
  bool last = true;  // the document's last piece
};

struct PassLimits {
  size_t block_bytes = 512 << 10;
  size_t piece_bytes = 1 << 20;  // longer documents are searched in parts ...
  size_t overlap = 64 << 10;     // ... that overlap: at least twice the longest phrase
};

struct PassTally {
  int64_t documents = 0, bytes = 0;
};

// The part that does not depend on what is searched for: blocks of pieces, worked on out of order and
// delivered in order.
class OrderedPass {
 public:
  struct Block {
    std::vector<Piece> pieces;
    std::shared_ptr<const std::string> own;  // texts and names that the pieces point into
  };
  // threads: 0 for all cores.
  OrderedPass(const CorpusStream& stream, const PassLimits& limits, int threads);
  size_t workers() const { return workers_; }
  // make() gives a result slot; work and deliver get it back as void*.
  PassTally run(const std::function<std::shared_ptr<void>()>& make, const std::function<void(Block&, void*, size_t)>& work,
                const std::function<void(Block&, void*)>& deliver);

 private:
  const CorpusStream& stream_;
  PassLimits limits_;
  size_t workers_;
};

// search(piece, worker) on any thread, with worker < workers(); deliver(piece, what search returned) in order and
// never at the same time as itself. What they throw, and what the stream throws, ends the pass and is thrown here.
template <typename Found>
PassTally pass_over(OrderedPass& pass, const std::function<Found(const Piece&, size_t)>& search,
                    const std::function<void(const Piece&, Found&&)>& deliver) {
  using All = std::vector<Found>;
  return pass.run(
           [] { return std::make_shared<All>(); },
           [&](OrderedPass::Block& block, void* slot, size_t worker) {
             for (const Piece& piece : block.pieces) static_cast<All*>(slot)->push_back(search(piece, worker));
           },
           [&](OrderedPass::Block& block, void* slot) {
             All& found = *static_cast<All*>(slot);
             for (size_t i = 0; i < found.size(); ++i) deliver(block.pieces[i], std::move(found[i]));
           });
}

}  // namespace picochat::honesty
