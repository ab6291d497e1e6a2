#include "daemon/features/compiler_answer.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <iterator>
#include <tuple>
#include <utility>

#include "indexer/clang/compile_commands.h"
#include "indexer/identifiers.h"

namespace kinglet::daemon {

namespace clang = indexer::clang;

namespace {

bool is_declared_at(const clang::SemanticPlace& place) {
  return place.role <= clang::Role::kDefinition;
}

std::string line_of(const lsp::TextBuffer& text, std::uint32_t offset) {
  const std::string_view line = text.line(text.line_of(ByteOffset{offset})).of(text.text());
  const std::size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
  return std::string(line.substr(begin, 400));
}

/// Words and marks of the signature behind the name, sorted: "int", "*", "size".
std::vector<std::string> parameters_of(const indexer::Definition& definition) {
  const std::string& signature = definition.signature;
  std::vector<std::string> words;
  bool was_word = false;
  for (std::size_t at = signature.find(definition.name + "("); at < signature.size(); ++at) {
    const char c = signature[at];
    const bool is_word = indexer::is_identifier_byte(c);
    if (is_word && was_word) {
      words.back() += c;
    } else if (c != ' ' && c != '\t' && c != '\n') {
      words.emplace_back(1, c);
    }
    was_word = is_word;
  }
  std::ranges::sort(words);
  return words;
}

/// Syntax takes overloads with as many parameters for one thing. Of `bodies` those stay whose
/// parameters are written most like the declaration's.
void keep_likest(const indexer::Definition& declaration, std::vector<indexer::Target>& bodies) {
  const auto wanted = parameters_of(declaration);
  const auto likeness = [&](const indexer::Target& body) {
    const auto words = parameters_of(body.symbol.definition);
    std::vector<std::string> shared;
    std::ranges::set_intersection(wanted, words, std::back_inserter(shared));
    return static_cast<std::ptrdiff_t>(4 * shared.size()) -
           static_cast<std::ptrdiff_t>(wanted.size() + words.size());
  };
  std::ptrdiff_t best = PTRDIFF_MIN;
  for (const indexer::Target& body : bodies)
    best = std::max(best, likeness(body));
  std::erase_if(bodies, [&](const indexer::Target& body) { return likeness(body) < best; });
}

/// Makes one answer.
class Answerer {
 public:
  Answerer(const NavigationJob& job,
           const indexer::LinkedIndex& index,
           IndexedTexts& texts,
           std::stop_token stop)
      : job_(job), index_(index), texts_(texts), stop_(std::move(stop)) {}

  Result<std::optional<CompilerAnswer>> answer() {
    const std::string_view text = job_.document.text->text();
    auto found =
        job_.at.semantics->find(job_.path, indexer::hash_content(text), value(job_.offset));
    if (!found) return std::optional<CompilerAnswer>();
    answer_.confidence = static_cast<float>(found->confidence);
    name_ = found->name;
    indexer::Resolution& resolution = answer_.resolution;
    resolution.source = indexer::Source::kCompiler;
    if (auto use = indexer::use_at(text, name_.begin)) resolution.use = *std::move(use);
    resolution.use.range = name_;
    // What a macro writes goes by another name than what stands there.
    resolution.use.name = found->symbols.front().name;
    answer_.symbols = std::move(found->symbols);
    for (std::uint32_t entity = 0; entity < answer_.symbols.size(); ++entity)
      TRY(add(answer_.symbols[entity], entity));
    sort();
    const bool is_outside = std::ranges::any_of(
        answer_.symbols, [](const auto& one) { return one.outside.has_value(); });
    if (resolution.targets.empty() && !resolution.local && !is_outside) {
      return std::optional<CompilerAnswer>();
    }
    return std::optional(std::move(answer_));
  }

 private:
  Result<void> add(const clang::SemanticSymbol& symbol, std::uint32_t entity) {
    if (stop_.stop_requested()) return fail(ErrorCode::kCancelled, "cancelled");
    std::vector<clang::SemanticPlace> declared;
    for (const clang::SymbolKey key : job_.at.semantics->family(symbol.key)) {
      for (clang::SemanticPlace& place : job_.at.semantics->places(key)) {
        if (!texts_.find_exact(place.path, place.hash)) continue;
        if (key == symbol.key && is_declared_at(place)) declared.push_back(place);
        answer_.places.push_back(std::move(place));
      }
    }
    std::ranges::stable_sort(declared, std::greater(), &clang::SemanticPlace::role);
    if (symbol.is_local) return add_local(declared);
    for (const clang::SemanticPlace& place : declared)
      add_target(symbol, place, entity);
    if (declared.empty()) return {};
    if (!answer_.by_syntax) answer_.by_syntax = TRY(syntax_of(declared.front()));
    if (declared.front().role == clang::Role::kDefinition || !answer_.by_syntax) return {};
    // Its definition is where no unit has been yet.
    std::vector<indexer::Target> bodies = answer_.by_syntax->targets;
    std::erase_if(bodies, [&](const indexer::Target& target) {
      return !target.symbol.definition.has_body || is_compiled(job_, texts_, target.symbol.path);
    });
    keep_likest(answer_.by_syntax->targets.front().symbol.definition, bodies);
    for (indexer::Target& body : bodies) {
      body.entity = entity;
      body.confidence *= answer_.confidence;
      body.reasons = {indexer::Reason::kCompiler, indexer::Reason::kCounterpart};
      answer_.resolution.targets.push_back(std::move(body));
    }
    return {};
  }

  Result<void> add_local(const std::vector<clang::SemanticPlace>& declared) {
    for (const clang::SemanticPlace& place : declared) {
      if (place.path == job_.path) {
        answer_.resolution.local = place.range;
        break;
      }
    }
    return {};
  }

  void add_target(const clang::SemanticSymbol& symbol,
                  const clang::SemanticPlace& place,
                  std::uint32_t entity) {
    indexer::Target target{.symbol = symbol_at(symbol, place),
                           .confidence = answer_.confidence,
                           .entity = entity,
                           .reasons = {indexer::Reason::kCompiler}};
    if (place.path == job_.path && place.range == name_ && !place.is_implicit) {
      answer_.resolution.is_definition = true;
      target.reasons.insert(target.reasons.begin(), indexer::Reason::kItself);
    }
    answer_.resolution.targets.push_back(std::move(target));
  }

  /// As the syntactic index has it, which knows the comment and where the body ends; else what the
  /// line says.
  indexer::Symbol symbol_at(const clang::SemanticSymbol& symbol,
                            const clang::SemanticPlace& place) const {
    indexer::Symbol made{.path = place.path, .language = "cpp", .definition = {}};
    const bool is_definition = place.role == clang::Role::kDefinition;
    if (const auto info = job_.at.index.file(place.path)) {
      made.language = info->language;
      if (info->hash == place.hash) {
        for (indexer::Symbol& known : job_.at.index.definitions_in(place.path)) {
          if (known.definition.name_range != place.range) continue;
          known.definition.has_body = is_definition;
          return std::move(known);
        }
      }
    }
    const auto text = texts_.find_exact(place.path, place.hash);
    made.definition.name = symbol.name;
    made.definition.kind = symbol.kind;
    made.definition.signature = line_of(*text, place.range.begin);
    made.definition.has_body = is_definition;
    made.definition.name_range = place.range;
    made.definition.range = place.range;
    if (const auto owner = job_.at.semantics->symbol(symbol.owner)) {
      made.definition.container = owner->name;
    }
    return made;
  }

  Result<std::optional<indexer::Resolution>> syntax_of(const clang::SemanticPlace& place) const {
    const auto info = job_.at.index.file(place.path);
    if (!info || info->hash != place.hash) return std::optional<indexer::Resolution>();
    const auto text = texts_.find_exact(place.path, place.hash);
    auto found = TRY(indexer::resolve(index_, place.path, text->text(), place.range.begin, stop_));
    if (!found || !found->is_definition) return std::optional<indexer::Resolution>();
    return found;
  }

  void sort() {
    const auto order = [](const clang::SemanticPlace& place) {
      return std::tie(
          place.path, place.range.begin, place.range.end, place.is_implicit, place.role);
    };
    auto& places = answer_.places;
    std::ranges::sort(places, {}, order);
    const auto is_same = [](const clang::SemanticPlace& a, const clang::SemanticPlace& b) {
      return a.path == b.path && a.range == b.range;
    };
    places.erase(std::unique(places.begin(), places.end(), is_same), places.end());
    // likely_targets() expects the place itself first, and of one thing the body.
    const auto rank = [](const indexer::Target& target) {
      if (target.reasons.front() == indexer::Reason::kItself) return 0;
      return target.symbol.definition.has_body ? 1 : 2;
    };
    std::ranges::stable_sort(answer_.resolution.targets, {}, rank);
  }

  const NavigationJob& job_;
  const indexer::LinkedIndex& index_;
  IndexedTexts& texts_;
  std::stop_token stop_;
  CompilerAnswer answer_;
  ByteRange name_;
};

}  // namespace

Result<std::optional<CompilerAnswer>> ask_compiler(const NavigationJob& job,
                                                   const indexer::LinkedIndex& index,
                                                   IndexedTexts& texts,
                                                   const std::stop_token& stop) {
  if (!job.at.semantics || !clang::is_c_family(job.path)) return std::optional<CompilerAnswer>();
  return Answerer(job, index, texts, stop).answer();
}

bool is_compiled(const NavigationJob& job, IndexedTexts& texts, const std::string& path) {
  const auto hash = texts.hash_of(path);
  return job.at.semantics && hash && job.at.semantics->knows(path, *hash);
}

bool has_compiled_name(const NavigationJob& job,
                       IndexedTexts& texts,
                       const std::string& path,
                       std::uint32_t offset) {
  const auto hash = texts.hash_of(path);
  return job.at.semantics && hash && job.at.semantics->has_name_at(path, *hash, offset);
}

}  // namespace kinglet::daemon
