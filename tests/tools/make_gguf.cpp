// make_gguf: writes seeded random models of any architecture, shape and block format, for
// benchmarks and for comparisons with other engines. `make_gguf --help` says how.
#include <cstdio>
#include <exception>
#include <string>

#include <CLI/CLI.hpp>

#include "tests/inference/model_presets.h"
#include "tests/inference/stream_gguf.h"

namespace {

using kinglet::test::SyntheticModel;

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
  for (const auto& [name, model] : kinglet::test::model_presets())
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
      const auto found = kinglet::test::model_presets().find(preset);
      if (found == kinglet::test::model_presets().end()) {
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
