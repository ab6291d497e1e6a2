#include "daemon/features/hover.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/features/compiler_answer.h"
#include "daemon/features/definition.h"

namespace kinglet::daemon {
namespace {

// From here on a single answer needs no word about its chances.
constexpr float kSure = 0.8F;
constexpr std::size_t kMaxDocBytes = 4000;

// A fence that the text cannot close.
std::string fence_for(std::string_view text) {
  std::size_t longest = 2;
  for (std::size_t at = 0, run = 0; at < text.size(); ++at) {
    run = text[at] == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return std::string(longest + 1, '`');
}

std::string code(std::string_view text, std::string_view language, bool is_markdown) {
  if (!is_markdown) return std::string(text) + "\n";
  const std::string fence = fence_for(text);
  return fence + std::string(language) + "\n" + std::string(text) + "\n" + fence + "\n";
}

std::string_view shortened(std::string_view text) {
  if (text.size() <= kMaxDocBytes) return text;
  std::size_t end = kMaxDocBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;
  return text.substr(0, end);
}

// Markup in somebody's comment is not ours to draw; HTML and links stay text.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<' || c == '[' || c == '!') out += '\\';
    out += c;
    if (c == '\n') out += '\n';  // a line of a comment is a line
  }
  return out;
}

// A comment as written, without its marks.
std::string unmarked(std::string_view comment) {
  std::string text;
  while (!comment.empty()) {
    const std::size_t end = std::min(comment.find('\n'), comment.size());
    std::string_view line = comment.substr(0, end);
    comment.remove_prefix(std::min(end + 1, comment.size()));
    const std::size_t begin = std::min(line.find_first_not_of(" \t/*!<"), line.size());
    line.remove_prefix(begin);
    if (comment.empty() && line.ends_with("*/")) line.remove_suffix(2);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r'))
      line.remove_suffix(1);
    if (!text.empty()) text += '\n';
    text += line;
  }
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  return text;
}

// The head of what is named, and its type where the head does not begin with it ("auto x").
std::string head_of(const NavigationJob& job,
                    const std::optional<wire::HoverText>& hovered,
                    std::string_view signature,
                    std::string_view language) {
  const bool is_known = hovered && !hovered->signature.empty();
  std::string text = code(is_known ? std::string_view(hovered->signature) : signature,
                          language,
                          job.client.markdownHover);
  if (is_known && !hovered->type.empty() && hovered->type.find('(') == std::string::npos &&
      !hovered->signature.starts_with(hovered->type)) {
    text +=
        "\ntype " + (job.client.markdownHover ? "`" + hovered->type + "`" : hovered->type) + "\n";
  }
  return text;
}

std::string describe(const NavigationJob& job,
                     IndexedTexts& texts,
                     const indexer::Resolution& resolution,
                     const std::vector<indexer::Target>& targets,
                     const std::optional<wire::HoverText>& hovered) {
  const bool is_markdown = job.client.markdownHover;
  const indexer::Target& best = targets.front();
  const indexer::Definition& definition = best.symbol.definition;
  std::string text = head_of(job, hovered, definition.signature, best.symbol.language);
  std::string_view doc = definition.doc;
  for (const indexer::Target& other : resolution.targets) {
    if (!doc.empty()) break;
    if (other.entity == best.entity) doc = other.symbol.definition.doc;
  }
  const std::string own_doc = hovered ? unmarked(hovered->doc) : std::string();
  if (doc.empty()) doc = own_doc;
  if (!doc.empty()) {
    text += "\n" + (is_markdown ? escaped(shortened(doc)) : std::string(shortened(doc))) + "\n";
  }
  std::string where = best.symbol.path;
  if (const auto range =
          texts.locate(best.symbol.path, definition.name_range, definition.name, job.encoding)) {
    where += ":" + std::to_string(range->start.line + 1);
  }
  text += "\n" + std::string(name_of(definition.kind));
  if (!definition.container.empty()) text += " in " + definition.container;
  text += is_markdown ? ", `" + where + "`" : ", " + where;
  std::set<std::uint32_t> entities;
  for (const indexer::Target& target : targets)
    entities.insert(target.entity);
  if (best.confidence < kSure || entities.size() > 1) {
    // A compiler that had to guess how the file is compiled.
    const bool is_compiled = resolution.source == indexer::Source::kCompiler;
    text += (is_compiled ? "\nby libclang, " : "\nby syntax, ") +
            std::to_string(std::lround(best.confidence * 100)) + " % sure";
    for (std::size_t i = 0; i < best.reasons.size(); ++i)
      text += (i == 0 ? ": " : ", ") + std::string(name_of(best.reasons[i]));
    if (entities.size() > 1) {
      text += "; " + std::to_string(entities.size() - 1) + " more of this name may be meant";
    }
  }
  return text;
}

}  // namespace

lsp::Response<lsp::HoverResult> describe_place(const NavigationJob& job,
                                               const std::optional<wire::HoverText>& hovered,
                                               const std::stop_token& stop) {
  const auto index = job.linked(stop);
  if (!index) return tl::unexpected(lsp::ResponseError(index.error()));
  IndexedTexts texts = job.texts();
  const auto compiled = ask_compiler(job, *index, texts, stop);
  if (!compiled) return tl::unexpected(lsp::ResponseError(compiled.error()));
  std::optional<indexer::Resolution> found;
  if (*compiled) {
    found = (*compiled)->resolution;
  } else {
    auto resolved = job.resolve(*index, stop);
    if (!resolved) return tl::unexpected(lsp::ResponseError(resolved.error()));
    found = *std::move(resolved);
  }
  if (!found) return lsp::HoverResult{};
  const indexer::Resolution& resolution = *found;
  std::string text;
  if (!resolution.files.empty()) {
    text = resolution.files.front().path;
  } else if (resolution.local) {
    const lsp::TextBuffer& own = *job.document.text;
    std::string_view line =
        own.line(own.line_of(ByteOffset{resolution.local->begin})).of(own.text());
    const std::size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
    line = shortened(line.substr(begin));
    text = head_of(job, hovered, line, job.document.languageId) + "\nlocal";
  } else {
    std::vector<indexer::Target> targets =
        resolution.is_definition ? resolution.targets : likely_targets(resolution);
    if (!targets.empty()) {
      text = describe(job, texts, resolution, targets, hovered);
    } else if (hovered && !hovered->signature.empty()) {
      // Declared in a system's header.
      text = head_of(job, hovered, {}, job.document.languageId);
      const std::string doc = unmarked(hovered->doc);
      if (!doc.empty()) text += "\n" + (job.client.markdownHover ? escaped(doc) : doc) + "\n";
      text += "\n" + hovered->declared_path + ":" + std::to_string(hovered->declared_line + 1);
    } else {
      return lsp::HoverResult{};
    }
  }
  lsp::HoverResult result;
  result.contents =
      lsp::MarkupContent{.is_markdown = job.client.markdownHover, .value = std::move(text)};
  if (resolution.use.range.size() > 0) {
    result.range = lsp_range(*job.document.text, resolution.use.range, job.encoding);
  }
  return result;
}

}  // namespace kinglet::daemon
