// usage: side_by_side PEER_LOGITS BACKENDS [PATTERN]
// Kinglet and llama.cpp on the same files: how far the logits of each are from exact arithmetic,
// for every architecture and block format. Writes a Markdown table; exit code 1 when a row of ours
// is worse than the peer's (see judge()). `./dev bench peer FOLDER` builds the peer's side and runs
// it.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/inference/conformance.h"
#include "tests/inference/synthetic_gguf.h"
#include "tests/inference/synthetic_lora.h"
#include "tests/support/temporary_folder.h"

namespace {

using namespace kinglet;
using namespace kinglet::test;
using inference::Activations;
using inference::KvFormat;
using inference::TensorType;
using inference::TokenId;
using Rows = std::vector<std::vector<double>>;

/// One file, and what is computed of it.
struct Case {
  std::string name;
  SyntheticModel model;
  std::uint32_t n_tokens = 48;
  std::vector<LoraUse> loras = {};
};

/// How far logits are from the reference's.
struct Distance {
  double greatest = 0;    // max |difference| / standard deviation of the reference
  double divergence = 0;  // mean over the positions of KL(reference || these), in nats
};

struct Row {
  std::string name;
  std::string format;
  Distance exact;     // ours: f32 activations and cache
  Distance one_byte;  // ours: 8-bit activations, f32 cache
  Distance peer;
};

std::vector<double> log_softmax(const std::vector<double>& logits) {
  double greatest = logits[0];
  for (const double x : logits)
    greatest = std::max(greatest, x);
  double sum = 0;
  for (const double x : logits)
    sum += std::exp(x - greatest);
  std::vector<double> result;
  for (const double x : logits)
    result.push_back(x - greatest - std::log(sum));
  return result;
}

Distance distance(const std::vector<float>& logits, const Rows& reference) {
  Distance result{.greatest = logits_error(logits, reference)};
  std::size_t at = 0;
  for (const auto& row : reference) {
    const std::vector<double> expected = log_softmax(row);
    const std::vector<double> actual = log_softmax(
        std::vector<double>(logits.begin() + static_cast<std::ptrdiff_t>(at),
                            logits.begin() + static_cast<std::ptrdiff_t>(at + row.size())));
    at += row.size();
    for (std::size_t i = 0; i < row.size(); ++i) {
      result.divergence += std::exp(expected[i]) * (expected[i] - actual[i]);
    }
  }
  result.divergence /= static_cast<double>(reference.size());
  return result;
}

class Bench {
 public:
  Bench(std::string peer, std::string backends)
      : peer_(std::move(peer)), backends_(std::move(backends)) {}

  Row measure(const Case& c, TensorType type) {
    SyntheticModel shape = c.model;
    shape.type = type;
    const GgufWriter model = synthetic_gguf(shape);
    const LoadedModel loaded = load_gguf(model);
    const auto tokens = random_tokens(c.n_tokens, loaded.reference->n_vocabulary(), 99);
    write_file(folder_ / "model.gguf", loaded.bytes);
    {
      std::ofstream ids(folder_ / "ids.txt");
      for (const TokenId token : tokens)
        ids << token << '\n';
    }
    GgufWriter merged = model;
    std::vector<LoadedLora> loras;
    inference::Adapters adapters;
    std::string peer_lora;
    for (const LoraUse& use : c.loras) {
      const GgufWriter lora = synthetic_lora(model, use.shape);
      merged = merge_lora(std::move(merged), lora, use.scale);
      adapters.push_back({loras.emplace_back(load_lora(lora, *loaded.model)).lora, use.scale});
      write_file(folder_ / "lora.gguf", lora.bytes());
      peer_lora = " f32 " + path("lora.gguf") + " " + std::to_string(use.scale);
    }
    const Rows reference = c.loras.empty()
                               ? loaded.reference->logits(tokens, c.n_tokens)
                               : load_gguf(merged).reference->logits(tokens, c.n_tokens);
    return {
        .name = c.name,
        .format = shape.mix.empty() ? std::string(inference::block_format(type).name) : shape.mix,
        .exact = distance(ours(loaded, tokens, adapters, Activations::kF32), reference),
        .one_byte = distance(ours(loaded, tokens, adapters, Activations::kInt8), reference),
        .peer = distance(theirs(peer_lora), reference)};
  }

 private:
  std::string path(const char* name) const { return "'" + (folder_ / name).string() + "'"; }

  static std::vector<float> ours(const LoadedModel& loaded,
                                 const std::vector<TokenId>& tokens,
                                 const inference::Adapters& adapters,
                                 Activations activations) {
    const auto n = static_cast<std::uint32_t>(tokens.size());
    const auto executor = make_executor("cpu",
                                        loaded,
                                        {.kv_format = KvFormat::kF32,
                                         .activations = activations,
                                         .n_kv_tokens = n,
                                         .n_threads = 2});
    if (!executor->set_adapters(adapters)) throw std::runtime_error("adapters");
    return all_logits(*executor, tokens, n);
  }

  std::vector<float> theirs(const std::string& more) const {
    const std::string command = "'" + peer_ + "' '" + backends_ + "' " + path("model.gguf") + " " +
                                path("ids.txt") + " " + path("theirs.f32") + more;
    if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
    std::ifstream file(folder_ / "theirs.f32", std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    std::vector<float> logits(bytes.size() / sizeof(float));
    std::memcpy(logits.data(), bytes.data(), logits.size() * sizeof(float));
    return logits;
  }

  TemporaryFolder folder_;
  std::string peer_;
  std::string backends_;
};

// Wide enough for blocks of 256.
SyntheticModel wide(const char* architecture) {
  return {.architecture = architecture,
          .hidden = 256,
          .heads = 4,
          .kv_heads = 2,
          .ffn = 512,
          .vocab = 512,
          .context = 1024};
}

SyntheticModel stretched(const char* architecture, const char* rope_scaling) {
  SyntheticModel model = wide(architecture);
  model.original_context = 256;
  model.rope_scaling = rope_scaling;
  return model;
}

SyntheticModel windowed(const char* architecture) {
  SyntheticModel model = wide(architecture);
  model.sliding_window = 16;
  return model;
}

SyntheticModel mixed(const char* mix) {
  SyntheticModel model = wide("llama");
  model.mix = mix;
  return model;
}

/// Each with every block format.
std::vector<Case> architectures() {
  std::vector<Case> cases;
  for (const char* name :
       {"phi3", "llama", "qwen2", "qwen3", "gemma", "gemma2", "starcoder2", "granite"}) {
    cases.push_back({name, wide(name)});
  }
  return cases;
}

/// What formats do not change, with F32 weights (the mixes aside).
std::vector<Case> variants() {
  return {
      // The peer chooses by the context it allocates, which is 256 positions at least.
      {"phi3, short rope factors", stretched("phi3", "longrope")},
      {"phi3, long rope factors", stretched("phi3", "longrope"), 260},
      {"phi3, sliding window", windowed("phi3")},
      {"llama, linear rope", stretched("llama", "linear"), 260},
      {"llama, YaRN", stretched("llama", "yarn"), 260},
      {"llama, rope_freqs", stretched("llama", "llama3"), 260},
      {"gemma2, sliding window", windowed("gemma2")},
      {"starcoder2, sliding window", windowed("starcoder2")},
      {"llama, a mix", mixed("Q4_K_M")},
      {"llama, a mix", mixed("Q5_K_M")},
      {"phi3, an adapter", wide("phi3"), 48, {{{.rank = 16}, 0.75F}}},
      {"qwen2, an adapter", wide("qwen2"), 48, {{{.rank = 16}, 0.75F}}},
  };
}

/// Ours must be no worse, or too close to exact arithmetic to matter.
bool judge(const Row& row) {
  constexpr double kNothing = 1e-5;
  return row.exact.greatest <= std::max(row.peer.greatest, kNothing) &&
         row.one_byte.divergence <= std::max(row.peer.divergence, kNothing * kNothing);
}

void print(const Row& row) {
  std::printf("| %s | %s | %.1e | %.1e | %.1e | %.1e | %.1e | %.1e |%s\n",
              row.name.c_str(),
              row.format.c_str(),
              row.exact.greatest,
              row.one_byte.greatest,
              row.peer.greatest,
              row.exact.divergence,
              row.one_byte.divergence,
              row.peer.divergence,
              judge(row) ? "" : " worse |");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s PEER_LOGITS BACKENDS [PATTERN]\n", argv[0]);
    return 2;
  }
  Bench bench(argv[1], argv[2]);
  const std::string pattern = argc > 3 ? argv[3] : "";
  int n_worse = 0;
  const auto run = [&](const Case& c, TensorType type) {
    if (c.name.find(pattern) == std::string::npos) return;
    const Row row = bench.measure(c, type);
    print(row);
    if (!judge(row)) ++n_worse;
  };
  std::printf(
      "| model | weights | exact, max | 8-bit, max | peer, max | exact, KL | 8-bit, KL | peer, KL "
      "|\n"
      "|---|---|---|---|---|---|---|---|\n");
  for (const Case& c : architectures()) {
    for (const auto* format : inference::block_formats())
      run(c, format->type);
  }
  for (const Case& c : variants())
    run(c, TensorType::kF32);
  std::fprintf(stderr, "%d rows of ours are worse than the peer's\n", n_worse);
  return n_worse == 0 ? 0 : 1;
} catch (const std::exception& exception) {
  std::fprintf(stderr, "%s\n", exception.what());
  return 2;
}
