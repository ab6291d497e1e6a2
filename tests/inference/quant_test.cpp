#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "inference/quant/block_format.h"
#include "inference/quant/half.h"
#include "inference/quant/iq4_levels.h"
#include "inference/quant/super_block.h"
#include "tests/support/reference_blocks.h"

namespace kinglet::inference {
namespace {

std::vector<std::byte> quantized(const BlockFormat& format, const std::vector<float>& numbers) {
  std::vector<std::byte> blocks(format.bytes_of(numbers.size()).value());
  format.quantize(numbers, blocks);
  return blocks;
}

std::vector<float> dequantized(const BlockFormat& format, const std::vector<std::byte>& blocks) {
  std::vector<float> numbers(blocks.size() / format.block_bytes * format.block_elements);
  format.dequantize(blocks, numbers);
  return numbers;
}

std::vector<std::byte> bytes(std::initializer_list<int> list) {
  std::vector<std::byte> out;
  for (const int b : list)
    out.push_back(static_cast<std::byte>(b));
  return out;
}

}  // namespace

TEST_SUITE("inference/quant") {
  TEST_CASE("every file of the folder has a row, and every row a file") {
    std::set<std::string> files;
    const auto folder = std::filesystem::path(KINGLET_SOURCE_DIR) / "inference" / "quant";
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ".cpp" && entry.path().stem() != "all") {
        files.insert(entry.path().stem().string());
      }
    }
    std::set<std::string> rows;
    for (const BlockFormat* format : block_formats()) {
      std::string name(format->name);
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
      });
      rows.insert(name);
    }
    CHECK(files == rows);
    CHECK(rows.size() == block_formats().size());
  }

  TEST_CASE("the table finds formats by number, and nothing by others") {
    std::uint32_t before = 0;
    for (const BlockFormat* format : block_formats()) {
      const auto number = static_cast<std::uint32_t>(format->type);
      CHECK(find_block_format(number) == format);
      CHECK(&block_format(format->type) == format);
      CHECK((format == block_formats().front() || number > before));
      before = number;
    }
    CHECK(find_block_format(4) == nullptr);
    CHECK(find_block_format(0xffffffff) == nullptr);
  }

  TEST_CASE("bytes_of counts whole blocks and does not overflow") {
    CHECK(block_format(TensorType::kQ4_0).bytes_of(64) == 36);
    CHECK(block_format(TensorType::kQ8_0).bytes_of(64) == 68);
    CHECK(block_format(TensorType::kQ8_0).bytes_of(0) == 0);
    CHECK_FALSE(block_format(TensorType::kQ8_0).bytes_of(33));
    CHECK_FALSE(block_format(TensorType::kF32).bytes_of(std::uint64_t{1} << 62));
  }

  TEST_CASE("a round trip stays within each format's error bound") {
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    for (const BlockFormat* format : block_formats()) {
      CAPTURE(format->name);
      for (const float scale : {1e-2F, 1.0F, 300.0F}) {
        std::vector<float> numbers(16'384);
        for (float& x : numbers)
          x = normal(random) * scale;
        // The awkward blocks: all the same, one outlier, both signs of the greatest magnitude,
        // nothing below zero.
        const std::size_t n = std::max(format->block_elements, 32U);
        const auto block_at = [&](std::size_t i) { return std::span(numbers).subspan(i * n, n); };
        std::ranges::fill(block_at(0), -scale);
        std::ranges::fill(block_at(1), 0.01F * scale);
        block_at(1)[8] = 100 * scale;
        block_at(2)[0] = 5 * scale;
        block_at(2)[1] = -5 * scale;
        for (float& x : block_at(3))
          x = std::fabs(x);
        const auto back = dequantized(*format, quantized(*format, numbers));
        REQUIRE(back.size() == numbers.size());
        const std::size_t step = format->block_elements;
        double worst = 0;
        for (std::size_t block = 0; block < numbers.size(); block += step) {
          float greatest = 0;
          float error = 0;
          for (std::size_t i = block; i < block + step; ++i) {
            greatest = std::max(greatest, std::fabs(numbers[i]));
            error = std::max(error, std::fabs(numbers[i] - back[i]));
          }
          if (greatest >= 1e-3F) {
            worst = std::max(worst, static_cast<double>(error) / greatest);
          }
        }
        CHECK(worst <= format->error_bound);
        CHECK(worst >= format->error_bound / 4);  // the bound means something
      }
    }
  }

  TEST_CASE("quantizing what was dequantized changes nothing more") {
    std::mt19937 random(8);
    std::normal_distribution<float> normal;
    for (const BlockFormat* format : block_formats()) {
      CAPTURE(format->name);
      std::vector<float> numbers(2048);
      for (float& x : numbers)
        x = normal(random);
      const auto once = dequantized(*format, quantized(*format, numbers));
      const auto twice = dequantized(*format, quantized(*format, once));
      double first = 0;
      double second = 0;
      for (std::size_t i = 0; i < once.size(); ++i) {
        first += std::pow(numbers[i] - once[i], 2);
        second += std::pow(once[i] - twice[i], 2);
        // A scale of scales is found anew from what the first rounding left of the extremes.
        if (format->block_elements < 256) {
          CHECK(std::fabs(once[i] - twice[i]) <= 2e-3F * std::fabs(once[i]));
        }
      }
      CHECK(second <= first / 4);
    }
  }

  TEST_CASE("zeros stay zeros") {
    for (const BlockFormat* format : block_formats()) {
      const std::vector<float> zeros(512, 0.0F);
      for (const float x : dequantized(*format, quantized(*format, zeros)))
        CHECK(x == 0.0F);
    }
  }

  TEST_CASE("q8_0 blocks are laid out as files have them") {
    std::vector<float> numbers(32, 0.0F);
    numbers[0] = 127;
    numbers[1] = -127;
    numbers[31] = 2.4F;
    const auto block = quantized(block_format(TensorType::kQ8_0), numbers);
    REQUIRE(block.size() == 34);
    CHECK(std::vector(block.begin(), block.begin() + 4) == bytes({0x00, 0x3c, 127, 0x81}));
    CHECK(block[33] == std::byte{2});
    CHECK(dequantized(block_format(TensorType::kQ8_0), block)[1] == -127.0F);
  }

  TEST_CASE("q4_0 blocks are laid out as files have them") {
    std::vector<float> numbers(32, 0.0F);
    numbers[0] = -8;
    numbers[1] = 7;
    numbers[16] = 3;
    const auto block = quantized(block_format(TensorType::kQ4_0), numbers);
    REQUIRE(block.size() == 18);
    // d = -8 / -8 = 1; quants are stored plus 8; low nibble element i, high nibble element i + 16.
    CHECK(std::vector(block.begin(), block.begin() + 5) == bytes({0x00, 0x3c, 0xb0, 0x8f, 0x88}));
    CHECK(dequantized(block_format(TensorType::kQ4_0), block) == numbers);
  }

  TEST_CASE("q4_1 blocks are laid out as files have them") {
    std::vector<float> numbers(32, 2.0F);
    numbers[0] = 17;
    numbers[16] = 5;
    const auto block = quantized(block_format(TensorType::kQ4_1), numbers);
    // d = 1, m = 2.
    CHECK(std::vector(block.begin(), block.begin() + 6) == bytes({0, 0x3c, 0, 0x40, 0x3f, 0x00}));
    CHECK(block.size() == 20);
    CHECK(dequantized(block_format(TensorType::kQ4_1), block) == numbers);
  }

  TEST_CASE("q5_0 blocks are laid out as files have them") {
    std::vector<float> numbers(32, 0.0F);
    numbers[0] = -16;
    numbers[1] = 15;
    numbers[17] = -3;
    const auto block = quantized(block_format(TensorType::kQ5_0), numbers);
    // d = 1; quants are stored plus 16: a zero is the fifth bit alone.
    CHECK(std::vector(block.begin(), block.begin() + 9) ==
          bytes({0, 0x3c, 0xfe, 0xff, 0xfd, 0xff, 0x00, 0xdf, 0x00}));
    CHECK(block.size() == 22);
    CHECK(dequantized(block_format(TensorType::kQ5_0), block) == numbers);
  }

  TEST_CASE("q5_1 blocks are laid out as files have them") {
    std::vector<float> numbers(32, -1.0F);
    numbers[0] = 30;
    numbers[31] = 16;
    const auto block = quantized(block_format(TensorType::kQ5_1), numbers);
    // d = 1, m = -1.
    CHECK(std::vector(block.begin(), block.begin() + 10) ==
          bytes({0, 0x3c, 0, 0xbc, 0x01, 0, 0, 0x80, 0x0f, 0x00}));
    CHECK(block[23] == std::byte{0x10});
    CHECK(block.size() == 24);
    CHECK(dequantized(block_format(TensorType::kQ5_1), block) == numbers);
  }

  TEST_CASE("bf16 numbers are the upper halves of floats, rounded to even") {
    const std::vector<float> numbers = {1.0F, -2.5F, 1 + 0x1p-8F, 1 + 3 * 0x1p-8F, 1 + 0x1.1p-8F};
    CHECK(quantized(block_format(TensorType::kBF16), numbers) ==
          bytes({0x80, 0x3f, 0x20, 0xc0, 0x80, 0x3f, 0x82, 0x3f, 0x81, 0x3f}));
    CHECK(dequantized(block_format(TensorType::kBF16), bytes({0x20, 0xc0}))[0] == -2.5F);
  }

  TEST_CASE("iq4_nl blocks are laid out as files have them") {
    std::vector<float> numbers(32, 1.0F);  // level 8
    numbers[0] = -127;
    numbers[16] = 113;
    numbers[15] = -10.4F;
    const auto block = quantized(block_format(TensorType::kIQ4_NL), numbers);
    CHECK(std::vector(block.begin(), block.begin() + 4) == bytes({0, 0x3c, 0xf0, 0x88}));
    CHECK(block[17] == std::byte{0x87});
    CHECK(block.size() == 18);
    numbers[15] = -10;
    CHECK(dequantized(block_format(TensorType::kIQ4_NL), block) == numbers);
  }

  TEST_CASE("iq4_xs blocks are read as files have them") {
    std::vector<std::byte> block(136, std::byte{0});
    const auto set = [&](std::size_t at, int value) { block[at] = static_cast<std::byte>(value); };
    set(1, 0x3c);               // d = 1
    set(2, 0xa8);               // upper bits: sub-blocks 1, 2 and 3 have 32, and 0 has none
    set(3, 0xaa);               // so have sub-blocks 4 to 7: all scales but the first are 32
    set(4, 0x03);               // scale of sub-block 0: 3 - 32
    set(7, 0x10);               // of sub-block 7: 33 - 32
    set(8 + 0, 0xf8);           // sub-block 0: element 0 is level 8 (1), element 16 level 15 (113)
    set(8 + 7 * 16 + 2, 0xc7);  // sub-block 7: element 2 is level 7 (-10), 18 level 12 (53)
    std::vector<float> expected(256, 0.0F);
    std::fill_n(expected.begin(), 32, -29.0F * -127);
    expected[0] = -29;
    expected[16] = -29 * 113;
    std::fill_n(expected.begin() + 224, 32, -127.0F);
    expected[224 + 2] = -10;
    expected[224 + 18] = 53;
    CHECK(dequantized(block_format(TensorType::kIQ4_XS), block) == expected);
  }

  TEST_CASE("the nearest level is found, below, between and above them") {
    for (int i = -1300; i <= 1300; ++i) {
      const float x = static_cast<float>(i) / 10;
      const int level = kIq4Levels[static_cast<std::size_t>(nearest_iq4_level(x))];
      for (const std::int8_t other : kIq4Levels)
        CHECK(std::fabs(x - static_cast<float>(level)) <= std::fabs(x - static_cast<float>(other)));
    }
  }

  TEST_CASE("q4_k blocks are read as files have them") {
    std::vector<std::byte> block(144, std::byte{0});
    const auto set = [&](std::size_t at, int value) { block[at] = static_cast<std::byte>(value); };
    set(1, 0x3c);  // d = 1
    set(3, 0x38);  // d_min = 0.5
    // Sub-block 1: scale 63, minimum 2. Sub-block 6: scale 0x2a, minimum 0x15, in pieces.
    set(4 + 1, 63);
    set(4 + 5, 2);
    set(4 + 2, 0x2 << 6);
    set(4 + 6, 0x1 << 6);
    set(4 + 10, 0x5 << 4 | 0xa);
    set(16 + 3, 0xf0);       // element 3 of sub-block 1 is 15, of sub-block 0 is 0
    set(16 + 3 * 32, 0x47);  // element 0 of sub-block 6 is 7, of sub-block 7 is 4
    std::vector<float> expected(256, 0.0F);
    std::fill_n(expected.begin() + 32, 32, -1.0F);
    expected[32 + 3] = 63 * 15 - 1;
    std::fill_n(expected.begin() + 192, 32, -0.5F * 0x15);
    expected[192] = 0x2a * 7 - 0.5F * 0x15;
    CHECK(dequantized(block_format(TensorType::kQ4_K), block) == expected);
  }

  TEST_CASE("q5_k blocks are read as files have them") {
    std::vector<std::byte> block(176, std::byte{0});
    const auto set = [&](std::size_t at, int value) { block[at] = static_cast<std::byte>(value); };
    set(1, 0x3c);            // d = 1
    set(3, 0x3c);            // d_min = 1
    set(4 + 0, 2);           // scale of sub-block 0
    set(4 + 3, 0x1 << 6);    // of sub-block 7: 16 + 3
    set(4 + 11, 0x93);       // and its minimum: 9
    set(16 + 5, 0x81);       // element 5: the fifth bits of sub-blocks 0 and 7
    set(48 + 5, 0x06);       // element 5 of sub-block 0
    set(48 + 96 + 5, 0x20);  // element 5 of sub-block 7
    std::vector<float> expected(256, 0.0F);
    expected[5] = 2 * (16 + 6);
    std::fill_n(expected.begin() + 224, 32, -9.0F);
    expected[229] = 19 * (16 + 2) - 9;
    CHECK(dequantized(block_format(TensorType::kQ5_K), block) == expected);
  }

  TEST_CASE("q6_k blocks are read as files have them") {
    std::vector<std::byte> block(210, std::byte{0});
    const auto set = [&](std::size_t at, int value) { block[at] = static_cast<std::byte>(value); };
    set(209, 0x40);      // d = 2
    set(192 + 1, 3);     // elements 16..31
    set(192 + 15, -5);   // elements 240..255
    set(17, 0x1b);       // low bits of elements 17 (11) and 81 (1, without a scale)
    set(128 + 17, 0x2);  // upper bits of 17
    set(127, 0x60);      // low bits of element 255 (6) and 191 (0)
    set(191, 0xc0);      // upper bits of 255
    std::vector<float> expected(256, -0.0F);
    std::fill_n(expected.begin() + 16, 16, -192.0F);
    expected[17] = 2 * 3 * (43 - 32);
    std::fill_n(expected.begin() + 240, 16, 320.0F);
    expected[255] = 2 * -5 * (54 - 32);
    CHECK(dequantized(block_format(TensorType::kQ6_K), block) == expected);
  }

  TEST_CASE("the scales of a super-block survive packing, all values of them") {
    std::array<std::byte, kSubBlockScalesBytes> packed;
    for (int value = 0; value < 64; ++value) {
      for (std::size_t s = 0; s < kSubBlocks; ++s) {
        SubBlockScales sub = {};
        sub.scales[s] = static_cast<std::uint8_t>(value);
        sub.mins[s] = static_cast<std::uint8_t>(63 - value);
        sub.scales[(s + 1) % kSubBlocks] = 63;
        pack_scales(sub, packed.data());
        const SubBlockScales back = unpack_scales(packed.data());
        CHECK(back.scales == sub.scales);
        CHECK(back.mins == sub.mins);
      }
    }
  }

  TEST_CASE("blocks of any bytes stand for the numbers that the layouts say") {
    std::mt19937 random(11);
    for (const BlockFormat* format : block_formats()) {
      CAPTURE(format->name);
      std::vector<std::byte> blocks(std::size_t{format->block_bytes} * 2048);
      for (auto& b : blocks)
        b = static_cast<std::byte>(random());
      const auto numbers = dequantized(*format, blocks);
      const auto expected =
          test::reference_dequantize(static_cast<std::uint32_t>(format->type), blocks);
      REQUIRE(numbers.size() == expected.size());
      std::size_t n_wrong = 0;
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        // The reference takes an infinite or NaN half for a number beyond 65,504.
        const double most = format->type == TensorType::kF32 ? 3e38 : 65'504;
        if (!std::isfinite(numbers[i]) || std::fabs(expected[i]) > most) continue;
        if (std::fabs(numbers[i] - expected[i]) > 0x1p-23 * std::fabs(expected[i])) ++n_wrong;
      }
      CHECK(n_wrong == 0);
    }
  }

  TEST_CASE("blocks with a number that is Inf or NaN are told from those without") {
    std::mt19937 random(12);
    for (const BlockFormat* format : block_formats()) {
      CAPTURE(format->name);
      int n_wrong = 0;
      int n_finite = 0;
      std::vector<std::byte> blocks(std::size_t{format->block_bytes} * 3);
      for (int round = 0; round < 2000; ++round) {
        for (auto& b : blocks)
          b = static_cast<std::byte>(random());
        // Exponents that are all ones are rare in random bytes.
        for (const auto& exponent : format->exponents) {
          if (exponent.mask == 0 || random() % 8 != 0) continue;
          const std::size_t at = random() % 3 * format->block_bytes + exponent.offset + 1;
          blocks[at] |= static_cast<std::byte>(exponent.mask >> 8);
        }
        const auto numbers = dequantized(*format, blocks);
        const bool finite = std::ranges::all_of(numbers, [](float x) { return std::isfinite(x); });
        n_finite += finite ? 1 : 0;
        if (format->all_finite(blocks) != finite) ++n_wrong;
      }
      CHECK(n_wrong == 0);
      CHECK(n_finite > 500);
      CHECK(n_finite < 1950);
    }
  }

  TEST_CASE("one number among a million that is none is found, wherever it is") {
    for (const BlockFormat* format : block_formats()) {
      CAPTURE(format->name);
      const std::size_t n_blocks = (std::size_t{1} << 20) / format->block_elements;
      std::vector<std::byte> blocks(n_blocks * format->block_bytes, std::byte{0});
      CHECK(format->all_finite(blocks));
      for (const std::size_t block : {std::size_t{0}, n_blocks / 3, n_blocks - 1}) {
        for (const auto& exponent : format->exponents) {
          if (exponent.mask == 0) continue;
          const std::size_t at = block * format->block_bytes + exponent.offset;
          std::memcpy(&blocks[at], &exponent.mask, 2);
          CHECK_FALSE(format->all_finite(blocks));
          std::memset(&blocks[at], 0, 2);
        }
      }
      CHECK(format->all_finite(blocks));
      CHECK(format->all_finite({}));
    }
  }

  TEST_CASE("any bytes are a block") {
    std::mt19937 random(9);
    for (const BlockFormat* format : block_formats()) {
      std::vector<std::byte> noise(std::size_t{format->block_bytes} * 4096);
      for (auto& b : noise)
        b = static_cast<std::byte>(random());
      CHECK(dequantized(*format, noise).size() == 4096 * std::size_t{format->block_elements});
    }
  }

  TEST_CASE("halves survive the way to float and back, all 65,536 of them") {
    int n_wrong = 0;
    for (std::uint32_t bits = 0; bits < 65'536; ++bits) {
      const auto half = static_cast<std::uint16_t>(bits);
      const float value = half_to_float(half);
      const bool is_nan = (bits & 0x7c00) == 0x7c00 && (bits & 0x3ff) != 0;
      if (is_nan ? !std::isnan(value) || !std::isnan(half_to_float(float_to_half(value)))
                 : float_to_half(value) != half) {
        ++n_wrong;
      }
    }
    CHECK(n_wrong == 0);
    CHECK(half_to_float(0x3c00) == 1.0F);
    CHECK(half_to_float(0x0001) == 0x1p-24F);
    CHECK(half_to_float(0xfbff) == -65'504.0F);
    CHECK(half_to_float(0x7c00) == std::numeric_limits<float>::infinity());
  }

  TEST_CASE("floats round to the nearest half, ties to even") {
    CHECK(float_to_half(1.0F + 0x1p-11F) == 0x3c00);             // a tie: down to even
    CHECK(float_to_half(1.0F + 3 * 0x1p-11F) == 0x3c02);         // a tie: up to even
    CHECK(float_to_half(1.0F + 0x1p-11F + 0x1p-20F) == 0x3c01);  // above the tie
    CHECK(float_to_half(0x1p-25F) == 0x0000);                    // a tie with zero
    CHECK(float_to_half(0x1.8p-25F) == 0x0001);
    CHECK(float_to_half(0x1.ffcp-15F + 0x1p-26F) == 0x0400);  // the least normal half
    CHECK(float_to_half(65'519.0F) == 0x7bff);
    CHECK(float_to_half(65'520.0F) == 0x7c00);
    CHECK(float_to_half(-1e10F) == 0xfc00);
#ifdef __FLT16_MAX__
    std::mt19937 random(10);
    int n_wrong = 0;
    for (int i = 0; i < 200'000; ++i) {
      const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
      if (std::isnan(value)) continue;
      if (std::bit_cast<std::uint16_t>(static_cast<_Float16>(value)) != float_to_half(value)) {
        ++n_wrong;
      }
    }
    CHECK(n_wrong == 0);
#endif
  }
}

}  // namespace kinglet::inference
