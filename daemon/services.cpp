#include "daemon/services.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace kinglet::daemon {

namespace {

Result<wire::Load> describe_load(const Config& wanted, std::uint32_t context_tokens) {
  const auto model = TRY(find_model(wanted));
  std::vector<wire::Adapter> adapters;
  for (const AdapterSetting& adapter : wanted.adapters)
    adapters.push_back({adapter.file, adapter.scale});
  return wire::Load{.model_path = model.string(),
                    .adapters = std::move(adapters),
                    .backend = wanted.backend,
                    .device = wanted.device,
                    .kv_format = wanted.kv_format,
                    .activations = wanted.activations,
                    .threads = wanted.threads,
                    .context_tokens = context_tokens};
}

indexer::StoreOptions make_store_options(const Paths& paths) {
  indexer::StoreOptions options;
  if (!paths.cache.empty()) options.file = paths.index_store();
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  options.today = static_cast<std::uint32_t>(std::chrono::floor<std::chrono::days>(now).count());
  return options;
}

std::uint64_t memory_limit(const Config& config) {
  return std::uint64_t{config.memory_limit} << 20;
}

IndexMemory make_index_memory(const Paths& paths, const Config& config) {
  return {.limit = memory_limit(config), .folder = paths.cache};
}

}  // namespace

ServicesOptions make_services_options(const Paths& paths, LoadedConfig loaded) {
  Config& config = loaded.config;
  ServicesOptions options;
  options.paths = paths;
  options.engine.spawn.error_file = paths.log_file("stderr").string();
  options.engine.spawn.arguments = {"engine", "--log-level", config.log_level};
  options.parse.spawn.error_file = options.engine.spawn.error_file;
  options.parse.spawn.arguments = {"parse-worker", "--log-level", config.log_level};
  options.clang.spawn.error_file = options.engine.spawn.error_file;
  options.clang.spawn.arguments = {"clang-worker", "--log-level", config.log_level};
  options.parse.n_workers = n_parse_workers(config);
  options.parse.memory_limit = memory_limit(config);
  options.clang.memory_limit = memory_limit(config);
  options.config = std::move(config);
  options.config_problems = std::move(loaded.problems);
  return options;
}

Services::Services(boost::asio::any_io_executor executor, ServicesOptions options)
    : protocol(executor),
      pool(std::max(1U, std::thread::hardware_concurrency() / 2)),
      paths(std::move(options.paths)),
      config(std::move(options.config)),
      config_problems(std::move(options.config_problems)),
      engine(executor, std::move(options.engine)),
      parser(executor, std::move(options.parse)),
      index_thread(executor, make_store_options(paths), make_index_memory(paths, config)),
      repositories(parser, index_thread),
      clang(executor, std::move(options.clang)),
      semantics(clang, executor, pool.get_executor()) {
  configure_engine();
}

void Services::configure_engine() {
  const Config& wanted = choices_.empty() ? config : choices_.back().second;
  engine.configure(describe_load(wanted, config.context_tokens + config.max_new_tokens));
}

void Services::choose_engine(const void* session, const Config& wanted) {
  std::erase_if(choices_, [&](const auto& choice) { return choice.first == session; });
  choices_.emplace_back(session, wanted);
  configure_engine();
}

void Services::give_back_engine(const void* session) {
  const auto n_given_back =
      std::erase_if(choices_, [&](const auto& choice) { return choice.first == session; });
  if (n_given_back > 0) configure_engine();
}

std::shared_ptr<const PromptWriter> Services::writer_for(const LoadedModel& model) {
  const ChatTemplate* chat = find_chat_template(model.info.chat_template);
  if (!writer_ || writer_->tokenizer().vocabulary().hash() != model.vocabulary->hash() ||
      writer_->chat() != chat) {
    writer_ = std::make_shared<const PromptWriter>(model.vocabulary, chat);
  }
  return writer_;
}

}  // namespace kinglet::daemon
