#include "inference/gpu/formats.h"

#include <chrono>
#include <utility>

#include "inference/gpu/recording.h"
#include "inference/gpu/weights.h"
#include "inference/gpu/workspace.h"
#include "vulkan/operations/tune.h"

namespace kinglet::inference::gpu {

namespace {

using Seconds = std::chrono::duration<double>;

/// That a start may spend on tuning.
Seconds tuning_budget(TuningUse use) {
  constexpr Seconds kOrdinary{2};
  constexpr Seconds kMuch{600};  // trying everything takes less
  return use == TuningUse::kUntilDone ? kMuch : kOrdinary;
}

vulkan::ProductPath product_path(ProductPath path, KvFormat kv_format) {
  switch (path) {
    case ProductPath::kAuto:
      // Who wants an exact cache wants exact products, too.
      return kv_format == KvFormat::kF32 ? vulkan::ProductPath::kFloat : vulkan::ProductPath::kAuto;
    case ProductPath::kFloat:
      return vulkan::ProductPath::kFloat;
    case ProductPath::kHalf:
      return vulkan::ProductPath::kHalf;
    case ProductPath::kIntegerDot:
      return vulkan::ProductPath::kIntegerDot;
    case ProductPath::kMatrix:
      break;
  }
  return vulkan::ProductPath::kMatrix;
}

/// Whether numbers other than the defaults are wanted.
bool tunes(const vulkan::DeviceInfo& device, const ExecutorOptions& options) {
  switch (options.tuning) {
    case TuningUse::kWhereKept:
    case TuningUse::kUntilDone:
      return device.type != vulkan::DeviceType::kSoftware && !options.cache_folder.empty();
    case TuningUse::kNever:
      return false;
    case TuningUse::kKept:
    case TuningUse::kAlways:
      break;
  }
  return true;
}

}  // namespace

Result<vulkan::Formats> formats_of(const Model& model, KvFormat kv_format, ProductPath path) {
  return vulkan::Formats{.weights = TRY(Weights::types_of(model)),
                         .caches = {cache_type(kv_format)},
                         .product_path = product_path(path, kv_format),
                         .heads = {head_shape(model.hyper_parameters())}};
}

vulkan::Tuning tuning_of(const vulkan::Device& device,
                         const vulkan::Formats& formats,
                         const ExecutorOptions& options) {
  if (!tunes(device.info(), options)) return {};
  const auto file = device_file(options.cache_folder, "tuning", device.info());
  const std::uint64_t candidates = vulkan::candidates_hash(device.info());
  vulkan::Tuning known =
      vulkan::read_tuning(device.info(), candidates, file).value_or(vulkan::Tuning());
  if (options.tuning == TuningUse::kKept) return known;
  Result<vulkan::Tuning> found =
      vulkan::tune(device, formats, tuning_budget(options.tuning), known);
  if (!found) return known;
  // What could not be written is searched for again next time, and that is all.
  if (!file.empty() && *found != known) {
    (void)vulkan::write_tuning(device.info(), candidates, file, *found);
  }
  return *std::move(found);
}

std::filesystem::path device_file(const std::filesystem::path& folder,
                                  const std::string& kind,
                                  const vulkan::DeviceInfo& device) {
  if (folder.empty()) return {};
  return folder /
         (kind + "-" + std::to_string(device.vendor_id) + "-" + std::to_string(device.device_id));
}

}  // namespace kinglet::inference::gpu
