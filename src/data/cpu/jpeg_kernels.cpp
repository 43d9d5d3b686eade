#include "../jpeg_kernels.h"

#include "vector.h"

// Included headers must define no functions: an inline one compiled here for a wide instruction set could be the
// copy that the linker keeps for everybody.

namespace effnetv2::EFFNETV2_CPU_LEVEL {
namespace {

/// Sums over K frequencies for each of `size` pixels. Cosines of pixels that mirror each other differ in the sign of
/// the odd frequencies only.
template <int K>
inline void apply_basis(const Floats* in, std::ptrdiff_t in_step, const float* basis, int size, Floats* out,
                        std::ptrdiff_t out_step) {
  Floats values[K];
  for (int u = 0; u < K; ++u) {
    values[u] = in[u * in_step];
  }
  for (int x = 0; 2 * x < size; ++x, basis += K) {
    Floats even = basis[0] * values[0], odd{};
    for (int u = 1; u < K; ++u) {
      (u % 2 == 0 ? even : odd) += basis[u] * values[u];
    }
    out[x * out_step] = even + odd;
    out[(size - 1 - x) * out_step] = even - odd;
  }
}

void apply_basis(int kept, const Floats* in, std::ptrdiff_t in_step, const float* basis, int size, Floats* out,
                 std::ptrdiff_t out_step) {
  switch (kept) {
    case 1:
      return apply_basis<1>(in, in_step, basis, size, out, out_step);
    case 2:
      return apply_basis<2>(in, in_step, basis, size, out, out_step);
    case 3:
      return apply_basis<3>(in, in_step, basis, size, out, out_step);
    case 4:
      return apply_basis<4>(in, in_step, basis, size, out, out_step);
    case 5:
      return apply_basis<5>(in, in_step, basis, size, out, out_step);
    case 6:
      return apply_basis<6>(in, in_step, basis, size, out, out_step);
    case 7:
      return apply_basis<7>(in, in_step, basis, size, out, out_step);
    default:
      return apply_basis<8>(in, in_step, basis, size, out, out_step);
  }
}

/// Rounded and clipped to a byte.
inline Ints to_bytes(Floats value) {
  value += 0.5f;
  value = value < 0.0f ? all<Floats>(0.0f) : value;
  value = value > 255.0f ? all<Floats>(255.0f) : value;
  return __builtin_convertvector(value, Ints);
}

/// A row of kLanes blocks, `size` pixels each, of which four make a chunk. A lane holds a chunk of its block; the lanes
/// are stored one after the other, so that what is behind a block's last pixel is overwritten by the next block.
template <int Chunks>
inline void store_row(const Floats* pixels, int size, std::uint8_t* to) {
  int packed[Chunks][kLanes];
  for (int chunk = 0; chunk < Chunks; ++chunk, pixels += 4) {
    store(packed[chunk],
          to_bytes(pixels[0]) | to_bytes(pixels[1]) << 8 | to_bytes(pixels[2]) << 16 | to_bytes(pixels[3]) << 24);
  }
  for (int lane = 0; lane < kLanes; ++lane, to += size) {
    for (int chunk = 0; chunk < Chunks; ++chunk) {
      __builtin_memcpy(to + 4 * chunk, &packed[chunk][lane], 4);
    }
  }
}

void store_row(const Floats* pixels, int size, std::uint8_t* to) {
  switch ((size + 3) / 4) {
    case 1:
      return store_row<1>(pixels, size, to);
    case 2:
      return store_row<2>(pixels, size, to);
    case 3:
      return store_row<3>(pixels, size, to);
    case 4:
      return store_row<4>(pixels, size, to);
    default:
      return store_row<JpegTransform::kMostPixels / 4>(pixels, size, to);
  }
}

void transform(const JpegTransform& t, const std::int16_t* coefficients, std::ptrdiff_t plane, std::ptrdiff_t blocks,
               std::uint8_t* to, std::ptrdiff_t stride) {
  constexpr int kMost = JpegTransform::kMostPixels;
  Floats in[64], down[kMost * 8], across[kMost];
  for (Floats& pixel : across) {
    pixel = Floats{};
  }
  for (std::ptrdiff_t block = 0; block < blocks; block += kLanes, to += kLanes * t.size_x) {
    for (int i = 0; i < t.kept_x * t.kept_y; ++i) {
      const auto raw = load<Shorts>(coefficients + i * plane + block);
      in[i] = __builtin_convertvector(__builtin_convertvector(raw, Ints), Floats) * t.scale[i];
    }
    in[0] += 1024.0f;  // 128 in each pixel
    for (int u = 0; u < t.kept_x; ++u) {
      apply_basis(t.kept_y, in + u, t.kept_x, t.basis_y, t.size_y, down + u, t.kept_x);
    }
    for (int y = 0; y < t.size_y; ++y) {
      apply_basis(t.kept_x, down + y * t.kept_x, 1, t.basis_x, t.size_x, across, 1);
      store_row(across, t.size_x, to + y * stride);
    }
  }
}

void to_rgb(const std::uint8_t* y, const std::uint8_t* cb, const std::uint8_t* cr, std::ptrdiff_t count,
            std::uint8_t* rgb) {
  const auto floats = [](const std::uint8_t* from) { return __builtin_convertvector(widened(from), Floats); };
  for (std::ptrdiff_t i = 0; i < count; i += kLanes) {
    const Floats luma = floats(y + i), blue = floats(cb + i) - 128.0f, red = floats(cr + i) - 128.0f;
    // ITU-T T.871, section 7
    const Ints r = to_bytes(luma + red * 1.402f);
    const Ints g = to_bytes(luma - blue * 0.344136f - red * 0.714136f);
    const Ints b = to_bytes(luma + blue * 1.772f);
    int pixels[kLanes];
    store(pixels, r | g << 8 | b << 16);
    for (int lane = 0; lane < kLanes; ++lane, rgb += 3) {
      __builtin_memcpy(rgb, &pixels[lane], 4);
    }
  }
}

}  // namespace

extern const JpegKernels kJpegKernels;
const JpegKernels kJpegKernels{transform, to_rgb};

}  // namespace effnetv2::EFFNETV2_CPU_LEVEL
