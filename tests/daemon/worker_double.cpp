// A worker that misbehaves on demand, for the tests of the broker's clients. Speaks both the
// engine's and the parse worker's messages; what it does is written in the request:
//
//   Load      model_path "good", "broken" (an error), "fatal" (it dies); any other path
//             is a good one. Its vocabulary: double_vocabulary.h. An adapter "bad" is an error
//   Generate  the first token of the prompt is a Behavior; every token it gives is the last one of
//             what it was given, plus one. Any other token: kGood
//   Parse     text "die", "hang", "grow" (takes more and more memory), "once FILE" (dies unless
//   FILE
//             exists, and makes it), or anything; the record names the process
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/processes/spawn.h"
#include "daemon/processes/worker_loop.h"
#include "daemon/wire/messages.h"
#include "tests/daemon/double_vocabulary.h"
#include "tests/daemon/worker_double.h"

namespace kinglet::test {
namespace {

using namespace daemon;  // NOLINT(google-build-using-namespace): this program is a worker

std::string serialized_vocabulary(const std::string& model_path) {
  const auto bytes = double_vocabulary(model_path)->serialize();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

[[noreturn]] void grow() {
  for (std::vector<std::string> pieces;;) {
    pieces.emplace_back(16 << 20, 'x');
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

[[noreturn]] void die() {
  ::_exit(9);
}

void wait_for(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait(lock, stop, [] { return false; });
}

class Double {
 public:
  Result<void> handle(const wire::Frame& frame, const std::stop_token& stop, wire::Channel& to) {
    switch (frame.type) {
      case wire::MessageType::kLoad:
        return load(frame.request, TRY(wire::decode<wire::Load>(frame)), to);
      case wire::MessageType::kSetAdapters: {
        const auto wished = TRY(wire::decode<wire::SetAdapters>(frame));
        TRY(check(wished.adapters));
        return to.send(frame.request, wire::AdaptersSet{});
      }
      case wire::MessageType::kGenerate:
        return generate(frame.request, TRY(wire::decode<wire::Generate>(frame)), stop, to);
      case wire::MessageType::kQuarantine: {
        for (auto& hash : TRY(wire::decode<wire::Quarantine>(frame)).content_hashes) {
          quarantine_.insert(hash);
        }
        return {};
      }
      case wire::MessageType::kParse:
        return parse(frame.request, TRY(wire::decode<wire::Parse>(frame)), stop, to);
      case wire::MessageType::kScan:
        return scan(frame.request, TRY(wire::decode<wire::Scan>(frame)), to);
      default:
        return fail(ErrorCode::kUnsupported, "unknown message");
    }
  }

 private:
  static Result<void> check(const std::vector<wire::Adapter>& adapters) {
    for (const wire::Adapter& adapter : adapters) {
      if (adapter.path == "bad") return fail(ErrorCode::kInvalidArgument, "bad is no adapter");
    }
    return {};
  }

  static Result<void> load(std::uint64_t request, const wire::Load& load, wire::Channel& to) {
    if (load.model_path == "fatal") die();
    TRY(check(load.adapters));
    if (load.model_path == "broken") return fail(ErrorCode::kCorrupt, "broken is not a model");
    TRY(to.send(request, wire::LoadProgress{0.5}));
    wire::Loaded loaded;
    loaded.info.name = load.model_path;
    loaded.info.device = "double";
    loaded.info.context_tokens = 4096;
    loaded.vocabulary = serialized_vocabulary(load.model_path);
    return to.send(request, loaded);
  }

  static Result<void> generate(std::uint64_t request,
                               const wire::Generate& wanted,
                               const std::stop_token& stop,
                               wire::Channel& to) {
    const auto behavior = static_cast<Behavior>(wanted.tokens.at(0));
    const bool is_first_attempt = wanted.tokens.size() == 1;
    std::int32_t token = wanted.tokens.back();
    wire::Generated done;
    done.n_prompt = static_cast<std::uint32_t>(wanted.tokens.size());
    const bool heals =
        behavior == Behavior::kHealsUnasked ||
        (behavior == Behavior::kHealsAndDies && wanted.healing == wire::Healing::kYes);
    std::uint32_t n_taken_back = heals ? 1 : 0;
    const auto give = [&] {
      ++token;
      return to.send(request,
                     wire::Token{token, std::to_string(token), std::exchange(n_taken_back, 0)});
    };
    if (behavior == Behavior::kForeignToken) token = 100'000;
    if (behavior == Behavior::kWaits || behavior == Behavior::kHangs) {
      TRY(give());
      wait_for(behavior == Behavior::kWaits ? stop : std::stop_token());
      return fail(ErrorCode::kCancelled, "cancelled");
    }
    for (;; ++done.n_generated) {
      const bool is_time = done.n_generated == 2;
      if (is_time && behavior == Behavior::kDiesOnce && is_first_attempt) die();
      if (is_time && behavior == Behavior::kAlwaysDies) die();
      if (is_time && behavior == Behavior::kHealsAndDies && heals) die();
      if (is_time && behavior == Behavior::kLosesDevice && is_first_attempt) {
        return fail(ErrorCode::kDeviceLost, "the GPU went away");
      }
      if (is_time && behavior == Behavior::kGarbage) {
        (void)!::write(kInheritedFd, "garbage that is no frame", 24);
      }
      if (done.n_generated == wanted.max_tokens) break;
      TRY(give());
    }
    if (behavior == Behavior::kTalksOn) TRY(give());
    return to.send(request, done);
  }

  Result<void> parse(std::uint64_t request,
                     const wire::Parse& wanted,
                     const std::stop_token& stop,
                     wire::Channel& to) {
    const std::string text = wanted.text.value_or("");
    if (quarantine_.contains(text)) return fail(ErrorCode::kUnsupported, "quarantined");
    TRY(to.send(request, wire::ParseBegan{text}));
    if (text == "die") die();
    if (text == "hang") wait_for({});
    if (text == "grow") grow();
    if (text == "wait") {
      wait_for(stop);
      return fail(ErrorCode::kCancelled, "cancelled");
    }
    if (text.starts_with("once ")) {
      const std::filesystem::path mark = text.substr(5);
      if (!std::filesystem::exists(mark)) {
        std::ofstream(mark) << "x";
        die();
      }
    }
    return to.send(request,
                   wire::Parsed{.record = "record of " + text + " by " + std::to_string(::getpid()),
                                .skipped = std::nullopt});
  }

  /// Three batches; dies between them unless the root exists, which it then makes.
  static Result<void> scan(std::uint64_t request, const wire::Scan& wanted, wire::Channel& to) {
    for (const char* path : {"a", "b", "c"}) {
      wire::FilesFound found;
      found.files.push_back({.path = path, .n_bytes = 1, .modified_ns = 0});
      TRY(to.send(request, found));
      if (*path == 'b' && std::filesystem::create_directory(wanted.root)) die();
    }
    return to.send(request, wire::Scanned{.n_files = 3, .n_skipped = 0});
  }

  std::set<std::string> quarantine_;
};

}  // namespace
}  // namespace kinglet::test

int main() {
  kinglet::test::Double worker;
  return kinglet::daemon::run_worker(kinglet::UniqueFd(kinglet::daemon::kInheritedFd),
                                     [&](const auto& frame, const auto& stop, auto& to) {
                                       return worker.handle(frame, stop, to);
                                     });
}
