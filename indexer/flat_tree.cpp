#include "indexer/flat_tree.h"

#include <cstddef>
#include <unordered_map>
#include <utility>

// Not the library's interface: see the header.
#include <language.h>
#include <subtree.h>
#include <tree.h>

namespace kinglet::indexer {
namespace {

// Of a smaller piece, reading it again is as cheap as finding it.
constexpr std::uint32_t kMinLandmark = 24;

// A node whose children are being read. Hidden nodes are the grammar's helpers: their children
// stand for them, with the field that they have.
struct Frame {
  const Subtree* children;
  std::uint32_t n_children;
  std::uint32_t next;             // child
  std::uint32_t structural_next;  // the same without extras: what aliases and fields count by
  const TSSymbol* aliases;
  const TSFieldMapEntry* fields;
  const TSFieldMapEntry* fields_end;
  Length position;         // of the next child
  TSFieldId field;         // of a hidden node, for its children
  std::uint32_t node_idx;  // of a visible one
  bool is_visible;
};

Length sum(Length a, Length b) {
  Length total;
  total.bytes = a.bytes + b.bytes;
  total.extent.row = a.extent.row + b.extent.row;
  total.extent.column = b.extent.row > 0 ? b.extent.column : a.extent.column + b.extent.column;
  return total;
}

}  // namespace

class Flattener {
 public:
  /// `before`, if any, is what update() left.
  Flattener(const TSTree* tree, FlatTree& flat, const FlatTree* before)
      : language_(tree->language),
        nodes_(flat.nodes_),
        landmarks_(flat.landmarks_),
        before_(before) {
    if (before != nullptr) {
      landmark_of_.reserve(before->landmarks_.size());
      for (std::size_t i = 0; i < before->landmarks_.size(); ++i)
        landmark_of_.emplace(before->landmarks_[i].piece, i);
    }
    const Subtree root = tree->root;
    nodes_.clear();
    nodes_.reserve(ts_subtree_visible_descendant_count(root) + std::size_t{1});
    landmarks_.clear();
    add(root, ts_subtree_padding(root), 0, 0);
  }

  void run() {
    while (!stack_.empty()) {
      Frame& frame = stack_.back();
      if (frame.next == frame.n_children) {
        if (frame.is_visible) {
          nodes_[frame.node_idx].past = static_cast<std::uint32_t>(nodes_.size());
        }
        stack_.pop_back();
        continue;
      }
      visit_child(frame);
    }
  }

 private:
  void visit_child(Frame& frame) {
    const Subtree child = frame.children[frame.next++];
    const Length position = frame.position;
    if (frame.next < frame.n_children) {
      frame.position = sum(sum(position, ts_subtree_size(child)),
                           ts_subtree_padding(frame.children[frame.next]));
    }
    TSSymbol alias = 0;
    TSFieldId field = frame.field;
    if (!ts_subtree_extra(child)) {
      if (frame.aliases != nullptr) alias = frame.aliases[frame.structural_next];
      for (const TSFieldMapEntry* entry = frame.fields; entry < frame.fields_end; ++entry) {
        if (entry->inherited || entry->child_index != frame.structural_next) continue;
        field = entry->field_id;
        break;
      }
      ++frame.structural_next;
    }
    // `frame` ends here: the stack may grow.
    if (ts_subtree_visible(child) || alias != 0) {
      add(child, position, alias, field);
    } else if (ts_subtree_visible_child_count(child) > 0) {
      enter(child, position, field, 0, false);
    }
  }

  void add(Subtree tree, Length position, TSSymbol alias, TSFieldId field) {
    const auto node_idx = static_cast<std::uint32_t>(nodes_.size());
    const Length end = sum(position, ts_subtree_size(tree));
    FlatNode node;
    node.range = {position.bytes, end.bytes};
    node.first_row = position.extent.row;
    node.last_row = end.extent.row;
    if (end.extent.column == 0 && node.last_row > node.first_row) --node.last_row;
    node.past = node_idx + 1;
    node.kind = ts_language_public_symbol(language_, alias != 0 ? alias : ts_subtree_symbol(tree));
    node.field = field;
    node.is_named =
        alias != 0 ? ts_language_symbol_metadata(language_, alias).named : ts_subtree_named(tree);
    nodes_.push_back(node);
    if (ts_subtree_visible_child_count(tree) == 0) return;
    if (before_ != nullptr && ts_subtree_visible_descendant_count(tree) >= kMinLandmark) {
      const auto known = landmark_of_.find(tree.ptr);
      if (known != landmark_of_.end()) return move(known->second);
      landmarks_.push_back({tree.ptr, node_idx});
    }
    enter(tree, position, 0, node_idx, true);
  }

  // What is below the node that was just added, from the tree before: all that differs is where it
  // lies. What a piece looks like from outside (its kind, its field) is its parent's business.
  void move(std::size_t landmark_idx) {
    const std::uint32_t to = static_cast<std::uint32_t>(nodes_.size()) - 1;
    const std::uint32_t from = before_->landmarks_[landmark_idx].node_idx;
    const std::uint32_t past = before_->nodes_[from].past;
    // Unsigned, so that a move towards the beginning is one, too.
    const std::uint32_t bytes = nodes_[to].range.begin - before_->nodes_[from].range.begin;
    const std::uint32_t rows = nodes_[to].first_row - before_->nodes_[from].first_row;
    for (std::uint32_t i = from + 1; i < past; ++i) {
      FlatNode node = before_->nodes_[i];
      node.range.begin += bytes;
      node.range.end += bytes;
      node.first_row += rows;
      node.last_row += rows;
      node.past += to - from;
      nodes_.push_back(node);
    }
    nodes_[to].past = past + (to - from);
    for (std::size_t i = landmark_idx;
         i < before_->landmarks_.size() && before_->landmarks_[i].node_idx < past;
         ++i) {
      landmarks_.push_back(
          {before_->landmarks_[i].piece, before_->landmarks_[i].node_idx + (to - from)});
    }
  }

  void enter(
      Subtree tree, Length position, TSFieldId field, std::uint32_t node_idx, bool is_visible) {
    Frame frame{};
    frame.children = ts_subtree_children(tree);
    frame.n_children = ts_subtree_child_count(tree);
    frame.aliases = ts_language_alias_sequence(language_, tree.ptr->production_id);
    ts_language_field_map(language_, tree.ptr->production_id, &frame.fields, &frame.fields_end);
    frame.position = position;
    frame.field = field;
    frame.node_idx = node_idx;
    frame.is_visible = is_visible;
    stack_.push_back(frame);
  }

  const TSLanguage* language_;
  std::vector<FlatNode>& nodes_;
  std::vector<FlatTree::Landmark>& landmarks_;
  const FlatTree* before_;
  std::unordered_map<const void*, std::size_t> landmark_of_;  // indices of before_'s
  std::vector<Frame> stack_;
};

void FlatTree::read(const TSTree* tree) {
  tree_ = nullptr;
  Flattener(tree, *this, nullptr).run();
}

void FlatTree::update(const TSTree* tree) {
  const FlatTree before = std::exchange(*this, {});
  Flattener(tree, *this, &before).run();
  tree_ = Tree(ts_tree_copy(tree));
}

}  // namespace kinglet::indexer
