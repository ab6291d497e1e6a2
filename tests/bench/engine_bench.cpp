// usage: engine_bench MODEL [--prompts 1024,4096] [--idle SECONDS] [--threads N] [--exact]
// What an editor's user has of an engine on the CPU: the time to the first token and to a whole
// ghost text, right after the start and with the text before the cursor still in the cache, what
// the engine costs while nobody types, and the memory it takes beyond weights and cache. A Markdown
// table; cpu.sh runs it.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include "daemon/base/cpu_time.h"
#include "inference/engine.h"
#include "tests/inference/memory_use.h"

namespace {

using namespace kinglet;
using inference::Engine;
using inference::GenerateResult;
using inference::TokenId;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kGhostTokens = 16;
constexpr std::size_t kTyped = 8;  // tokens that are new since the last ghost text

struct Options {
  std::string model;
  std::vector<std::uint32_t> prompts = {1'024, 4'096};
  std::uint32_t idle_seconds = 60;
  std::uint32_t n_threads = 0;
  bool exact = false;
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// So that loading reads the disk, as after the machine's start.
void leave_page_cache(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  (void)::fdatasync(file);
  (void)::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  ::close(file);
}

std::vector<TokenId> prompt_of(std::size_t n, std::size_t n_vocabulary) {
  std::vector<TokenId> tokens(n);
  std::uint64_t state = 7;
  for (TokenId& token : tokens) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    // Special tokens are few and at the ends.
    token = static_cast<TokenId>(n_vocabulary / 4 + (state >> 33) % (n_vocabulary / 2));
  }
  return tokens;
}

std::unique_ptr<Engine> load(const Options& options, std::uint32_t n_context) {
  auto engine = Engine::load(
      {.model_path = options.model,
       .backend = inference::BackendChoice::kCpu,
       .activations = options.exact ? inference::Activations::kF32 : inference::Activations::kInt8,
       .n_context = n_context,
       .n_threads = options.n_threads});
  if (!engine) throw std::runtime_error(engine.error().message);
  return *std::move(engine);
}

struct Times {
  double first = 0;  // token
  double ghost = 0;  // text, of kGhostTokens
};

Times generate(Engine& engine, std::vector<TokenId> prompt) {
  Times times;
  const auto start = Clock::now();
  const auto result = engine.generate({.prompt = std::move(prompt), .max_tokens = kGhostTokens},
                                      [&](TokenId, std::string_view) {
                                        if (times.first == 0) times.first = seconds_since(start);
                                        return true;
                                      });
  times.ghost = seconds_since(start);
  if (!result) throw std::runtime_error(result.error().message);
  return times;
}

void print_ghosts(const Options& options) {
  std::printf(
      "| prompt | load, ms | first token cold, ms | ghost text cold, ms | first token warm, "
      "ms | ghost text warm, ms |\n|---|---|---|---|---|---|\n");
  for (const std::uint32_t n : options.prompts) {
    leave_page_cache(options.model);
    const auto start = Clock::now();
    const auto engine = load(options, n + 64);
    const double loaded = seconds_since(start);
    std::vector<TokenId> prompt = prompt_of(n, engine->info().n_vocabulary);
    const Times cold = generate(*engine, prompt);
    // Somebody has typed on.
    for (std::size_t i = prompt.size() - kTyped; i < prompt.size(); ++i)
      prompt[i] += 1;
    const Times warm = generate(*engine, prompt);
    std::printf("| %u | %.1f | %.1f | %.1f | %.1f | %.1f |\n",
                n,
                loaded * 1e3,
                (loaded + cold.first) * 1e3,
                (loaded + cold.ghost) * 1e3,
                warm.first * 1e3,
                warm.ghost * 1e3);
    std::fflush(stdout);
  }
}

void print_idle(const Options& options) {
  const auto before = test::MemoryUse::now();
  const auto engine = load(options, options.prompts.front() + 64);
  generate(*engine, prompt_of(options.prompts.front(), engine->info().n_vocabulary));
  const auto use = test::MemoryUse::now();
  const auto& info = engine->info().executor;
  const double start = process_seconds();
  std::this_thread::sleep_for(std::chrono::seconds(options.idle_seconds));
  const double busy = process_seconds() - start;
  const auto mega = [](std::uint64_t n) { return static_cast<double>(n) * 1e-6; };
  std::printf("\nIdle for %u s after a completion: %.2f ms of processor time, %.4f %%.\n\n",
              options.idle_seconds,
              busy * 1e3,
              options.idle_seconds > 0 ? 100 * busy / options.idle_seconds : 0.0);
  std::printf(
      "Memory of the engine: %.1f MB resident more than before it was loaded, of which weights "
      "are %.1f MB and the cache %.1f MB: %.1f MB beyond them (negative: not all of them "
      "resident). %.1f MB are private to the process.\n",
      mega(use.resident - before.resident),
      mega(info.weight_bytes),
      mega(info.kv_bytes),
      mega(use.resident - before.resident) - mega(info.weight_bytes) - mega(info.kv_bytes),
      mega(use.anonymous - before.anonymous));
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"What an engine on the CPU is to somebody who types"};
  app.add_option("model", options.model, "A GGUF file")->required();
  app.add_option("--prompts", options.prompts, "Lengths, in tokens")
      ->delimiter(',')
      ->check(CLI::Range(16, 1 << 20));
  app.add_option("--idle", options.idle_seconds, "Seconds of doing nothing");
  app.add_option("--threads", options.n_threads, "0: one for each fast core");
  app.add_flag("--exact", options.exact, "With exact activations instead of those of 8 bits");
  CLI11_PARSE(app, argc, argv);
  try {
    print_idle(options);
    std::puts("");
    print_ghosts(options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "engine_bench: %s\n", e.what());
    return 1;
  }
  return 0;
}
