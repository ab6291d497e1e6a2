// usage: peer_speed_bench PEER.so BACKENDS MODEL [options]
// Kinglet and llama.cpp on the same file and the same device, turn by turn in one process: medians
// and their ratio, as a Markdown table. `./dev bench speed FOLDER MODEL` builds the peer's side and
// runs it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <dlfcn.h>

#include <CLI/CLI.hpp>

#include "inference/backend.h"
#include "tests/bench/peer/peer_speed.h"

namespace {

using namespace kinglet;
using inference::Sequence;
using inference::TokenId;
using Clock = std::chrono::steady_clock;

struct Options {
  std::string peer;
  std::string backends;
  std::string model;
  std::string backend = "cpu";
  std::string device;
  std::vector<std::uint32_t> prefills = {512};
  std::vector<std::uint32_t> depths = {0, 4'096};
  std::uint32_t n_decoded = 64;
  std::uint32_t n_rounds = 5;
  std::uint32_t n_threads = std::max(std::thread::hardware_concurrency(), 1U);
  bool fast = false;
  bool flash = false;
};

template <class T>
T value_of(Result<T>&& result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

/// One of the two engines. Seconds for tokens appended to the first `depth` in the cache.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual double prefill(const std::vector<TokenId>& tokens, std::uint32_t depth) = 0;
  virtual double decode(const std::vector<TokenId>& tokens, std::uint32_t depth) = 0;
};

class Ours final : public Engine {
 public:
  Ours(const Options& options, std::uint32_t n_positions) {
    const inference::Backend* const backend = inference::find_backend(options.backend);
    if (backend == nullptr) throw std::runtime_error("--backend is cpu or vulkan");
    auto model = value_of(inference::Model::load(options.model));
    executor_ = value_of(backend->create(
        std::move(model),
        {.device = options.device,
         .activations = options.fast ? inference::Activations::kInt8 : inference::Activations::kF32,
         .n_kv_tokens = n_positions,
         .n_threads = options.n_threads}));
    sequence_.emplace(value_of(executor_->new_sequence({.max_tokens = n_positions})));
    logits_.resize(executor_->model().hyper_parameters().n_vocabulary);
    std::fprintf(stderr, "our device: %s\n", executor_->info().device.name.c_str());
  }

  double prefill(const std::vector<TokenId>& tokens, std::uint32_t depth) override {
    executor_->truncate(*sequence_, depth);
    const auto start = Clock::now();
    value_of(executor_->forward(*sequence_, tokens, inference::LogitsWanted::kLast, logits_));
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  /// With the choice of each token, which the peer is spared.
  double decode(const std::vector<TokenId>& tokens, std::uint32_t depth) override {
    executor_->truncate(*sequence_, depth);
    std::vector<TokenId> next(tokens.size());
    TokenId token = tokens.front();
    const auto start = Clock::now();
    for (std::size_t done = 0; done < next.size(); token = next[done - 1]) {
      done += value_of(executor_->decode_greedy(*sequence_, token, std::span(next).subspan(done)));
    }
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  std::uint32_t n_vocabulary() const { return static_cast<std::uint32_t>(logits_.size()); }

 private:
  std::unique_ptr<inference::Executor> executor_;
  std::optional<Sequence> sequence_;
  std::vector<float> logits_;
};

class Theirs final : public Engine {
 public:
  Theirs(const Options& options, std::uint32_t n_positions) {
    void* const library = ::dlopen(options.peer.c_str(), RTLD_NOW);
    if (library == nullptr) throw std::runtime_error(::dlerror());
    const auto open = reinterpret_cast<PeerSpeedOpen>(::dlsym(library, "peer_speed_open"));
    run_ = reinterpret_cast<PeerSpeedRun>(::dlsym(library, "peer_speed_run"));
    if (open == nullptr || run_ == nullptr) throw std::runtime_error(::dlerror());
    const PeerSpeedOptions peer_options = {.backends = options.backends.c_str(),
                                           .model = options.model.c_str(),
                                           .gpu = options.backend == "vulkan",
                                           .flash_attention = options.flash,
                                           .n_threads = options.n_threads,
                                           .n_positions = n_positions};
    engine_ = open(&peer_options);
    if (engine_ == nullptr) throw std::runtime_error("the peer does not load the model");
  }

  double prefill(const std::vector<TokenId>& tokens, std::uint32_t depth) override {
    return run(tokens, depth, false);
  }
  double decode(const std::vector<TokenId>& tokens, std::uint32_t depth) override {
    return run(tokens, depth, true);
  }

 private:
  double run(const std::vector<TokenId>& tokens, std::uint32_t depth, bool one_by_one) {
    const double seconds =
        run_(engine_, tokens.data(), static_cast<std::uint32_t>(tokens.size()), depth, one_by_one);
    if (seconds < 0) throw std::runtime_error("the peer fails to compute");
    return seconds;
  }

  PeerSpeedRun run_ = nullptr;
  void* engine_ = nullptr;
};

std::vector<TokenId> tokens_of(std::uint32_t n, std::uint32_t n_vocabulary) {
  std::vector<TokenId> tokens(n);
  std::uint64_t state = 1;
  for (TokenId& token : tokens) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    token = static_cast<TokenId>((state >> 33) % n_vocabulary);
  }
  return tokens;
}

struct Spread {
  double median;
  double least;
  double most;
};

Spread spread_of(std::vector<double> values) {
  std::ranges::sort(values);
  return {values[values.size() / 2], values.front(), values.back()};
}

class Bench {
 public:
  Bench(const Options& options, std::uint32_t n_positions)
      : options_(options), ours_(options, n_positions), theirs_(options, n_positions) {}

  void run() {
    std::printf(
        "| test | Kinglet, tokens/s | llama.cpp, tokens/s | ratio of medians |\n"
        "|---|---|---|---|\n");
    for (const std::uint32_t n : options_.prefills) {
      const auto tokens = tokens_of(n, ours_.n_vocabulary());
      measure("prefill " + std::to_string(n), n, [&](Engine& engine) {
        return engine.prefill(tokens, 0);
      });
    }
    for (const std::uint32_t depth : options_.depths) {
      if (depth > 0) {
        const auto before = tokens_of(depth, ours_.n_vocabulary());
        ours_.prefill(before, 0);
        theirs_.prefill(before, 0);
      }
      const auto tokens = tokens_of(options_.n_decoded, ours_.n_vocabulary());
      measure("decode " + std::to_string(options_.n_decoded) + " at depth " + std::to_string(depth),
              options_.n_decoded,
              [&](Engine& engine) { return engine.decode(tokens, depth); });
    }
  }

 private:
  template <class Round>
  void measure(const std::string& name, std::uint32_t n, const Round& round) {
    round(ours_);  // to warm up
    round(theirs_);
    std::vector<double> ours;
    std::vector<double> theirs;
    for (std::uint32_t i = 0; i < options_.n_rounds; ++i) {
      // Turn by turn: what else the machine does hits both.
      ours.push_back(n / round(ours_));
      theirs.push_back(n / round(theirs_));
    }
    const Spread a = spread_of(std::move(ours));
    const Spread b = spread_of(std::move(theirs));
    std::printf("| %s | %.1f (%.1f to %.1f) | %.1f (%.1f to %.1f) | %.2f |\n",
                name.c_str(),
                a.median,
                a.least,
                a.most,
                b.median,
                b.least,
                b.most,
                a.median / b.median);
    std::fflush(stdout);
  }

  const Options& options_;
  Ours ours_;
  Theirs theirs_;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Kinglet's and llama.cpp's speed on one model"};
  app.add_option("peer", options.peer, "The library made of peer_speed.cpp")->required();
  app.add_option("backends", options.backends, "The folder of llama.cpp's libraries")->required();
  app.add_option("model", options.model, "A GGUF file")->required();
  app.add_option("--backend", options.backend, "cpu or vulkan, for both");
  app.add_option("--device", options.device, "Ours; the peer's by GGML_VK_VISIBLE_DEVICES");
  app.add_option("--prefill", options.prefills)->delimiter(',');
  app.add_option("--depth", options.depths)->delimiter(',');
  app.add_option("--decode", options.n_decoded)->check(CLI::PositiveNumber);
  app.add_option("--rounds", options.n_rounds)->check(CLI::PositiveNumber);
  app.add_option("--threads", options.n_threads)->check(CLI::PositiveNumber);
  app.add_flag("--fast", options.fast, "Ours with 8-bit activations, as the peer's always are");
  app.add_flag("--flash", options.flash, "The peer with flash attention");
  CLI11_PARSE(app, argc, argv);
  std::uint32_t n_positions = 0;
  for (const std::uint32_t n : options.prefills)
    n_positions = std::max(n_positions, n);
  for (const std::uint32_t depth : options.depths)
    n_positions = std::max(n_positions, depth + options.n_decoded);
  try {
    Bench(options, n_positions).run();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "peer_speed_bench: %s\n", e.what());
    return 1;
  }
  // The peer's buffers are the process's; it ends here.
  std::fflush(stdout);
  std::_Exit(0);
}
