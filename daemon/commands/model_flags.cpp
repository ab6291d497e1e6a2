#include "daemon/commands/model_flags.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "daemon/paths.h"

namespace kinglet::daemon {

namespace {

std::string kv_format_names() {
  std::string names;
  for (const inference::KvFormat format : inference::all_kv_formats()) {
    names.append(names.empty() ? "" : ", ").append(inference::name_of(format));
  }
  return names;
}

}  // namespace

std::filesystem::path cache_folder() {
  const auto paths = find_paths();
  return paths && make_folders(*paths) ? paths->cache : std::filesystem::path();
}

void ModelFlags::add_to(CLI::App& app, std::string backend, std::string kv_format) {
  backend_ = std::move(backend);
  kv_format_ = std::move(kv_format);
  app.add_option("model", model_, "GGUF file of the model")->required();
  app.add_option("--backend", backend_, "What computes: cpu or vulkan")->capture_default_str();
  app.add_option("--device", device_, "Part of the name of the Vulkan device to use");
  app.add_option("--kv", kv_format_, "How keys and values are stored: " + kv_format_names())
      ->capture_default_str();
  app.add_option("--threads", n_threads_, "Of the CPU backend; 0: one for each fast core")
      ->capture_default_str();
  app.add_flag("--fast",
               fast_,
               "Multiply weights with activations rounded to 8 bits, as the daemon does on a CPU");
  app.add_option(
         "--path", path_, "How a GPU multiplies weights: auto, float, half, integer-dot or matrix")
      ->capture_default_str();
  app.add_option(
         "--tuning",
         tuning_,
         "What a GPU's kernels look like: default, as was tried to be fastest; off, as they "
         "are without trying")
      ->capture_default_str();
  app.add_option("--lora", loras_, "An adapter, FILE or FILE=SCALE; may be given several times");
}

Result<inference::KvFormat> ModelFlags::kv_format() const {
  if (const auto format = inference::find_kv_format(kv_format_)) return *format;
  return fail(ErrorCode::kInvalidArgument,
              "--kv \"" + kv_format_ + "\" is not a cache format; there are " + kv_format_names());
}

Result<inference::ProductPath> ModelFlags::product_path() const {
  if (const auto path = inference::find_product_path(path_)) return *path;
  return fail(ErrorCode::kInvalidArgument,
              "--path \"" + path_ + "\" is none of auto, float, half, integer-dot, matrix");
}

Result<inference::TuningUse> ModelFlags::tuning() const {
  if (const auto tuning = inference::find_tuning_use(tuning_)) return *tuning;
  return fail(ErrorCode::kInvalidArgument,
              "--tuning \"" + tuning_ + "\" is neither default nor off");
}

Result<const inference::Backend*> ModelFlags::backend() const {
  if (const inference::Backend* backend = inference::find_backend(backend_)) return backend;
  return fail(ErrorCode::kInvalidArgument,
              "--backend \"" + backend_ + "\" is neither cpu nor vulkan");
}

Result<inference::Adapters> ModelFlags::load_adapters(const inference::Model& model) const {
  inference::Adapters adapters;
  for (const std::string& wish : loras_) {
    const std::size_t end = std::min(wish.rfind('='), wish.size());
    float scale = 1;
    if (end < wish.size()) {
      const char* last = wish.data() + wish.size();
      const auto [stop, error] = std::from_chars(wish.data() + end + 1, last, scale);
      if (error != std::errc() || stop != last) {
        return fail(
            ErrorCode::kInvalidArgument,
            "--lora " + wish + ": \"" + wish.substr(end + 1) + "\" is no scale; give FILE=NUMBER");
      }
    }
    adapters.push_back({TRY(inference::Lora::load(wish.substr(0, end), model)), scale});
  }
  return adapters;
}

Result<inference::ExecutorOptions> ModelFlags::executor_options() const {
  return inference::ExecutorOptions{.device = device_,
                                    .kv_format = TRY(kv_format()),
                                    .activations = activations(),
                                    .n_threads = n_threads_,
                                    .product_path = TRY(product_path()),
                                    .tuning = TRY(tuning()),
                                    .cache_folder = cache_folder()};
}

Result<inference::EngineOptions> ModelFlags::engine_options() const {
  inference::EngineOptions options;
  options.model_path = model_;
  options.device = device_;
  options.kv_format = TRY(kv_format());
  options.activations = activations();
  options.product_path = TRY(product_path());
  options.tuning = TRY(tuning());
  options.n_threads = n_threads_;
  options.cache_folder = cache_folder();
  if (backend_ == "auto") return options;
  const inference::Backend* backend = TRY(this->backend());
  options.backend =
      backend->name == "cpu" ? inference::BackendChoice::kCpu : inference::BackendChoice::kVulkan;
  return options;
}

}  // namespace kinglet::daemon
