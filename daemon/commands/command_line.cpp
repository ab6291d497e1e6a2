#include <cstdio>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "daemon/commands/command.h"
#include "daemon/version.h"

namespace kinglet::daemon {

namespace {

constexpr const char* kAbout =
    "Kinglet completes code with a small language model on your own machine. Editors start\n"
    "`kinglet lsp`; everything else here looks after it.";

constexpr const char* kExamples =
    "Examples:\n"
    "  kinglet doctor            what is wrong, and what to do about it\n"
    "  kinglet status            the daemon, its processes, the model it has loaded\n"
    "  kinglet lsp               what an editor runs\n"
    "  kinglet VERB --help       the flags and examples of one verb";

std::string indented(std::string_view lines) {
  std::string out = "Examples:\n  ";
  for (const char c : lines) {
    out += c;
    if (c == '\n') out += "  ";
  }
  return out;
}

/// What is wrong with the first word, if anything. CLI11 would only say that a verb is needed.
std::optional<std::string> unknown_verb(std::span<char* const> words) {
  const std::string_view verb = words.empty() ? "" : words.front();
  if (verb == "-h" || verb == "--help" || verb == "--version") return std::nullopt;
  std::string known;
  for (const Command& command : all_commands()) {
    if (command.name == verb) return std::nullopt;
    if (command.audience != Audience::kPeople) continue;
    known.append(known.empty() ? "" : ", ").append(command.name);
  }
  const std::string the_verbs = "The verbs are " + known + "; `kinglet --help` says what they do.";
  if (verb.empty()) return "A verb is missing. " + the_verbs;
  if (verb.front() == '-') {
    return "There is no flag " + std::string(verb) + " before a verb. " + the_verbs;
  }
  return "There is no verb \"" + std::string(verb) + "\". " + the_verbs;
}

int report(const Error& error) {
  std::fprintf(stderr, "kinglet: %s\n", error.message.c_str());
  return 1;
}

/// A descriptor of these that the caller closed would become that of the next file: the model would
/// be read as the text, or printed lines would end in what is written. Reading and writing fail, as
/// they should.
void keep_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) != -1) continue;
    (void)::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

int run(const Action& action) {
  try {
    const auto exit_code = action();
    const bool is_written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
    if (!exit_code) return report(exit_code.error());
    if (is_written) return *exit_code;
    return report({ErrorCode::kIo, "cannot write all of standard output; is the disk full?"});
  } catch (const std::exception& exception) {
    return report(
        {ErrorCode::kInternal, std::string("This is a bug in Kinglet: ") + exception.what()});
  }
}

}  // namespace

int run_command_line(int argc, char** argv) {
  keep_standard_descriptors();
  if (const auto problem = unknown_verb(std::span(argv, argc).subspan(argc > 0 ? 1 : 0))) {
    report({ErrorCode::kInvalidArgument, *problem});
    return 2;
  }
  CLI::App app(kAbout, "kinglet");
  app.set_version_flag("--version", std::string("kinglet ") + kVersion, "Print the version");
  app.footer(kExamples);
  app.require_subcommand(1);

  std::vector<std::pair<CLI::App*, Action>> verbs;
  for (const Command& command : all_commands()) {
    CLI::App* verb = app.add_subcommand(std::string(command.name), std::string(command.help));
    if (command.audience == Audience::kOurselves) verb->group("");
    if (!command.examples.empty()) verb->footer(indented(command.examples));
    verbs.emplace_back(verb, command.configure(*verb));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and version are "errors" of CLI11, too; it prints them and gives 0. Wrong usage is 2.
    return app.exit(error) == 0 ? 0 : 2;
  }
  for (const auto& [verb, action] : verbs) {
    if (verb->parsed()) return run(action);
  }
  return 2;
}

}  // namespace kinglet::daemon
