#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <numbers>

#include "effnetv2/core/rng.h"
#include "effnetv2/data/synth.h"

namespace effnetv2 {
namespace {

/// Lengths are whole 1024ths of a unit, and a picture is 32 units a side whatever its size in pixels: with integers
/// alone every machine draws the same.
using Fixed = std::int64_t;
constexpr Fixed kUnit = 1024;
constexpr Fixed kSide = 32 * kUnit;
constexpr int kAngleBits = 12;
constexpr std::int64_t kSamples = 4;  // a side, per pixel

std::int64_t pick(Rng& rng, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(high - low + 1)));
}

Fixed pick_length(Rng& rng, double low, double high) {
  return pick(rng, static_cast<Fixed>(low * kUnit), static_cast<Fixed>(high * kUnit));
}

/// A unit vector with components in 4096ths; no whole degree comes near a tie of the rounding.
struct Direction {
  std::int64_t x, y;
  explicit Direction(std::int64_t degrees) {
    const double angle = static_cast<double>(degrees) * std::numbers::pi / 180.0;
    x = std::lround(std::cos(angle) * (1 << kAngleBits));
    y = std::lround(std::sin(angle) * (1 << kAngleBits));
  }
  Fixed along(Fixed u, Fixed v) const { return (u * x + v * y) >> kAngleBits; }
  Fixed across(Fixed u, Fixed v) const { return (v * x - u * y) >> kAngleBits; }
};

Fixed modulo(Fixed a, Fixed b) {
  return (a % b + b) % b;
}

/// What is drawn in the foreground colour, about an origin.
struct Figure {
  Fixed reach;  ///< it lies within this radius; 0: it fills the plane
  std::function<bool(Fixed u, Fixed v)> inside;
};

Figure circle(Rng& rng) {
  const Fixed r = pick_length(rng, 8.0, 11.5);
  return {r, [=](Fixed u, Fixed v) { return u * u + v * v < r * r; }};
}

Figure ring(Rng& rng) {
  const Fixed r = pick_length(rng, 9.5, 13.0);
  const Fixed hole = r * pick(rng, 52, 62) / 100;
  return {r, [=](Fixed u, Fixed v) {
            const Fixed d = u * u + v * v;
            return d >= hole * hole && d < r * r;
          }};
}

Figure square(Rng& rng) {
  const Fixed half = pick_length(rng, 7.5, 10.0);
  return {half * 7 / 5, [=](Fixed u, Fixed v) { return std::max(std::abs(u), std::abs(v)) < half; }};
}

/// How many of `sides` edges of a regular polygon, `apothem` from its centre, the point lies outside of.
class Polygon {
 public:
  Polygon(int sides, Fixed apothem) : apothem_(apothem) {
    for (int i = 0; i < sides; ++i) {
      normals_.emplace_back(360 * i / sides);
    }
  }
  std::ptrdiff_t outside(Fixed u, Fixed v) const {
    return std::ranges::count_if(normals_, [&](const Direction& n) { return n.along(u, v) >= apothem_; });
  }

 private:
  std::vector<Direction> normals_;
  Fixed apothem_;
};

Figure triangle(Rng& rng) {
  const Fixed r = pick_length(rng, 11.0, 14.5);
  return {r, [edges = Polygon(3, r / 2)](Fixed u, Fixed v) { return edges.outside(u, v) == 0; }};
}

Figure cross(Rng& rng) {
  const Fixed arm = pick_length(rng, 10.0, 13.5);
  const Fixed half = arm * pick(rng, 24, 32) / 100;
  return {arm, [=](Fixed u, Fixed v) {
            return std::min(std::abs(u), std::abs(v)) < half && std::max(std::abs(u), std::abs(v)) < arm;
          }};
}

/// A pentagram is its inner pentagon and the points beyond exactly one of its edges.
Figure star(Rng& rng) {
  const Fixed r = pick_length(rng, 12.5, 15.0);
  return {r, [edges = Polygon(5, r * 309 / 1000)](Fixed u, Fixed v) { return edges.outside(u, v) <= 1; }};
}

Figure stripes(Rng& rng) {
  const Fixed period = pick_length(rng, 7.0, 10.0);
  return {0, [=](Fixed u, Fixed) { return modulo(u, period) * 2 < period; }};
}

Figure checkerboard(Rng& rng) {
  const Fixed cell = pick_length(rng, 5.5, 8.0);
  return {0, [=](Fixed u, Fixed v) { return (modulo(u, 2 * cell) < cell) != (modulo(v, 2 * cell) < cell); }};
}

Figure dots(Rng& rng) {
  const Fixed period = pick_length(rng, 9.0, 12.0);
  const Fixed r = period * pick(rng, 27, 33) / 100;
  return {0, [=](Fixed u, Fixed v) {
            const Fixed x = modulo(u, period) - period / 2;
            const Fixed y = modulo(v, period) - period / 2;
            return x * x + y * y < r * r;
          }};
}

/// Bands along a chain of parabola arcs, up and down in turn.
Figure waves(Rng& rng) {
  const Fixed period = pick_length(rng, 7.5, 10.0);
  const Fixed arc = pick_length(rng, 7.0, 9.5);
  const Fixed height = arc * pick(rng, 30, 36) / 100;
  return {0, [=](Fixed u, Fixed v) {
            const Fixed t = modulo(u, arc);
            const Fixed rise = 4 * height * t / arc * (arc - t) / arc;
            const Fixed level = modulo(u, 2 * arc) < arc ? rise : -rise;
            return modulo(v + level, period) * 2 < period;
          }};
}

struct Drawing {
  const char* name;
  Figure (*make)(Rng&);
};
constexpr std::array<Drawing, 10> kDrawings{{{"checkerboard", checkerboard},
                                             {"circle", circle},
                                             {"cross", cross},
                                             {"dots", dots},
                                             {"ring", ring},
                                             {"square", square},
                                             {"star", star},
                                             {"stripes", stripes},
                                             {"triangle", triangle},
                                             {"waves", waves}}};

using Colour = std::array<std::int64_t, 3>;

Colour pick_colour(Rng& rng) {
  return {pick(rng, 24, 231), pick(rng, 24, 231), pick(rng, 24, 231)};
}

std::int64_t lightness(const Colour& c) {
  return (299 * c[0] + 587 * c[1] + 114 * c[2]) / 1000;
}

}  // namespace

const std::vector<std::string>& synthetic_classes() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    list.reserve(std::size(kDrawings));
    for (const Drawing& drawing : kDrawings) {
      list.emplace_back(drawing.name);
    }
    return list;
  }();
  return names;
}

Image draw_synthetic(std::int64_t label, std::int64_t index, const SynthOptions& options) {
  constexpr std::int64_t kLeastContrast = 100;
  constexpr Fixed kMostPlay = 5 * kUnit;
  Rng rng =
      Rng::stream(options.seed, Purpose::synth, static_cast<std::uint64_t>(label), static_cast<std::uint64_t>(index));
  const Figure figure = kDrawings.at(static_cast<std::size_t>(label)).make(rng);
  const Direction turned(pick(rng, -20, 20));
  const Fixed play = std::min(kMostPlay, kSide / 2 - figure.reach);
  const Fixed centre_x = kSide / 2 + pick(rng, -play, play);
  const Fixed centre_y = kSide / 2 + pick(rng, -play, play);

  Colour back, front;
  do {
    back = pick_colour(rng);
    front = pick_colour(rng);
  } while (std::abs(lightness(back) - lightness(front)) < kLeastContrast);
  const Colour slope{pick(rng, -40, 40), pick(rng, -40, 40), pick(rng, -40, 40)};
  const Direction downhill(pick(rng, 0, 359));
  const std::int64_t noise = pick(rng, 0, 14);

  const std::int64_t size = options.size;
  const auto place = [size](std::int64_t pixel, std::int64_t sample) {
    return (2 * (kSamples * pixel + sample) + 1) * kSide / (2 * kSamples * size);
  };
  Image image(size, size);
  auto out = image.pixels.begin();
  for (std::int64_t y = 0; y < size; ++y) {
    for (std::int64_t x = 0; x < size; ++x) {
      std::int64_t covered = 0;
      for (std::int64_t sy = 0; sy < kSamples; ++sy) {
        for (std::int64_t sx = 0; sx < kSamples; ++sx) {
          const Fixed u = place(x, sx) - centre_x;
          const Fixed v = place(y, sy) - centre_y;
          covered += figure.inside(turned.along(u, v), turned.across(u, v)) ? 1 : 0;
        }
      }
      constexpr std::int64_t kAll = kSamples * kSamples;
      const Fixed distance = downhill.along(place(x, 0) - kSide / 2, place(y, 0) - kSide / 2);
      for (std::size_t c = 0; c < 3; ++c) {
        const std::int64_t flat = (back[c] * (kAll - covered) + front[c] * covered) / kAll;
        const std::int64_t value = flat + slope[c] * distance / kSide + pick(rng, -noise, noise);
        *out++ = static_cast<std::uint8_t>(std::clamp<std::int64_t>(value, 0, 255));
      }
    }
  }
  return image;
}

}  // namespace effnetv2
