// llama.cpp behind the functions of peer_speed.h: a shared library that run.sh compiles against the
// peer's headers and peer_speed_bench loads, so that both engines are timed in one process and our
// build needs nothing of the peer.
#include "tests/bench/peer/peer_speed.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <llama.h>

namespace {

constexpr std::uint32_t kBatch = 2'048;  // its default

struct Engine {
  llama_model* model = nullptr;
  llama_context* context = nullptr;
  ggml_threadpool_t threads = nullptr;
  std::uint32_t n_threads = 0;
};

void log_errors(ggml_log_level level, const char* text, void*) {
  if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
}

/// Once for all engines of the process.
bool load_backends(const PeerSpeedOptions& options) {
  static const bool kLoaded = [&options] {
    llama_log_set(log_errors, nullptr);
    llama_backend_init();
    if (options.cpu_library == nullptr) {
      ggml_backend_load_all_from_path(options.backends);
      return true;
    }
    const std::string path = std::string(options.backends) + "/" + options.cpu_library;
    return ggml_backend_load(path.c_str()) != nullptr;
  }();
  return kLoaded;
}

ggml_type cache_type(std::string_view name) {
  if (name == "q8") return GGML_TYPE_Q8_0;
  if (name == "q4") return GGML_TYPE_Q4_0;
  return GGML_TYPE_F16;
}

template <class Function>
Function* cpu_function(const char* name) {
  ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  if (cpu == nullptr) return nullptr;
  return reinterpret_cast<Function*>(
      ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(cpu), name));
}

/// A pool that lives on between tokens, as its own benchmark makes one: without it the peer starts
/// and ends its threads at each token.
bool use_threads(Engine& engine, std::uint32_t n_threads) {
  if (engine.n_threads == n_threads) return true;
  auto* const make = cpu_function<decltype(ggml_threadpool_new)>("ggml_threadpool_new");
  auto* const free = cpu_function<decltype(ggml_threadpool_free)>("ggml_threadpool_free");
  if (make == nullptr || free == nullptr) return false;
  llama_detach_threadpool(engine.context);
  if (engine.threads != nullptr) free(engine.threads);
  ggml_threadpool_params params = ggml_threadpool_params_default(static_cast<int>(n_threads));
  engine.threads = make(&params);
  if (engine.threads == nullptr) return false;
  engine.n_threads = n_threads;
  llama_attach_threadpool(engine.context, engine.threads, nullptr);
  const auto n = static_cast<std::int32_t>(n_threads);
  llama_set_n_threads(engine.context, n, n);
  return true;
}

void print_device(bool gpu) {
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    if ((ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU) == gpu) continue;
    std::fprintf(stderr, "peer's device: %s", ggml_backend_dev_description(device));
    auto* const features =
        reinterpret_cast<ggml_backend_get_features_t>(ggml_backend_reg_get_proc_address(
            ggml_backend_dev_backend_reg(device), "ggml_backend_get_features"));
    const ggml_backend_feature* feature =
        features == nullptr ? nullptr : features(ggml_backend_dev_backend_reg(device));
    for (; feature != nullptr && feature->name != nullptr; ++feature)
      std::fprintf(stderr, " %s", feature->name);
    std::fputs("\n", stderr);
  }
}

}  // namespace

extern "C" void peer_speed_close(void* opened) {
  auto* const engine = static_cast<Engine*>(opened);
  if (engine->context != nullptr) llama_free(engine->context);
  if (engine->threads != nullptr) {
    cpu_function<decltype(ggml_threadpool_free)>("ggml_threadpool_free")(engine->threads);
  }
  if (engine->model != nullptr) llama_model_free(engine->model);
  delete engine;
}

extern "C" void* peer_speed_open(const PeerSpeedOptions* options) {
  if (!load_backends(*options)) return nullptr;
  auto* const engine = new Engine;
  llama_model_params model_params = llama_model_default_params();
  model_params.n_gpu_layers = options->gpu ? 999 : 0;
  engine->model = llama_model_load_from_file(options->model, model_params);
  if (engine->model != nullptr) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = options->n_positions;
    params.n_batch = kBatch;
    params.flash_attn_type =
        options->flash_attention ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.type_k = cache_type(options->kv);
    params.type_v = params.type_k;
    params.offload_kqv = options->gpu;
    params.op_offload = options->gpu;
    engine->context = llama_init_from_model(engine->model, params);
  }
  if (engine->context == nullptr) {
    peer_speed_close(engine);
    return nullptr;
  }
  print_device(options->gpu);
  return engine;
}

extern "C" double peer_speed_run(void* opened,
                                 std::uint32_t n_threads,
                                 const std::int32_t* ids,
                                 std::uint32_t n,
                                 std::uint32_t depth,
                                 bool one_by_one) {
  auto* const engine = static_cast<Engine*>(opened);
  llama_context* const context = engine->context;
  if (!use_threads(*engine, n_threads)) return -1;
  llama_memory_t memory = llama_get_memory(context);
  if (depth == 0) {
    llama_memory_clear(memory, false);
  } else if (!llama_memory_seq_rm(memory, 0, static_cast<llama_pos>(depth), -1)) {
    return -1;
  }
  llama_synchronize(context);
  std::vector<std::int32_t> tokens(ids, ids + n);
  const std::uint32_t step = one_by_one ? 1 : kBatch;
  const auto start = std::chrono::steady_clock::now();
  for (std::uint32_t at = 0; at < n; at += step) {
    const std::uint32_t count = std::min(step, n - at);
    // Logits of the last token, as its batches of one sequence have it.
    if (llama_decode(context, llama_batch_get_one(&tokens[at], static_cast<std::int32_t>(count))) !=
        0) {
      return -1;
    }
    if (one_by_one) llama_synchronize(context);
  }
  llama_synchronize(context);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  return seconds.count();
}
