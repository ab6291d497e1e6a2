// make_gguf: writes seeded random models of any architecture, shape and block format, for
// benchmarks and for comparisons with other engines. `make_gguf --help` says how.
#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

#include "tests/inference/stream_gguf.h"

namespace {

using kinglet::test::SyntheticModel;

/// The shapes of models that people run.
const std::map<std::string, SyntheticModel>& presets() {
  static const std::map<std::string, SyntheticModel> kPresets = {
      {"bench-125m",
       {.hidden = 768,
        .layers = 12,
        .heads = 12,
        .kv_heads = 4,
        .ffn = 2048,
        .vocab = 32064,
        .context = 4096}},
      {"deepseek-coder-1.3b",
       {.architecture = "llama",
        .hidden = 2048,
        .layers = 24,
        .heads = 16,
        .kv_heads = 16,
        .ffn = 5504,
        .vocab = 32256,
        .context = 16384,
        .original_context = 4096,
        .rope_base = 100'000,
        .rms_epsilon = 1e-6F}},
      {"gemma-2-2b",
       {.architecture = "gemma2",
        .hidden = 2304,
        .layers = 26,
        .heads = 8,
        .kv_heads = 4,
        .head_dim = 256,
        .ffn = 9216,
        .vocab = 256'000,
        .context = 8192,
        .rms_epsilon = 1e-6F,
        .sliding_window = 4096,
        .tied = true}},
      {"granite-3-2b",
       {.architecture = "granite",
        .hidden = 2048,
        .layers = 40,
        .heads = 32,
        .kv_heads = 8,
        .ffn = 8192,
        .vocab = 49'155,
        .context = 4096,
        .tied = true}},
      {"llama-3.2-1b",
       {.architecture = "llama",
        .hidden = 2048,
        .layers = 16,
        .heads = 32,
        .kv_heads = 8,
        .ffn = 8192,
        .vocab = 128'256,
        .context = 131'072,
        .original_context = 8192,
        .rope_scaling = "llama3",
        .rope_base = 500'000,
        .tied = true}},
      {"phi-3.5-mini",
       {.hidden = 3072,
        .layers = 32,
        .heads = 32,
        .kv_heads = 32,
        .ffn = 8192,
        .vocab = 32064,
        .context = 131'072,
        .original_context = 4096,
        .sliding_window = 262'144}},
      {"phi-4-mini",
       {.hidden = 3072,
        .layers = 32,
        .heads = 24,
        .kv_heads = 8,
        .rope_dim = 96,
        .ffn = 8192,
        .vocab = 200'064,
        .context = 131'072,
        .original_context = 4096,
        .sliding_window = 262'144,
        .tied = true}},
      {"qwen2.5-coder-0.5b",
       {.architecture = "qwen2",
        .hidden = 896,
        .layers = 24,
        .heads = 14,
        .kv_heads = 2,
        .ffn = 4864,
        .vocab = 151'936,
        .context = 32768,
        .rope_base = 1e6F,
        .rms_epsilon = 1e-6F,
        .tied = true}},
      {"qwen2.5-coder-1.5b",
       {.architecture = "qwen2",
        .hidden = 1536,
        .layers = 28,
        .heads = 12,
        .kv_heads = 2,
        .ffn = 8960,
        .vocab = 151'936,
        .context = 32768,
        .rope_base = 1e6F,
        .rms_epsilon = 1e-6F,
        .tied = true}},
      {"qwen2.5-coder-7b",
       {.architecture = "qwen2",
        .hidden = 3584,
        .layers = 28,
        .heads = 28,
        .kv_heads = 4,
        .ffn = 18944,
        .vocab = 152'064,
        .context = 32768,
        .rope_base = 1e6F,
        .rms_epsilon = 1e-6F}},
      {"qwen3-1.7b",
       {.architecture = "qwen3",
        .hidden = 2048,
        .layers = 28,
        .heads = 16,
        .kv_heads = 8,
        .ffn = 6144,
        .vocab = 151'936,
        .context = 40960,
        .rope_base = 1e6F,
        .rms_epsilon = 1e-6F,
        .tied = true}},
      {"starcoder2-3b",
       {.architecture = "starcoder2",
        .hidden = 3072,
        .layers = 30,
        .heads = 24,
        .kv_heads = 2,
        .ffn = 12288,
        .vocab = 49'152,
        .context = 16384,
        .rope_base = 999'999.4F,
        .tied = true}},
  };
  return kPresets;
}

/// The wish, or what the preset (or the default) has.
template <class T>
void override_with(const std::optional<T>& wish, T& value) {
  if (wish) value = *wish;
}

std::string format_names() {
  std::string names;
  for (const auto* format : kinglet::inference::block_formats())
    names += std::string(format->name) + ", ";
  return names + "Q4_K_M, Q5_K_M";
}

void choose_format(const std::string& name, SyntheticModel& model) {
  model.mix.clear();
  for (const auto* format : kinglet::inference::block_formats()) {
    if (format->name == name) {
      model.type = format->type;
      return;
    }
  }
  model.mix = name;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Writes a GGUF model with seeded random weights: same options, same bytes."};
  std::string out;
  std::string preset;
  std::string format = "F32";
  std::string vocabulary;
  std::uint64_t seed = 1;
  std::optional<std::string> architecture, rope_scaling;
  std::optional<std::uint32_t> hidden, layers, heads, kv_heads, head_dim, rope_dim, ffn, vocab,
      context, original_context, sliding_window;
  std::optional<std::uint64_t> n_random;
  std::optional<float> rope_base;
  bool tied = false;
  bool biases = false;
  std::string preset_names;
  for (const auto& [name, model] : presets())
    preset_names += (preset_names.empty() ? "" : ", ") + name;
  app.add_option("--out", out, "The file to write")->required();
  app.add_option("--preset", preset, "A shape that the others change: " + preset_names);
  app.add_option("--format", format, "Of the matrices: " + format_names());
  app.add_option("--seed", seed);
  app.add_option("--vocab-from", vocabulary, "A GGUF file whose vocabulary is taken");
  app.add_option("--arch", architecture, "As general.architecture spells it");
  app.add_option("--hidden", hidden);
  app.add_option("--layers", layers);
  app.add_option("--heads", heads);
  app.add_option("--kv-heads", kv_heads);
  app.add_option("--head-dim", head_dim, "hidden / heads");
  app.add_option("--rope-dim", rope_dim, "head-dim");
  app.add_option("--ffn", ffn);
  app.add_option("--vocab", vocab, "Rows of the embedding");
  app.add_option("--context", context);
  app.add_option(
      "--original-context", original_context, "Less than the context: a stretched model");
  app.add_option("--rope-scaling", rope_scaling, "linear, yarn, llama3, longrope");
  app.add_option("--rope-base", rope_base);
  app.add_option("--window", sliding_window, "Sliding window");
  app.add_option("--random", n_random, "Elements of a tensor that are random; the others repeat");
  app.add_flag("--tied", tied, "The embedding is the output matrix, too");
  app.add_flag("--biases", biases, "Those that the architecture may have");
  CLI11_PARSE(app, argc, argv);
  try {
    kinglet::test::StreamedGguf gguf;
    SyntheticModel& model = gguf.model;
    if (!preset.empty()) {
      const auto found = presets().find(preset);
      if (found == presets().end()) {
        throw std::invalid_argument("no preset " + preset + "; there are " + preset_names);
      }
      model = found->second;
    }
    if (!vocabulary.empty()) {
      gguf.vocabulary_from = vocabulary;
      if (preset.empty()) model.vocab = 0;
    }
    gguf.n_random_elements = n_random;
    model.seed = seed;
    override_with(architecture, model.architecture);
    override_with(rope_scaling, model.rope_scaling);
    override_with(hidden, model.hidden);
    override_with(layers, model.layers);
    override_with(heads, model.heads);
    override_with(kv_heads, model.kv_heads);
    override_with(head_dim, model.head_dim);
    override_with(rope_dim, model.rope_dim);
    override_with(ffn, model.ffn);
    override_with(vocab, model.vocab);
    override_with(context, model.context);
    override_with(original_context, model.original_context);
    override_with(sliding_window, model.sliding_window);
    override_with(rope_base, model.rope_base);
    model.tied |= tied;
    model.optional_biases |= biases;
    choose_format(format, model);
    const std::uint64_t n_bytes = kinglet::test::stream_gguf(gguf, out);
    std::printf("%s: %.3f GB\n", out.c_str(), static_cast<double>(n_bytes) / 1e9);
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "make_gguf: %s\n", e.what());
    return 1;
  }
}
