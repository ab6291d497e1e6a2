// Constrained decoding: which tokens may come next, so that the output is a text of a grammar, and
// complete before the tokens run out.
//
// A mask is put together from what is known of each state of the grammar once and for all (which
// tokens stay within its rule: most of a vocabulary, inside a string) and what depends on where the
// rule was called from (tokens that reach across its end: few).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "daemon/base/result.h"
#include "inference/grammar/distances.h"
#include "inference/grammar/machine.h"
#include "inference/token_mask.h"
#include "inference/tokenizer/token_trie.h"

namespace kinglet::inference {

/// A grammar over the tokens of a vocabulary. It remembers what it found out: not for several
/// threads at once.
class Constraint {
 public:
  /// `trie` and `vocabulary` must outlive it. Errors: kUnsupported when the vocabulary lacks the
  /// bytes that some text of the grammar needs and no shortest text can be spelled.
  static Result<std::shared_ptr<Constraint>> create(grammar::Machine machine,
                                                    const TokenTrie& trie,
                                                    const Vocabulary& vocabulary);

  /// A text takes at least about so many tokens (never more are needed).
  std::uint32_t shortest() const { return distances_.of_rule(machine_.root); }

 private:
  friend class ConstraintState;

  /// Tokens by what they do to the distance to the rule's end.
  struct Tier {
    std::int32_t change;
    std::vector<TokenId> few;
    TokenMask many;  // instead of `few`, where they are many
  };
  /// A place in the trie where other rules may take over: the state calls, or its rule may end.
  struct Exit {
    TokenTrie::NodeIndex node;
    grammar::StateId state;
    std::uint32_t n_counted;
  };
  struct LocalMask {
    std::vector<Tier> tiers;  // by change
    std::vector<Exit> exits;  // by state and counter
  };

  Constraint(grammar::Machine machine, const TokenTrie& trie, const Vocabulary& vocabulary)
      : machine_(std::move(machine)),
        trie_(trie),
        vocabulary_(vocabulary),
        distances_(machine_, trie) {}
  /// For a counter that lacks `n_missing` and has room for `n_room` more. What is not known yet
  /// adds to `work` the nodes of the trie that were looked at.
  const LocalMask& local_mask(grammar::StateId state,
                              std::uint32_t n_missing,
                              std::uint32_t n_room,
                              std::uint64_t& work);
  LocalMask make_local_mask(grammar::StateId start,
                            std::uint32_t n_missing,
                            std::uint32_t n_room,
                            std::uint64_t& work) const;

  grammar::Machine machine_;
  const TokenTrie& trie_;
  const Vocabulary& vocabulary_;
  grammar::Distances distances_;
  using Key = std::tuple<grammar::StateId, std::uint32_t, std::uint32_t>;
  std::map<Key, LocalMask> local_masks_;
  std::size_t n_remembered_bytes_ = 0;
};

/// Where one output stands in a grammar. Copyable.
///
/// An ambiguous grammar is read in many ways at once, and there may be more than anyone wants to
/// follow. So each mask and each token has a budget of work, and the ways nearest to their end come
/// first. What is left out costs tokens of the mask, never its promise:
///  - the nearest way is always kept, and a token within its rule is always in the mask, so there
///  is
///    a way on;
///  - accept() follows a token's ways in the order in which allow() followed them for all tokens,
///  by
///    the same steps and with the same budget. On the way of one token it comes at least as far: it
///    finds again what allowed the token.
class ConstraintState {
 public:
  explicit ConstraintState(std::shared_ptr<Constraint> constraint);

  /// Adds the tokens that may come next to a mask over the vocabulary, if `n_left` tokens may come
  /// in all: after each of them the text can still be completed. The vocabulary's ends of
  /// generation are among them where the text may end.
  void allow(std::uint32_t n_left, TokenMask& mask);
  /// A token that was allowed, and was chosen. Ends of generation change nothing.
  void accept(TokenId token);

  /// Whether the text is complete.
  bool may_end() const { return may_end_; }
  /// Whether nothing can come any more.
  bool must_end() const { return may_end_ && readings_.empty(); }
  /// So many tokens complete the text; 0: it is.
  std::uint32_t n_needed() const;

  /// What was done so far, in steps of some ten nanoseconds.
  std::uint64_t work() const { return work_; }
  /// Of one call of allow() or accept(), at most (and what one step more takes).
  static constexpr std::uint64_t kMostWork = 1'000'000;
  /// Places that are remembered for rules to return to.
  std::size_t n_frames() const { return frames_.size(); }

 private:
  /// One of the ways to read the text so far: the innermost rule's state and counter, and what it
  /// returns to.
  struct Reading {
    grammar::StateId state;
    std::uint32_t n_counted;
    std::uint32_t frame;
    friend bool operator==(const Reading&, const Reading&) = default;
  };
  /// Where a called rule returns to: 0 stands for the text's end. Its parent comes before it.
  struct Frame {
    grammar::StateId state;
    std::uint32_t n_counted;
    std::uint32_t parent;
    std::uint32_t distance;  // from there to the text's end
  };
  using Three = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;
  struct ThreeHash {
    std::size_t operator()(const Three& key) const;
  };
  class Open;

  std::uint32_t frame_of(grammar::StateId state, std::uint32_t n_counted, std::uint32_t parent);
  std::uint32_t distance(const Reading& reading) const;
  std::uint32_t n_missing(grammar::StateId state, std::uint32_t n_counted) const;
  std::uint32_t n_room(grammar::StateId state, std::uint32_t n_counted) const;
  bool is_open(grammar::Effect effect, const Reading& reading) const;
  /// Within its rule. False when the byte does not come next.
  bool read(Reading& reading, std::uint8_t byte) const;
  /// Calls, skips what may be empty, and returns: what one reading is also.
  void follow(const Reading& reading, Open& open);
  /// Follows calls and returns until bytes are read next. The nearest to their end are kept, and
  /// first among them is one that is on a shortest way. Whether the text may end here.
  bool expand(std::vector<Reading>& readings);
  /// What remains after a byte, expanded; sets `may_end`.
  void step(const std::vector<Reading>& from,
            std::uint8_t byte,
            std::vector<Reading>& to,
            bool& may_end);
  /// What else a reading is where its rule may be left.
  std::vector<Reading> beyond(const Reading& exit);
  /// These two stop when the work exceeds `most`.
  void allow_behind(const Reading& reading,
                    const Constraint::LocalMask& local,
                    std::uint32_t n_left,
                    std::uint64_t most,
                    TokenMask& mask);
  void allow_below(TokenTrie::NodeIndex first,
                   const std::vector<Reading>& readings,
                   std::uint32_t n_left,
                   std::uint64_t most,
                   TokenMask& mask);
  /// What a reading becomes that leaves its rule within a text. Whether the text may end there.
  bool accept_behind(const Reading& reading,
                     std::string_view text,
                     std::uint64_t most,
                     std::vector<Reading>& next);
  void forget_frames();

  std::shared_ptr<Constraint> constraint_;
  std::vector<Frame> frames_;
  std::unordered_map<Three, std::uint32_t, ThreeHash> frame_ids_;
  std::size_t n_frames_kept_ = 1;
  std::vector<Reading> readings_;
  bool may_end_ = false;
  std::uint64_t work_ = 0;
};

}  // namespace kinglet::inference
