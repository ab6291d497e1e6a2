#include "daemon/features/prompt_format.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

namespace kinglet::daemon {

using inference::kNoToken;
using inference::SpecialTokens;
using inference::TokenId;
using inference::TokenKind;
using inference::Vocabulary;

namespace {

// ---- the table

struct FormatRow {
  std::string_view name;
  std::string_view layout;
  std::string_view chunk;
  std::string_view closing = {};
};

// Families that fill in the middle. The first row whose tokens a vocabulary has is taken, so rows
// that name tokens stand before those that name roles.
constexpr std::array kFormats = {
    // Lozhkov et al., StarCoder 2 (2024), section 5.1: the path follows <fim_prefix>.
    FormatRow{"starcoder2",
              "{<repo_name>}$repo$chunks{<file_sep>}{<fim_prefix>}$path\n$prefix{<fim_suffix>}"
              "$suffix{<fim_middle>}",
              "{<file_sep>}$header$text"},
    // StarCoder 1, and Granite code and Refact, which have its vocabulary. Trained on one file.
    FormatRow{"starcoder",
              "{<reponame>}$repo$chunks{<fim_prefix>}{<filename>}$path\n$prefix{<fim_suffix>}"
              "$suffix{<fim_middle>}",
              "{<filename>}$header$text"},
    // Qwen2.5-Coder, and the model that comes with Kinglet.
    FormatRow{"qwen2.5-coder",
              "{rep}$repo\n$chunks{sep}$path\n{pre}$prefix{suf}$suffix{mid}",
              "{sep}$header$text"},
    FormatRow{"codegemma",
              "$chunks$path\n{<|fim_prefix|>}$prefix{<|fim_suffix|>}$suffix{<|fim_middle|>}",
              "$header$text{<|file_separator|>}"},
    FormatRow{"deepseek-coder",
              "$chunks#$path\n{<\uff5cfim\u2581begin\uff5c>}$prefix{<\uff5cfim\u2581hole\uff5c>}"
              "$suffix{<\uff5cfim\u2581end\uff5c>}",
              "#$header$text"},
    // The suffix comes first, and nothing marks the middle.
    FormatRow{"codestral",
              "{[SUFFIX]}$suffix{[PREFIX]}$space$chunks+++++ $path\n$prefix",
              "+++++ $header$text\n",
              "+++++ "},
    FormatRow{"codellama",
              "{\u2581<PRE>}$space$comment$repo\n$chunks$comment$path\n$prefix{\u2581<SUF>}$suffix"
              "{\u2581<MID>}",
              "$comment$header$text"},
    // Models with a mark between files that none of the above is.
    FormatRow{"files", "$chunks{sep}$path\n{pre}$prefix{suf}$suffix{mid}", "{sep}$header$text"},
    // Granite 3.3 and later, GLM, and whoever else knows one file: the repository stands in
    // comments before its prefix.
    FormatRow{
        "file", "{pre}$chunks$comment$path\n$prefix{suf}$suffix{mid}", "$comment$header$text"},
};

// What follows the cursor cannot be told.
constexpr FormatRow kPlain{"plain", "$chunks$comment$path\n$prefix", "$comment$header$text"};

// Instruct models continue what they believe to have begun: the answer's turn is opened for them,
// with a code fence and the last lines before the cursor.
constexpr std::string_view kTask =
    "You complete source code in an editor. Continue the file exactly where it stops. Write code "
    "only, no explanation, and nothing that follows the gap already.";
constexpr std::string_view kInstructChunk = "$header```\n$text```\n";
constexpr std::string_view kInstructUser =
    "From the repository $repo:\n$chunks"
    "After the gap, $path goes on with:\n$fence\n$suffix$fence\n"
    "Before the gap, it begins with:\n$fence$language\n$head$fence\n"
    "Continue it from there.";
constexpr std::string_view kInstructAnswer = "$fence$language\n$tail";

// ---- names in texts

struct FileKind {
  std::string_view extension;
  std::string_view language;
  std::string_view comment;
};

constexpr FileKind kFileKinds[] = {
    {"c", "c", "// "},
    {"h", "cpp", "// "},
    {"cc", "cpp", "// "},
    {"cpp", "cpp", "// "},
    {"cxx", "cpp", "// "},
    {"hpp", "cpp", "// "},
    {"hh", "cpp", "// "},
    {"cs", "csharp", "// "},
    {"go", "go", "// "},
    {"java", "java", "// "},
    {"js", "javascript", "// "},
    {"jsx", "jsx", "// "},
    {"ts", "typescript", "// "},
    {"tsx", "tsx", "// "},
    {"kt", "kotlin", "// "},
    {"rs", "rust", "// "},
    {"swift", "swift", "// "},
    {"scala", "scala", "// "},
    {"php", "php", "// "},
    {"zig", "zig", "// "},
    {"dart", "dart", "// "},
    {"css", "css", "/* "},
    {"py", "python", "# "},
    {"pyi", "python", "# "},
    {"rb", "ruby", "# "},
    {"sh", "bash", "# "},
    {"pl", "perl", "# "},
    {"r", "r", "# "},
    {"jl", "julia", "# "},
    {"toml", "toml", "# "},
    {"yaml", "yaml", "# "},
    {"yml", "yaml", "# "},
    {"cmake", "cmake", "# "},
    {"lua", "lua", "-- "},
    {"sql", "sql", "-- "},
    {"hs", "haskell", "-- "},
    {"el", "elisp", "; "},
    {"clj", "clojure", "; "},
    {"vim", "vim", "\" "},
    {"tex", "latex", "% "},
    {"html", "html", "<!-- "},
    {"xml", "xml", "<!-- "},
    {"md", "markdown", ""},
    {"rst", "rst", ""},
    {"txt", "", ""},
};
// Where nothing is known: what most scripts and configuration files take.
constexpr FileKind kUnknownKind{"", "", "# "};

const FileKind& kind_of(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return kUnknownKind;
  const std::string_view extension = path.substr(dot + 1);
  const auto found = std::ranges::find(kFileKinds, extension, &FileKind::extension);
  return found == std::end(kFileKinds) ? kUnknownKind : *found;
}

// ---- reading layouts

TokenId control_token(std::string_view name, const Vocabulary& vocabulary) {
  static constexpr std::array<std::pair<std::string_view, TokenId SpecialTokens::*>, 6> kRoles = {{
      {"pre", &SpecialTokens::fim_pre},
      {"suf", &SpecialTokens::fim_suf},
      {"mid", &SpecialTokens::fim_mid},
      {"rep", &SpecialTokens::fim_rep},
      {"sep", &SpecialTokens::fim_sep},
      {"eos", &SpecialTokens::eos},
  }};
  for (const auto& [role, token] : kRoles) {
    if (name == role) return vocabulary.special().*token;
  }
  const auto token = vocabulary.find(name);
  if (!token) return kNoToken;
  const TokenKind kind = vocabulary.kind(*token);
  const bool is_marker = kind == TokenKind::kControl || kind == TokenKind::kUserDefined;
  return is_marker ? *token : kNoToken;
}

constexpr std::array<std::pair<std::string_view, PartKind>, 7> kSegments = {{
    {"$chunks", PartKind::kChunks},
    {"$header", PartKind::kHeader},
    {"$text", PartKind::kChunkText},
    {"$prefix", PartKind::kPrefix},
    {"$head", PartKind::kHead},  // after $header, which begins like it
    {"$tail", PartKind::kTail},
    {"$suffix", PartKind::kSuffix},
}};

bool holds(const Layout& layout, PartKind kind) {
  return std::ranges::any_of(layout, [&](const Part& part) { return part.kind == kind; });
}

std::optional<PromptFormat> read_row(const FormatRow& row, const Vocabulary& vocabulary) {
  auto layout = read_layout(row.layout, vocabulary);
  auto chunk = read_layout(row.chunk, vocabulary);
  if (!layout || !chunk) return std::nullopt;
  PromptFormat format;
  format.name = row.name;
  format.holds_suffix = holds(*layout, PartKind::kSuffix);
  format.layout = *std::move(layout);
  format.chunk = *std::move(chunk);
  format.closing = row.closing;
  return format;
}

std::optional<PromptFormat> instruct_format(const ChatTemplate& chat,
                                            const Vocabulary& vocabulary) {
  std::string layout;
  for (const std::string_view part : {chat.system_begin,
                                      kTask,
                                      chat.system_end,
                                      chat.user_begin,
                                      kInstructUser,
                                      chat.user_end,
                                      chat.assistant_begin,
                                      kInstructAnswer}) {
    layout += part;
  }
  return read_row({"instruct", layout, kInstructChunk, "$fence"}, vocabulary);
}

}  // namespace

std::optional<Layout> read_layout(std::string_view layout, const Vocabulary& vocabulary) {
  Layout parts;
  const auto add_text = [&](std::string_view text) {
    if (parts.empty() || parts.back().kind != PartKind::kText) parts.push_back({});
    parts.back().text += text;
  };
  while (!layout.empty()) {
    if (layout.front() == '{') {
      const std::size_t end = layout.find('}');
      assert(end != std::string_view::npos);
      const TokenId token = control_token(layout.substr(1, end - 1), vocabulary);
      if (token == kNoToken) return std::nullopt;
      parts.push_back({PartKind::kControl, token, {}});
      layout.remove_prefix(end + 1);
      continue;
    }
    const auto segment = std::ranges::find_if(
        kSegments, [&](const auto& known) { return layout.starts_with(known.first); });
    if (segment != kSegments.end()) {
      parts.push_back({segment->second, kNoToken, {}});
      layout.remove_prefix(segment->first.size());
      continue;
    }
    // Up to the next token or segment; a name stays in the text.
    const std::size_t n_text = std::min(layout.find_first_of("{$", 1), layout.size());
    add_text(layout.substr(0, n_text));
    layout.remove_prefix(n_text);
  }
  return parts;
}

std::string fence_for(std::string_view path) {
  const std::string_view language = kind_of(path).language;
  return language == "markdown" || language == "rst" ? "`````" : "```";
}

std::string fill_in(std::string_view text, const PromptPlace& place, const Vocabulary& vocabulary) {
  const FileKind& kind = kind_of(place.path);
  const std::string fence = fence_for(place.path);
  const std::array<std::pair<std::string_view, std::string_view>, 6> names = {{
      {"$repo", place.repository},
      {"$path", place.path},
      {"$comment", kind.comment},
      {"$language", kind.language},
      {"$fence", fence},
      {"$space", vocabulary.add_space_prefix() ? " " : ""},
  }};
  std::string filled;
  while (!text.empty()) {
    const auto name = std::ranges::find_if(
        names, [&](const auto& known) { return text.starts_with(known.first); });
    if (name != names.end()) {
      filled += name->second;
      text.remove_prefix(name->first.size());
    } else {
      filled += text.front();
      text.remove_prefix(1);
    }
  }
  return filled;
}

PromptFormat choose_prompt_format(const Vocabulary& vocabulary, const ChatTemplate* chat) {
  for (const FormatRow& row : kFormats) {
    if (auto format = read_row(row, vocabulary)) return *std::move(format);
  }
  if (chat != nullptr) {
    if (auto format = instruct_format(*chat, vocabulary)) return *std::move(format);
  }
  return read_row(kPlain, vocabulary).value();
}

}  // namespace kinglet::daemon
