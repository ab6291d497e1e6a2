// usage: peer_logits BACKENDS MODEL IDS.txt OUT.f32 [f32|f16] [LORA SCALE]
// The peer's side of side_by_side.cpp: what `kinglet logits` does, by llama.cpp's CPU backend.
// BACKENDS is the folder of its libraries. Compiled against the peer's headers (see run.sh), not by
// our build.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <vector>

#include <ggml-backend.h>
#include <llama.h>

namespace {

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "peer_logits: %s\n", what);
  std::exit(1);
}

void log_errors(ggml_log_level level, const char* text, void*) {
  if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) give_up("usage: peer_logits BACKENDS MODEL IDS.txt OUT.f32 [f32|f16] [LORA SCALE]");
  llama_log_set(log_errors, nullptr);
  ggml_backend_load_all_from_path(argv[1]);
  llama_backend_init();

  std::vector<llama_token> ids;
  std::ifstream file(argv[3]);
  for (llama_token id = 0; file >> id;)
    ids.push_back(id);
  const auto n = static_cast<std::int32_t>(ids.size());
  if (n == 0) give_up("no tokens");

  llama_model_params model_params = llama_model_default_params();
  model_params.n_gpu_layers = 0;
  llama_model* model = llama_model_load_from_file(argv[2], model_params);
  if (model == nullptr) give_up("the model does not load");
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<std::uint32_t>(n);
  params.n_batch = static_cast<std::uint32_t>(n);
  params.n_ubatch = static_cast<std::uint32_t>(n);
  params.n_threads = 2;
  params.n_threads_batch = 2;
  params.swa_full = true;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  const bool f16 = argc > 5 && std::strcmp(argv[5], "f16") == 0;
  params.type_k = f16 ? GGML_TYPE_F16 : GGML_TYPE_F32;
  params.type_v = params.type_k;
  llama_context* context = llama_init_from_model(model, params);
  if (context == nullptr) give_up("no context");
  if (argc > 7) {
    llama_adapter_lora* lora = llama_adapter_lora_init(model, argv[6]);
    if (lora == nullptr) give_up("the adapter does not load");
    float scale = std::strtof(argv[7], nullptr);
    if (llama_set_adapters_lora(context, &lora, 1, &scale) != 0) give_up("the adapter is refused");
  }

  llama_batch batch = llama_batch_init(n, 0, 1);
  for (std::int32_t i = 0; i < n; ++i) {
    batch.token[i] = ids[static_cast<std::size_t>(i)];
    batch.pos[i] = i;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = 1;
  }
  batch.n_tokens = n;
  if (llama_decode(context, batch) != 0) give_up("decoding failed");
  const auto n_vocabulary =
      static_cast<std::size_t>(llama_vocab_n_tokens(llama_model_get_vocab(model)));
  std::ofstream out(argv[4], std::ios::binary);
  out.write(reinterpret_cast<const char*>(llama_get_logits(context)),
            static_cast<std::streamsize>(n_vocabulary * ids.size() * sizeof(float)));
  if (!out.flush()) give_up("cannot write the logits");
  // Buffers of the backends are the process's; it ends here.
  std::_Exit(0);
}
