#include "daemon/features/prompt_parts.h"

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>

#include <sys/stat.h>

#include "daemon/features/context_text.h"

namespace kinglet::daemon {

using lsp::Json;

namespace {

/// Null where the time is not known.
Json age_of(const std::filesystem::path& root, const std::string& path) {
  if (root.empty() || path.empty()) return nullptr;
  struct stat status {};
  if (::lstat((root / path).c_str(), &status) != 0) return nullptr;
  // A file from the future is as new as can be.
  return std::max<std::int64_t>(0, std::time(nullptr) - status.st_mtim.tv_sec);
}

std::string place_of(const PackJob& job) {
  const lsp::Position at = job.text->position(job.cursor, lsp::PositionEncoding::kUtf8);
  return job.path + ":" + std::to_string(at.line + 1) + ":" + std::to_string(at.character + 1);
}

class Parts {
 public:
  Parts(const indexer::Pack& pack, const PackJob& job)
      : pack_(pack), job_(job), cut_line_(job.text->line_of(ByteOffset{pack.cut}) + 1) {}

  void add(PartKind kind) {
    if (kind == PartKind::kChunks) {
      for (const indexer::PackedChunk& chunk : pack_.chunks)
        add_chunk(chunk);
    } else if (kind == PartKind::kPrefix) {
      // A little late where a secret of several lines was masked as one.
      const auto n_lines = std::ranges::count(pack_.prefix, '\n');
      add_of_file("prefix",
                  "the file before the line",
                  cut_line_ - std::min<std::int64_t>(n_lines, cut_line_ - 1),
                  {pack_.prefix, pack_.n_tokens_prefix});
    } else if (kind == PartKind::kSuffix) {
      add_of_file("suffix",
                  "the file after the line",
                  job_.text->line_of(ByteOffset{job_.text->n_bytes() - pack_.n_after}) + 1,
                  {pack_.suffix, pack_.n_tokens_suffix});
    }
  }
  void add_typed() {
    add_of_file("typed",
                pack_.typed_cut ? "the end of what stands before the cursor on its line"
                                : "from the line where prefix and suffix were cut to the cursor",
                cut_line_,
                {pack_.typed, pack_.n_tokens_typed});
  }

  /// With the format's own tokens, which are the rest.
  Json all_of(const Prompt& prompt, std::string_view format) && {
    Json own = {{"path", ""},
                {"line", nullptr},
                {"reason", "format"},
                {"detail", "markers and names of the format \"" + std::string(format) + "\""},
                {"score", nullptr},
                {"tokens", prompt.tokens.size() - n_tokens_},
                {"age", nullptr},
                {"text", nullptr}};
    parts_.insert(parts_.begin(), std::move(own));
    return std::move(parts_);
  }

 private:
  struct Segment {
    const std::string& text;
    std::size_t n_tokens;
  };

  void add_chunk(const indexer::PackedChunk& chunk) {
    n_tokens_ += chunk.n_tokens;
    parts_.push_back({{"path", chunk.path},
                      {"line", chunk.first_line > 0 ? Json(chunk.first_line) : Json()},
                      {"reason", name_of(chunk.reason)},
                      {"detail", chunk.detail},
                      {"score", chunk.score},
                      {"tokens", chunk.n_tokens},
                      {"age", age_of(job_.root, chunk.path)},
                      {"text", chunk.text}});
  }

  void add_of_file(const char* reason,
                   const char* detail,
                   std::int64_t first_line,
                   const Segment& segment) {
    n_tokens_ += segment.n_tokens;
    parts_.push_back({{"path", job_.path},
                      {"line", segment.text.empty() ? Json() : Json(first_line)},
                      {"reason", reason},
                      {"detail", detail},
                      {"score", nullptr},
                      {"tokens", segment.n_tokens},
                      {"age", age_of(job_.root, job_.path)},
                      {"text", segment.text}});
  }

  const indexer::Pack& pack_;
  const PackJob& job_;
  std::int64_t cut_line_;  // from 1
  std::size_t n_tokens_ = 0;
  Json parts_ = Json::array();
};

}  // namespace

Json describe_prompt(const PackedPrompt& packed,
                     const PackJob& job,
                     const std::string& not_indexed) {
  Parts parts(*packed.pack, job);
  for (const PartKind kind : job.writer->order())
    parts.add(kind);
  parts.add_typed();
  const std::string_view format = job.writer->format_name();
  Json context = {{"path", job.path},
                  {"place", place_of(job)},
                  {"notIndexed", not_indexed.empty() ? Json() : Json(not_indexed)},
                  {"format", format},
                  {"tokens", packed.prompt.tokens.size()},
                  {"budget", packed.budget_tokens},
                  {"seconds", packed.seconds},
                  {"dropped", packed.pack->n_dropped},
                  {"parts", std::move(parts).all_of(packed.prompt, format)},
                  {"ids", packed.prompt.tokens}};
  context["rendered"] = render_context(context) + render_context_texts(context);
  return context;
}

}  // namespace kinglet::daemon
