#include "daemon/eval/measures.h"

#include <string>

#include <doctest/doctest.h>

namespace kinglet::daemon {

TEST_SUITE("daemon/eval/measures") {
  TEST_CASE("edit similarity: one less the distance over the longer length") {
    CHECK(edit_similarity("", "") == 1);
    CHECK(edit_similarity("abc", "abc") == 1);
    CHECK(edit_similarity("abc", "") == 0);
    CHECK(edit_similarity("abc", "xyz") == 0);
    // kitten, sitten, sittin, sitting
    CHECK(edit_similarity("kitten", "sitting") == doctest::Approx(1 - 3.0 / 7));
    CHECK(edit_similarity("sitting", "kitten") == doctest::Approx(1 - 3.0 / 7));
    CHECK(edit_similarity("ab", "ba") == 0);
    // A letter is one, however many bytes it has.
    CHECK(edit_similarity("b\xC3\xA4r", "bar") == doctest::Approx(1 - 1.0 / 3));
    CHECK(edit_similarity("b\xC3\xA4r", "b\xC3\xA5r") == doctest::Approx(1 - 1.0 / 3));
  }

  TEST_CASE("chrF: n-grams of the orders that both texts have, recall weighing four times") {
    CHECK(chrf("return x;", "return x;") == doctest::Approx(1));
    CHECK(chrf("", "abc") == 0);
    CHECK(chrf("abc", "") == 0);
    CHECK(chrf("abc", "xyz") == 0);
    // 2 of 3, 1 of 2, 0 of 1, on either side.
    CHECK(chrf("abc", "abd") == doctest::Approx((2.0 / 3 + 1.0 / 2 + 0) / 3));
    // Precision 1, 1; recall 2 of 4, 1 of 3: 5 * 1 * r / (4 * 1 + r).
    const double recall = (2.0 / 4 + 1.0 / 3) / 2;
    CHECK(chrf("ab", "abcd") == doctest::Approx(5 * recall / (4 + recall)));
    // The other way round it is better: nothing is missing.
    CHECK(chrf("abcd", "ab") == doctest::Approx(5 * recall / (4 * recall + 1)));
    // Blanks do not count; "aa" in "aaa" counts as often as the other text has it.
    CHECK(chrf("a b\n\tc", "abc") == doctest::Approx(1));
    const double precision = (1.0 / 3 + 0) / 1;
    CHECK(chrf("aaa", "a") == doctest::Approx(5 * precision / (4 * precision + 1)));
  }

  TEST_CASE("identifiers, each as often as it stands there") {
    CHECK(identifier_f1("", "") == 1);
    CHECK(identifier_f1("(1 + 2)", "[]") == 1);
    CHECK(identifier_f1("a", "(1)") == 0);
    CHECK(identifier_f1("f(a, b)", "f(a, c)") == doctest::Approx(2.0 / 3));
    // One of "a a" and one of "a": 2 * 1 / 3.
    CHECK(identifier_f1("a + a", "a") == doctest::Approx(2.0 / 3));
    CHECK(identifier_f1("value", "values") == 0);
  }

  TEST_CASE("a first line is compared alone, and blanks around do not count") {
    const auto line = compare_texts("  f(a);  \n  g(b);\n", "f(a);", Compared::kFirstLine);
    CHECK(line.is_exact);
    CHECK(line.edit_similarity == 1);
    CHECK(line.chrf == doctest::Approx(1));
    CHECK(line.identifier_f1 == 1);
    CHECK(line.n_kept == 5);
    const auto whole = compare_texts("f(a);\ng(b);", "f(a);", Compared::kWhole);
    CHECK(!whole.is_exact);
    CHECK(whole.edit_similarity == doctest::Approx(1 - 6.0 / 11));
    CHECK(whole.identifier_f1 == doctest::Approx(2.0 * 2 / 6));
    CHECK(whole.n_kept == 5);
    const auto none = compare_texts("\n", "f(a);", Compared::kFirstLine);
    CHECK(!none.is_exact);
    CHECK(none.edit_similarity == 0);
    CHECK(none.n_kept == 0);
    CHECK(compare_texts("b\xC3\xA4r()", "b\xC3\xA4s()", Compared::kWhole).n_kept == 2);
    CHECK(compare_texts("x\xC3\xA4", "x\xC3\xA5", Compared::kWhole).n_kept == 1);
  }
}

}  // namespace kinglet::daemon
