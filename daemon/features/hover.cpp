#include "daemon/features/hover.h"

#include <cmath>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

std::string describe(const NavigationJob& job,
                     IndexedTexts& texts,
                     const indexer::Resolution& resolution,
                     const std::vector<indexer::Target>& targets) {
  const bool is_markdown = job.client.markdownHover;
  const indexer::Target& best = targets.front();
  const indexer::Definition& definition = best.symbol.definition;
  std::string text = code(definition.signature, best.symbol.language, is_markdown);
  std::string_view doc = definition.doc;
  for (const indexer::Target& other : resolution.targets) {
    if (!doc.empty()) break;
    if (other.entity == best.entity) doc = other.symbol.definition.doc;
  }
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
    text += "\nby syntax, " + std::to_string(std::lround(best.confidence * 100)) + " % sure";
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
                                               const std::stop_token& stop) {
  const auto index = job.linked(stop);
  if (!index) return tl::unexpected(lsp::ResponseError(index.error()));
  const auto found = job.resolve(*index, stop);
  if (!found) return tl::unexpected(lsp::ResponseError(found.error()));
  if (!*found) return lsp::HoverResult{};
  const indexer::Resolution& resolution = **found;
  IndexedTexts texts = job.texts();
  std::string text;
  if (!resolution.files.empty()) {
    text = resolution.files.front().path;
  } else if (resolution.local) {
    const lsp::TextBuffer& own = *job.document.text;
    std::string_view line =
        own.line(own.line_of(ByteOffset{resolution.local->begin})).of(own.text());
    const std::size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
    line = shortened(line.substr(begin));
    text = code(line, job.document.languageId, job.client.markdownHover) + "\nlocal";
  } else {
    std::vector<indexer::Target> targets =
        resolution.is_definition ? resolution.targets : likely_targets(resolution);
    if (targets.empty()) return lsp::HoverResult{};
    text = describe(job, texts, resolution, targets);
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
