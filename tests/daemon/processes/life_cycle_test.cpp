// The real program, as an editor starts it.
#include <csignal>
#include <filesystem>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "tests/daemon/home.h"

namespace kinglet::daemon {
namespace {

using test::Child;
using test::Editor;
using test::Home;
using test::Json;
using test::wait_until;

/// A daemon in the foreground that clients can reach.
class RunningDaemon {
 public:
  explicit RunningDaemon(const Home& home, std::vector<std::string> arguments = {})
      : process_(with_verb(std::move(arguments)), home.environment()) {
    wait_until("a daemon", [&] { return !home.status().is_null(); });
  }
  Child& process() { return process_; }

 private:
  static std::vector<std::string> with_verb(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "daemon");
    return arguments;
  }
  Child process_;
};

/// A daemon of version 0.0.9: it greets, and goes when it is asked to.
class OldDaemon {
 public:
  explicit OldDaemon(const Home& home) {
    std::filesystem::create_directory(home.paths().runtime);
    std::filesystem::permissions(home.paths().runtime, std::filesystem::perms::owner_all);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_ = home.paths().socket().string();
    socket_.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 8) == 0);
    thread_ = std::thread([this] {
      while (purposes_.empty() || purposes_.back() != "stop")
        serve_one();
    });
  }
  OldDaemon(const OldDaemon&) = delete;
  OldDaemon& operator=(const OldDaemon&) = delete;
  ~OldDaemon() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }

  /// What its clients came for, once it has gone.
  std::vector<std::string> purposes() {
    thread_.join();
    return purposes_;
  }

 private:
  void serve_one() {
    const UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::string line;
    for (char c = 0; c != '\n' && ::recv(client.get(), &c, 1, 0) == 1;)
      line += c;
    std::istringstream words(line);  // KINGLET 1 VERSION PURPOSE …
    std::string purpose = "stop";
    for (int i = 0; i < 4; ++i)
      words >> purpose;
    const std::string welcome = "KINGLET 1 0.0.9\n";
    ::send(client.get(), welcome.data(), welcome.size(), MSG_NOSIGNAL);
    if (purpose == "stop") ::unlink(socket_.c_str());
    purposes_.push_back(purpose);
  }

  std::string socket_;
  UniqueFd listener_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::vector<std::string> purposes_;
  std::thread thread_;
};

/// A daemon's lock, as somebody holds it who does not listen.
class DaemonLock {
 public:
  DaemonLock(const Home& home, pid_t pid) {
    std::filesystem::create_directory(home.paths().runtime);
    std::filesystem::permissions(home.paths().runtime, std::filesystem::perms::owner_all);
    const std::string file = home.paths().daemon_lock().string();
    fd_ = UniqueFd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0);
    const std::string text = std::to_string(pid);
    REQUIRE(::pwrite(fd_.get(), text.data(), text.size(), 0) > 0);
  }
  void release() const { ::flock(fd_.get(), LOCK_UN); }

 private:
  UniqueFd fd_;
};

}  // namespace

TEST_SUITE("daemon/processes/life_cycle") {
  TEST_CASE("initialize, shutdown, exit: 0; the daemon stays and stops when told") {
    const Home home;
    Editor editor(home);
    const Json answer = editor.initialize(home.folder());
    CHECK(answer["result"]["serverInfo"]["name"] == "Kinglet");
    CHECK(answer["result"]["capabilities"]["experimental"]["kinglet"]["inlineStream"] == true);
    const Json status = home.status();
    REQUIRE(status["clients"].size() == 1);
    CHECK(status["clients"][0]["name"] == "test");
    CHECK(editor.quit() == 0);
    wait_until("the client's end", [&] { return home.status()["clients"].empty(); });
    CHECK(home.status()["pid"] == status["pid"]);

    const auto stop = home.run({"stop"});
    CHECK(stop.exit_code == 0);
    CHECK(stop.output == "The daemon has finished.\n");
    CHECK(!std::filesystem::exists(home.paths().socket()));
    CHECK(home.status().is_null());
    wait_until("no process left", [&] { return home.processes().empty(); });
    CHECK(home.run({"stop"}).output == "No daemon is running.\n");
  }

  TEST_CASE("exit without shutdown is 1, and so is the end of input") {
    const Home home;
    Editor hasty(home);
    hasty.initialize(home.folder());
    hasty.notify("exit", nullptr);
    CHECK(hasty.process().wait() == 1);

    Editor gone(home);
    gone.initialize(home.folder());
    gone.process().close_input();
    CHECK(gone.process().wait() == 1);
  }

  TEST_CASE("a request before initialize, after shutdown, a broken frame: the protocol's errors") {
    const Home home;
    Editor editor(home);
    CHECK(editor.call("kinglet/status", nullptr)["error"]["code"] == -32002);
    editor.process().write("Content-Length: nonsense\r\n\r\n");
    CHECK(editor.response(nullptr)["error"]["code"] == -32700);
    editor.process().write(test::framed("{\"jsonrpc\": "));
    CHECK(editor.response(nullptr)["error"]["code"] == -32700);
    editor.process().write(test::framed("{\"id\": 77, \"method\": \"initialize\"}"));
    CHECK(editor.response(77)["error"]["code"] == -32600);
    editor.initialize(home.folder());
    CHECK(editor.call("no/such/method", nullptr)["error"]["code"] == -32601);
    CHECK(editor.call("kinglet/status", nullptr)["result"]["clients"].size() == 1);
    CHECK(editor.call("shutdown", nullptr)["result"].is_null());
    CHECK(editor.call("kinglet/status", nullptr)["error"]["code"] == -32600);
    editor.notify("exit", nullptr);
    CHECK(editor.process().wait() == 0);
  }

  TEST_CASE("a killed client leaves the daemon and the others alone") {
    const Home home;
    Editor killed(home);
    killed.initialize(home.folder());
    Editor other(home);
    other.initialize(home.folder());
    CHECK(home.status()["clients"].size() == 2);
    killed.process().signal(SIGKILL);
    wait_until("one client", [&] { return home.status()["clients"].size() == 1; });
    CHECK(other.call("kinglet/status", nullptr)["result"]["clients"].size() == 1);
    CHECK(other.quit() == 0);
  }

  TEST_CASE("a second daemon refuses politely") {
    const Home home;
    RunningDaemon first(home);
    const auto second = home.run({"daemon"});
    CHECK(second.exit_code == 1);
    CHECK(second.output == "kinglet: A daemon runs already (process " +
                               std::to_string(first.process().pid()) +
                               "). `kinglet stop` ends it.\n");
    CHECK(home.status()["pid"] == first.process().pid());
  }

  TEST_CASE("a dead daemon's socket is replaced") {
    const Home home;
    RunningDaemon dead(home);
    dead.process().signal(SIGKILL);
    dead.process().wait();
    CHECK(std::filesystem::exists(home.paths().socket()));
    Editor editor(home);
    CHECK(editor.initialize(home.folder())["result"]["serverInfo"]["name"] == "Kinglet");
    CHECK(editor.quit() == 0);
  }

  TEST_CASE("SIGTERM ends the daemon cleanly") {
    const Home home;
    RunningDaemon daemon(home);
    daemon.process().signal(SIGTERM);
    CHECK(daemon.process().wait() == 0);
    CHECK(!std::filesystem::exists(home.paths().socket()));
    CHECK(home.processes().empty());
  }

  TEST_CASE("a daemon without clients finishes after its idle time") {
    const Home home;
    RunningDaemon daemon(home, {"--idle-exit", "1"});
    CHECK(daemon.process().wait() == 0);
  }

  TEST_CASE("two relays at once start one daemon") {
    const Home home;
    Editor first(home);
    Editor second(home);
    first.initialize(home / "config");
    second.initialize(home / "cache");
    const Json status = home.status();
    CHECK(status["clients"].size() == 2);
    CHECK(first.call("kinglet/status", nullptr)["result"]["pid"] == status["pid"]);
    CHECK(second.call("kinglet/status", nullptr)["result"]["pid"] == status["pid"]);
    CHECK(first.quit() == 0);
    CHECK(second.quit() == 0);
  }

  TEST_CASE("a daemon that goes away is replaced, and the editor notices nothing") {
    const Home home;
    Editor editor(home);
    editor.initialize(home.folder());
    const pid_t before = home.status()["pid"];
    SUBCASE("killed") {
      ::kill(before, SIGKILL);
      wait_until("its death", [&] { return home.status().is_null(); });
    }
    SUBCASE("stopped") {
      CHECK(home.run({"stop"}).exit_code == 0);
    }
    SUBCASE("purged, with its folders") {
      CHECK(home.run({"purge", "--yes"}).exit_code == 0);
      CHECK(!std::filesystem::exists(home.paths().state));
    }
    // The new daemon knows the session; the reply to its initialize is nobody's.
    const Json status = editor.call("kinglet/status", nullptr)["result"];
    CHECK(status["pid"] != before);
    REQUIRE(status["clients"].size() == 1);
    CHECK(status["clients"][0]["name"] == "test");
    CHECK(editor.notifications().empty());
    CHECK(editor.quit() == 0);
  }

  TEST_CASE("what is wrong with config.json is shown to each editor and logged") {
    const Home home;
    home.write_config({{"enabled", false}, {"treads", 2}});
    for (int i = 0; i < 2; ++i) {
      Editor editor(home);
      editor.initialize(home.folder());
      editor.call("kinglet/status", nullptr);
      REQUIRE(editor.notifications().size() == 1);
      const Json& shown = editor.notifications().front();
      CHECK(shown["method"] == "window/showMessage");
      const std::string message = shown["params"]["message"];
      CHECK(message.find("Unknown key \"treads\" in " + home.paths().config_file().string()) == 0);
      CHECK(editor.quit() == 0);
    }
    CHECK(home.run({"logs", "daemon"}).output.find("Unknown key \"treads\"") != std::string::npos);
  }

  TEST_CASE("a folder whose name is no UTF-8 is a folder") {
    const Home home;
    std::filesystem::create_directory(home / "caf\xe9");
    Editor editor(home);
    editor.initialize(home / "caf%E9");
    const Json status = home.status();
    REQUIRE(status["clients"].size() == 1);
    CHECK(status["clients"][0]["roots"][0] == (home / "caf\xef\xbf\xbd").string());
    CHECK(editor.quit() == 0);
  }

  TEST_CASE("a daemon that cannot be replaced is an error, not a silence") {
    const Home home;
    Editor editor(home);
    editor.initialize(home.folder());
    CHECK(home.run({"stop"}).exit_code == 0);
    // No daemon can listen where its socket is a folder.
    std::filesystem::create_directories(home.paths().socket() / "occupied");
    CHECK(editor.call("kinglet/status", nullptr)["error"]["code"].is_number());
    CHECK(editor.process().wait() == 1);
  }

  TEST_CASE("an editor that quits after the daemon has gone hears its goodbye") {
    const Home home;
    Editor editor(home);
    editor.initialize(home.folder());
    CHECK(home.run({"stop"}).exit_code == 0);
    CHECK(editor.quit() == 0);
    CHECK(home.status().is_null());
  }

  TEST_CASE("a message that breaks the rules gets its error though the daemon has gone") {
    const Home home;
    Editor editor(home);
    editor.initialize(home.folder());
    CHECK(home.run({"stop"}).exit_code == 0);
    editor.send({{"id", 7}, {"method", "kinglet/status"}});
    CHECK(editor.response(7)["error"]["code"] == -32600);
    CHECK(editor.quit() == 0);
  }

  TEST_CASE("while a daemon finishes slowly, the next one is waited for") {
    const Home home;
    const DaemonLock finishing(home, ::getpid());
    Editor editor(home);
    const int id = editor.request("initialize", {{"capabilities", Json::object()}});
    std::this_thread::sleep_for(std::chrono::seconds(1));
    finishing.release();
    CHECK(editor.response(id)["result"]["serverInfo"]["name"] == "Kinglet");
    editor.notify("initialized", Json::object());
    CHECK(editor.quit() == 0);
  }

  TEST_CASE("stop does not wait for the end of a daemon that was started meanwhile") {
    const Home home;
    OldDaemon old(home);
    const DaemonLock of_the_next(home, 1);
    const auto stop = home.run({"stop"});
    CHECK(stop.exit_code == 0);
    CHECK(stop.output == "The daemon has finished.\n");
    CHECK(old.purposes() == std::vector<std::string>{"stop"});
  }

  TEST_CASE("a daemon that does not answer is named, with what ends it") {
    const Home home;
    RunningDaemon daemon(home);
    daemon.process().signal(SIGSTOP);
    const std::string pid = std::to_string(daemon.process().pid());
    const auto stop = home.run({"stop"});
    CHECK(stop.exit_code == 1);
    CHECK(stop.output == "kinglet: The daemon (process " + pid +
                             ") does not answer. `kinglet logs daemon` may say why; `kill -9 " +
                             pid + "` ends it.\n");
  }

  TEST_CASE("standalone needs no daemon and leaves nothing behind") {
    const Home home;
    Editor editor(home, {"--standalone"});
    editor.initialize(home.folder());
    CHECK(home.status().is_null());
    CHECK(editor.call("kinglet/status", nullptr)["result"]["pid"] == editor.process().pid());
    SUBCASE("exit") {
      CHECK(editor.quit() == 0);
    }
    SUBCASE("end of input") {
      editor.process().close_input();
      CHECK(editor.process().wait() == 1);
    }
    wait_until("no process left", [&] { return home.processes().empty(); });
  }

  TEST_CASE("a relay newer than the daemon has it finish and starts its own") {
    const Home home;
    OldDaemon old(home);
    Editor editor(home);
    const Json answer = editor.initialize(home.folder());
    CHECK(old.purposes() == std::vector<std::string>{"lsp", "stop"});
    CHECK(answer["result"]["serverInfo"]["version"] != "0.0.9");
    CHECK(editor.quit() == 0);
  }
}

}  // namespace kinglet::daemon
