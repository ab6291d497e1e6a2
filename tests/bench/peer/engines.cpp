#include "tests/bench/peer/engines.h"

#include <chrono>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <vector>

#include <dlfcn.h>

#include "inference/backend.h"
#include "tests/bench/peer/peer_speed.h"

namespace kinglet::bench {

namespace {

using Clock = std::chrono::steady_clock;

template <class T>
T value_of(Result<T>&& result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

class OurEngine final : public Kinglet {
 public:
  explicit OurEngine(const EngineOptions& options) {
    const inference::Backend* const backend = inference::find_backend(options.backend);
    if (backend == nullptr) throw std::runtime_error("--backend is cpu or vulkan");
    const auto kv_format = inference::find_kv_format(options.kv);
    if (!kv_format) throw std::runtime_error("--kv is f16, q8 or q4");
    executor_ = value_of(backend->create(
        value_of(inference::Model::load(options.model)),
        {.device = options.device,
         .kv_format = *kv_format,
         .activations = options.fast ? inference::Activations::kInt8 : inference::Activations::kF32,
         .n_kv_tokens = options.n_positions,
         .n_threads = options.n_threads,
         .cache_folder = options.cache}));
    sequence_.emplace(value_of(executor_->new_sequence({.max_tokens = options.n_positions})));
    logits_.resize(executor_->model().hyper_parameters().n_vocabulary);
    std::fprintf(stderr,
                 "our device: %s (%s)\n",
                 executor_->info().device.name.c_str(),
                 executor_->info().device.driver.c_str());
  }

  double prefill(std::span<const TokenId> tokens, std::uint32_t depth) override {
    executor_->truncate(*sequence_, depth);
    const auto start = Clock::now();
    value_of(executor_->forward(*sequence_, tokens, inference::LogitsWanted::kLast, logits_));
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  double decode(std::span<const TokenId> tokens, std::uint32_t depth) override {
    executor_->truncate(*sequence_, depth);
    std::vector<TokenId> next(tokens.size());
    TokenId token = tokens.front();
    const auto start = Clock::now();
    for (std::size_t done = 0; done < next.size(); token = next[done - 1]) {
      done += value_of(executor_->decode_greedy(*sequence_, token, std::span(next).subspan(done)));
    }
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  const inference::Model& model() const override { return executor_->model(); }

 private:
  std::unique_ptr<inference::Executor> executor_;
  std::optional<inference::Sequence> sequence_;
  std::vector<float> logits_;
};

class TheirEngine final : public Peer {
 public:
  explicit TheirEngine(const EngineOptions& options) : n_threads_(options.n_threads) {
    void* const library = ::dlopen(options.peer.c_str(), RTLD_NOW);
    if (library == nullptr) throw std::runtime_error(::dlerror());
    const auto open = reinterpret_cast<PeerSpeedOpen>(::dlsym(library, "peer_speed_open"));
    run_ = reinterpret_cast<PeerSpeedRun>(::dlsym(library, "peer_speed_run"));
    close_ = reinterpret_cast<PeerSpeedClose>(::dlsym(library, "peer_speed_close"));
    if (open == nullptr || run_ == nullptr || close_ == nullptr) {
      throw std::runtime_error(options.peer + " lacks a function of peer_speed.h");
    }
    const PeerSpeedOptions peer_options = {.backends = options.backends.c_str(),
                                           .cpu_library = options.peer_cpu_library.empty()
                                                              ? nullptr
                                                              : options.peer_cpu_library.c_str(),
                                           .model = options.model.c_str(),
                                           .kv = options.kv.c_str(),
                                           .gpu = options.backend == "vulkan",
                                           .flash_attention = options.flash,
                                           .n_positions = options.n_positions};
    engine_ = open(&peer_options);
    if (engine_ == nullptr) throw std::runtime_error("the peer does not load the model");
  }
  TheirEngine(const TheirEngine&) = delete;
  TheirEngine& operator=(const TheirEngine&) = delete;
  ~TheirEngine() override { close_(engine_); }

  void use_threads(std::uint32_t n_threads) override { n_threads_ = n_threads; }
  double prefill(std::span<const TokenId> tokens, std::uint32_t depth) override {
    return run(tokens, depth, false);
  }
  double decode(std::span<const TokenId> tokens, std::uint32_t depth) override {
    return run(tokens, depth, true);
  }

 private:
  double run(std::span<const TokenId> tokens, std::uint32_t depth, bool one_by_one) const {
    const double seconds = run_(engine_,
                                n_threads_,
                                tokens.data(),
                                static_cast<std::uint32_t>(tokens.size()),
                                depth,
                                one_by_one);
    if (seconds < 0) throw std::runtime_error("the peer fails to compute");
    return seconds;
  }

  PeerSpeedRun run_ = nullptr;
  PeerSpeedClose close_ = nullptr;
  void* engine_ = nullptr;
  std::uint32_t n_threads_;
};

}  // namespace

std::unique_ptr<Kinglet> open_kinglet(const EngineOptions& options) {
  return std::make_unique<OurEngine>(options);
}

std::unique_ptr<Peer> open_peer(const EngineOptions& options) {
  return std::make_unique<TheirEngine>(options);
}

}  // namespace kinglet::bench
