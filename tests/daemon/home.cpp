#include "tests/daemon/home.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>

namespace kinglet::test {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

std::string read_file(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

[[noreturn]] void give_up(const std::string& what) {
  throw std::runtime_error("waited in vain: " + what);
}

std::array<UniqueFd, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace

void wait_until(const std::string& what, const std::function<bool()>& condition) {
  const auto until = Clock::now() + kPatience;
  while (!condition()) {
    if (Clock::now() > until) give_up(what);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

Child::Child(const std::vector<std::string>& arguments,
             const std::map<std::string, std::string>& more,
             Errors errors) {
  // A child that is gone is found out by reading.
  std::signal(SIGPIPE, SIG_IGN);
  auto [their_input, our_input] = make_pipe();
  auto [our_output, their_output] = make_pipe();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, their_input.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, their_output.get(), STDOUT_FILENO);
  if (errors == Errors::kInOutput) {
    posix_spawn_file_actions_adddup2(&actions, their_output.get(), STDERR_FILENO);
  }

  std::vector<std::string> words = {KINGLET_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& word : words)
    argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (!more.contains(std::string(text.substr(0, text.find('='))))) variables.emplace_back(text);
  }
  for (const auto& [name, value] : more)
    variables.push_back(name + "=" + value);
  std::vector<char*> envp;
  for (auto& variable : variables)
    envp.push_back(variable.data());
  envp.push_back(nullptr);

  const int error =
      ::posix_spawn(&pid_, KINGLET_PROGRAM, &actions, nullptr, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("posix_spawn of " KINGLET_PROGRAM);
  input_ = std::move(our_input);
  output_ = std::move(our_output);
}

Child::~Child() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Child::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(input_.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string Child::read_some() {
  pollfd entry{.fd = output_.get(), .events = POLLIN, .revents = 0};
  const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(kPatience);
  if (::poll(&entry, 1, static_cast<int>(patience.count())) <= 0) give_up("output of a child");
  std::string bytes(64 << 10, '\0');
  const ssize_t n = ::read(output_.get(), bytes.data(), bytes.size());
  bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return bytes;
}

std::string Child::read_all() {
  std::string all;
  for (std::string some = read_some(); !some.empty(); some = read_some())
    all += some;
  return all;
}

void Child::signal(int number) const {
  ::kill(pid_, number);
}

int Child::wait() {
  int status = 0;
  wait_until("the end of a child", [&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; });
  pid_ = -1;
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

Home::Home() {
  for (const char* name : {"config", "cache", "state", "run"})
    fs::create_directory(folder_ / name);
  environment_ = {{"HOME", folder_.path()},
                  {"XDG_CONFIG_HOME", folder_ / "config"},
                  {"XDG_CACHE_HOME", folder_ / "cache"},
                  {"XDG_STATE_HOME", folder_ / "state"},
                  {"XDG_RUNTIME_DIR", folder_ / "run"}};
  paths_ = *daemon::find_paths([this](const char* name) -> std::optional<std::string> {
    const auto found = environment_.find(name);
    if (found == environment_.end()) return std::nullopt;
    return found->second;
  });
  // Most tests need no model, and are quicker without one.
  write_config({{"enabled", false}});
}

Home::~Home() {
  for (const pid_t pid : processes())
    ::kill(pid, SIGKILL);
}

void Home::write_config(const Json& config) const {
  fs::create_directories(paths_.config);
  std::ofstream(paths_.config_file()) << config;
}

Outcome Home::run(std::vector<std::string> arguments) const {
  Child child(arguments, environment_, Errors::kInOutput);
  child.close_input();
  Outcome outcome;
  outcome.output = child.read_all();
  outcome.exit_code = child.wait();
  return outcome;
}

Json Home::status() const {
  return Json::parse(run({"status", "--json"}).output);
}

std::vector<pid_t> Home::processes(const std::string& verb) const {
  std::vector<pid_t> pids;
  const std::string mark = "XDG_RUNTIME_DIR=" + (folder_ / "run").string();
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (read_file(entry.path() / "environ").find(mark) == std::string::npos) continue;
    // Words end in NUL: "kinglet\0engine\0…".
    const std::string words = read_file(entry.path() / "cmdline");
    const bool is_of_verb = words.find('\0' + verb + '\0') != std::string::npos;
    if (verb.empty() || is_of_verb) pids.push_back(std::stoi(name));
  }
  return pids;
}

namespace {

std::vector<std::string> lsp_arguments(const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"lsp"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace

Editor::Editor(const Home& home, const std::vector<std::string>& arguments)
    : process_(lsp_arguments(arguments), home.environment()) {}

void Editor::send(const Json& message) {
  process_.write(framed(message.dump()));
}

void Editor::notify(const std::string& method, const Json& params) {
  send({{"jsonrpc", "2.0"}, {"method", method}, {"params", params}});
}

int Editor::request(const std::string& method, const Json& params) {
  const int id = ++last_id_;
  send({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}});
  return id;
}

Json Editor::response(const Json& id) {
  for (;;) {
    Json message = next_message();
    if (!message.contains("method") && message["id"] == id) return message;
    notifications_.push_back(std::move(message));
  }
}

Json Editor::initialize(const fs::path& root) {
  Json result = call("initialize",
                     {{"processId", nullptr},
                      {"rootUri", "file://" + root.string()},
                      {"clientInfo", {{"name", "test"}}},
                      {"capabilities", Json::object()}});
  notify("initialized", Json::object());
  return result;
}

int Editor::quit() {
  call("shutdown", nullptr);
  notify("exit", nullptr);
  return process_.wait();
}

Json Editor::next_message() {
  for (;;) {
    const auto head_end = received_.find("\r\n\r\n");
    if (head_end != std::string::npos) {
      const std::string head = received_.substr(0, head_end);
      const std::size_t length = std::stoul(head.substr(head.find(": ") + 2));
      if (received_.size() >= head_end + 4 + length) {
        Json message = Json::parse(received_.substr(head_end + 4, length));
        received_.erase(0, head_end + 4 + length);
        return message;
      }
    }
    const std::string some = process_.read_some();
    if (some.empty()) throw std::runtime_error("the server closed its output");
    received_ += some;
  }
}

std::string framed(const std::string& body) {
  return "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace kinglet::test
