#include "daemon/features/context_text.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kinglet::daemon {

using lsp::Json;

namespace {

std::string text_of(const Json& part, const char* key) {
  return part[key].is_string() ? part[key].get<std::string>() : "";
}

std::string where_of(const Json& part) {
  const std::string path = text_of(part, "path");
  return part["line"].is_null() ? path : path + ":" + part["line"].dump();
}

std::string score_of(const Json& part) {
  if (part["score"].is_null()) return "";
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", part["score"].get<double>());
  return text;
}

std::string age_of(const Json& part) {
  if (part["age"].is_null()) return "";
  struct Unit {
    std::int64_t n_seconds;
    const char* name;
  };
  constexpr Unit kUnits[] = {
      {31'536'000, " y"}, {86'400, " d"}, {3'600, " h"}, {60, " min"}, {1, " s"}};
  const auto age = part["age"].get<std::int64_t>();
  for (const Unit& unit : kUnits) {
    if (age >= unit.n_seconds) return std::to_string(age / unit.n_seconds) + unit.name;
  }
  return "0 s";
}

struct Row {
  std::string where;
  std::string reason;
  std::string tokens;
  std::string score;
  std::string age;
  std::string why;
};

Row row_of(const Json& part) {
  return {.where = where_of(part),
          .reason = text_of(part, "reason"),
          .tokens = part["tokens"].dump(),
          .score = score_of(part),
          .age = age_of(part),
          .why = text_of(part, "detail")};
}

std::size_t characters_in(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

std::string blanks_to(std::size_t width, std::string_view text) {
  return std::string(width - std::min(width, characters_in(text)), ' ');
}

std::string left(std::string text, std::size_t width) {
  return text + blanks_to(width, text);
}

std::string right(std::string text, std::size_t width) {
  return blanks_to(width, text) + text;
}

class Table {
 public:
  void add(std::string mark, Row row) { lines_.push_back({std::move(mark), std::move(row)}); }

  std::string text(const HeadingStyle& style) const {
    std::size_t width = 0;
    for (const Line& line : lines_)
      width = std::max(width, characters_in(line.row.where));
    const Line head{lines_.front().mark.empty() ? "" : "  ",
                    {"place", "reason", "tokens", "score", "age", "why"}};
    std::string text = style.begin + print(head, width) + style.end;
    for (const Line& line : lines_)
      text += print(line, width);
    return text;
  }

 private:
  struct Line {
    std::string mark;
    Row row;
  };

  static std::string print(const Line& line, std::size_t width) {
    const Row& row = line.row;
    return line.mark + left(row.where, width) + "  " + left(row.reason, 9) + "  " +
           right(row.tokens, 6) + "  " + right(row.score, 7) + "  " + right(row.age, 6) + "  " +
           row.why + "\n";
  }

  std::vector<Line> lines_;
};

Row total_of(const Json& context) {
  const auto n_dropped = context["dropped"].get<std::uint64_t>();
  std::string why = "of " + context["budget"].dump() + " at " + text_of(context, "place");
  if (n_dropped > 0) why += "; candidates that did not get in: " + std::to_string(n_dropped);
  return {.where = "total",
          .reason = "",
          .tokens = context["tokens"].dump(),
          .score = "",
          .age = "",
          .why = std::move(why)};
}

std::string note_of(const Json& context) {
  if (context["notIndexed"].is_null()) return "";
  return text_of(context, "path") + " is not in the index: " + text_of(context, "notIndexed") +
         "\n";
}

bool holds(const Json& context, const Json& wanted) {
  const Json& parts = context["parts"];
  return std::any_of(parts.begin(), parts.end(), [&](const Json& part) {
    const auto is_equal = [&](const char* key) { return part[key] == wanted[key]; };
    return is_equal("reason") && is_equal("path") && is_equal("tokens") && is_equal("text");
  });
}

}  // namespace

std::string render_context(const Json& context, const HeadingStyle& style) {
  Table table;
  for (const Json& part : context["parts"])
    table.add("", row_of(part));
  table.add("", total_of(context));
  return note_of(context) + table.text(style);
}

std::string render_context_texts(const Json& context, const HeadingStyle& style) {
  std::string all;
  for (const Json& part : context["parts"]) {
    if (part["text"].is_null()) continue;
    all += std::string("\n") + style.begin + "--- " + where_of(part) + "  " +
           text_of(part, "reason") + ", " + part["tokens"].dump() + " tokens" + style.end + "\n";
    const std::string text = text_of(part, "text");
    all += text;
    if (!text.empty() && !text.ends_with('\n')) all += '\n';
  }
  return all;
}

std::string render_context_difference(const Json& first,
                                      const Json& second,
                                      const HeadingStyle& style) {
  Table table;
  for (const Json& part : first["parts"])
    table.add(holds(second, part) ? "= " : "- ", row_of(part));
  for (const Json& part : second["parts"]) {
    if (!holds(first, part)) table.add("+ ", row_of(part));
  }
  table.add("- ", total_of(first));
  table.add("+ ", total_of(second));
  const auto ids = first["ids"].get<std::vector<std::int64_t>>();
  const auto other_ids = second["ids"].get<std::vector<std::int64_t>>();
  const auto n_same = std::ranges::mismatch(ids, other_ids).in1 - ids.begin();
  table.add("= ",
            {.where = "same from the beginning",
             .reason = "",
             .tokens = std::to_string(n_same),
             .score = "",
             .age = "",
             .why = "the other " + std::to_string(std::ssize(other_ids) - n_same) +
                    " of the second are computed anew"});
  const std::string note = note_of(first);
  const std::string other_note = note_of(second);
  return note + (other_note == note ? "" : other_note) + table.text(style);
}

}  // namespace kinglet::daemon
