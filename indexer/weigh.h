// Weighs the definitions of a name for one use of it: the inside of resolve.h.
//
// Each definition of a name gets a sum of weights (logarithms of odds, chosen by hand) for the
// signs that speak for and against it. Definitions that are one thing, such as a declaration and
// its body, are an entity. An entity's confidence is its level times its share: the level says how
// sure the strongest sign is by itself, the share how it stands against the other entities
// (softmax of the sums).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/text.h"
#include "indexer/import_graph.h"
#include "indexer/index.h"
#include "indexer/reason.h"
#include "indexer/use.h"

namespace kinglet::indexer {

/// What is known of the file that a use is in. For one thread; its text and the index outlive it.
class FileContext {
 public:
  FileContext(const LinkedIndex& all, std::string_view path, std::string_view text);

  std::string_view path() const { return path_; }
  std::string_view text() const { return text_; }
  const std::string& language() const { return language_; }
  Family family() const { return family_; }
  const std::vector<Symbol>& definitions() const { return definitions_; }

  /// How the file reaches another one, if it does.
  std::optional<Reach> reach_of(std::string_view path);
  /// Names that a class inherits from, of its bases too. By the words of its head: those that are
  /// no bases contain nothing.
  const std::vector<std::string>& bases_of(const std::string& type);

 private:
  const LinkedIndex& all_;
  std::string_view path_, text_;
  std::string language_;
  Family family_ = Family::kOther;
  std::optional<std::uint32_t> id_;  // in the graph
  std::vector<Symbol> definitions_;
  std::optional<std::vector<std::pair<std::uint32_t, Reach>>> reached_;
  std::map<std::string, std::vector<std::string>> bases_;
};

/// Where in its file a use is.
struct Place {
  std::vector<std::string> scopes;   // qualified names around it, the innermost first
  std::string type;                  // of these, the class: its last word
  std::vector<ByteRange> functions;  // around it, the innermost first
  bool is_test = false;
};
Place place_of(const FileContext& file, std::uint32_t offset);

/// All definitions of one name, and which of them are one thing (an entity): a declaration and its
/// body, a class and its constructors.
class Candidates {
 public:
  struct One {
    Symbol symbol;
    Family family = Family::kOther;
    std::uint32_t entity = 0;
    std::string container_end;  // the last word of its container
    std::optional<ParameterCount> parameters;
    bool is_own = false;     // static in a source file: no other file can mean it
    bool is_member = false;  // its container is a class
  };

  Candidates(const LinkedIndex& index, const std::string& name);

  const std::vector<One>& all() const { return all_; }  // by path and place
  std::vector<One>::const_iterator begin() const { return all_.begin(); }
  std::vector<One>::const_iterator end() const { return all_.end(); }

 private:
  bool is_one_thing(const LinkedIndex& index, const One& a, const One& b) const;
  void join(const LinkedIndex& index);

  std::vector<One> all_;
  std::size_t n_bodies_ = 0;
};

/// For one file's uses of one name.
class Scales {
 public:
  struct Weighed {
    std::size_t candidate = 0;
    float weight = 0;
    float level = 0;
    float confidence = 0;
    std::vector<Reason> reasons;  // the strongest first
  };

  Scales(FileContext& file, const Candidates& candidates) : file_(file), candidates_(candidates) {}

  /// In the order of the candidates.
  std::vector<Weighed> weigh(const Use& use, const Place& place);

 private:
  std::string receiver_type() const;
  void weigh_one(const Candidates::One& candidate, Weighed& one);
  void weigh_access(const Candidates::One& candidate, Weighed& one, float& doubt);
  void weigh_place(const Candidates::One& candidate, Weighed& one);
  bool is_around(const Candidates::One& candidate);
  bool inherits(const std::string& type, std::string_view base);

  FileContext& file_;
  const Candidates& candidates_;
  const Use* use_ = nullptr;
  const Place* place_ = nullptr;
  std::string receiver_;  // the type of the object before the dot, if known
};

/// How sure a sign is by itself.
float level_of(Reason reason);

}  // namespace kinglet::indexer
