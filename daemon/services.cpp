#include "daemon/services.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace kinglet::daemon {

namespace {

Result<wire::Load> describe_load(const Config& config) {
  const auto model = TRY(find_model(config));
  return wire::Load{.model_path = model.string(),
                    .backend = config.backend,
                    .device = config.device,
                    .kv_format = config.kv_format,
                    .threads = config.threads,
                    .context_tokens = config.context_tokens + config.max_new_tokens};
}

}  // namespace

ServicesOptions make_services_options(const Paths& paths, Config config) {
  ServicesOptions options;
  options.paths = paths;
  options.engine.spawn.error_file = paths.log_file("stderr").string();
  options.engine.spawn.arguments = {"engine", "--log-level", config.log_level};
  options.parse.spawn.error_file = options.engine.spawn.error_file;
  options.parse.spawn.arguments = {"parse-worker", "--log-level", config.log_level};
  options.parse.n_workers = config.parse_workers;
  options.config = std::move(config);
  return options;
}

Services::Services(boost::asio::any_io_executor executor, ServicesOptions options)
    : protocol(executor),
      pool(std::max(1U, std::thread::hardware_concurrency() / 2)),
      paths(std::move(options.paths)),
      config(std::move(options.config)),
      engine(executor, std::move(options.engine)),
      parser(executor, std::move(options.parse)),
      repositories(parser) {
  configure_engine(config);
}

void Services::configure_engine(const Config& wanted) {
  engine.configure(describe_load(wanted));
}

std::shared_ptr<const PromptWriter> Services::writer_for(const LoadedModel& model) {
  if (!writer_ || writer_->tokenizer().shared_vocabulary() != model.vocabulary) {
    writer_ = std::make_shared<const PromptWriter>(model.vocabulary);
  }
  return writer_;
}

}  // namespace kinglet::daemon
