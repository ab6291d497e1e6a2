// A user's home of its own for tests that run the real program: private XDG folders, and no process
// left behind.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

#include <nlohmann/json.hpp>

#include "daemon/base/unique_fd.h"
#include "daemon/paths.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::test {

using Json = nlohmann::json;

/// How long a test waits for a state before it fails. Generous: machines are busy.
inline constexpr std::chrono::seconds kPatience{60};

/// Waits until `condition` holds; throws with `what` when it never does.
void wait_until(const std::string& what, const std::function<bool()>& condition);

enum class Errors : std::uint8_t { kInherited, kInOutput };

/// A child process with pipes for its standard input and output.
class Child {
 public:
  Child(const std::vector<std::string>& arguments,
        const std::map<std::string, std::string>& more,
        Errors errors = Errors::kInherited);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  pid_t pid() const { return pid_; }
  void write(std::string_view bytes);
  void close_input() { input_.reset(); }
  /// Some bytes of its output; empty at its end. Throws after kPatience.
  std::string read_some();
  std::string read_all();
  void signal(int number) const;
  /// Its exit code, or minus the signal that killed it. Throws after kPatience.
  int wait();

 private:
  pid_t pid_ = -1;
  UniqueFd input_;
  UniqueFd output_;
};

/// What a program printed, and how it ended.
struct Outcome {
  int exit_code = 0;
  std::string output;  // standard output and error
};

class Home {
 public:
  Home();
  /// Ends whatever still runs in this home.
  ~Home();

  const daemon::Paths& paths() const { return paths_; }
  const std::filesystem::path& folder() const { return folder_.path(); }
  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }
  const std::map<std::string, std::string>& environment() const { return environment_; }
  /// A variable of all that is started here from now on.
  void set(const std::string& name, const std::string& value) { environment_[name] = value; }
  /// Replaces config.json, which turns completions (and so the engine) off at first.
  void write_config(const Json& config) const;

  /// Runs `kinglet ARGUMENTS…` to its end.
  Outcome run(std::vector<std::string> arguments) const;
  /// `kinglet status --json`; null when no daemon runs.
  Json status() const;
  /// Processes that run in this home; those of one verb, if given.
  std::vector<pid_t> processes(const std::string& verb = "") const;

 private:
  TemporaryFolder folder_;
  std::map<std::string, std::string> environment_;
  daemon::Paths paths_;
};

/// An editor: `kinglet lsp` and the client's side of the protocol.
class Editor {
 public:
  explicit Editor(const Home& home, const std::vector<std::string>& arguments = {});

  Child& process() { return process_; }
  void send(const Json& message);
  void notify(const std::string& method, const Json& params);
  /// Sends a request; its id.
  int request(const std::string& method, const Json& params);
  /// Waits for the response with this id; what else comes is kept in notifications().
  Json response(const Json& id);
  Json call(const std::string& method, const Json& params) {
    return response(request(method, params));
  }
  /// The handshake, with one folder.
  Json initialize(const std::filesystem::path& root);
  /// `shutdown` and `exit`; the program's exit code.
  int quit();
  const std::vector<Json>& notifications() const { return notifications_; }

 private:
  Json next_message();

  Child process_;
  std::string received_;
  std::vector<Json> notifications_;
  int last_id_ = 0;
};

/// A message with its header.
std::string framed(const std::string& body);

}  // namespace kinglet::test
