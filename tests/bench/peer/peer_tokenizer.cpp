// llama.cpp's tokenizer behind the two functions of peer_tokenizer.h: a shared library that run.sh
// compiles against the peer's headers and tokenizer_bench loads, so that both are timed in one
// process and our build needs nothing of the peer.
#include "tests/bench/peer/peer_tokenizer.h"

#include <cstdio>

#include <llama.h>

namespace {

void log_errors(ggml_log_level level, const char* text, void*) {
  if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
}

}  // namespace

extern "C" void* peer_open(const char* path) {
  llama_log_set(log_errors, nullptr);
  llama_backend_init();
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  llama_model* model = llama_model_load_from_file(path, params);
  if (model == nullptr) return nullptr;
  return const_cast<llama_vocab*>(llama_model_get_vocab(model));
}

extern "C" std::int32_t peer_tokenize(void* vocabulary,
                                      const char* text,
                                      std::int32_t n_bytes,
                                      std::int32_t* ids,
                                      std::int32_t capacity,
                                      bool control) {
  return llama_tokenize(
      static_cast<const llama_vocab*>(vocabulary), text, n_bytes, ids, capacity, false, control);
}
