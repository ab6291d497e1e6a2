// usage: tokenizer_bench MODEL.gguf [--peer LIBRARY.so] [--split] [--control] FILE...
// How fast text becomes tokens, and how fast and how equal another tokenizer is, in one process.
// The files are one text; --split tokenizes each file by itself and names those that differ.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include <dlfcn.h>

#include "inference/gguf.h"
#include "inference/tokenizer/tokenizer.h"
#include "inference/vocabulary_from_gguf.h"
#include "tests/bench/peer/peer_tokenizer.h"

namespace kinglet::inference {
namespace {

constexpr int kRounds = 5;

struct Options {
  std::string model;
  std::string peer;
  bool control = false;
  bool split = false;
  std::vector<std::string> files;
};

class Peer {
 public:
  Peer(const std::string& library, const std::string& model) {
    void* handle = ::dlopen(library.c_str(), RTLD_NOW);
    if (handle == nullptr) {
      std::fprintf(stderr, "tokenizer_bench: %s\n", ::dlerror());
      std::exit(1);
    }
    const auto open = reinterpret_cast<PeerOpen>(::dlsym(handle, "peer_open"));
    tokenize_ = reinterpret_cast<PeerTokenize>(::dlsym(handle, "peer_tokenize"));
    vocabulary_ = open == nullptr ? nullptr : open(model.c_str());
    if (vocabulary_ == nullptr || tokenize_ == nullptr) {
      std::fprintf(stderr, "tokenizer_bench: the peer does not read %s\n", model.c_str());
      std::exit(1);
    }
  }

  std::vector<TokenId> encode(const std::string& text, bool control) const {
    std::vector<TokenId> ids(text.size() + 8);
    const int n = tokenize_(vocabulary_,
                            text.data(),
                            static_cast<std::int32_t>(text.size()),
                            ids.data(),
                            static_cast<std::int32_t>(ids.size()),
                            control);
    ids.resize(static_cast<std::size_t>(std::max(n, 0)));
    return ids;
  }

 private:
  void* vocabulary_ = nullptr;
  PeerTokenize tokenize_ = nullptr;
};

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Prints where two rows of ids part, with the text there.
void show_difference(const std::string& name,
                     const Tokenizer& tokenizer,
                     const std::vector<TokenId>& ours,
                     const std::vector<TokenId>& theirs) {
  const auto [at, there] = std::mismatch(ours.begin(), ours.end(), theirs.begin(), theirs.end());
  std::string before;
  for (auto it = at - std::min<std::ptrdiff_t>(4, at - ours.begin()); it < at; ++it)
    tokenizer.append_piece(*it, before);
  const auto shown = [&](auto from, auto end) {
    std::string out;
    for (int i = 0; i < 6 && from != end; ++i, ++from) {
      std::string piece;
      tokenizer.append_piece(*from, piece);
      out += " " + std::to_string(*from) + "'" + piece + "'";
    }
    return out;
  };
  std::printf("differs: %s at id %td after \"%s\"\n  ours:  %s\n  theirs:%s\n",
              name.c_str(),
              at - ours.begin(),
              before.c_str(),
              shown(at, ours.end()).c_str(),
              shown(there, theirs.end()).c_str());
}

int run(const Options& options) {
  const auto gguf = Gguf::open(options.model);
  const auto vocabulary = gguf ? vocabulary_from_gguf(*gguf) : tl::unexpected(gguf.error());
  if (!vocabulary) {
    std::fprintf(stderr, "tokenizer_bench: %s\n", vocabulary.error().message.c_str());
    return 1;
  }
  const Tokenizer tokenizer(std::make_shared<const Vocabulary>(*vocabulary));
  std::unique_ptr<Peer> peer;
  if (!options.peer.empty()) peer = std::make_unique<Peer>(options.peer, options.model);
  const EncodeOptions encode_options = {.control_names = options.control ? ControlNames::kTokens
                                                                         : ControlNames::kText};

  if (options.split) {
    std::size_t n_different = 0;
    for (const std::string& file : options.files) {
      const std::string text = read(file);
      const auto ours = tokenizer.encode(text, encode_options);
      const auto theirs = peer->encode(text, options.control);
      if (ours == theirs) continue;
      ++n_different;
      if (n_different <= 10) show_difference(file, tokenizer, ours, theirs);
    }
    std::printf("%zu of %zu files differ\n", n_different, options.files.size());
    return n_different == 0 ? 0 : 1;
  }

  std::string text;
  for (const std::string& file : options.files)
    text += read(file);
  const double megabytes = static_cast<double>(text.size()) * 1e-6;
  std::vector<double> ours;
  std::vector<double> theirs;
  std::vector<TokenId> our_ids;
  std::vector<TokenId> their_ids;
  for (int round = 0; round < kRounds; ++round) {
    ours.push_back(seconds_of([&] { our_ids = tokenizer.encode(text, encode_options); }));
    if (!peer) continue;
    theirs.push_back(seconds_of([&] { their_ids = peer->encode(text, options.control); }));
  }
  const auto median = [](std::vector<double> times) {
    std::nth_element(times.begin(), times.begin() + kRounds / 2, times.end());
    return times[kRounds / 2];
  };
  std::printf("%s: %.1f MB, %zu tokens, ours %.2f MB/s",
              options.model.substr(options.model.rfind('/') + 1).c_str(),
              megabytes,
              our_ids.size(),
              megabytes / median(ours));
  if (peer) {
    std::printf(", the peer's %.2f MB/s, ours / theirs %.1f, ids %s",
                megabytes / median(theirs),
                median(theirs) / median(ours),
                our_ids == their_ids ? "equal" : "differ");
  }
  std::printf(" (medians of %d rounds, one after the other)\n", kRounds);
  return 0;
}

}  // namespace
}  // namespace kinglet::inference

int main(int argc, char** argv) {
  kinglet::inference::Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--peer" && i + 1 < argc) {
      options.peer = argv[++i];
    } else if (word == "--control") {
      options.control = true;
    } else if (word == "--split") {
      options.split = true;
    } else if (options.model.empty()) {
      options.model = word;
    } else {
      options.files.push_back(word);
    }
  }
  if (options.files.empty() || (options.split && options.peer.empty())) {
    std::fprintf(stderr,
                 "usage: tokenizer_bench MODEL.gguf [--peer LIBRARY.so] [--split] [--control] "
                 "FILE...\n--split needs --peer\n");
    return 2;
  }
  return kinglet::inference::run(options);
}
