// `kinglet models show FILE`: a model file at a glance.
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/commands/models.h"
#include "daemon/features/prompt.h"
#include "inference/gguf.h"
#include "inference/gguf_format.h"
#include "inference/kv_cache.h"
#include "inference/model.h"
#include "inference/quant/block_format.h"

namespace kinglet::daemon {

namespace {

using inference::Gguf;
using inference::HyperParameters;
using inference::KvFormat;
using inference::Model;

void row(std::string_view label, const std::string& text) {
  std::printf("%-14s %s\n", std::string(label).c_str(), text.c_str());
}

std::string number(double value, const char* format) {
  char text[48];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string bytes(double n) {
  if (n < 1e6) return number(n / 1024, "%.1f KiB");
  return n < 1e9 ? number(n * 1e-6, "%.0f MB") : number(n * 1e-9, "%.2f GB");
}

std::string text_of(const Gguf& gguf, std::string_view key) {
  const auto value = gguf.get<std::string_view>(key);
  return value ? std::string(value->value_or("")) : std::string();
}

/// The same, for the table.
std::string shown(const Gguf& gguf, std::string_view key) {
  return inference::printable(text_of(gguf, key));
}

/// "Q4_K 81 %, Q6_K 18 %, F32 1 %", of all tensors' bytes.
std::string formats_of(const Gguf& gguf) {
  std::map<std::string_view, double> shares;
  double total = 0;
  for (const auto& tensor : gguf.tensors()) {
    shares[tensor.format().name] += static_cast<double>(tensor.data.size());
    total += static_cast<double>(tensor.data.size());
  }
  std::vector<std::pair<double, std::string_view>> sorted;
  sorted.reserve(shares.size());
  for (const auto& [name, share] : shares)
    sorted.emplace_back(share, name);
  std::sort(sorted.rbegin(), sorted.rend());
  std::string list;
  for (const auto& [share, name] : sorted) {
    const double percent = total > 0 ? 100 * share / total : 0;
    list += (list.empty() ? "" : ", ") + std::string(name) +
            (percent < 0.5 ? " < 1 %" : number(percent, " %.0f %%"));
  }
  return list.empty() ? "no tensors" : list;
}

// ---- the cache

double cache_bytes_per_token(const HyperParameters& h, KvFormat format) {
  return 2.0 * h.n_layers * h.n_kv_heads *
         static_cast<double>(inference::kv_row_bytes(format, h.head_dim));
}

/// "32k", "2000".
std::string length_of(std::uint32_t n_tokens) {
  return n_tokens % 1024 == 0 ? std::to_string(n_tokens / 1024) + "k" : std::to_string(n_tokens);
}

void show_memory(const Model& model) {
  const HyperParameters& h = model.hyper_parameters();
  std::vector<std::uint32_t> lengths = {4096, 32768, 131072};
  // What the model was made for, where that is none of them.
  if (std::ranges::find(lengths, h.context_length) == lengths.end())
    lengths.push_back(h.context_length);
  std::sort(lengths.begin(), lengths.end());
  std::string per_token;
  std::printf("%-14s", "memory");
  for (const std::uint32_t length : lengths)
    std::printf(" %10s", length_of(length).c_str());
  std::puts("   tokens: weights and cache");
  for (const KvFormat format : inference::all_kv_formats()) {
    if (format == KvFormat::kF32) continue;  // for comparisons, not for people's memory
    const double per_one = cache_bytes_per_token(h, format);
    per_token +=
        (per_token.empty() ? "" : ", ") + std::string(name_of(format)) + " " + bytes(per_one);
    std::printf("  %-12s", std::string(name_of(format)).c_str());
    for (const std::uint32_t length : lengths) {
      const double total = static_cast<double>(model.weight_bytes()) + per_one * length;
      std::printf(" %10s", length > h.context_length ? "-" : bytes(total).c_str());
    }
    std::puts("");
  }
  row("cache a token", per_token);
}

// ---- what it is

std::string rope_of(const HyperParameters& h) {
  using inference::RopeScaling;
  std::string rope = "rope base " + number(static_cast<double>(h.rope_freq_base), "%.0f");
  const std::string factor = number(static_cast<double>(h.rope_scaling_factor), "%g");
  switch (h.rope_scaling) {
    case RopeScaling::kNone:
      break;
    case RopeScaling::kLinear:
      rope += ", linear x " + factor;
      break;
    case RopeScaling::kYarn:
      rope += ", YaRN x " + factor;
      break;
    case RopeScaling::kLongRope:
      rope += ", long factors beyond " + std::to_string(h.rope_original_context);
      break;
  }
  if (h.sliding_window > 0 && h.sliding_window < h.context_length)
    rope += ", windows of " + std::to_string(h.sliding_window);
  return rope;
}

std::string tokenizer_of(const Model& model) {
  const auto& vocabulary = *model.vocabulary();
  const std::string rule = shown(model.gguf(), "tokenizer.ggml.pre");
  std::string text = shown(model.gguf(), "tokenizer.ggml.model") +
                     (rule.empty() ? "" : " (" + rule + ")") + ", " +
                     std::to_string(vocabulary.size()) + " tokens";
  if (vocabulary.add_bos() && vocabulary.special().bos != inference::kNoToken)
    text += ", begins with " + inference::printable(vocabulary.text(vocabulary.special().bos));
  std::string ends;
  for (const inference::TokenId id : vocabulary.end_of_generation()) {
    if (vocabulary.text(id).starts_with("<") && ends.size() < 60)
      ends += (ends.empty() ? "" : " ") + inference::printable(vocabulary.text(id));
  }
  return text + ", ends with " + (ends.empty() ? "nothing" : ends);
}

void show_model(const Model& model) {
  const HyperParameters& h = model.hyper_parameters();
  row("model", model.name() + " (" + std::string(model.architecture().name) + ")");
  row("size",
      number(static_cast<double>(model.n_parameters()) * 1e-6, "%.1f M parameters, ") +
          bytes(static_cast<double>(model.weight_bytes())) + " of weights");
  row("shape",
      std::to_string(h.n_layers) + " layers of " + std::to_string(h.n_embedding) + ", " +
          std::to_string(h.n_heads) + " heads of " + std::to_string(h.head_dim) + " (" +
          std::to_string(h.n_kv_heads) + " of keys and values), feed-forward " +
          std::to_string(h.n_feed_forward));
  row("formats", formats_of(model.gguf()));
  row("context", std::to_string(h.context_length) + " tokens; " + rope_of(h));
  row("tokenizer", tokenizer_of(model));

  const std::string own = text_of(model.gguf(), "tokenizer.chat_template");
  const ChatTemplate* chat = choose_chat_template(own, *model.vocabulary());
  const PromptWriter writer(model.vocabulary(), chat);
  const bool fills_in = writer.format_name() != "plain" && writer.format_name() != "instruct";
  row("fill in",
      fills_in ? "yes, in the format of " + std::string(writer.format_name())
               : "no tokens for it; completions are " +
                     std::string(writer.format_name() == "plain"
                                     ? "plain continuation"
                                     : "a conversation's answer, begun for the model"));
  row("chat",
      chat != nullptr ? "template " + std::string(chat->name)
                      : (own.empty() ? "no template" : "its template is of no family we know"));
  show_memory(model);
}

/// Of a file that is a model, but none that we run.
void show_header(const Gguf& gguf) {
  row("model", shown(gguf, "general.name"));
  row("architecture", shown(gguf, "general.architecture"));
  const std::string rule = shown(gguf, "tokenizer.ggml.pre");
  row("tokenizer", shown(gguf, "tokenizer.ggml.model") + (rule.empty() ? "" : " (" + rule + ")"));
  row("formats", formats_of(gguf));
}

Result<int> run(const std::string& path) {
  auto gguf = TRY(Gguf::open(path));
  row("file", path + ", " + bytes(static_cast<double>(gguf.n_bytes())));
  const auto model = Model::load(path);
  if (!model) {
    show_header(gguf);
    row("not supported", model.error().message);
    return 1;
  }
  show_model(**model);
  row("not supported",
      "nothing that the header tells of; `kinglet models test` checks the weights");
  return 0;
}

}  // namespace

Action models_show(CLI::App& app) {
  auto path = std::make_shared<std::string>();
  app.add_option("FILE", *path, "A GGUF file")->required();
  return [path] { return run(*path); };
}

}  // namespace kinglet::daemon
