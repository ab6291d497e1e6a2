#include "indexer/clang/flags.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace kinglet::indexer::clang {
namespace {

/// What passes of a command line in /repo/build, with spaces between.
std::string pass(std::string_view command) {
  const CommandPlace place{"/repo", "/repo/build"};
  const auto flags = filter_flags(split_command(command), place);
  CHECK(filter_flags(flags, place) == flags);
  std::string joined;
  for (const auto& flag : flags)
    joined += (joined.empty() ? "" : " ") + flag;
  return joined;
}

}  // namespace

TEST_SUITE("indexer/clang/flags") {
  TEST_CASE("a command is split as a shell splits it, and nothing of it is run") {
    using List = std::vector<std::string>;
    CHECK(split_command("c++ -DA=\"x y\" 'b c' d\\ e") == List{"c++", "-DA=x y", "b c", "d e"});
    CHECK(split_command("-DS=\\\"text\\\" \"\" x") == List{"-DS=\"text\"", "", "x"});
    CHECK(split_command("$(rm -rf /) `id` ; true") ==
          List{"$(rm", "-rf", "/)", "`id`", ";", "true"});
    CHECK(split_command("\"open") == List{"open"});
  }

  TEST_CASE("what a source means passes") {
    CHECK(pass("ccache g++ -std=c++17 -DX=1 -D Y -UZ -fno-exceptions -fno-rtti -m32 -O2 -pthread "
               "-march=native -c a.cc -o a.o") ==
          "-std=c++17 -DX=1 -DY -UZ -fno-exceptions -fno-rtti -m32 -O2 -pthread -march=native");
    CHECK(pass("cc -x c++ a.c") == "-xc++");
  }

  TEST_CASE("include folders are made absolute, and lie in the root or are the system's") {
    CHECK(pass("cc -I../include -I . -iquote src -isystem /usr/include/x -isystem/opt/y") ==
          "-I/repo/include -I/repo/build -iquote /repo/build/src -isystem /usr/include/x "
          "-isystem /opt/y");
    CHECK(pass("cc -I../../other -I/etc -I/home/me/.ssh -isystem /proc -I/usr/../etc -I/repository "
               "-I=/x") == "");
  }

  TEST_CASE("forced includes come from the root alone") {
    CHECK(pass("cc -include ../config.h -include /usr/include/stdio.h -include /dev/zero "
               "-imacros ../m.h -include=../x.h") ==
          "-include /repo/config.h -imacros /repo/m.h -include /repo/build/=../x.h");
  }

  TEST_CASE("what loads, writes, runs or reads something else is dropped, and so is its value") {
    CHECK(pass("cc -fplugin=evil.so -fpass-plugin=evil.so -Xclang -load -Xclang evil.so "
               "-plugin evil @args.rsp -o /etc/passwd -MF deps -MD -B/tmp -specs=x --sysroot=/x "
               "-resource-dir /x -isysroot /x -ivfsoverlay x.yaml -fmodules "
               "-fmodule-map-file=x -fmodules-cache-path=/tmp -include-pch x.pch -mllvm -debug "
               "-working-directory=/ -fdebug-compilation-dir=/x --config=x -Wp,-MD,x "
               "-fsanitize-blacklist=/etc/shadow -fprofile-use=x -save-temps -ftime-trace "
               "-fcrash-diagnostics-dir=/x -L/x -lx -Wall -include") == "");
    CHECK(pass("cc -x cuda -x ir -x objective-c++ -std=$(id) -march=`id`") == "");
  }

  TEST_CASE("a value that looks like a flag is a value") {
    CHECK(pass("cc -D -fplugin=x -DA") == "-D-fplugin=x -DA");
    CHECK(pass("cc -I -fplugin=x -isystem -load") == "");
  }

  TEST_CASE("after -- only files follow") {
    CHECK(pass("cc -DA -- -DB") == "-DA");
  }

  TEST_CASE("hostile sizes end") {
    std::string command = "cc";
    for (int i = 0; i < 20'000; ++i)
      command += " -DA" + std::to_string(i);
    const auto flags = filter_flags(split_command(command), {"/repo", "/repo"});
    CHECK(flags.size() <= 4096);
    CHECK(pass("cc -D" + std::string(1 << 20, 'x')) == "");
  }
}

}  // namespace kinglet::indexer::clang
