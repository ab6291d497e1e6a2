// llama.cpp behind the two functions of peer_speed.h: a shared library that run.sh compiles against
// the peer's headers and peer_speed_bench loads, so that both engines are timed in one process and
// our build needs nothing of the peer.
#include "tests/bench/peer/peer_speed.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include <ggml-backend.h>
#include <llama.h>

namespace {

constexpr std::uint32_t kBatch = 2'048;  // its default

void log_errors(ggml_log_level level, const char* text, void*) {
  if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
}

}  // namespace

extern "C" void* peer_speed_open(const PeerSpeedOptions* options) {
  llama_log_set(log_errors, nullptr);
  ggml_backend_load_all_from_path(options->backends);
  llama_backend_init();
  llama_model_params model_params = llama_model_default_params();
  model_params.n_gpu_layers = options->gpu ? 999 : 0;
  llama_model* const model = llama_model_load_from_file(options->model, model_params);
  if (model == nullptr) return nullptr;
  llama_context_params params = llama_context_default_params();
  params.n_ctx = options->n_positions;
  params.n_batch = kBatch;
  params.n_threads = static_cast<std::int32_t>(options->n_threads);
  params.n_threads_batch = params.n_threads;
  params.flash_attn_type =
      options->flash_attention ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
  params.type_k = GGML_TYPE_F16;
  params.type_v = GGML_TYPE_F16;
  params.offload_kqv = options->gpu;
  params.op_offload = options->gpu;
  llama_context* const context = llama_init_from_model(model, params);
  if (context != nullptr && options->gpu) {
    for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
      ggml_backend_dev_t device = ggml_backend_dev_get(i);
      if (ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU) continue;
      std::fprintf(stderr, "peer's device: %s\n", ggml_backend_dev_description(device));
    }
  }
  return context;
}

extern "C" double peer_speed_run(
    void* engine, const std::int32_t* ids, std::uint32_t n, std::uint32_t depth, bool one_by_one) {
  auto* const context = static_cast<llama_context*>(engine);
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
