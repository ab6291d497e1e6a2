// usage: peer_speed_bench PEER.so BACKENDS MODEL [options]
// Kinglet and llama.cpp on the same file and the same device, turn by turn in one process: medians
// and the median of each round's ratio, as a Markdown table. `./dev bench speed FOLDER MODEL`
// builds the peer's side and runs it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <hwy/targets.h>
#include <CLI/CLI.hpp>

#include "inference/cpu/limits.h"
#include "inference/cpu/packed/instructions.h"
#include "inference/pass_cost.h"
#include "tests/bench/peer/busy_processes.h"
#include "tests/bench/peer/engines.h"

namespace {

using namespace kinglet;
using namespace kinglet::bench;

struct Options {
  EngineOptions engine;
  std::vector<std::string> kvs = {"f16"};
  std::vector<std::uint32_t> prefills = {512};
  std::vector<std::uint32_t> depths = {0, 4'096};
  std::uint32_t n_decoded = 64;
  std::uint32_t n_rounds = 5;
  std::uint32_t n_threads = std::max(std::thread::hardware_concurrency(), 1U);
  std::vector<std::uint32_t> peer_threads;  // empty: as many as ours
  std::uint32_t n_busy = 0;
  std::string busy_with;
  std::string isa = "best";
};

/// The same limit for both engines.
void limit_instructions(Options& options) {
  if (options.isa == "best") return;
  if (options.isa != "avx2") throw std::runtime_error("--isa is best or avx2");
#if HWY_ARCH_X86
  // A better set has a lower bit.
  hwy::DisableTargets(HWY_AVX2 - 1);
#endif
  inference::cpu::limit_byte_products(inference::cpu::ByteProducts::kPairs);
  options.engine.peer_cpu_library = "libggml-cpu-haswell.so";
}

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

/// What one engine does in a row of the table; both have `n` tokens to do.
struct Test {
  std::string name;
  std::uint32_t n;
  std::uint32_t depth;
  bool one_by_one;
};

class Bench {
 public:
  Bench(const Options& options, const std::string& kv) : options_(options), kv_(kv) {
    EngineOptions engine = options.engine;
    engine.kv = kv;
    // Its attention takes quantized caches no other way.
    engine.flash |= kv != "f16";
    ours_ = open_kinglet(engine);
    theirs_ = open_peer(engine);
    if (engine.backend == "cpu") {
      auto probe = inference::cpu::ReadProbe::create(options.n_threads);
      if (!probe) throw std::runtime_error(probe.error().message);
      probe_ = *std::move(probe);
    }
  }

  void run() {
    for (const std::uint32_t n : options_.prefills)
      if (n > 0) measure({"prefill " + std::to_string(n), n, 0, false});
    for (const std::uint32_t depth : options_.depths) {
      if (depth > 0) {
        const auto before = tokens(depth);
        ours_->prefill(before, 0);
        theirs_->use_threads(options_.n_threads);
        theirs_->prefill(before, 0);
      }
      measure(
          {"decode " + std::to_string(options_.n_decoded) + " at depth " + std::to_string(depth),
           options_.n_decoded,
           depth,
           true});
    }
  }

 private:
  std::vector<TokenId> tokens(std::uint32_t n) const {
    return tokens_of(n, ours_->model().hyper_parameters().n_vocabulary);
  }

  static double speed(Engine& engine, const Test& test, std::span<const TokenId> tokens) {
    const double seconds =
        test.one_by_one ? engine.decode(tokens, test.depth) : engine.prefill(tokens, test.depth);
    // The peer's threads poll for more work 6.5 million times, 80 ms on a Zen 3, before they sleep;
    // they shall not take it from the next.
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    return test.n / seconds;
  }

  /// Turn by turn: what else the machine does hits all.
  void measure(const Test& test) {
    const auto next = tokens(test.n);
    std::vector<double> ours;
    std::vector<double> reads;
    std::vector<std::vector<double>> theirs(options_.peer_threads.size());
    for (std::uint32_t round = 0; round <= options_.n_rounds; ++round) {
      const double our_speed = speed(*ours_, test, next);
      if (round > 0) ours.push_back(our_speed);  // the first one warms up
      for (std::size_t i = 0; i < theirs.size(); ++i) {
        theirs_->use_threads(options_.peer_threads[i]);
        const double their_speed = speed(*theirs_, test, next);
        if (round > 0) theirs[i].push_back(their_speed);
      }
      if (probe_ && test.one_by_one) reads.push_back(probe_->measure());
    }
    for (std::size_t i = 0; i < theirs.size(); ++i)
      print(test, options_.peer_threads[i], ours, theirs[i], reads);
  }

  void print(const Test& test,
             std::uint32_t peer_threads,
             const std::vector<double>& ours,
             const std::vector<double>& theirs,
             const std::vector<double>& reads) const {
    std::vector<double> ratios(ours.size());
    std::ranges::transform(ours, theirs, ratios.begin(), std::divides<>());
    const Spread a = spread_of(ours);
    const Spread b = spread_of(theirs);
    const Spread ratio = spread_of(ratios);
    std::printf("| %s | %s | %u, %u | %.1f (%.1f to %.1f) | %.1f (%.1f to %.1f) | ",
                test.name.c_str(),
                kv_.c_str(),
                options_.n_threads,
                peer_threads,
                a.median,
                a.least,
                a.most,
                b.median,
                b.least,
                b.most);
    std::printf("%.2f (%.2f to %.2f) | ", ratio.median, ratio.least, ratio.most);
    if (reads.empty()) {
      std::puts("- |");
    } else {
      const double read = spread_of(reads).median;
      const auto kv_format = inference::find_kv_format(kv_);
      const inference::PassCost cost = inference::pass_cost(
          ours_->model(), *kv_format, {.n_tokens = 1, .depth = test.depth + test.n / 2});
      std::printf("%.0f %% of %.1f GB/s |\n",
                  100 * a.median * static_cast<double>(cost.bytes()) / read,
                  read * 1e-9);
    }
    std::fflush(stdout);
  }

  const Options& options_;
  std::string kv_;
  std::unique_ptr<Kinglet> ours_;
  std::unique_ptr<Peer> theirs_;
  std::unique_ptr<inference::cpu::ReadProbe> probe_;
};

void run(Options& options) {
  limit_instructions(options);
  if (options.peer_threads.empty()) options.peer_threads = {options.n_threads};
  options.engine.n_threads = options.n_threads;
  for (const std::uint32_t n : options.prefills)
    options.engine.n_positions = std::max(options.engine.n_positions, n);
  for (const std::uint32_t depth : options.depths) {
    options.engine.n_positions = std::max(options.engine.n_positions, depth + options.n_decoded);
  }
  const BusyProcesses busy(options.n_busy, options.busy_with);
  std::printf(
      "| test | cache | threads | Kinglet, tokens/s | llama.cpp, tokens/s | ratio of a round | "
      "ours of what reading allows |\n|---|---|---|---|---|---|---|\n");
  for (const std::string& kv : options.kvs) {
    Bench(options, kv).run();
    busy.check();
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Kinglet's and llama.cpp's speed on one model"};
  app.add_option("peer", options.engine.peer, "The library made of peer_speed.cpp")->required();
  app.add_option("backends", options.engine.backends, "The folder of llama.cpp's libraries")
      ->required();
  app.add_option("model", options.engine.model, "A GGUF file")->required();
  app.add_option("--backend", options.engine.backend, "cpu or vulkan, for both");
  app.add_option("--device", options.engine.device, "Ours; the peer's by GGML_VK_VISIBLE_DEVICES");
  app.add_option("--cache", options.engine.cache, "Where our compiled kernels are kept, and tuned");
  app.add_option("--kv", options.kvs, "f16, q8, q4: both caches")->delimiter(',');
  app.add_option("--prefill", options.prefills, "0: none")->delimiter(',');
  app.add_option("--depth", options.depths)->delimiter(',');
  app.add_option("--decode", options.n_decoded)->check(CLI::PositiveNumber);
  app.add_option("--rounds", options.n_rounds)->check(CLI::PositiveNumber);
  app.add_option("--threads", options.n_threads, "On the CPU")->check(CLI::PositiveNumber);
  app.add_option("--peer-threads", options.peer_threads, "The peer's, each in every round; as ours")
      ->delimiter(',');
  app.add_option("--busy", options.n_busy, "Processes that are busy beside");
  app.add_option("--busy-with", options.busy_with, "What they repeat; as it is, they count");
  app.add_option("--isa", options.isa, "best, or avx2: the most that either may use");
  app.add_flag(
      "--fast", options.engine.fast, "Ours with 8-bit activations, as the peer's always are");
  app.add_flag("--flash", options.engine.flash, "The peer with flash attention");
  CLI11_PARSE(app, argc, argv);
  try {
    run(options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "peer_speed_bench: %s\n", e.what());
    return 1;
  }
  // The peer's statics are the process's; it ends here.
  std::fflush(stdout);
  std::_Exit(0);
}
