// Grammars as people write them, in the notation of GGML's GBNF:
//
//   root  ::= "yes" | "no, because " word (" " word){0,20} "."   # a comment
//   word  ::= [a-zA-Z]+
//
// Strings and classes know \n \r \t \\ \" \] \[ \- \^, \xHH, \uHHHH and \UHHHHHHHH; . is any
// character; * + ? {n} {n,} {n,m} repeat; parentheses group. A rule ends at its line's end, unless
// a group is open or the next line begins with |.
#pragma once

#include <string_view>

#include "daemon/base/result.h"
#include "inference/grammar/machine.h"

namespace kinglet::inference::grammar {

inline constexpr std::size_t kMaxGrammarBytes = std::size_t{1} << 20;

/// Texts of the grammar are those of its rule `root`, in UTF-8. Errors: kInvalidArgument, naming
/// the line, for what is no grammar; naming the rule for one that is missing, left-recursive,
/// without any text or too big.
Result<Machine> compile_gbnf(std::string_view text);

}  // namespace kinglet::inference::grammar
