#include "indexer/scan.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "indexer/ignore_rules.h"
#include "tests/support/skip.h"

namespace kinglet::indexer {
namespace {

namespace fs = std::filesystem;

// A folder that goes away at the end of its test.
class Folder {
 public:
  Folder() {
    std::string name = fs::temp_directory_path() / "kinglet-scan-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  const fs::path& path() const { return path_; }
  void write(const std::string& name, const std::string& text = "int x;\n") const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  Root root() const {
    auto root = Root::open(path_);
    REQUIRE(root);
    return *std::move(root);
  }

 private:
  fs::path path_;
};

std::vector<std::string> paths(const ScanResult& result) {
  std::vector<std::string> all;
  for (const ScannedFile& file : result.files)
    all.push_back(file.path);
  return all;
}

std::map<std::string, std::string> reasons(const ScanResult& result) {
  std::map<std::string, std::string> all;
  for (const SkippedPath& skipped : result.skipped) {
    all[skipped.path] = name_of(skipped.reason);
  }
  return all;
}

ScanResult scanned(const Folder& folder, const ScanOptions& options = {}) {
  auto result = scan(folder.root(), options);
  REQUIRE(result);
  return *std::move(result);
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_SUITE("indexer/scan") {
  TEST_CASE("files come in order, with their sizes") {
    const Folder folder;
    folder.write("b/z.c", "12345");
    folder.write("b.c");
    folder.write("a/b/c.py");
    folder.write("b/a.c");
    const ScanResult result = scanned(folder);
    CHECK(paths(result) == Strings{"a/b/c.py", "b.c", "b/a.c", "b/z.c"});
    CHECK(result.files[3].n_bytes == 5);
    CHECK(result.files[3].modified_ns > 0);
    CHECK(result.n_skipped == 0);
  }

  TEST_CASE("no link is followed, out of the root or in a loop") {
    const Folder outside;
    outside.write("secret.c");
    const Folder folder;
    folder.write("a/real.c");
    fs::create_symlink(outside.path(), folder.path() / "out");
    fs::create_symlink(outside.path() / "secret.c", folder.path() / "file.c");
    fs::create_symlink("..", folder.path() / "a/loop");
    fs::create_symlink("itself", folder.path() / "itself");
    const ScanResult result = scanned(folder);
    CHECK(paths(result) == Strings{"a/real.c"});
    CHECK(reasons(result) ==
          std::map<std::string, std::string>{
              {"out", "link"}, {"file.c", "link"}, {"a/loop", "link"}, {"itself", "link"}});
    const Root root = folder.root();
    for (const char* path : {"out/secret.c", "file.c", "a/loop/a/real.c", "itself"}) {
      INFO(path);
      const auto text = root.read(path, 1000);
      REQUIRE(!text);
      CHECK(text.error().code == ErrorCode::kUnsupported);
    }
    for (const char* path :
         {"../x", "/etc/passwd", "a/../a/real.c", "", "a//real.c", "a/./real.c"}) {
      INFO(path);
      const auto text = root.read(path, 1000);
      REQUIRE(!text);
      CHECK(text.error().code == ErrorCode::kInvalidArgument);
    }
    CHECK(root.read("a/real.c", 1000) == std::string("int x;\n"));
    CHECK(root.read("a/nothing.c", 1000).error().code == ErrorCode::kNotFound);
    CHECK(root.read("a/real.c", 3).error().message.find("limit of 3") != std::string::npos);
  }

  TEST_CASE("a root may be a link itself, and must be a folder") {
    const Folder folder;
    folder.write("a.c");
    fs::create_symlink(folder.path(), folder.path() / "link");
    const auto root = Root::open(folder.path() / "link");
    REQUIRE(root);
    CHECK(scan(*root)->files.size() == 1);
    CHECK(Root::open(folder.path() / "a.c").error().code == ErrorCode::kInvalidArgument);
    CHECK(Root::open(folder.path() / "no").error().code == ErrorCode::kNotFound);
  }

  TEST_CASE("a FIFO is left out and never waited for") {
    const Folder folder;
    folder.write("a.c");
    REQUIRE(::mkfifo((folder.path() / "pipe.c").c_str(), 0600) == 0);
    CHECK(reasons(scanned(folder)) ==
          std::map<std::string, std::string>{{"pipe.c", "not-regular"}});
    CHECK(folder.root().read("pipe.c", 10).error().code == ErrorCode::kUnsupported);
  }

  TEST_CASE("names that are not UTF-8 or cannot be seen are left out and shown escaped") {
    const Folder folder;
    folder.write("caf\xe9.c");
    folder.write("two\nlines.c");
    folder.write(
        "\xE2\x80\xAE"
        "abc.c");
    folder.write("gr\xC3\xBC\xC3\x9F.c");
    const ScanResult result = scanned(folder);
    CHECK(paths(result) == Strings{"gr\xC3\xBC\xC3\x9F.c"});
    CHECK(reasons(result).at("caf\\xe9.c") == "bad-name");
    CHECK(reasons(result).at("two\\x0alines.c") == "bad-name");
    CHECK(result.n_skipped == 3);
  }

  TEST_CASE("secrets, binaries, generated and huge files have their reasons") {
    const Folder folder;
    for (const char* name : {".env",
                             ".env.local",
                             "deploy/prod.pem",
                             "id_rsa",
                             ".npmrc",
                             "Server.KEY",
                             "logo.png",
                             "lib.so",
                             "app.min.js",
                             "package-lock.json"}) {
      folder.write(name);
    }
    folder.write(".env.example");
    folder.write("keys.c");
    folder.write("huge.c", std::string(2000, 'x'));
    ScanOptions options;
    options.max_file_bytes = 1000;
    const ScanResult result = scanned(folder, options);
    CHECK(paths(result) == Strings{".env.example", "keys.c"});
    const auto why = reasons(result);
    for (const char* name :
         {".env", ".env.local", "deploy/prod.pem", "id_rsa", ".npmrc", "Server.KEY"}) {
      INFO(name);
      CHECK(why.at(name) == "secret");
    }
    CHECK(why.at("logo.png") == "binary");
    CHECK(why.at("lib.so") == "binary");
    CHECK(why.at("app.min.js") == "generated");
    CHECK(why.at("package-lock.json") == "generated");
    CHECK(why.at("huge.c") == "huge");
  }

  TEST_CASE("bytes tell binary, generated and minified files") {
    const auto reason = [](const std::string& text) {
      const auto skipped = judge_content("a.js", text);
      return skipped ? std::string(name_of(skipped->reason)) : "";
    };
    CHECK(reason("int x;\n") == "");
    CHECK(reason("") == "");
    CHECK(reason(std::string("a\0b", 3)) == "binary");
    CHECK(reason(std::string("\xFF\xFEi\0n\0", 6)) == "binary");
    CHECK(reason("// Code generated by protoc. DO NOT EDIT.\npackage x\n") == "generated");
    CHECK(reason("/* @generated */\n") == "generated");
    CHECK(reason("// prints the generated text\n") == "");
    CHECK(reason(std::string(100'000, 'x')) == "generated");
    CHECK(reason("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n") == "secret");
    std::string code;
    for (int i = 0; i < 1000; ++i)
      code += "int variable_" + std::to_string(i) + ";\n";
    CHECK(reason(code) == "");
  }

  TEST_CASE("limits cut deterministically and say so") {
    const Folder folder;
    for (const char* name : {"a/1.c", "a/2.c", "b/3.c", "c/d/e/f/4.c"})
      folder.write(name);
    ScanOptions options;
    options.max_files = 2;
    options.max_depth = 3;
    const ScanResult result = scanned(folder, options);
    CHECK(paths(result) == Strings{"a/1.c", "a/2.c"});
    CHECK(reasons(result) ==
          std::map<std::string, std::string>{{"b/3.c", "too-many"}, {"c/d/e/", "too-deep"}});
    options.max_skipped = 1;
    CHECK(scanned(folder, options).skipped.size() == 1);
    CHECK(scanned(folder, options).n_skipped == 2);
  }

  TEST_CASE("ignore rules nest, negate, and stay below their folder") {
    const Folder folder;
    folder.write(".gitignore", "*.log\n/build/\n!keep.log\nsub/only_here.c\n# comment\n\n");
    folder.write("sub/.gitignore", "!again.log\n/local.c\n");
    folder.write(".git/info/exclude", "private.c\n");
    folder.write(".git/HEAD");
    for (const char* name : {"a.log",
                             "keep.log",
                             "build/x.c",
                             "sub/build/y.c",
                             "sub/again.log",
                             "sub/only_here.c",
                             "sub/local.c",
                             "sub/deep/local.c",
                             "local.c",
                             "private.c",
                             "sub/private.c",
                             "sub/b.log"}) {
      folder.write(name);
    }
    const ScanResult result = scanned(folder);
    CHECK(paths(result) == Strings{".gitignore",
                                   "keep.log",
                                   "local.c",
                                   "sub/.gitignore",
                                   "sub/again.log",
                                   "sub/build/y.c",
                                   "sub/deep/local.c"});
    const auto why = reasons(result);
    CHECK(why.at(".git/") == "repository");
    CHECK(why.at("build/") == "ignored");
    const auto skipped = std::find_if(result.skipped.begin(),
                                      result.skipped.end(),
                                      [](const SkippedPath& s) { return s.path == "sub/local.c"; });
    REQUIRE(skipped != result.skipped.end());
    CHECK(skipped->detail == "sub/.gitignore:2: /local.c");
  }

  TEST_CASE("explain gives the reason that the scan had") {
    const Folder folder;
    folder.write(".gitignore", "out/\n");
    for (const char* name : {"out/a.c", "b.c", ".env", "in/c.c"})
      folder.write(name);
    folder.write("in/data.txt", std::string("a\0b", 3));
    const Root root = folder.root();
    const auto why = [&](const char* path) {
      const auto skipped = explain(root, path);
      if (!skipped) return "error: " + skipped.error().message;
      return *skipped ? (*skipped)->path + " " + std::string(name_of((*skipped)->reason)) : "";
    };
    CHECK(why("b.c") == "");
    CHECK(why("in/c.c") == "");
    CHECK(why("out/a.c") == "out/ ignored");
    CHECK(why(".env") == ".env secret");
    CHECK(why("in/data.txt") == "in/data.txt binary");
    CHECK(why("nothing.c").find("nothing.c: No such file") != std::string::npos);
    CHECK(why("../x").find("not a path below the root") != std::string::npos);
  }

  TEST_CASE("a cancelled scan ends") {
    const Folder folder;
    folder.write("a.c");
    std::stop_source stop;
    stop.request_stop();
    const auto result = scan(folder.root(), {}, stop.get_token());
    REQUIRE(!result);
    CHECK(result.error().code == ErrorCode::kCancelled);
  }
}

TEST_SUITE("indexer/ignore_rules") {
  TEST_CASE("globs") {
    CHECK(matches_glob("*.c", "a.c"));
    CHECK(matches_glob("*", ""));
    CHECK(!matches_glob("?", ""));
    CHECK(matches_glob("a*b*c", "a__b__b_c"));
    CHECK(!matches_glob("a*b*c", "a__b__b_"));
    CHECK(matches_glob("[a-c]x", "bx"));
    CHECK(!matches_glob("[!a-c]x", "bx"));
    CHECK(matches_glob("[]]", "]"));
    CHECK(matches_glob("[[:digit:]][^[:alpha:]]", "1-"));
    CHECK(matches_glob("\\*", "*"));
    CHECK(!matches_glob("\\*", "a"));
    CHECK(!matches_glob("[a", "a"));
    CHECK(!matches_glob("a\\", "a"));
    // Many stars stay polynomial.
    std::string stars;
    for (int i = 0; i < 200; ++i)
      stars += "a*";
    CHECK(!matches_glob(stars + "b", std::string(2000, 'a')));
  }

  TEST_CASE("random rules leave out what git leaves out") {
    if (std::system("git --version >/dev/null 2>&1") != 0) SKIP("no git");
    std::mt19937 random(11);
    const Strings names = {"a", "b", "ab", "a.c", "b.c", "x y", "[a]", "Abc"};
    const Strings pieces = {"a",
                            "b",
                            "ab",
                            "*.c",
                            "*",
                            "**",
                            "?",
                            "[ab]",
                            "[!a]*",
                            "a.c",
                            "A*",
                            "\\[a]",
                            "x y",
                            "x\\ y",
                            "b*",
                            "[a-b]b"};
    const auto pick = [&](const Strings& from) { return from[random() % from.size()]; };
    std::size_t n_compared = 0;
    std::size_t n_found = 0;
    for (int round = 0; round < 12; ++round) {
      const Folder folder;
      std::set<std::string> all;
      for (int i = 0; i < 40; ++i) {
        std::string path;
        for (unsigned depth = random() % 3; depth > 0; --depth)
          path += pick({"a", "b", "ab"}) + "/";
        path += pick(names) + "_";  // never the name of a folder
        if (random() % 2 == 0) path.pop_back();
        std::error_code error;
        if (fs::is_directory(folder.path() / path, error)) continue;
        fs::create_directories((folder.path() / path).parent_path(), error);
        if (error) continue;
        folder.write(path);
        all.insert(path);
      }
      for (const char* where : {"", "a/", "a/b/"}) {
        std::string rules;
        for (int i = 0; i < 5; ++i) {
          std::string rule;
          for (unsigned n = random() % 3; n > 0; --n)
            rule.append(pick(pieces)).append("/");
          rule += pick(pieces);
          if (random() % 4 == 0) rule.insert(0, "/");
          if (random() % 4 == 0) rule += "/";
          if (random() % 3 == 0) rule.insert(0, "!");
          if (random() % 8 == 0) rule += "  \r";
          rules.append(rule).append("\n");
        }
        std::error_code error;
        if (fs::is_directory(folder.path() / where, error)) {
          folder.write(where + std::string(".gitignore"), rules);
          all.insert(where + std::string(".gitignore"));
        }
      }
      const std::string in = "cd '" + folder.path().string() + "' && ";
      const std::string git = "git -c core.excludesFile=/dev/null -c core.quotePath=false ";
      const fs::path list = folder.path() / ".git/listed";
      std::string command = in;
      command.append("git init -q . && ").append(git);
      command += "ls-files -z --others --exclude-standard >.git/listed";
      REQUIRE(std::system(command.c_str()) == 0);
      std::set<std::string> expected;
      std::ifstream stream(list, std::ios::binary);
      for (std::string path; std::getline(stream, path, '\0');)
        expected.insert(path);
      const Strings found = paths(scanned(folder));
      std::string rules;
      for (const char* where : {"", "a/", "a/b/"}) {
        std::ifstream file(folder.path() / where / ".gitignore");
        rules.append("== ").append(where).append("\n");
        rules.append(std::istreambuf_iterator<char>(file), {});
      }
      INFO(rules);
      CHECK(Strings(expected.begin(), expected.end()) == found);
      n_compared += all.size();
      n_found += found.size();
    }
    // Rules that leave out nothing, or everything, would prove nothing.
    CHECK(n_found > n_compared / 10);
    CHECK(n_found < n_compared * 9 / 10);
  }
}

}  // namespace kinglet::indexer
