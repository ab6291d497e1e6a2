#include "daemon/commands/context_table.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/commands/screen.h"

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

int characters_in(std::string_view text) {
  return static_cast<int>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

class Table {
 public:
  void add(std::string mark, Row row) { lines_.push_back({std::move(mark), std::move(row)}); }

  void print() const {
    const Screen screen;
    int width = 0;
    for (const Line& line : lines_)
      width = std::max(width, characters_in(line.row.where));
    std::fputs(screen.bold(), stdout);
    print_line({lines_.front().mark.empty() ? "" : "  ",
                {"place", "reason", "tokens", "score", "age", "why"}},
               width);
    std::fputs(screen.plain(), stdout);
    for (const Line& line : lines_)
      print_line(line, width);
  }

 private:
  struct Line {
    std::string mark;
    Row row;
  };

  static void print_line(const Line& line, int width) {
    const Row& row = line.row;
    std::printf("%s%s%*s  %-9s  %6s  %7s  %6s  %s\n",
                line.mark.c_str(),
                row.where.c_str(),
                width - characters_in(row.where),
                "",
                row.reason.c_str(),
                row.tokens.c_str(),
                row.score.c_str(),
                row.age.c_str(),
                row.why.c_str());
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

bool holds(const Json& context, const Json& wanted) {
  const Json& parts = context["parts"];
  return std::any_of(parts.begin(), parts.end(), [&](const Json& part) {
    const auto is_equal = [&](const char* key) { return part[key] == wanted[key]; };
    return is_equal("reason") && is_equal("path") && is_equal("tokens") && is_equal("text");
  });
}

}  // namespace

void print_context(const Json& context) {
  Table table;
  for (const Json& part : context["parts"])
    table.add("", row_of(part));
  table.add("", total_of(context));
  table.print();
}

void print_context_texts(const Json& context) {
  const Screen screen;
  for (const Json& part : context["parts"]) {
    if (part["text"].is_null()) continue;
    std::printf("\n%s--- %s  %s, %s tokens%s\n",
                screen.bold(),
                where_of(part).c_str(),
                text_of(part, "reason").c_str(),
                part["tokens"].dump().c_str(),
                screen.plain());
    const std::string text = text_of(part, "text");
    std::fputs(text.c_str(), stdout);
    if (!text.empty() && !text.ends_with('\n')) std::fputs("\n", stdout);
  }
}

void print_context_difference(const Json& first, const Json& second) {
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
  table.print();
}

}  // namespace kinglet::daemon
