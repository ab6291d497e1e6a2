// `kinglet models`: what model files there are, what is in one, and whether it computes right.
#include "daemon/commands/models.h"

#include <memory>
#include <utility>
#include <vector>

#include "daemon/commands/verbs.h"

namespace kinglet::daemon {

namespace {

struct Word {
  const char* name;
  const char* help;
  Action (*configure)(CLI::App& app);
};

constexpr Word kWords[] = {
    {"list", "The model files that Kinglet finds", models_list},
    {"show",
     "What is in a model file, what it costs, and what of it is not supported",
     models_show},
    {"test", "Whether a model file computes what it should", models_test},
};

}  // namespace

Action models_command(CLI::App& app) {
  app.require_subcommand(1);
  auto actions = std::make_shared<std::vector<std::pair<CLI::App*, Action>>>();
  for (const Word& word : kWords) {
    CLI::App* sub = app.add_subcommand(word.name, word.help);
    actions->emplace_back(sub, word.configure(*sub));
  }
  return [actions]() -> Result<int> {
    for (const auto& [sub, action] : *actions) {
      if (sub->parsed()) return action();
    }
    return fail(ErrorCode::kInternal, "kinglet models: no word was read");
  };
}

}  // namespace kinglet::daemon
