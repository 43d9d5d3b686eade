#include "effnetv2/core/text.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "effnetv2/core/rng.h"

namespace effnetv2 {
namespace {

using Words = std::vector<std::string>;

TEST(EditDistance, CountsEdits) {
  EXPECT_EQ(edit_distance("", ""), 0.0);
  EXPECT_EQ(edit_distance("epochs", "epochs"), 0.0);
  EXPECT_EQ(edit_distance("", "abc"), 3.0);
  EXPECT_EQ(edit_distance("abc", ""), 3.0);
  EXPECT_EQ(edit_distance("epoch", "epochs"), 1.0);
  EXPECT_EQ(edit_distance("epochs", "epchs"), 1.0);
  EXPECT_EQ(edit_distance("epochs", "apochs"), 1.0);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3.0);
}

TEST(EditDistance, SwappedNeighboursCountOnce) {
  EXPECT_EQ(edit_distance("trian", "train"), 1.0);
  EXPECT_EQ(edit_distance("ab", "ba"), 1.0);
  EXPECT_EQ(edit_distance("abc", "cba"), 2.0);
}

TEST(EditDistance, CaseCountsHalf) {
  EXPECT_EQ(edit_distance("SGD", "sgd"), 1.5);
  EXPECT_EQ(edit_distance("Adam", "adam"), 0.5);
}

TEST(EditDistance, IsSymmetric) {
  Rng rng = Rng::stream(1, Purpose::test);
  const auto word = [&rng] {
    std::string text(rng.below(7), ' ');
    for (char& c : text) {
      c = "abAB"[rng.below(4)];
    }
    return text;
  };
  for (int i = 0; i < 2000; ++i) {
    const std::string a = word(), b = word();
    ASSERT_EQ(edit_distance(a, b), edit_distance(b, a)) << a << " " << b;
    ASSERT_EQ(edit_distance(a, b) == 0.0, a == b);
    ASSERT_LE(edit_distance(a, b), static_cast<double>(std::max(a.size(), b.size())));
  }
}

TEST(Nearest, FindsWhatWasMeant) {
  const Words keys{"epochs", "batch_size", "optimizer", "lr", "val", "test", "drop_last"};
  EXPECT_EQ(nearest("epoch", keys), "epochs");
  EXPECT_EQ(nearest("bacth_size", keys), "batch_size");
  EXPECT_EQ(nearest("batchsize", keys), "batch_size");
  EXPECT_EQ(nearest("optimiser", keys), "optimizer");
  EXPECT_EQ(nearest("Lr", keys), "lr");
  EXPECT_EQ(nearest("rl", keys), "lr");
  EXPECT_EQ(nearest("droplast", keys), "drop_last");
}

TEST(Nearest, SaysNothingWhenNothingIsNear) {
  const Words keys{"lr", "eps", "betas"};
  EXPECT_EQ(nearest("momentum", keys), "");
  EXPECT_EQ(nearest("xy", keys), "");
  EXPECT_EQ(nearest("", keys), "");
  EXPECT_EQ(nearest("lr", Words{}), "");
}

TEST(DidYouMean, ReadsAsAnEndOfASentence) {
  const Words keys{"train", "eval"};
  EXPECT_EQ(did_you_mean("trian", keys), ", did you mean \"train\"?");
  EXPECT_EQ(did_you_mean("summary", keys), "");
}

TEST(JoinWords, ReadsAsAList) {
  EXPECT_EQ(join_words(Words{}), "");
  EXPECT_EQ(join_words(Words{"a"}), "a");
  EXPECT_EQ(join_words(Words{"a", "b"}), "a and b");
  EXPECT_EQ(join_words(Words{"a", "b", "c"}), "a, b and c");
}

TEST(WithCommas, GroupsThreeDigits) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1000), "1,000");
  EXPECT_EQ(with_commas(21458488), "21,458,488");
  EXPECT_EQ(with_commas(-1), "-1");
  EXPECT_EQ(with_commas(-999), "-999");
  EXPECT_EQ(with_commas(-1000), "-1,000");
  EXPECT_EQ(with_commas(-123456), "-123,456");
  EXPECT_EQ(with_commas(INT64_MAX), "9,223,372,036,854,775,807");
  EXPECT_EQ(with_commas(INT64_MIN), "-9,223,372,036,854,775,808");
}

TEST(Printable, LeavesWhatJsonTakesAndEscapesTheRest) {
  EXPECT_EQ(printable("Amsel \xC3\xA4 \xE9\xB8\x9F \xF0\x9F\x90\xA6"), "Amsel \xC3\xA4 \xE9\xB8\x9F \xF0\x9F\x90\xA6");
  EXPECT_EQ(printable("a\nb\x7F"), "a\\x0Ab\\x7F");
  EXPECT_EQ(printable("caf\xE9"), "caf\\xE9");              // Latin-1
  EXPECT_EQ(printable("\xC0\xAF"), "\\xC0\\xAF");           // overlong
  EXPECT_EQ(printable("\xED\xA0\x80"), "\\xED\\xA0\\x80");  // a surrogate
  EXPECT_EQ(printable("\xF4\x90\x80\x80"), "\\xF4\\x90\\x80\\x80");
}

TEST(Printable, IsTakenByJsonWhateverTheBytes) {
  Rng rng = Rng::stream(3, Purpose::test);
  for (int i = 0; i < 3000; ++i) {
    std::string name;
    for (std::uint64_t k = rng.below(8); k > 0; --k) {
      // most bytes from where UTF-8 has its rules
      name += static_cast<char>(rng.below(4) == 0 ? rng.below(256) : 0x80 + rng.below(128));
    }
    const nlohmann::json json = printable(name);
    ASSERT_NO_THROW(static_cast<void>(json.dump()));
    const nlohmann::json raw = name;
    bool ordinary = std::ranges::none_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
    try {
      static_cast<void>(raw.dump());
    } catch (const nlohmann::json::exception&) {
      ordinary = false;
    }
    ASSERT_EQ(printable(name) == name, ordinary) << json;
  }
}

TEST(HumanBytes, PicksTheUnit) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(512), "512 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1024), "1.0 KiB");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(1024.0 * 1024.0 - 1.0), "1.0 MiB");
  EXPECT_EQ(human_bytes(1.4 * 1024.0 * 1024.0 * 1024.0), "1.4 GiB");
  EXPECT_EQ(human_bytes(5000.0 * std::pow(1024.0, 4)), "5000.0 TiB");
}

TEST(HumanDuration, PicksTheUnit) {
  EXPECT_EQ(human_duration(0), "0.0 s");
  EXPECT_EQ(human_duration(4.2), "4.2 s");
  EXPECT_EQ(human_duration(59.94), "59.9 s");
  EXPECT_EQ(human_duration(59.96), "1m 00s");
  EXPECT_EQ(human_duration(187), "3m 07s");
  EXPECT_EQ(human_duration(3599.7), "1h 00m");
  EXPECT_EQ(human_duration(2 * 3600 + 5 * 60 + 59), "2h 05m");
  EXPECT_EQ(human_duration(100 * 3600), "100h 00m");
}

TEST(Shortest, ReadsBackTheSame) {
  EXPECT_EQ(shortest(0.1), "0.1");
  EXPECT_EQ(shortest(1e-4), "1e-04");
  EXPECT_EQ(shortest(-2.0), "-2");
  Rng rng = Rng::stream(2, Purpose::test);
  for (int i = 0; i < 1000; ++i) {
    const double value = std::ldexp(rng.uniform(-1.0, 1.0), static_cast<int>(rng.below(200)) - 100);
    ASSERT_EQ(std::stod(shortest(value)), value);
  }
  EXPECT_EQ(std::stod(shortest(std::numeric_limits<double>::max())), std::numeric_limits<double>::max());
}

TEST(CsvField, IsQuotedOnlyWhereItMustBe) {
  EXPECT_EQ(csv_field("tench"), "tench");
  EXPECT_EQ(csv_field(""), "");
  EXPECT_EQ(csv_field("tench, Tinca tinca"), "\"tench, Tinca tinca\"");
  EXPECT_EQ(csv_field("a \"b\""), "\"a \"\"b\"\"\"");
  EXPECT_EQ(csv_field("two\nlines"), "\"two\nlines\"");
}

}  // namespace
}  // namespace effnetv2
