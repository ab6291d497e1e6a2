// usage: roofline limits|kernels
// What models could do on a card at best, from their shapes: docs/roofline.md is its `limits`.
// `kernels` sums what a decode step as it is recorded moves, kernel by kernel; it needs some Vulkan
// driver to record with, not a GPU.
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "inference/gpu/plan.h"
#include "inference/pass_cost.h"
#include "tests/tools/roofline_effects.h"
#include "tests/tools/roofline_tables.h"
#include "vulkan/device.h"

namespace {

using namespace kinglet;
using namespace kinglet::test;
using inference::KvFormat;
using inference::Model;
using inference::pass_cost;
using inference::PassCost;

constexpr const char* kModels[] = {"phi-3.5-mini", "phi-4-mini", "qwen2.5-coder-7b"};
constexpr const char* kFormats[] = {"Q4_K_M", "Q8_0"};
constexpr std::uint32_t kDepths[] = {0, 4'096, 32'767};
constexpr std::uint32_t kPrompts[] = {512, 4'096, 32'768};
constexpr double kBandwidths[] = {256, 448, 640, 960, 1'792, 3'350, 4'800};  // GB/s
constexpr double kTeraflops[] = {10, 40, 100, 400, 900};
constexpr double kStageMicroseconds[] = {1, 2, 5};
constexpr std::uint32_t kStagesPerLayer[] = {13, 6, 5};

double mega(std::uint64_t n) {
  return static_cast<double>(n) * 1e-6;
}

std::string depth_name(std::uint32_t n) {
  return n < 1'024 ? std::to_string(n) : std::to_string((n + 1) / 1'024) + "k";
}

PassCost decode_cost(const Model& model, std::uint32_t depth) {
  return pass_cost(model, KvFormat::kF16, {.n_tokens = 1, .depth = depth, .n_logits = 1});
}

void print_bytes() {
  std::puts("## What a decoded token costs\nf16 cache.\n");
  std::vector<std::string> columns = {"model", "format", "weights read, MB", "a position, KB"};
  for (const std::uint32_t depth : kDepths)
    columns.push_back("MB at depth " + depth_name(depth));
  columns.emplace_back("GFLOP at depth 0");
  print_header(columns);
  for (const char* name : kModels) {
    for (const char* format : kFormats) {
      const auto model = load(name, format);
      const PassCost first = decode_cost(*model, 0);
      const PassCost second = decode_cost(*model, 1);
      std::printf("| %s | %s | %.0f | %.0f ",
                  name,
                  format,
                  mega(first.weight_bytes),
                  static_cast<double>(second.cache_bytes - first.cache_bytes) * 1e-3);
      for (const std::uint32_t depth : kDepths)
        std::printf("| %.0f ", mega(decode_cost(*model, depth).bytes()));
      std::printf("| %.1f |\n", static_cast<double>(first.flops()) * 1e-9);
    }
  }
}

void print_decode() {
  std::puts(
      "\n## Decode, tokens/s at most\nBytes over bandwidth and nothing else: what no program can "
      "exceed on a card whose memory is read so fast.\n");
  std::vector<std::string> columns = {"model", "format", "depth"};
  for (const double bandwidth : kBandwidths)
    columns.push_back(std::to_string(static_cast<int>(bandwidth)) + " GB/s");
  print_header(columns);
  for (const char* name : kModels) {
    for (const char* format : kFormats) {
      const auto model = load(name, format);
      for (const std::uint32_t depth : kDepths) {
        const auto bytes = static_cast<double>(decode_cost(*model, depth).bytes());
        std::printf("| %s | %s | %s ", name, format, depth_name(depth).c_str());
        for (const double bandwidth : kBandwidths)
          std::printf("| %.0f ", bandwidth * 1e9 / bytes);
        std::puts("|");
      }
    }
  }
}

void print_stages() {
  std::puts(
      "\n## Decode with its stages, share of the limit above\nA stage waits for the one before: "
      "each layer's stages add their latency to the time that the bytes take. Q4_K_M at depth 0; "
      "13 stages is phi3 operation by operation, without fusion.\n");
  std::vector<std::string> columns = {"model", "stages a layer", "a stage, µs"};
  for (const double bandwidth : kBandwidths)
    columns.push_back(std::to_string(static_cast<int>(bandwidth)) + " GB/s");
  print_header(columns);
  for (const char* name : kModels) {
    const auto model = load(name, "Q4_K_M");
    const auto bytes = static_cast<double>(decode_cost(*model, 0).bytes());
    for (const std::uint32_t stages : kStagesPerLayer) {
      for (const double microseconds : kStageMicroseconds) {
        const double waiting = microseconds * 1e-6 * stages * model->hyper_parameters().n_layers;
        std::printf("| %s | %u | %.0f ", name, stages, microseconds);
        for (const double bandwidth : kBandwidths) {
          const double moving = bytes / (bandwidth * 1e9);
          std::printf("| %.0f %% ", 100 * moving / (moving + waiting));
        }
        std::puts("|");
      }
    }
  }
}

void print_prefill() {
  std::puts(
      "\n## Prefill, tokens/s at most\nThe arithmetic of the prompt, logits of its last token "
      "alone, over what the card's units do; reading the weights takes less as soon as a chunk has "
      "a few hundred tokens. Formats do not change it.\n");
  std::vector<std::string> columns = {"model", "prompt", "TFLOP"};
  for (const double teraflops : kTeraflops)
    columns.push_back(std::to_string(static_cast<int>(teraflops)) + " TFLOP/s");
  print_header(columns);
  for (const char* name : kModels) {
    const auto model = load(name, "Q4_K_M");
    for (const std::uint32_t n : kPrompts) {
      const PassCost cost =
          pass_cost(*model, KvFormat::kF16, {.n_tokens = n, .depth = 0, .n_logits = 1});
      const auto flops = static_cast<double>(cost.flops());
      std::printf("| %s | %s | %.2f ", name, depth_name(n).c_str(), flops * 1e-12);
      for (const double teraflops : kTeraflops)
        std::printf("| %.0f ", n * teraflops * 1e12 / flops);
      std::puts("|");
    }
  }
}

void print_limits() {
  std::puts(
      "# What cards allow\n\nGenerated from the models' shapes by `./dev bench roofline` "
      "(`inference/pass_cost.h` counts); a test holds it. Weights are read once a token, keys and "
      "values of every position seen once; activations stay in the card's caches. What is "
      "measured beside it is in performance.md.\n");
  print_bytes();
  print_decode();
  print_stages();
  print_prefill();
  print_effects();
}

struct Sum {
  std::uint32_t n = 0;
  vulkan::Traffic traffic;
};

Result<void> print_kernels() {
  const auto instance = TRY(vulkan::Instance::create());
  const auto info = TRY(instance->find_device({.name = {}, .software_allowed = true}));
  const auto device = TRY(vulkan::Device::create(instance, info));
  constexpr std::uint32_t kDepth = 4'096;
  for (const char* name : kModels) {
    for (const char* format : kFormats) {
      const auto model = load(name, format);
      const auto plan =
          TRY(inference::gpu::plan_pass(*device,
                                        *model,
                                        KvFormat::kF16,
                                        {.n_tokens = 1, .n_logits = 1, .max_context = kDepth + 1}));
      const std::uint32_t n_layers = model->hyper_parameters().n_layers;
      const PassCost least = decode_cost(*model, kDepth);
      const vulkan::Traffic all = plan.traffic();
      std::printf(
          "%s, %s, a token at depth %s: %.1f stages and %.1f dispatches a layer, %u and %u in all; "
          "%.1f MB = %.4f times weights and cache\n\n",
          name,
          format,
          depth_name(kDepth).c_str(),
          static_cast<double>(plan.layers.n_stages) / n_layers,
          static_cast<double>(plan.layers.n_dispatches) / n_layers,
          plan.all.n_stages,
          plan.all.n_dispatches,
          mega(all.bytes()),
          static_cast<double>(all.bytes()) / static_cast<double>(least.bytes()));
      std::map<std::string, Sum> kernels;
      for (const vulkan::Dispatch& dispatch : plan.dispatches) {
        Sum& sum = kernels[std::string(dispatch.kernel->name)];
        ++sum.n;
        sum.traffic = sum.traffic + dispatch.traffic;
      }
      print_header({"kernel", "dispatches", "reads, MB", "writes, MB", "GFLOP"});
      for (const auto& [kernel, sum] : kernels) {
        std::printf("| %s | %u | %.2f | %.2f | %.3f |\n",
                    kernel.c_str(),
                    sum.n,
                    mega(sum.traffic.read),
                    mega(sum.traffic.written),
                    static_cast<double>(sum.traffic.flops) * 1e-9);
      }
      std::puts("");
    }
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "limits";
  if (what == "limits") {
    print_limits();
    return 0;
  }
  if (what == "kernels") {
    const auto printed = print_kernels();
    if (printed) return 0;
    std::fprintf(stderr, "roofline: %s\n", printed.error().message.c_str());
    return 1;
  }
  std::fprintf(stderr, "usage: roofline limits|kernels\n");
  return 2;
}
