#include "tests/tools/roofline_effects.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "inference/pass_cost.h"
#include "tests/tools/roofline_tables.h"

namespace kinglet::test {

namespace {

using inference::KvFormat;
using inference::Model;
using inference::pass_cost;
using inference::PassCost;

// A desktop card of the better kind.
constexpr double kBytesPerS = 960e9;
constexpr double kFloatFlops = 60e12;
constexpr double kByteOps = 4 * kFloatFlops;    // four products in the place of one
constexpr double kMatrixFlops = 2 * kByteOps;   // a modest matrix unit
constexpr double kStage = 2e-6;                 // seconds, of a stage that waits for another
constexpr double kSubmit = 30e-6;               // of a submit and of waiting for it
constexpr double kBusBytesPerS = 16e9;          // between card and host
constexpr std::uint32_t kTokensPerSubmit = 16;  // where the device chooses them itself
constexpr std::uint32_t kStages = 5;            // a layer, fused

/// A pass as this program's tables reckon it: bytes while units compute, then waiting.
struct Pass {
  double bytes = 0;
  double flops = 0;
  double flops_per_s = kFloatFlops;
  double stages = 0;
  double other = 0;  // seconds

  double seconds() const {
    return std::max(bytes / kBytesPerS, flops / flops_per_s) + stages * kStage + other;
  }
};

Pass pass_of(const PassCost& cost, const Model& model) {
  return {.bytes = static_cast<double>(cost.bytes()),
          .flops = static_cast<double>(cost.flops()),
          .stages = static_cast<double>(kStages) * model.hyper_parameters().n_layers};
}

class Effects {
 public:
  Effects() {
    print_header({"optimization", "test", "without, ms", "with, ms", "predicted", "measured"});
  }

  void row(const char* name, const std::string& test, const Pass& without, const Pass& with) const {
    std::printf("| %s | %s | %.2f | %.2f | %.2f x | owed |\n",
                name,
                test.c_str(),
                without.seconds() * 1e3,
                with.seconds() * 1e3,
                without.seconds() / with.seconds());
  }
};

/// Stages that groups of operations save, each beside the step that has all the others.
void print_fusion(const Effects& effects) {
  struct Group {
    const char* name;
    std::uint32_t n_stages;  // a layer, without it
  };
  constexpr Group kGroups[] = {
      {"RMS norm in the load of the products after it", 2},
      {"rope and the write of keys and values in attention", 3},
      {"residual addition in the store of the product before it", 2},
      {"SwiGLU in the store of gate and up", 1},
      {"all of these", 8},
  };
  const auto model = load("phi-3.5-mini", "Q4_K_M");
  const Pass with = pass_of(pass_cost(*model, KvFormat::kF16, {.depth = 0}), *model);
  for (const Group& group : kGroups) {
    Pass without = with;
    without.stages += static_cast<double>(group.n_stages) * model->hyper_parameters().n_layers;
    effects.row(group.name, "phi-3.5-mini, decode", without, with);
  }
  // Where q, k and v, or gate and up, are tensors of their own, one dispatch saves no stage (they
  // wait for the same one); it reads the activation once, which stays in the card's caches.
}

void print_decode(const Effects& effects) {
  for (const char* name : {"phi-4-mini", "qwen2.5-coder-7b"}) {
    const auto model = load(name, "Q4_K_M");
    const auto& h = model->hyper_parameters();
    const PassCost cost = pass_cost(*model, KvFormat::kF16, {.depth = 32'767});
    const Pass with = pass_of(cost, *model);
    Pass without = with;
    without.bytes += static_cast<double>(cost.cache_bytes) * (h.n_heads / h.n_kv_heads - 1);
    effects.row("query heads that share a key head read it once",
                std::string(name) + ", decode at 32k",
                without,
                with);
  }
  const auto model = load("phi-3.5-mini", "Q4_K_M");
  const Pass f16 = pass_of(pass_cost(*model, KvFormat::kF16, {.depth = 32'767}), *model);
  for (const auto& [format, name] : {std::pair{KvFormat::kQ8_0, "q8 cache, read in place"},
                                     {KvFormat::kQ4_0, "q4 cache, read in place"}}) {
    const PassCost cost = pass_cost(*model, format, {.depth = 32'767});
    effects.row(name, "phi-3.5-mini, decode at 32k, beside f16", f16, pass_of(cost, *model));
  }
  const PassCost q8 = pass_cost(*model, KvFormat::kQ8_0, {.depth = 32'767});
  Pass copied = pass_of(q8, *model);
  copied.bytes += 2 * f16.bytes - 2 * static_cast<double>(q8.weight_bytes);  // written, read
  effects.row("q8 cache, read in place",
              "phi-3.5-mini, decode at 32k, beside a copy in f16",
              copied,
              pass_of(q8, *model));

  const Pass step = pass_of(pass_cost(*model, KvFormat::kF16, {.depth = 0}), *model);
  Pass by_host = step;
  by_host.other =
      kSubmit + 4.0 * model->hyper_parameters().n_vocabulary / kBusBytesPerS;  // and all logits
  Pass by_device = step;
  by_device.other = kSubmit / kTokensPerSubmit;
  effects.row("tokens chosen on the device, several in a submit",
              "phi-3.5-mini, decode",
              by_host,
              by_device);
  constexpr std::uint32_t kDrafts = 4;
  Pass together = pass_of(
      pass_cost(*model, KvFormat::kF16, {.n_tokens = kDrafts, .depth = 0, .n_logits = kDrafts}),
      *model);
  Pass alone = step;
  alone.bytes *= kDrafts;
  alone.flops *= kDrafts;
  alone.stages *= kDrafts;
  effects.row("4 draft positions in a pass", "phi-3.5-mini, decode of 4", alone, together);
}

void print_prefill(const Effects& effects) {
  constexpr std::uint32_t kPrompt = 4'096;
  for (const char* name : {"phi-3.5-mini", "phi-4-mini"}) {
    const auto model = load(name, "Q4_K_M");
    const auto cost_of = [&](std::uint32_t n_logits) {
      return pass_of(pass_cost(*model, KvFormat::kF16, {.n_tokens = kPrompt, .n_logits = n_logits}),
                     *model);
    };
    effects.row("logits only where they are asked for",
                std::string(name) + ", prompt of 4k",
                cost_of(kPrompt),
                cost_of(1));
  }
  const auto model = load("phi-3.5-mini", "Q4_K_M");
  const Pass floats = pass_of(pass_cost(*model, KvFormat::kF16, {.n_tokens = kPrompt}), *model);
  struct Path {
    const char* name;
    double flops_per_s;
  };
  for (const Path& path : {Path{"packed f16 tiles", 2 * kFloatFlops},
                           Path{"integer dots of 8-bit activations", kByteOps},
                           Path{"cooperative matrices", kMatrixFlops}}) {
    Pass with = floats;
    with.flops_per_s = path.flops_per_s;
    effects.row(path.name, "phi-3.5-mini, prompt of 4k, beside f32 tiles", floats, with);
  }
}

}  // namespace

void print_effects() {
  std::printf(
      "\n## What each optimization should be worth\nOn a card of %.0f GB/s, %.0f TFLOP/s of f32 "
      "(f16 "
      "twice, 8-bit integers four and matrix units eight times as much), a stage of %.0f µs and a "
      "submit of %.0f µs: the longer of bytes and arithmetic, plus stages. Q4_K_M, f16 cache, %u "
      "stages a layer unless the row says otherwise; all arithmetic of a path at its unit's rate, "
      "attention's, too. What was measured is owed (performance.md says how).\n\n",
      kBytesPerS * 1e-9,
      kFloatFlops * 1e-12,
      kStage * 1e6,
      kSubmit * 1e6,
      kStages);
  const Effects effects;
  print_fusion(effects);
  print_decode(effects);
  print_prefill(effects);
}

}  // namespace kinglet::test
