// Whole conversations, as golden files in transcripts/*.lsp. A line is
//   # …            a comment
//   --> JSON       a message from the client, framed here
//   ~~> BYTES      bytes from the client as they are; \r \n \\ are escapes
//   ~~> EOF        the client's end of the pipe closes
//   <-- JSON       what the server sends
//   log: …         what it logs
//   exit N         its exit code, once there is one
// KINGLET_UPDATE_GOLDEN=1 rewrites the server's lines.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "lsp/transport.h"
#include "tests/lsp/scripted_session.h"

namespace kinglet::lsp::test {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

std::string unescape(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      bytes += text[i];
      continue;
    }
    const char c = text[++i];
    bytes += c == 'r' ? '\r' : c == 'n' ? '\n' : c;
  }
  return bytes;
}

bool is_end_of_input(std::string_view line) {
  return line == "~~> EOF";
}

std::string client_bytes(std::string_view line) {
  return starts_with(line, "-->") ? write_frame(line.substr(4)) : unescape(line.substr(4));
}

bool is_from_server(std::string_view line) {
  return starts_with(line, "<-- ") || starts_with(line, "log: ") || starts_with(line, "exit ");
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    lines.push_back(line);
  return lines;
}

std::vector<std::string> server_lines(ScriptedSession& session) {
  std::vector<std::string> lines = session.take_output();
  for (std::string& line : lines) {
    if (!starts_with(line, "log: ")) line.insert(0, "<-- ");
  }
  return lines;
}

// The client's side of a transcript with the server's lines as they come now.
std::string replay(const std::string& transcript) {
  ScriptedSession session;
  std::string result;
  bool has_exited = false;
  for (const std::string& line : lines_of(transcript)) {
    if (is_from_server(line)) continue;
    result += line + "\n";
    if (!starts_with(line, "-->") && !starts_with(line, "~~>")) continue;
    if (is_end_of_input(line)) {
      session.server().end_of_input();
    } else {
      session.server().feed(client_bytes(line));
    }
    for (const std::string& output : server_lines(session))
      result += output + "\n";
    if (session.server().exit_code() && !has_exited) {
      has_exited = true;
      result += "exit " + std::to_string(*session.server().exit_code()) + "\n";
    }
  }
  return result;
}

std::vector<fs::path> transcripts() {
  std::vector<fs::path> paths;
  for (const auto& entry :
       fs::directory_iterator(fs::path(KINGLET_SOURCE_DIR) / "tests/lsp/transcripts")) {
    if (entry.path().extension() == ".lsp") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

TEST_SUITE("lsp/transcripts") {
  TEST_CASE("every conversation goes as written") {
    const char* update = std::getenv("KINGLET_UPDATE_GOLDEN");
    REQUIRE(!transcripts().empty());
    for (const fs::path& path : transcripts()) {
      CAPTURE(path.filename().string());
      const std::string expected = read_file(path);
      const std::string actual = replay(expected);
      if (update != nullptr && *update == '1') {
        std::ofstream(path) << actual;
        continue;
      }
      const auto expected_lines = lines_of(expected);
      const auto actual_lines = lines_of(actual);
      for (std::size_t i = 0; i < std::max(expected_lines.size(), actual_lines.size()); ++i) {
        CAPTURE(i + 1);
        REQUIRE((i < expected_lines.size() ? expected_lines[i] : "(end)") ==
                (i < actual_lines.size() ? actual_lines[i] : "(end)"));
      }
    }
  }

  TEST_CASE("a conversation does not depend on how its bytes are cut") {
    for (const fs::path& path : transcripts()) {
      CAPTURE(path.filename().string());
      const std::string transcript = read_file(path);
      std::string bytes;
      std::vector<std::string> expected;
      for (const std::string& line : lines_of(transcript)) {
        if (is_end_of_input(line)) break;
        if (starts_with(line, "-->") || starts_with(line, "~~>")) bytes += client_bytes(line);
        if (is_from_server(line) && !starts_with(line, "exit ")) expected.push_back(line);
      }
      for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, bytes.size()}) {
        CAPTURE(piece);
        ScriptedSession session;
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
          session.server().feed(std::string_view(bytes).substr(at, piece));
        }
        auto actual = server_lines(session);
        // Lines behind the end of input are compared by the case above.
        REQUIRE(actual.size() <= expected.size());
        expected.resize(actual.size());
        CHECK(actual == expected);
      }
    }
  }
}

}  // namespace kinglet::lsp::test
