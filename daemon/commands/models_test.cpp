// `kinglet models test FILE`: the check for a real model, before anybody believes its completions.
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include <unistd.h>

#include "daemon/commands/model_flags.h"
#include "daemon/commands/models.h"
#include "daemon/model_check.h"
#include "inference/gguf.h"
#include "inference/model.h"

namespace kinglet::daemon {

namespace {

struct TestOptions {
  ModelFlags model;
  bool quick = false;
};

void print(const CheckLine& line) {
  static constexpr std::array kVerdicts = {"ok", "RED", "-"};
  const bool is_red = line.verdict == Verdict::kBad && ::isatty(STDOUT_FILENO) == 1;
  std::printf("%s%-4s %-70s %10s   %s%s\n",
              is_red ? "\033[31m" : "",
              kVerdicts[static_cast<std::size_t>(line.verdict)],
              line.what.c_str(),
              line.measured.c_str(),
              line.expected.c_str(),
              is_red ? "\033[0m" : "");
  if (line.verdict == Verdict::kBad) std::printf("     %s\n", line.hint.c_str());
  std::fflush(stdout);
}

Result<int> run(const TestOptions& options) {
  const CheckTexts texts = TRY(load_check_texts());
  const auto model = TRY(inference::Model::load(options.model.model()));
  const auto own = model->gguf().get<std::string_view>("tokenizer.chat_template");
  const ChatTemplate* chat =
      choose_chat_template(own ? own->value_or("") : "", *model->vocabulary());

  CheckOptions check;
  if (options.quick) check.max_tokens = 1025;
  check.on_line = print;
  const inference::Backend* backend = TRY(options.model.backend());
  inference::ExecutorOptions place = TRY(options.model.executor_options());
  place.n_kv_tokens = static_cast<std::uint32_t>(
      std::min<std::size_t>(check.max_tokens, model->hyper_parameters().context_length));
  const auto executor = TRY(backend->create(model, place));
  auto adapters = TRY(options.model.load_adapters(*model));
  TRY(executor->set_adapters(std::move(adapters)));

  std::printf("%s on %s (%s), %s cache\n\n%-4s %-70s %10s   %s\n",
              model->name().c_str(),
              executor->info().device.name.c_str(),
              executor->info().backend.c_str(),
              std::string(inference::name_of(executor->info().kv_format)).c_str(),
              "",
              "",
              "measured",
              "expected");
  const auto lines = TRY(check_model(*executor, chat, texts, check));
  const auto n_red = std::ranges::count(lines, Verdict::kBad, &CheckLine::verdict);
  if (n_red == 0) {
    std::puts("\nAll in range.");
    return 0;
  }
  std::printf("\n%zu out of range. Ranges are of sound models of this size; see each line.\n",
              static_cast<std::size_t>(n_red));
  return 1;
}

}  // namespace

Action models_test(CLI::App& app) {
  auto options = std::make_shared<TestOptions>();
  options->model.add_to(app, "cpu", "f16");
  app.add_flag("--quick", options->quick, "Only 1,024 tokens at a time: minutes less on a CPU");
  return [options] { return run(*options); };
}

}  // namespace kinglet::daemon
